//! Which channels are listened to.

use bytes::Bytes;

/// What is listened to.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) patterns: Vec<Bytes>,
    pub(super) sharded: Vec<Bytes>,
}

impl Heard {
    pub(super) fn is_nothing(&self) -> bool {
        self.patterns.is_empty() && self.sharded.is_empty()
    }

    /// Whether what is published on this channel is heard, be it a sharded one or not.
    pub(super) fn hears(&self, channel: &[u8]) -> bool {
        self.hears_one(channel, false) || self.hears_one(channel, true)
    }

    /// Whether what is published on this channel is heard.
    pub(super) fn hears_one(&self, channel: &[u8], is_sharded: bool) -> bool {
        if is_sharded {
            self.sharded.iter().any(|it| it == channel)
        } else {
            self.patterns.iter().any(|it| matches(it, channel))
        }
    }
}

/// Whether a glob pattern matches a name, as servers see it: `*`, `?`, `[a-z]`, `[^a]`, and `\` before what stands for
/// itself.
pub(super) fn matches(mut pattern: &[u8], mut name: &[u8]) -> bool {
    // Where to go on when what follows the last star does not fit: only that one needs to take more.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            again = Some((rest, name));
            pattern = rest;
            continue;
        }
        let step = match name {
            [] if pattern.is_empty() => return true,
            [byte, rest @ ..] => one(pattern, *byte).map(|pattern| (pattern, rest)),
            [] => None,
        };
        match (step, again) {
            (Some(step), _) => (pattern, name) = step,
            (None, Some((behind, [_, rest @ ..]))) => {
                again = Some((behind, rest));
                (pattern, name) = (behind, rest);
            }
            (None, _) => return false,
        }
    }
}

/// What is left of a pattern whose next item, no star, fits this byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => class(rest, byte),
        [b'\\', literal, rest @ ..] => (*literal == byte).then_some(rest),
        [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

/// The same of what stands between brackets. One that is never closed ends with the pattern.
fn class(mut items: &[u8], byte: u8) -> Option<&[u8]> {
    let is_negated = items.first() == Some(&b'^');
    if let (true, [_, rest @ ..]) = (is_negated, items) {
        items = rest;
    }
    let mut is_in = false;
    let rest = loop {
        items = match items {
            [] => break items,
            [b']', rest @ ..] => break rest,
            [b'\\', literal, rest @ ..] => {
                is_in |= *literal == byte;
                rest
            }
            [first, b'-', last, rest @ ..] => {
                is_in |= (*first.min(last)..=*first.max(last)).contains(&byte);
                rest
            }
            [literal, rest @ ..] => {
                is_in |= *literal == byte;
                rest
            }
        };
    };
    (is_in != is_negated).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_hears_what_servers_say_it_does() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("news.*", "news.sport", true),
            ("news.*", "news", false),
            ("*.a*b*c", "x.aabbbc", true),
            ("*.a*b*c", "x.aabbbcd", false),
            ("**a", "ba", true),
            ("h?llo", "hallo", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hello", true),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hallo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"[\]]", "]", true),
            ("[abc", "c", true),
            (r"a\", r"a\", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        // Nor does it take long whatever they are: each star but the last takes what it took.
        let pattern = "*a".repeat(50) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(5_000).as_bytes()));
    }

    #[test]
    fn sharded_channels_are_heard_by_name_only() {
        let heard = Heard { patterns: vec!["n*".into()], sharded: vec!["parts".into()] };
        assert!(heard.hears_one(b"news", false) && !heard.hears_one(b"news", true));
        assert!(heard.hears_one(b"parts", true) && heard.hears(b"parts") && !heard.hears(b"other"));
        assert!(Heard::default().is_nothing() && !heard.is_nothing());
    }
}
