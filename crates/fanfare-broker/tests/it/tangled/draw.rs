//! Requests that need several keys, whole databases or something that is not there yet.

use fanfare_testkit::Rng;

/// What a request is an example of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has several keys, or all.
    Keys,
    /// It may block its client.
    Blocking,
    Script,
    /// It is part of one.
    Transaction,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Keys, Self::Blocking, Self::Script, Self::Transaction];
}

pub(super) fn key(rng: &mut Rng) -> String {
    format!("k{}", rng.below(12))
}

/// Calls a thousand commands: others find the gate closed.
const LONG: &str = "for i = 1, 1000 do redis.call('INCR', KEYS[1] .. ':n') end \
                    return redis.call('RPUSH', KEYS[2], 'long')";

pub(super) fn request(rng: &mut Rng) -> (Kind, Vec<String>) {
    let (a, b, c) = (key(rng), key(rng), key(rng));
    let (kind, words): (_, &[&str]) = match rng.below(32) {
        0 => (Kind::Keys, &["RPUSH", &a, "x", "y"]),
        1 => (Kind::Keys, &["LPUSH", &b, "z"]),
        2 => (Kind::Keys, &["ZADD", &c, "1", "x", "2", "y"]),
        3 => (Kind::Keys, &["LMPOP", "2", &a, &b, "LEFT", "COUNT", "2"]),
        4 => (Kind::Keys, &["RENAME", &a, &b]),
        5 => (Kind::Keys, &["COPY", &b, &c, "REPLACE"]),
        6 => (Kind::Keys, &["COPY", &b, &c, "DB", "1", "REPLACE"]),
        7 => (Kind::Keys, &["DEL", &a, &b, &c]),
        8 => (Kind::Keys, &["SWAPDB", "0", "1"]),
        9 => (Kind::Keys, &["SORT", &a, "ALPHA", "STORE", &b]),
        10 => (Kind::Keys, &["ZUNIONSTORE", &a, "2", &b, &c]),
        11 => (Kind::Keys, &["FLUSHDB"]),
        12 => (Kind::Keys, &["DBSIZE"]),
        13 => (Kind::Keys, &["MOVE", &a, "1"]),
        14 => (Kind::Keys, &["MGET", &a, &b, &c]),
        15 => (Kind::Keys, &["LMOVE", &c, &a, "LEFT", "LEFT"]),
        16 => (Kind::Keys, &["SELECT", if rng.below(4) == 0 { "1" } else { "0" }]),
        17 => (Kind::Blocking, &["BLMOVE", &a, &b, "LEFT", "RIGHT", "0.01"]),
        18 => (Kind::Blocking, &["BLMOVE", &b, &a, "RIGHT", "LEFT", "0.01"]),
        19 => (Kind::Blocking, &["BLMOVE", &b, &c, "RIGHT", "LEFT", "0.01"]),
        20 => (Kind::Blocking, &["BLPOP", &a, &b, &c, "0.01"]),
        21 => (Kind::Blocking, &["BRPOPLPUSH", &c, &a, "0.01"]),
        22 => (Kind::Blocking, &["BLMPOP", "0.01", "2", &b, &c, "RIGHT"]),
        23 => (Kind::Blocking, &["BZPOPMIN", &c, &b, "0.01"]),
        24 => (Kind::Blocking, &["BZMPOP", "0.01", "2", &a, &c, "MAX", "COUNT", "3"]),
        25 => (Kind::Script, &["EVAL", "return redis.call('RPUSH', KEYS[2], 's')", "2", &a, &b]),
        26 => (Kind::Script, &["EVAL", "return redis.call('BLPOP', KEYS[1], 0)", "1", &c]),
        27 => {
            (Kind::Script, &["EVAL", "return redis.call('RENAME', KEYS[1], KEYS[2])", "2", &a, &b])
        }
        28 => (Kind::Script, &["EVAL", "return redis.call('SWAPDB', 0, 1)", "0"]),
        29 => (Kind::Script, &["EVAL", "return redis.pcall('LPUSH', ARGV[1], 'u')", "0", &a]),
        30 if rng.below(8) == 0 => (Kind::Script, &["EVAL", LONG, "2", &a, &b]),
        _ => (Kind::Script, &["EVAL_RO", "return redis.call('DBSIZE')", "0"]),
    };
    (kind, words.iter().map(|it| (*it).to_owned()).collect())
}
