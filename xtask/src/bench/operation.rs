//! Commands that many connections send: what each sends in turn, and what must come back.
//!
//! Where a reply depends on what a key holds, every connection has keys of its own, and so knows the
//! reply whatever the others do. Its commands lead back to where they began, so that they can go on
//! for ever while no key grows and none runs empty.

use std::net::TcpStream;

use anyhow::{Result, ensure};

use super::client::{self, Exchange, Measure};
use super::load::Batch;
use super::script;
use super::stream;
use super::wire;

/// What the connections of one measurement send.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Operation {
    Publish,
    SetGet,
    /// A queue of 50 elements.
    LpushRpop,
    /// A list that grows to 99 elements and is deleted.
    Lpush,
    /// A list of 99 elements, pushed at once, that is popped empty.
    Rpop,
    /// A hash that grows to 20 fields, each of which is set four times more, and is deleted.
    Hset,
    /// New scores for the members of sorted sets of 1,000.
    Zadd,
    Zrank,
    /// Ten members from a rank on.
    Zrange,
    Eval,
    Evalsha,
    /// A stream that grows to some 2,000 entries and is deleted.
    Xadd,
    /// A hundred entries are read by a group, and acknowledged.
    XreadgroupXack,
    /// A thousand of ten million entries.
    Xrange,
    /// A hundred of a million that are pending.
    Xpending,
    /// The same, of those that have been idle for long.
    XpendingIdle,
    /// Looks at a thousand of a million that are pending, and claims none.
    XautoclaimNone,
    /// Claims a hundred of a million that are pending.
    XautoclaimAll,
}

/// A large value that a server keeps from one operation to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stock {
    SortedSet,
    /// A stream of which all entries are pending. Their order by ID is never changed.
    Pending,
}

/// What one connection does.
pub(super) struct Course {
    /// What it sends once, before.
    pub(super) fill: Vec<Exchange>,
    /// What it sends again and again.
    pub(super) circle: Vec<Exchange>,
    /// Of the replies.
    pub(super) measure: Measure,
}

impl Operation {
    /// Whether `null` is measured too: it answers as if there were data.
    pub(super) fn has_null(self) -> bool {
        match self {
            Self::Zrank
            | Self::Zrange
            | Self::Eval
            | Self::Evalsha
            | Self::XreadgroupXack
            | Self::Xrange
            | Self::Xpending
            | Self::XpendingIdle
            | Self::XautoclaimNone
            | Self::XautoclaimAll => false,
            Self::Publish
            | Self::Xadd
            | Self::SetGet
            | Self::LpushRpop
            | Self::Lpush
            | Self::Rpop
            | Self::Hset
            | Self::Zadd => true,
        }
    }

    /// What several operations ask the same server for, since to fill it takes long.
    pub(super) fn stock(self) -> Option<Stock> {
        match self {
            Self::Zrank | Self::Zrange => Some(Stock::SortedSet),
            Self::Xpending | Self::XpendingIdle | Self::XautoclaimNone | Self::XautoclaimAll => {
                Some(Stock::Pending)
            }
            Self::Publish
            | Self::SetGet
            | Self::LpushRpop
            | Self::Lpush
            | Self::Rpop
            | Self::Hset
            | Self::Zadd
            | Self::Eval
            | Self::Evalsha
            | Self::Xadd
            | Self::XreadgroupXack
            | Self::Xrange => None,
        }
    }

    /// How many things one command counts as.
    pub(super) fn n_each(self) -> usize {
        if self == Self::XreadgroupXack { stream::N_READ } else { 1 }
    }

    /// What one connection does before all others.
    pub(super) fn prepare(self, connection: &mut TcpStream) -> Result<()> {
        match self {
            Self::Zrank | Self::Zrange => client::pipeline(connection, large_sorted_set()),
            Self::Evalsha => client::pipeline(connection, [script::load()]),
            Self::Xrange => stream::fill(connection, stream::N_LONG),
            Self::Xpending | Self::XpendingIdle | Self::XautoclaimNone | Self::XautoclaimAll => {
                stream::fill(connection, stream::N_PENDING)?;
                stream::deliver(connection)
            }
            Self::Publish
            | Self::SetGet
            | Self::LpushRpop
            | Self::Lpush
            | Self::Rpop
            | Self::Hset
            | Self::Zadd
            | Self::Eval
            | Self::Xadd
            | Self::XreadgroupXack => Ok(()),
        }
    }

