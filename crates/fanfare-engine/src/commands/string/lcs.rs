//! LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]: what two strings have in common.
//!
//! Source: <https://redis.io/docs/latest/commands/lcs/>. The options may come several times. The keys are looked at
//! before the options.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::{Text, Typed};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static LCS: Spec = Spec {
    name: "lcs",
    arity: Arity::AtLeast(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 2, step: 1, flags: &["RO", "access"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Find longest common substring",
        "7.0.0",
        "O(N*M) where N and M are the lengths of s1 and s2, respectively",
    )
    .args(&[
        Arg::key("key1"),
        Arg::key("key2"),
        Arg::word("len", "LEN").flags(&["optional"]),
        Arg::word("idx", "IDX").flags(&["optional"]),
        Arg::new("len", "integer").token("MINMATCHLEN").flags(&["optional"]),
        Arg::word("withmatchlen", "WITHMATCHLEN").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: lcs,
};

fn lcs(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key_a), Some(key_b)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let (a, b) = (text(ctx, key_a), text(ctx, key_b));
    let (a, b) = (a?, b?);
    let options = Options::parse(request)?;
    let (mut buffer_a, mut buffer_b) = Default::default();
    let (a, b) = (a.bytes(&mut buffer_a), b.bytes(&mut buffer_b));
    let table = Table::new(a, b, ctx.tuning().string_bytes_max())?;
    Ok(match options.answer {
        Answer::Len => Reply::Int(i64::from(table.at(a.len(), b.len()))),
        Answer::Text => Reply::bulk(table.common(a, b)),
        Answer::Ranges => {
            let matches = table.matches(a, b).into_iter();
            let matches = matches.filter(|it| options.len_min <= i64::from(it.len));
            let matches = matches.map(|it| it.to_reply(options.with_len)).collect();
            let len = Reply::Int(i64::from(table.at(a.len(), b.len())));
            Reply::map([("matches", Reply::Array(matches)), ("len", len)])
        }
    })
}

/// The string at a key; a missing key is an empty one.
fn text(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Text, WireError> {
    match ctx.lookup(key) {
        None => Ok(Text::default()),
        Some(entry) => Text::of(entry.value()).cloned().ok_or(wire_error::LCS_NOT_STRINGS),
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
enum Answer {
    Text,
    Len,
    Ranges,
}

struct Options {
    answer: Answer,
    len_min: i64,
    with_len: bool,
}

impl Options {
    fn parse(request: Request<'_>) -> Result<Self, WireError> {
        let (mut len, mut idx, mut with_len) = (false, false, false);
        let mut len_min = 0;
        let mut args = request.iter().skip(3);
        while let Some(word) = args.next() {
            match &*word.to_ascii_lowercase() {
                b"idx" => idx = true,
                b"len" => len = true,
                b"withmatchlen" => with_len = true,
                b"minmatchlen" => {
                    let raw = args.next().ok_or(wire_error::SYNTAX)?;
                    len_min = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
                }
                _ => return Err(wire_error::SYNTAX),
            }
        }
        let answer = match (len, idx) {
            (true, true) => return Err(wire_error::LCS_LEN_AND_IDX),
            (true, false) => Answer::Len,
            (false, true) => Answer::Ranges,
            (false, false) => Answer::Text,
        };
        Ok(Self { answer, len_min, with_len })
    }
}

/// How long the longest common subsequence of every two beginnings of two strings is.
struct Table {
    /// By rows: one more than the first string has bytes.
    cells: Vec<u32>,
    row_len: usize,
}

impl Table {
    fn new(a: &[u8], b: &[u8], n_bytes_max: u64) -> Result<Self, WireError> {
        let row_len = b.len() + 1;
        let n_cells = (a.len() + 1).checked_mul(row_len).ok_or(wire_error::LCS_NO_MEMORY)?;
        if n_bytes_max < (n_cells as u64).saturating_mul(size_of::<u32>() as u64) {
            return Err(wire_error::LCS_TOO_LARGE);
        }
        let mut cells: Vec<u32> = Vec::new();
        cells.try_reserve_exact(n_cells).map_err(|_| wire_error::LCS_NO_MEMORY)?;
        cells.resize(n_cells, 0);
        let (first, rest) = cells.split_at_mut(row_len);
        let mut above: &[u32] = first;
        for (&byte, row) in a.iter().zip(rest.chunks_exact_mut(row_len)) {
            fill(row, above, byte, b);
            above = row;
        }
        Ok(Self { cells, row_len })
    }

    /// Of the first `n_a` and the first `n_b` bytes.
    fn at(&self, n_a: usize, n_b: usize) -> u32 {
        self.cells.get(n_a * self.row_len + n_b).copied().unwrap_or_default()
    }

    /// Goes back from the ends and tells of each pair of bytes that is common, the last one first.
    fn walk(&self, a: &[u8], b: &[u8], mut common: impl FnMut(usize, usize, u8)) {
        let (mut n_a, mut n_b) = (a.len(), b.len());
        while let (Some(a_idx), Some(b_idx)) = (n_a.checked_sub(1), n_b.checked_sub(1)) {
            match (a.get(a_idx), b.get(b_idx)) {
                (Some(&left), Some(&right)) if left == right => {
                    common(a_idx, b_idx, left);
                    (n_a, n_b) = (a_idx, b_idx);
                }
                _ if self.at(n_a, b_idx) < self.at(a_idx, n_b) => n_a = a_idx,
                _ => n_b = b_idx,
            }
        }
    }

    /// The longest common subsequence; of several, that which Redis finds.
    fn common(&self, a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.walk(a, b, |_, _, byte| bytes.push(byte));
        bytes.reverse();
        bytes
    }

    /// Its parts that are without a gap in both strings, the last one first.
    fn matches(&self, a: &[u8], b: &[u8]) -> Vec<Match> {
        let mut matches: Vec<Match> = Vec::new();
        self.walk(a, b, |a_idx, b_idx, _| match matches.last_mut() {
            Some(last) if last.a == a_idx + 1 && last.b == b_idx + 1 => {
                *last = Match { a: a_idx, b: b_idx, len: last.len + 1 };
            }
            Some(_) | None => matches.push(Match { a: a_idx, b: b_idx, len: 1 }),
        });
        matches
    }
}

/// Fills the row of one byte of the first string.
fn fill(row: &mut [u32], above: &[u32], byte: u8, b: &[u8]) {
    let mut left = 0;
    let neighbours = above.iter().zip(above.iter().skip(1)).zip(b);
    for (cell, ((&diagonal, &above), &other)) in row.iter_mut().skip(1).zip(neighbours) {
        left = if byte == other { diagonal + 1 } else { above.max(left) };
        *cell = left;
    }
}

/// A part of both strings.
struct Match {
    a: usize,
    b: usize,
    len: u32,
}

impl Match {
    fn to_reply(&self, with_len: bool) -> Reply {
        let range = |start: usize| {
            let last = start as u64 + u64::from(self.len) - 1;
            Reply::Array(vec![Reply::count(start), Reply::uint(last)])
        };
        let mut parts = vec![range(self.a), range(self.b)];
        if with_len {
            parts.push(Reply::Int(i64::from(self.len)));
        }
        Reply::Array(parts)
    }
}
