//! Commands from patterns, in the notation of Redis's manual.
//!
//! | pattern | becomes |
//! |---|---|
//! | `LIMIT` | itself |
//! | `<value>` | a [word](crate::words) of this kind |
//! | `(LEFT\|RIGHT)` | one of the alternatives |
//! | `[NX\|XX]` | one of them, or nothing |
//! | `<field>+`, `(…)+` | that, one to four times and now and then very often |

use crate::draw::Draw;

/// Repetitions that leave the small encodings behind.
const N_MANY: usize = 180;

/// Words of a command, one of these patterns each; now and then with a word too few or too many.
pub(crate) fn command(draw: &mut Draw, patterns: &[&str]) -> Vec<String> {
    let mut words = whole_command(draw, patterns);
    if draw.once_in(50) {
        let n_words = 1 + draw.below(words.len());
        words.truncate(n_words);
    } else if draw.once_in(60) && !takes_more_than_in_redis_7_0(&words[0]) {
        let word = draw.word("value");
        words.push(word);
    }
    words
}

/// Words of a command, one of these patterns each.
pub(crate) fn whole_command(draw: &mut Draw, patterns: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    let pattern = draw.pick(patterns);
    expand(draw, pattern, &mut words);
    words
}

/// `WITHSCORE` came with Redis 7.2.
fn takes_more_than_in_redis_7_0(name: &str) -> bool {
    ["ZRANK", "ZREVRANK"].iter().any(|it| name.eq_ignore_ascii_case(it))
}

fn expand(draw: &mut Draw, pattern: &str, words: &mut Vec<String>) {
    let mut rest = pattern.trim_start();
    while !rest.is_empty() {
        let len = item_len(rest);
        let item = &rest[..len];
        rest = &rest[len..];
        let mut n_times = 1;
        if let Some(after) = rest.strip_prefix('+') {
            rest = after;
            n_times = if draw.once_in(150) { N_MANY } else { 1 + draw.below(4) };
        }
        for _ in 0..n_times {
            expand_item(draw, item, words);
        }
        rest = rest.trim_start();
    }
}

fn expand_item(draw: &mut Draw, item: &str, words: &mut Vec<String>) {
    let inner = || &item[1..item.len() - 1];
    match item.as_bytes()[0] {
        b'<' => words.push(draw.word(inner())),
        b'[' if draw.once_in(2) => {}
        b'[' | b'(' => {
            let chosen = draw.pick(&alternatives(inner()));
            expand(draw, chosen, words);
        }
        _ if draw.once_in(16) => words.push(item.to_ascii_lowercase()),
        _ => words.push(item.into()),
    }
}

/// Length of the first word, or of what is between brackets.
fn item_len(text: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' | b'[' | b'(' => depth += 1,
            b'>' | b']' | b')' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b' ' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

fn alternatives(text: &str) -> Vec<&str> {
    let (mut depth, mut start) = (0, 0);
    let mut found = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' | b'[' | b'(' => depth += 1,
            b'>' | b']' | b')' => depth -= 1,
            b'|' if depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    found
}