    /// One course for each of `n_clients`, or one for all where the replies are always the same.
    pub(super) fn courses(self, n_clients: usize) -> Vec<Course> {
        let each = |course: fn(usize) -> Course| (0..n_clients).map(course).collect();
        let all = |circle| vec![Course::new(circle)];
        match self {
            Self::Publish => all(publish()),
            Self::SetGet => all(set_get()),
            Self::LpushRpop => each(|client| Course::of_keys(client, lpush_rpop)),
            Self::Lpush => each(|client| Course::of_keys(client, lpush)),
            Self::Rpop => each(|client| Course::of_keys(client, rpop)),
            Self::Hset => each(|client| Course::of_keys(client, hset)),
            Self::Zadd => each(zadd),
            Self::Zrank => each(zrank),
            Self::Zrange => each(zrange),
            Self::Eval => all(script::calls(script::eval)),
            Self::Evalsha => all(script::calls(script::evalsha)),
            Self::Xadd => each(stream::xadd),
            Self::XreadgroupXack => each(stream::xreadgroup_xack),
            Self::Xrange => each(stream::xrange),
            Self::Xpending => each(stream::xpending),
            Self::XpendingIdle => each(stream::xpending_idle),
            Self::XautoclaimNone => each(stream::xautoclaim_none),
            Self::XautoclaimAll => each(stream::xautoclaim_all),
        }
    }
}

impl Course {
    /// A circle that needs no preparation, of replies that are always the same.
    pub(super) fn new(circle: Vec<Exchange>) -> Self {
        Self { fill: Vec::new(), circle, measure: Measure::Bytes }
    }

    /// Commands on twenty keys in turn, each of which is elsewhere on its way: `steps` of a key leave
    /// it as it was before.
    fn of_keys(client: usize, steps: fn(&[u8]) -> Steps) -> Self {
        const N_KEYS: usize = 20;
        let mut keys: Vec<Steps> = (0..N_KEYS)
            .map(|n| steps(format!("key:{:06}", client * N_KEYS + n).as_bytes()))
            .collect();
        let mut fill = Vec::new();
        for (n, key) in keys.iter_mut().enumerate() {
            let n_done = n * key.circle.len() / N_KEYS;
            fill.append(&mut key.fill);
            fill.extend(key.circle.iter().take(n_done).cloned());
            key.circle.rotate_left(n_done);
        }
        let circle = in_turn(keys.into_iter().map(|key| key.circle));
        Self { fill, ..Self::new(circle) }
    }

    /// The circle, `in_flight` commands at once.
    pub(super) fn batches(&self, in_flight: usize) -> Result<Vec<Batch>> {
        ensure!(
            self.circle.len().is_multiple_of(in_flight),
            "{} commands are not whole batches of {in_flight}",
            self.circle.len()
        );
        let batch = |chunk: &[Exchange]| Batch {
            request: chunk.iter().flat_map(|it| &it.request).copied().collect(),
            reply: chunk.iter().flat_map(|it| &it.reply).copied().collect(),
            delivery: Vec::new(),
            measure: self.measure,
        };
        Ok(self.circle.chunks(in_flight).map(batch).collect())
    }
}

/// The commands of one key.
struct Steps {
    fill: Vec<Exchange>,
    /// 100 of them.
    circle: Vec<Exchange>,
}

/// The first of each, the second of each, and so on.
fn in_turn(circles: impl Iterator<Item = Vec<Exchange>>) -> Vec<Exchange> {
    let mut circles: Vec<_> = circles.map(Vec::into_iter).collect();
    let mut all = Vec::new();
    loop {
        let n_before = all.len();
        all.extend(circles.iter_mut().filter_map(Iterator::next));
        if all.len() == n_before {
            return all;
        }
    }
}

fn publish() -> Vec<Exchange> {
    let one = Exchange::new(&[b"PUBLISH", wire::CHANNEL, &wire::payload(64)], wire::integer(0));
    vec![one; 2_000]
}

/// SET and GET of each of a thousand keys.
fn set_get() -> Vec<Exchange> {
    let value = wire::payload(64);
    let keys = (0..1_000).map(|n| format!("key:{n:06}"));
    keys.flat_map(|key| {
        [
            Exchange::new(&[b"SET", key.as_bytes(), &value], b"+OK\r\n"),
            Exchange::new(&[b"GET", key.as_bytes()], wire::bulk(&value)),
        ]
    })
    .collect()
}

fn lpush_rpop(key: &[u8]) -> Steps {
    const LEN: usize = 50;
    let value = wire::payload(64);
    let pair = [push(key, LEN + 1), Exchange::new(&[b"RPOP", key], wire::bulk(&value))];
    Steps { fill: vec![push_many(key, LEN)], circle: pair.into_iter().cycle().take(100).collect() }
}

fn lpush(key: &[u8]) -> Steps {
    let mut circle: Vec<_> = (1..100).map(|len| push(key, len)).collect();
    circle.push(Exchange::new(&[b"DEL", key], wire::integer(1)));
    Steps { fill: Vec::new(), circle }
}

fn rpop(key: &[u8]) -> Steps {
    let pop = Exchange::new(&[b"RPOP", key], wire::bulk(&wire::payload(64)));
    let mut circle = vec![push_many(key, 99)];
    circle.resize(100, pop);
    Steps { fill: Vec::new(), circle }
}

