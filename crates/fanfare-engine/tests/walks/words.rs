//! Kinds of words: keys, values, numbers and what is none.
//!
//! In a word `_` alone stands for no bytes at all, `~` for 0xFF and `^` for 0.

use crate::draw::Draw;

/// Keys, each mostly used with one type: its first letter says which.
pub(crate) const KEYS: [&str; 19] = [
    "s1", "s2", "s3", "l1", "l2", "l3", "h1", "h2", "m1", "m2", "m3", "z1", "z2", "z3", "t1", "t2",
    "t3", "x1", "x2",
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
    match word {
        "_" => Vec::new(),
        // What is cut off a stream need not be exact.
        "~" => word.into(),
        _ => word.bytes().map(byte).collect(),
    }
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
            "members" if self.once_in(4) => self.word("lexset"),
            "members" => self.key(&KEYS[8..14]),
            "stream" if self.is_about_streams => self.word("own-stream"),
            "stream" => self.key(&KEYS[14..17]),
            "length" => self.length(),
            "own-stream" => self.pick(&KEYS[14..17]).into(),
            "new-id" => self.new_id(),
            "id" => self.id(),
            "history" => self.id().replace('+', "-"),
            "id-bound" => self.id_bound(),
            "after" => self.after(),
            "new" => ">".into(),
            "group" => self.pick(&["g1", "g1", "g1", "g2", "_"]).into(),
            "consumer" => self.pick(&["c1", "c2", "c3", "_"]).into(),
            "few" => self.few(),
            "idle" => self.pick(&["0", "0", "0", "3600000", "7200000", "-1", "x"]).into(),
            "past" => self.pick(&["0", "1600000000000", "-1", "1600000000000"]).into(),
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

    /// An ID for an entry, mostly one after all that were drawn so far.
    fn new_id(&mut self) -> String {
        self.last_ms += self.below(3) as u64;
        let ms = self.last_ms;
        match self.below(30) {
            0 => self.pick(&["0-0", "0-*", "x", "5-", "0", "_", "-", "+", "0-1"]).into(),
            1 if self.once_in(50) => {
                format!("{}-{}", u64::MAX, self.pick(&["*", "18446744073709551615", "7"]))
            }
            1 => format!("{ms}-{}", u64::MAX),
            2..12 => format!("{ms}-*"),
            12..16 => format!("{ms}"),
            _ => format!("{ms}-{}", self.below(3)),
        }
    }

    /// An ID that an entry may have.
    fn id(&mut self) -> String {
        let ms = self.last_ms.saturating_sub(self.below(24) as u64);
        match self.below(40) {
            0 => self.pick(&["0-0", "0-*", "x", "5-", "0", "_", "-", "+", "$", ">", "(1-1"]).into(),
            1 => format!("{ms}-{}", u64::MAX),
            2 if self.once_in(12) => format!("{}-{}", u64::MAX, u64::MAX),
            3 => (ms / 2).to_string(),
            4..26 => ms.to_string(),
            _ => format!("{ms}-{}", self.below(3)),
        }
    }

    /// Where a range of entries begins or ends.
    fn id_bound(&mut self) -> String {
        match self.below(8) {
            0..3 => "-".into(),
            3..5 => "+".into(),
            5 => format!("({}", self.id()),
            _ => self.id(),
        }
    }

    /// After which entry is read.
    fn after(&mut self) -> String {
        match self.below(8) {
            0 => "$".into(),
            1..4 => "0".into(),
            _ => self.id(),
        }
        .replace('+', "-")
    }

    fn length(&mut self) -> String {
        if self.once_in(20) { self.int(9) } else { self.below(40).to_string() }
    }

    fn few(&mut self) -> String {
        match self.below(20) {
            0 => self.pick(&["-1", "x", "0", "_", "-2"]).into(),
            1 => self.below(300).to_string(),
            _ => self.below(5).to_string(),
        }
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
