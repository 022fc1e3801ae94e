//! Redis's glob patterns on bytes: `*`, `?`, `[a-z]`, `[^a]`, `\x`.
//!
//! Source: the page of `PSUBSCRIBE`/`KEYS` and `stringmatchlen` of redis-server 7.0. Unlike that function, which
//! recurses per `*`, the matcher backtracks to the last `*` only, so `*a*a*a*b` costs length times length at most.

/// Whether `text` matches `pattern`.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_with(pattern, text, false)
}

/// Whether `text` matches `pattern`, upper and lower case being equal.
#[must_use]
pub fn matches_nocase(pattern: &[u8], text: &[u8]) -> bool {
    matches_with(pattern, text, true)
}

/// The bytes that every match must start with.
#[must_use]
pub fn literal_prefix(pattern: &[u8]) -> &[u8] {
    let end = pattern.iter().position(|it| matches!(it, b'*' | b'?' | b'[' | b'\\'));
    end.and_then(|end| pattern.get(..end)).unwrap_or(pattern)
}

fn matches_with(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    // To Redis not even `*` matches nothing at all.
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // Where to go on when the present attempt fails: behind the last `*`, one byte of text later.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let stuck = match pattern.get(p) {
            None => t != text.len(),
            Some(b'*') => {
                p += 1;
                if p == pattern.len() {
                    return true;
                }
                retry = Some((p, t));
                continue;
            }
            Some(_) => match text.get(t).and_then(|&byte| one(pattern, p, byte, nocase)) {
                Some(next) => {
                    p = next;
                    t += 1;
                    continue;
                }
                None => true,
            },
        };
        if !stuck {
            return true;
        }
        match retry {
            Some((after_star, from)) if from < text.len() => {
                retry = Some((after_star, from + 1));
                p = after_star;
                t = from + 1;
            }
            _ => return false,
        }
    }
}

/// Matches one byte against the element at `p`; returns where the next element starts.
fn one(pattern: &[u8], p: usize, byte: u8, nocase: bool) -> Option<usize> {
    let fold = |it: u8| if nocase { it.to_ascii_lowercase() } else { it };
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => class(pattern, p + 1, fold(byte), fold),
        b'\\' if p + 1 < pattern.len() => {
            (fold(*pattern.get(p + 1)?) == fold(byte)).then_some(p + 2)
        }
        literal => (fold(literal) == fold(byte)).then_some(p + 1),
    }
}

/// Matches a `[class]` that starts at `p`, just behind the bracket. A class without end ends with the pattern.
fn class(pattern: &[u8], mut p: usize, byte: u8, fold: impl Fn(u8) -> u8) -> Option<usize> {
    let negated = pattern.get(p) == Some(&b'^');
    if negated {
        p += 1;
    }
    let mut found = false;
    loop {
        match (pattern.get(p), pattern.get(p + 1), pattern.get(p + 2)) {
            (Some(b'\\'), Some(&escaped), _) => {
                found |= fold(escaped) == byte;
                p += 2;
            }
            (Some(b']'), _, _) => {
                p += 1;
                break;
            }
            (None, _, _) => break,
            (Some(&low), Some(b'-'), Some(&high)) => {
                let (low, high) = (fold(low.min(high)), fold(low.max(high)));
                found |= low <= byte && byte <= high;
                p += 3;
            }
            (Some(&literal), _, _) => {
                found |= fold(literal) == byte;
                p += 1;
            }
        }
    }
    (found != negated).then_some(p)
}

#[cfg(test)]
mod tests {
    use super::{literal_prefix, matches, matches_nocase};

    #[test]
    fn table() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", false),
            ("**", "", false),
            ("*", "anything", true),
            ("a*", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("[\\]]", "]", true),
            ("[", "[", false),
            ("[a", "a", true),
            ("[^", "x", true),
            ("a\\", "a\\", true),
            ("**a", "bba", true),
            ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("news.*", "news.", true),
            ("news.*.eu", "news.art.eu", true),
            ("*?", "a", true),
            ("*?", "", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        assert!(matches_nocase(b"MAX*", b"maxmemory"));
        assert!(!matches(b"MAX*", b"maxmemory"));
    }

    #[test]
    fn prefixes() {
        assert_eq!(literal_prefix(b"news.*"), b"news.");
        assert_eq!(literal_prefix(b"*"), b"");
        assert_eq!(literal_prefix(b"plain"), b"plain");
        assert_eq!(literal_prefix(b"a\\*"), b"a");
    }
}
