//! What is known of a pattern before Lua's matcher sees it.
//!
//! The matcher calls itself for every item that may repeat, and nothing ends that: a long pattern would overflow the
//! stack of the server.

/// Items of a pattern that make the matcher call itself. Each takes up to 150 bytes of stack.
const ITEMS_MAX: usize = 4_000;

/// As `LUA_MAXCAPTURES`.
const CAPTURES_MAX: usize = 32;

/// What a pattern is fit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No subject can make it fail.
    Sound,
    /// It may be an error; the matcher has to say which.
    Doubtful,
    /// The matcher must not see it.
    TooComplex,
}

/// Judges a pattern.
pub(crate) fn judge(pattern: &[u8]) -> Verdict {
    let calls = |it: &u8| matches!(it, b'?' | b'*' | b'+' | b'-' | b'(' | b')');
    if ITEMS_MAX < pattern.iter().copied().filter(|it| calls(it)).count() {
        return Verdict::TooComplex;
    }
    match is_sound(pattern.strip_prefix(b"^").unwrap_or(pattern)) {
        Some(()) => Verdict::Sound,
        None => Verdict::Doubtful,
    }
}

/// `None`: something in it is an error, if the matcher gets that far.
fn is_sound(pattern: &[u8]) -> Option<()> {
    // Whether each capture so far is complete.
    let mut captures: Vec<bool> = Vec::new();
    let mut rest = pattern;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            // To C, the pattern ends here. It is left to C.
            0 => return None,
            b'(' => {
                captures.push(false);
                if CAPTURES_MAX < captures.len() {
                    return None;
                }
                if let Some(after) = rest.strip_prefix(b")") {
                    *captures.last_mut()? = true;
                    rest = after;
                }
            }
            b')' => *captures.iter_mut().rev().find(|it| !**it)? = true,
            b'[' => rest = after_set(rest)?,
            b'%' => rest = escaped(rest, &captures)?,
            _ => {}
        }
        if !matches!(first, b'(' | b')')
            && let [b'?' | b'*' | b'+' | b'-', after @ ..] = rest
        {
            rest = after;
        }
    }
    captures.into_iter().all(|it| it).then_some(())
}

/// What follows `%` and what belongs to it.
fn escaped<'p>(rest: &'p [u8], captures: &[bool]) -> Option<&'p [u8]> {
    match rest {
        [] | [0, ..] => None,
        [b'b', open, close, after @ ..] if *open != 0 && *close != 0 => Some(after),
        [b'f', b'[', after @ ..] => after_set(after),
        [b'b' | b'f', ..] => None,
        [digit @ b'0'..=b'9', after @ ..] => {
            let number = usize::from(digit.checked_sub(b'1')?);
            captures.get(number).copied()?.then_some(after)
        }
        [_, after @ ..] => Some(after),
    }
}

/// What follows a set; `rest` begins after its `[`.
fn after_set(rest: &[u8]) -> Option<&[u8]> {
    let mut rest = rest.strip_prefix(b"^").unwrap_or(rest);
    // The first of a set belongs to it, even if it is a bracket.
    loop {
        rest = match rest {
            [] | [0, ..] => return None,
            [b'%', 0, ..] | [b'%'] => return None,
            [b'%', _, after @ ..] | [_, after @ ..] => after,
        };
        if let [b']', after @ ..] = rest {
            return Some(after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ITEMS_MAX, Verdict, judge};

    #[test]
    fn what_can_fail_is_doubtful() {
        let sound: [&[u8]; 12] = [
            b"",
            b"^a+b-c*d?$",
            b"(%w+)=(%w*)",
            b"()a()",
            b"[]]",
            b"[^]]",
            b"[%]]",
            b"%b()",
            b"%f[%w]%a",
            b"((a)b)%2",
            b"%%",
            b"[a-z]-",
        ];
        for pattern in sound {
            assert_eq!(judge(pattern), Verdict::Sound, "{}", pattern.escape_ascii());
        }
        let doubtful: [&[u8]; 13] = [
            b"%", b"[a", b"[]", b"[^]", b"[%]", b"(", b"a)", b"%1", b"(%1)", b"%b(", b"%fa", b"%0",
            b"a\0b",
        ];
        for pattern in doubtful {
            assert_eq!(judge(pattern), Verdict::Doubtful, "{}", pattern.escape_ascii());
        }
        assert_eq!(judge(&b"(".repeat(33)), Verdict::Doubtful);
    }

    #[test]
    fn a_long_pattern_is_too_complex_only_if_much_of_it_may_repeat() {
        assert_eq!(judge(&b"a?".repeat(ITEMS_MAX)), Verdict::Sound);
        assert_eq!(judge(&b"a?".repeat(ITEMS_MAX + 1)), Verdict::TooComplex);
        assert_eq!(judge(&b"abc".repeat(1_000_000)), Verdict::Sound);
    }
}
