//! Kinds of words: keys, values, numbers and what is none.
//!
//! In a word `_` alone stands for no bytes at all, `~` for 0xFF and `^` for 0.

use crate::draw::Draw;

/// Keys, each mostly used with one type: its first letter says which.
pub(crate) const KEYS: [&str; 16] = [
    "s1", "s2", "s3", "l1", "l2", "l3", "h1", "h2", "m1", "m2", "m3", "z1", "z2", "z3", "x1", "x2",
];

/// Of these, sorted sets whose members have the same score: what a range by name is otherwise, Redis leaves open.
const N_LEXSETS: usize = 2;

/// What is no number, and the largest there are.
const ODD_INTS: [&str; 7] =
    ["x", "_", "1.5", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "007"];

/// The bytes that a word stands for.
pub(crate) fn bytes(word: &str) -> Vec<u8> {
    let byte = |it: u8| match it {
        b'~' => 0xFF,
        b'^' => 0,
        _ => it,
    };
    if word == "_" { Vec::new() } else { word.bytes().map(byte).collect() }
}

impl Draw {
    /// A word of a kind.
    pub(crate) fn word(&mut self, kind: &str) -> String {
        match kind {
            "string" => self.key(&KEYS[0..3]),
            "list" => self.key(&KEYS[3..6]),
            "hash" => self.key(&KEYS[6..8]),
            "set" => self.key(&KEYS[8..11]),
            "zset" => self.scored(&KEYS[11..14]),
            "lexset" => self.pick(&KEYS[KEYS.len() - N_LEXSETS..]).into(),
            "members" => self.key(&KEYS[8..16]),
            "key" => self.pick(&KEYS).into(),
            "own-string" => self.pick(&KEYS[0..3]).into(),
            "own-hash" => self.pick(&KEYS[6..8]).into(),
            "own-field" => self.own_field(),
            "milliseconds" => (1 + self.below(400)).to_string(),
            "value" => self.value(),
            "field" => self.field(),
            "member" => self.member(),
            "int" => self.int(300),
            "index" => self.int(12),
            "count" => self.count(),
            "offset" => self.offset(),
            "bit" => self.pick(&["0", "1", "0", "1", "0", "1", "2"]).into(),
            "score" | "float" => self.float(),
            "bound" => self.bound(),
            "lex" => self.lex(),
            "numkeys" => self.numkeys(),
            "timeout" => self.pick(&["0", "0", "0", "0.5", "-1", "x"]).into(),
            "span" => self.span(),
            "unix" => self.unix(1),
            "unix-ms" => self.unix(1000),
            other => panic!("there are no words of the kind {other}"),
        }
    }

    fn key(&mut self, own: &[&str]) -> String {
        if self.once_in(12) { self.pick(&KEYS).into() } else { self.pick(own).into() }
    }

    /// A key whose members may have any score.
    fn scored(&mut self, own: &[&str]) -> String {
        let any = &KEYS[..KEYS.len() - N_LEXSETS];
        if self.once_in(12) { self.pick(any).into() } else { self.pick(own).into() }
    }

    fn value(&mut self) -> String {
        match self.below(8) {
            0 => self.pick(&["_", "0", "-1", "12345", "9223372036854775807", "3.0e3"]).into(),
            1 => self.pick(&["~", "^", "ab", "x"]).repeat(1 + self.below(80)),
            2 => self.around_zero(20).to_string(),
            3 => (0..1 + self.below(20)).map(|_| self.pick(&["a", "b", "~", "^", "U"])).collect(),
            _ => self.pick(&["a", "b", "c", "d", "e"]).into(),
        }
    }

    fn field(&mut self) -> String {
        match self.below(30) {
            0 => self.value(),
            1..6 => self.around_zero(60).to_string(),
            _ => format!("f{}", self.below(12)),
        }
    }

    fn own_field(&mut self) -> String {
        let n_fields = if self.once_in(8) { 2000 } else { 7 };
        format!("f{}", self.below(n_fields))
    }

    fn member(&mut self) -> String {
        match self.below(30) {
            0 => self.value(),
            1 => self.number().to_string(),
            2..9 => self.pick(&["a", "b", "c", "d", "e", "f", "g", "h"]).into(),
            9 => self.around_zero(400).to_string(),
            _ => self.around_zero(9).to_string(),
        }
    }

    fn int(&mut self, n_max: usize) -> String {
        match self.below(20) {
            0 => self.pick(&ODD_INTS).into(),
            1 => self.number().to_string(),
            _ => self.around_zero(n_max).to_string(),
        }
    }

    /// Where two keys follow.
    fn numkeys(&mut self) -> String {
        if self.once_in(8) { self.pick(&["1", "3", "0", "-1", "x"]).into() } else { "2".into() }
    }

    /// Never one far below zero: that many random members would be sent.
    fn count(&mut self) -> String {
        match self.below(16) {
            0 => {
                self.pick(&["x", "_", "9223372036854775807", "9223372036854775808", "1000"]).into()
            }
            1 => self.around_zero(20).to_string(),
            _ => self.below(6).to_string(),
        }
    }

    /// Into a string that stays small.
    fn offset(&mut self) -> String {
        match self.below(20) {
            0 => self.pick(&["-1", "x", "9223372036854775807", "4294967296", "536870912"]).into(),
            _ => self.below(300).to_string(),
        }
    }

    fn float(&mut self) -> String {
        match self.below(8) {
            0 => self.pick(&["inf", "-inf", "nan", "x", "_", "1e400", "-0", "1e-300"]).into(),
            1 => {
                self.pick(&["3.14", "0.1", "-0.1", "1e17", "1.7976931348623157e308", "2.5"]).into()
            }
            2 => format!("{}.{}", self.around_zero(100), self.number()),
            3 => self.number().to_string(),
            _ => self.around_zero(9).to_string(),
        }
    }

    /// A bound of scores.
    fn bound(&mut self) -> String {
        match self.below(6) {
            0 => self.pick(&["-inf", "+inf", "inf", "(inf", "(-inf"]).into(),
            1 => format!("({}", self.float()),
            _ => self.float(),
        }
    }

    /// A bound of members.
    fn lex(&mut self) -> String {
        match self.below(8) {
            0 => self.pick(&["-", "+", "-", "+", "x", "_", "[", "("]).into(),
            1..4 => format!("({}", self.member()),
            _ => format!("[{}", self.member()),
        }
    }

    /// A time from now on.
    fn span(&mut self) -> String {
        if self.has_own_clock && !self.once_in(6) {
            return (1 + self.below(400)).to_string();
        }
        self.pick(&["0", "-1", "-1", "x", "9223372036854775807", "-9223372036854775808"]).into()
    }

    /// A point in time: mostly far away, or over.
    fn unix(&mut self, per_second: u64) -> String {
        match self.below(8) {
            0 => self.pick(&["0", "-1", "x", "9223372036854775807", "-9223372036854775808"]).into(),
            1 => (1 + per_second * 1_600_000_000).to_string(),
            2 => (4_000_000_000 * per_second).to_string(),
            _ => ((1_900_000_000 + self.number() % 40) * per_second).to_string(),
        }
    }
}
