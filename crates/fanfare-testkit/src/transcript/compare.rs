//! Reduces answers to what must be equal.

use std::sync::LazyLock;

use regex::bytes::{NoExpand, Regex};

use super::Script;
use super::script::{Checks, Names, Order};
use crate::frame::{children, split_frames, tokens};

/// Stands for what a mask covers.
const MASKED: &[u8] = b"<masked>";

static LINE_NAME: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?-u)(?m)^([A-Za-z0-9_.-]+):[^\r]"));
static FIELD_NAME: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?-u)([a-z-]+)="));

/// What one client received in one step, and whether its connection was closed in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) closed: bool,
}

/// `bytes` with everything removed that may differ.
pub(crate) fn reduced(bytes: &[u8], script: &Script, checks: &Checks) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for dropped in script.drops.iter().chain(&checks.drops) {
        bytes = dropped.replace_all(&bytes, NoExpand(b"")).into_owned();
    }
    for mask in script.masks.iter().chain(&checks.masks) {
        bytes = mask.replace_all(&bytes, NoExpand(MASKED)).into_owned();
    }
    if let Some(names) = &checks.names {
        bytes = only_names(&bytes, names);
    }
    match checks.order {
        Order::Exact => bytes,
        Order::Unordered => sorted(&bytes),
        Order::Bag => bag(split_frames(&bytes)),
    }
}

fn only_names(bytes: &[u8], names: &Names) -> Vec<u8> {
    // An error has no names: it is compared as it stands.
    if bytes.starts_with(b"-") {
        return bytes.to_vec();
    }
    let found = |regex: &Regex| -> Vec<Vec<u8>> {
        let names = regex.captures_iter(bytes).filter_map(|it| it.get(1));
        names.map(|it| it.as_bytes().to_vec()).filter(|it| it != b"txt").collect()
    };
    let names = match names {
        Names::Lines => found(&LINE_NAME),
        Names::Fields => found(&FIELD_NAME),
        Names::AtLeast(wanted) => {
            let found = found(&LINE_NAME);
            let there = |it: &&String| found.iter().any(|name| name == it.as_bytes());
            wanted.iter().filter(there).map(|it| it.clone().into_bytes()).collect()
        }
    };
    names.join(&b' ')
}

/// Sorts the parts of an aggregate, or the lines of a text; of several frames, sorts all their tokens, because the
/// counts in unsubscribe confirmations do not travel with the names.
fn sorted(bytes: &[u8]) -> Vec<u8> {
    let (frames, rest) = split_frames(bytes);
    match frames.as_slice() {
        [frame] => match children(frame) {
            Some((header, mut parts)) => {
                parts.sort_unstable();
                [header, &parts.concat(), rest].concat()
            }
            None => sorted_lines(frame),
        },
        // A text whose length is masked.
        [] => sorted_lines(bytes),
        _ => bag((frames, rest)),
    }
}

fn sorted_lines(text: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = text.split_inclusive(|&it| it == b'\n').collect();
    lines.sort_unstable();
    lines.concat()
}

/// All tokens of all frames, sorted.
fn bag((frames, rest): (Vec<&[u8]>, &[u8])) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = frames.into_iter().flat_map(tokens).collect();
    parts.sort_unstable();
    [&parts.concat(), rest].concat()
}

/// A regex that is part of the program.
fn fixed(pattern: &str) -> Regex {
    match Regex::new(pattern) {
        Ok(regex) => regex,
        Err(error) => panic!("{pattern}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Script;
    use super::reduced;

    fn reduce(checks: &str, bytes: &[u8]) -> Vec<u8> {
        let script = Script::parse("t", &format!("> PING\n{checks}")).unwrap();
        reduced(bytes, &script, &script.steps[0].checks)
    }

    #[test]
    fn masks_cover_what_changes() {
        assert_eq!(reduce(r"mask: /:\d+\r\n/", b"+a\r\n:17\r\n"), b"+a\r\n<masked>");
        assert_eq!(reduce(r"drop: /:\d+\r\n/", b"+a\r\n:17\r\n"), b"+a\r\n");
    }

    #[test]
    fn order_can_be_ignored() {
        let one = reduce("unordered", b"*2\r\n+b\r\n+a\r\n");
        assert_eq!(one, b"*2\r\n+a\r\n+b\r\n");
        assert_eq!(reduce("unordered", b"b\r\na\r\n"), b"a\r\nb\r\n");
        let left = reduce("unordered", b"*2\r\n+a\r\n:1\r\n*2\r\n+b\r\n:0\r\n");
        let right = reduce("unordered", b"*2\r\n+b\r\n:1\r\n*2\r\n+a\r\n:0\r\n");
        assert_eq!(left, right);
    }

    #[test]
    fn names_remain() {
        let info = b"$30\r\n# Server\r\nredis_version:7\r\nrole:master\r\n\r\n";
        assert_eq!(reduce("match keys", info), b"redis_version role");
        assert_eq!(reduce("match keys: role run_id", info), b"role");
        assert_eq!(reduce("match fields", b"$9\r\nid=1 name=\r\n"), b"id name");
        assert_eq!(reduce("match fields", b"-ERR a=b\r\n"), b"-ERR a=b\r\n");
    }
}