fn hset(key: &[u8]) -> Steps {
    const N_FIELDS: usize = 20;
    let value = wire::payload(64);
    let set = |n: usize| {
        // All fields before any field again.
        let field = format!("field:{:02}", n * 7 % N_FIELDS);
        let words = [&b"HSET"[..], key, field.as_bytes(), &value];
        Exchange::new(&words, wire::integer((n < N_FIELDS).into()))
    };
    let mut circle: Vec<_> = (0..99).map(set).collect();
    circle.push(Exchange::new(&[b"DEL", key], wire::integer(1)));
    Steps { fill: Vec::new(), circle }
}

/// An LPUSH after which the list is `len` long.
fn push(key: &[u8], len: usize) -> Exchange {
    Exchange::new(&[b"LPUSH", key, &wire::payload(64)], wire::integer(len))
}

/// An LPUSH that makes the list.
fn push_many(key: &[u8], len: usize) -> Exchange {
    let value = wire::payload(64);
    let mut words = vec![&b"LPUSH"[..], key];
    words.resize(2 + len, &value);
    Exchange::new(&words, wire::integer(len))
}

/// Each member of two sorted sets gets another score, twice in a circle.
fn zadd(client: usize) -> Course {
    const N_KEYS: usize = 2;
    const N_MEMBERS: usize = 1_000;
    let add = |key: usize, n: usize, reply: usize| {
        let name = format!("key:{:06}", client * N_KEYS + key);
        let member = format!("member:{:07}", n * 617 % N_MEMBERS);
        let score = (scatter((client * N_KEYS + key) * 1_000_000 + n) % 1_000_000).to_string();
        let words = [&b"ZADD"[..], name.as_bytes(), score.as_bytes(), member.as_bytes()];
        Exchange::new(&words, wire::integer(reply))
    };
    let fill = (0..N_KEYS).flat_map(|key| (0..N_MEMBERS).map(move |n| add(key, n, 1))).collect();
    let updates = |key| (N_MEMBERS..3 * N_MEMBERS).map(|n| add(key, n, 0)).collect();
    Course { fill, ..Course::new(in_turn((0..N_KEYS).map(updates))) }
}

const LARGE: &[u8] = b"large";
const N_LARGE: usize = 1_000_000;

/// A sorted set in which the member's number is its score and its rank, added in no order.
fn large_sorted_set() -> impl Iterator<Item = Exchange> {
    const N_EACH: usize = 100;
    (0..N_LARGE / N_EACH).map(|n| {
        let pairs: Vec<(String, String)> = (n * N_EACH..(n + 1) * N_EACH)
            // Odd and not divisible by five, so that each number comes once.
            .map(|n| n * 618_033 % N_LARGE)
            .map(|rank| (rank.to_string(), member(rank)))
            .collect();
        let mut words = vec![&b"ZADD"[..], LARGE];
        words.extend(pairs.iter().flat_map(|(score, name)| [score.as_bytes(), name.as_bytes()]));
        Exchange::new(&words, wire::integer(N_EACH))
    })
}

fn member(rank: usize) -> String {
    format!("member:{rank:07}")
}

fn zrank(client: usize) -> Course {
    let ask = |rank: usize| {
        Exchange::new(&[b"ZRANK", LARGE, member(rank).as_bytes()], wire::integer(rank))
    };
    Course::new(random_ranks(client).map(ask).collect())
}

fn zrange(client: usize) -> Course {
    let ask = |rank: usize| {
        let (first, last) = (rank.to_string(), (rank + 9).to_string());
        let members: Vec<String> = (rank..rank + 10).map(member).collect();
        let members: Vec<&[u8]> = members.iter().map(String::as_bytes).collect();
        let words = [&b"ZRANGE"[..], LARGE, first.as_bytes(), last.as_bytes()];
        Exchange::new(&words, wire::command(&members))
    };
    Course::new(random_ranks(client).map(ask).collect())
}

fn random_ranks(client: usize) -> impl Iterator<Item = usize> {
    const N_EACH: usize = 1_600;
    (client * N_EACH..(client + 1) * N_EACH).map(|n| scatter(n) % (N_LARGE - 10))
}

/// Spreads numbers over all numbers, always in the same way.
pub(super) fn scatter(n: usize) -> usize {
    let mut bits = (n as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from(bits >> 33).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_whole_batches() {
        for operation in [
            Operation::Publish,
            Operation::SetGet,
            Operation::LpushRpop,
            Operation::Lpush,
            Operation::Rpop,
            Operation::Hset,
            Operation::Zadd,
            Operation::Xadd,
        ] {
            for in_flight in [1, 16, 100] {
                for course in operation.courses(2) {
                    assert!(course.batches(in_flight).is_ok(), "{operation:?} {in_flight}");
                }
            }
        }
    }

    #[test]
    fn keys_take_turns_and_are_at_different_steps() {
        let course = Course::of_keys(3, lpush);
        assert_eq!(course.circle.len(), 2_000);
        let replies: Vec<&[u8]> = course.circle.iter().take(3).map(|it| &it.reply[..]).collect();
        assert_eq!(replies, [b":1\r\n", b":6\r\n", b":11\r\n" as &[u8]]);
        // 0 + 5 + 10 + ... + 95 pushes came before.
        assert_eq!(course.fill.len(), 950);
    }
}
