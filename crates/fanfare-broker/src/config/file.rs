//! The syntax of `redis.conf`: lines, words, quotes, and the files that `include` names.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// One line that is neither blank nor a comment.
#[derive(Debug)]
pub(super) struct Statement {
    /// Counted from one.
    pub(super) line: u32,
    /// The name and the values; `Err`: why the line can not be split.
    pub(super) words: Result<Vec<String>, &'static str>,
}

/// The statements of a file.
pub(super) fn statements(text: &[u8]) -> impl Iterator<Item = Statement> {
    text.split(|it| *it == b'\n').zip(1_u32..).filter_map(|(bytes, line)| {
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() || bytes.starts_with(b"#") {
            return None;
        }
        let words = split_words(bytes);
        if words.as_ref().is_ok_and(Vec::is_empty) {
            return None;
        }
        Some(Statement { line, words })
    })
}

/// Splits a line into words, by Redis's rules for quotes and escapes.
pub(super) fn split_words(line: &[u8]) -> Result<Vec<String>, &'static str> {
    const UNBALANCED: &str = "unbalanced quotes; close each quote and put a space after it";
    const NOT_UTF8: &str = "not UTF-8 text";

    let words = fanfare_resp::split_args(line).ok_or(UNBALANCED)?;
    words.into_iter().map(|it| String::from_utf8(it).map_err(|_| NOT_UTF8)).collect()
}

/// The files that an `include` names: itself, or in order of name what its wildcards match. Nothing
/// need match a wildcard, so that an empty `conf.d` is no error.
pub(super) fn included(pattern: &str) -> Vec<PathBuf> {
    if !has_wildcard(pattern) {
        return vec![PathBuf::from(pattern)];
    }
    let mut found = vec![PathBuf::new()];
    for component in Path::new(pattern).components() {
        found = match component {
            Component::Normal(name) if has_wildcard(&name.to_string_lossy()) => {
                let name = name.to_string_lossy();
                found.iter().flat_map(|it| matching_entries(it, &name)).collect()
            }
            _ => found.iter().map(|it| it.join(component)).filter(|it| it.exists()).collect(),
        };
    }
    found
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn matching_entries(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let listed = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Ok(entries) = fs::read_dir(listed) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .filter_map(|it| it.ok()?.file_name().into_string().ok())
        // As in a shell, only a pattern that starts with a dot matches a hidden file.
        .filter(|it| pattern.starts_with('.') || !it.starts_with('.'))
        .filter(|it| matches_name(pattern.as_bytes(), it.as_bytes()))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|it| dir.join(it)).collect()
}

/// A shell's wildcards: `*`, `?`, `[a-z]`, `[!a]`, and `\` before a literal one. Each `*` remembers
/// only the last place to go back to, so the time is at most pattern times name.
fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = pattern {
            star = Some((after, name));
            pattern = after;
            continue;
        }
        let step = match name {
            [] if pattern.is_empty() => return true,
            [] => None,
            [byte, tail @ ..] => one_matches(pattern, *byte).map(|after| (after, tail)),
        };
        (pattern, name) = match (step, star) {
            (Some(next), _) => next,
            (None, Some((after, [_, tail @ ..]))) => {
                star = Some((after, tail));
                (after, tail)
            }
            (None, _) => return false,
        };
    }
}

/// What follows the first element of `pattern`, if that element matches `byte`.
fn one_matches(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', after @ ..] => Some(after),
        [b'\\', literal, after @ ..] => (*literal == byte).then_some(after),
        [b'[', class @ ..] => {
            let end = 1 + class.get(1..)?.iter().position(|it| *it == b']')?;
            let (class, after) = (class.get(..end)?, class.get(end + 1..)?);
            in_class(class, byte).then_some(after)
        }
        [literal, after @ ..] => (*literal == byte).then_some(after),
        [] => None,
    }
}

fn in_class(class: &[u8], byte: u8) -> bool {
    let (negated, mut rest) = match class {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    loop {
        rest = match rest {
            [] => return found != negated,
            [low, b'-', high, tail @ ..] => {
                found |= (*low..=*high).contains(&byte);
                tail
            }
            [one, tail @ ..] => {
                found |= *one == byte;
                tail
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_split_as_redis_splits_them() {
        let table: &[(&str, Option<&[&str]>)] = &[
            ("a b  c", Some(&["a", "b", "c"])),
            ("a \"\" ''", Some(&["a", "", ""])),
            (r#"a "b \"c\" \n\t\r\a\b\x41\\""#, Some(&["a", "b \"c\" \n\t\r\x07\x08A\\"])),
            (r"a 'b \' \n'", Some(&["a", r"b ' \n"])),
            ("a\tb", Some(&["a", "b"])),
            ("pre\"fix\"", Some(&["prefix"])),
            (r#""\xzz""#, Some(&["xzz"])),
            ("a \"b", None),
            ("a 'b", None),
            ("a \"b\"c", None),
            ("a 'b'c", None),
            (r#""\"#, None),
            (r#""\xff""#, None),
        ];
        for (line, expected) in table {
            let words = split_words(line.as_bytes()).ok();
            let expected: Option<Vec<String>> =
                expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
            assert_eq!(words, expected, "{line}");
        }
    }

    #[test]
    fn wildcards_match_as_in_a_shell() {
        let table = [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("?.conf", "ab.conf", false),
            ("[0-9][0-9]-*.conf", "10-tls.conf", true),
            ("[!0-9]*", "10-tls.conf", false),
            ("[^0-9]*", "x", true),
            ("a[]]b", "a]b", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("**a**b", "xxaxxb", true),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("[", "[", false),
            ("", "", true),
            ("*", "", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(
                matches_name(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn statements_count_lines_and_skip_comments() {
        let found: Vec<_> = statements(b"# c\r\n\r\n  port 0  \r\n#x\nbind \"")
            .map(|it| (it.line, it.words))
            .collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], (3, Ok(vec!["port".to_owned(), "0".to_owned()])));
        assert_eq!(found[1].0, 5);
        assert!(found[1].1.is_err());
    }
}
