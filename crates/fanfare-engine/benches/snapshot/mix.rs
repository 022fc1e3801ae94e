//! Which writes there are.

use fanfare_testkit::Rng;

use crate::N_ITEMS;
use crate::server::{START_MS, Session};

/// What is measured: keys, or one collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    Keys,
    /// All of which expire.
    TimedKeys,
    Hash,
    SortedSet,
    Set,
    List,
}

/// The key of the collection.
pub(crate) const BIG: &[u8] = b"big";

const VALUE: &[u8] = b"0123456789abcdef0123456789abcdef";

impl Mix {
    pub(crate) const ALL: [Self; 6] =
        [Self::Keys, Self::TimedKeys, Self::Hash, Self::SortedSet, Self::Set, Self::List];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::TimedKeys => "timed-keys",
            Self::Hash => "hash",
            Self::SortedSet => "sorted-set",
            Self::Set => "set",
            Self::List => "list",
        }
    }

    /// Whether it is one collection.
    pub(crate) fn is_one(self) -> bool {
        !matches!(self, Self::Keys | Self::TimedKeys)
    }

    /// Any write.
    pub(crate) fn write(self, session: &mut Session<'_>, rng: &mut Rng) {
        let number = rng.below(N_ITEMS);
        let dice = rng.below(100);
        match self {
            Self::Keys => write_key(session, number, dice),
            Self::TimedKeys => put_timed(session, number, rng),
            // Somebody writes elsewhere, too.
            Self::Hash | Self::SortedSet | Self::Set | Self::List if dice < 10 => {
                put_string(session, number);
            }
            Self::Hash => write_hash(session, number, dice),
            Self::SortedSet => write_sorted_set(session, number, dice),
            Self::Set => write_set(session, number, dice),
            Self::List => write_list(session, number, dice),
        }
    }

    /// A write that changes item `number` and leaves it as large as it was.
    pub(crate) fn change(self, session: &mut Session<'_>, number: u64) {
        let name = member(number);
        let other = &b"fedcba9876543210fedcba9876543210"[..];
        match self {
            Self::Keys | Self::TimedKeys => {
                session.call(&[b"setrange", &key(number), b"0", b"x"]);
            }
            Self::Hash => drop(session.call(&[b"hset", BIG, &name, &other[..16]])),
            Self::SortedSet => {
                let score = (number + 1).to_string();
                session.call(&[b"zadd", BIG, score.as_bytes(), &name]);
            }
            Self::Set => {
                session.call(&[b"srem", BIG, &name]);
                session.call(&[b"sadd", BIG, &name]);
            }
            Self::List => {
                let index = number.to_string();
                session.call(&[b"lset", BIG, index.as_bytes(), &name]);
            }
        }
    }
}

pub(crate) fn key(number: u64) -> Vec<u8> {
    format!("key:{number:010}").into_bytes()
}

pub(crate) fn member(number: u64) -> Vec<u8> {
    format!("m{number:010}").into_bytes()
}

pub(crate) fn put_string(session: &mut Session<'_>, number: u64) {
    session.call(&[b"set", &key(number), VALUE]);
}

pub(crate) fn put_timed(session: &mut Session<'_>, number: u64, rng: &mut Rng) {
    let at_ms = (START_MS + 1_000_000_000 + rng.below(1_000_000_000)).to_string();
    session.call(&[b"set", &key(number), VALUE, b"pxat", at_ms.as_bytes()]);
}

/// What key `number` holds decides the kind of write; most hold strings.
fn write_key(session: &mut Session<'_>, number: u64, dice: u64) {
    let key = key(number);
    let name = member(dice);
    match number % 20 {
        0 => session.call(&[b"hset", &key, &name, VALUE]),
        1 if dice < 60 => session.call(&[b"lpush", &key, VALUE]),
        1 => session.call(&[b"rpop", &key]),
        2 => session.call(&[b"zadd", &key, b"1", &name]),
        3 => session.call(&[b"sadd", &key, &name]),
        _ => match dice {
            0..10 => session.call(&[b"del", &key]),
            10..20 => session.call(&[b"append", &key, b"x"]),
            20..30 => session.call(&[b"set", &key, VALUE, b"px", b"100000"]),
            30..40 => session.call(&[b"mset", &key, VALUE, b"key:another", VALUE]),
            _ => session.call(&[b"set", &key, VALUE]),
        },
    };
}

fn write_hash(session: &mut Session<'_>, number: u64, dice: u64) {
    let name = member(number);
    match dice {
        10..25 => session.call(&[b"hdel", BIG, &name]),
        25..35 => session.call(&[b"hpexpire", BIG, b"100000", b"fields", b"1", &name]),
        _ => session.call(&[b"hset", BIG, &name, &VALUE[..16]]),
    };
}

fn write_sorted_set(session: &mut Session<'_>, number: u64, dice: u64) {
    let name = member(number);
    match dice {
        10..25 => session.call(&[b"zrem", BIG, &name]),
        25..40 => session.call(&[b"zincrby", BIG, b"1000", &name]),
        40..45 => session.call(&[b"zpopmin", BIG]),
        _ => session.call(&[b"zadd", BIG, number.to_string().as_bytes(), &name]),
    };
}

fn write_set(session: &mut Session<'_>, number: u64, dice: u64) {
    let name = member(number);
    match dice {
        10..40 => session.call(&[b"srem", BIG, &name]),
        40..45 => session.call(&[b"spop", BIG]),
        _ => session.call(&[b"sadd", BIG, &name]),
    };
}

fn write_list(session: &mut Session<'_>, number: u64, dice: u64) {
    let name = member(number);
    match dice {
        10..25 => session.call(&[b"lpush", BIG, &name]),
        25..40 => session.call(&[b"rpush", BIG, &name]),
        40..55 => session.call(&[b"lpop", BIG]),
        55..70 => session.call(&[b"rpop", BIG]),
        _ => session.call(&[b"lset", BIG, (number / 2).to_string().as_bytes(), &name]),
    };
}
