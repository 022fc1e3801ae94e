//! What is asked of streams: small ones that each connection has to itself, and large ones of all.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;

use anyhow::Result;

use super::client::{self, Exchange, Measure};
use super::load::Batch;
use super::operation::{Course, scatter};
use super::wire;

/// Entries of the stream that is read from the middle.
pub(super) const N_LONG: usize = 10_000_000;
/// Entries of the stream of which all are pending.
pub(super) const N_PENDING: usize = 1_000_000;
/// Entries that a consumer reads at once.
pub(super) const N_READ: usize = 100;

const LARGE: &[u8] = b"large";
const GROUP: &[u8] = b"group";
const FIELD: &[u8] = b"field";

/// ID number `n`, as the clock would have given it to ten entries in a millisecond: all are of one
/// length.
pub(super) fn id(n: usize) -> String {
    format!("{}-{}", 1_700_000_000_000 + n / 10, n % 10)
}

/// Entries in a stream of each connection, until it is deleted.
pub(super) fn xadd(client: usize) -> Course {
    const N_COMMANDS: usize = 2_000;
    let key = format!("stream:{client:02}");
    let words = [&b"XADD"[..], key.as_bytes(), b"*", FIELD, &wire::payload(64)];
    let mut circle = vec![Exchange::new(&words, wire::bulk(id(0).as_bytes())); N_COMMANDS - 1];
    circle.push(Exchange::new(&[b"DEL", key.as_bytes()], wire::integer(1)));
    Course { measure: Measure::Lines, ..Course::new(circle) }
}

/// A consumer that reads a stream of its own from the beginning to the end, and again.
pub(super) fn xreadgroup_xack(client: usize) -> Course {
    const N_ENTRIES: usize = 2_000;
    let key = format!("stream:{client:02}");
    let (key, value) = (key.as_bytes(), wire::payload(64));
    let mut fill: Vec<_> = (0..N_ENTRIES).map(|n| add(key, n, &[(FIELD, &value)])).collect();
    fill.push(create_group(key));
    let read = |first: usize| read_group(key, "consumer", (first, N_READ), &value);
    let acknowledge = |first: usize| {
        let ids: Vec<String> = (first..first + N_READ).map(id).collect();
        let mut words = vec![&b"XACK"[..], key, GROUP];
        words.extend(ids.iter().map(String::as_bytes));
        Exchange::new(&words, wire::integer(N_READ))
    };
    let both = |first| read(first).and(&acknowledge(first));
    let mut circle: Vec<_> = (0..N_ENTRIES).step_by(N_READ).map(both).collect();
    let back = Exchange::new(&[b"XGROUP", b"SETID", key, GROUP, b"0"], b"+OK\r\n");
    if let Some(last) = circle.pop() {
        circle.push(last.and(&back));
    }
    Course { fill, ..Course::new(circle) }
}

/// Adds entry number `n`.
pub(super) fn add(key: &[u8], n: usize, fields: &[(&[u8], &[u8])]) -> Exchange {
    let id = id(n);
    let mut words = vec![&b"XADD"[..], key, id.as_bytes()];
    words.extend(fields.iter().flat_map(|(name, value)| [*name, *value]));
    Exchange::new(&words, wire::bulk(id.as_bytes()))
}

/// A group that has read nothing.
pub(super) fn create_group(key: &[u8]) -> Exchange {
    Exchange::new(&[b"XGROUP", b"CREATE", key, GROUP, b"0"], b"+OK\r\n")
}

/// Reads `count` entries from number `first` on, which are the next.
pub(super) fn read_group(
    key: &[u8],
    consumer: &str,
    (first, count): (usize, usize),
    value: &[u8],
) -> Exchange {
    let (consumer, n_max) = (consumer.as_bytes(), count.to_string());
    let words: [&[u8]; 9] = [
        b"XREADGROUP",
        b"GROUP",
        GROUP,
        consumer,
        b"COUNT",
        n_max.as_bytes(),
        b"STREAMS",
        key,
        b">",
    ];
    Exchange::new(&words, read(key, (first, count), value))
}

/// What is answered to who reads a stream and finds `count` entries from number `first` on.
pub(super) fn read(key: &[u8], (first, count): (usize, usize), value: &[u8]) -> Vec<u8> {
    let mut out = b"*1\r\n*2\r\n".to_vec();
    wire::push_bulk(&mut out, key);
    out.extend_from_slice(&entries(first, count, value));
    out
}

/// `count` entries from number `first` on, as they are read.
fn entries(first: usize, count: usize, value: &[u8]) -> Vec<u8> {
    let mut out = format!("*{count}\r\n").into_bytes();
    for n in first..first + count {
        out.extend_from_slice(b"*2\r\n");
        wire::push_bulk(&mut out, id(n).as_bytes());
        out.extend_from_slice(&wire::command(&[FIELD, value]));
    }
    out
}

fn short_value() -> Vec<u8> {
    wire::payload(16)
}

/// Entries, added so many at once, and what is pushed to each subscriber.
pub(super) fn push_batch(in_flight: usize) -> Batch {
    let (key, id, value) = (wire::CHANNEL, id(0), wire::payload(64));
    let mut message = b"*3\r\n".to_vec();
    wire::push_bulk(&mut message, b"xmessage");
    wire::push_bulk(&mut message, key);
    message.extend_from_slice(b"*2\r\n");
    wire::push_bulk(&mut message, id.as_bytes());
    message.extend_from_slice(&wire::command(&[FIELD, &value]));
    let add = wire::command(&[b"XADD", key, b"*", FIELD, &value]);
    let batch = Batch::repeat(in_flight, &add, &wire::bulk(id.as_bytes()), &message);
    Batch { measure: Measure::Lines, ..batch }
}

/// Adds `count` entries to the large stream, as fast as the server takes them.
pub(super) fn fill(connection: &mut TcpStream, count: usize) -> Result<()> {
    const N_AT_ONCE: usize = 2_000;
    silence(connection)?;
    let whole = wire::command(&[b"XADD", LARGE, id(0).as_bytes(), FIELD, &short_value()]);
    let whole = String::from_utf8(whole)?;
    let (head, tail) = whole.split_once(&id(0)).unwrap_or_default();
    let mut requests = String::new();
    for first in (0..count).step_by(N_AT_ONCE) {
        requests.clear();
        for n in first..count.min(first + N_AT_ONCE) {
            write!(requests, "{head}{}-{}{tail}", 1_700_000_000_000 + n / 10, n % 10)?;
        }
        connection.write_all(requests.as_bytes())?;
    }
    listen(connection)?;
    client::exchange(connection, &wire::command(&[b"XLEN", LARGE]), &wire::integer(count))
}

/// Gives all entries of the large stream to ten consumers, a thousand at a time: long ago, and
/// every tenth of them very long ago.
pub(super) fn deliver(connection: &mut TcpStream) -> Result<()> {
    const N_AT_ONCE: usize = 1_000;
    let create = wire::command(&[b"XGROUP", b"CREATE", LARGE, GROUP, b"$"]);
    client::exchange(connection, &create, b"+OK\r\n")?;
    silence(connection)?;
    for first in (0..N_PENDING).step_by(N_AT_ONCE) {
        let consumer = consumer(first / N_AT_ONCE);
        for is_tenth in [true, false] {
            let chosen = (first..first + N_AT_ONCE).filter(|n| n.is_multiple_of(10) == is_tenth);
            let ids: Vec<String> = chosen.map(id).collect();
            let mut words = vec![&b"XCLAIM"[..], LARGE, GROUP, consumer.as_bytes(), b"0"];
            words.extend(ids.iter().map(String::as_bytes));
            let time = if is_tenth { first } else { DELIVERED_MS + first }.to_string();
            words.extend([b"TIME", time.as_bytes(), b"FORCE", b"JUSTID"]);
            connection.write_all(&wire::command(&words))?;
        }
    }
    listen(connection)?;
    let summary = wire::command(&[b"XPENDING", LARGE, GROUP]);
    let mut expected = format!("*4\r\n:{N_PENDING}\r\n").into_bytes();
    wire::push_bulk(&mut expected, id(0).as_bytes());
    wire::push_bulk(&mut expected, id(N_PENDING - 1).as_bytes());
    expected.extend_from_slice(b"*10\r\n");
    for n in 0..10 {
        let count = (N_PENDING / 10).to_string();
        expected.extend_from_slice(&wire::command(&[consumer(n).as_bytes(), count.as_bytes()]));
    }
    client::exchange(connection, &summary, &expected)
}

/// September 2001.
const DELIVERED_MS: usize = 1_000_000_000_000;
/// As long as only those of 1970 are idle, in milliseconds.
const VERY_LONG: &[u8] = b"1200000000000";
/// As long as nobody is idle.
const TOO_LONG: &[u8] = b"9000000000000";

/// One of ten.
pub(super) fn consumer(n: usize) -> String {
    format!("c{}", n % 10)
}

/// From now on replies are not sent.
fn silence(connection: &mut TcpStream) -> Result<()> {
    Ok(connection.write_all(&wire::command(&[b"CLIENT", b"REPLY", b"OFF"]))?)
}

fn listen(connection: &mut TcpStream) -> Result<()> {
    client::exchange(connection, &wire::command(&[b"CLIENT", b"REPLY", b"ON"]), b"+OK\r\n")
}

/// Places in a stream of `len` entries that have `n_after` entries behind them.
fn places(client: usize, len: usize, n_after: usize) -> impl Iterator<Item = usize> {
    const N_EACH: usize = 16;
    (client * N_EACH..(client + 1) * N_EACH).map(move |n| scatter(n) % (len - n_after))
}

/// Pages of a thousand entries.
pub(super) fn xrange(client: usize) -> Course {
    const N_ENTRIES: usize = 1_000;
    let ask = |first: usize| {
        let id = id(first);
        let words = [&b"XRANGE"[..], LARGE, id.as_bytes(), b"+", b"COUNT", b"1000"];
        Exchange::new(&words, entries(first, N_ENTRIES, &short_value()))
    };
    Course::new(places(client, N_LONG, N_ENTRIES).map(ask).collect())
}

/// A hundred from a place on.
pub(super) fn xpending(client: usize) -> Course {
    let ask = |first: usize| {
        let id = id(first);
        let words = [&b"XPENDING"[..], LARGE, GROUP, id.as_bytes(), b"+", b"100"];
        Exchange::new(&words, pending_rows((first..).take(100)))
    };
    let circle = places(client, N_PENDING, 1_000).map(ask).collect();
    Course { measure: Measure::Lines, ..Course::new(circle) }
}

/// A hundred from a place on that have been idle for long, as one in ten has.
pub(super) fn xpending_idle(client: usize) -> Course {
    let ask = |first: usize| {
        let id = id(first);
        let words = [LARGE, GROUP, b"IDLE", VERY_LONG, id.as_bytes(), b"+", b"100"];
        let mut all = vec![&b"XPENDING"[..]];
        all.extend(words);
        Exchange::new(&all, pending_rows((first.next_multiple_of(10)..).step_by(10).take(100)))
    };
    let circle = places(client, N_PENDING, 1_010).map(ask).collect();
    Course { measure: Measure::Lines, ..Course::new(circle) }
}

/// What XPENDING says of entries, but for how long they have been idle.
fn pending_rows(entries: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut out = b"*100\r\n".to_vec();
    for n in entries {
        out.extend_from_slice(b"*4\r\n");
        wire::push_bulk(&mut out, id(n).as_bytes());
        wire::push_bulk(&mut out, consumer(n / 1_000).as_bytes());
        out.extend_from_slice(b":1\r\n:1\r\n");
    }
    out
}

/// Looks at as many as Redis looks at for a hundred.
pub(super) fn xautoclaim_none(client: usize) -> Course {
    const N_LOOKED_AT: usize = 1_000;
    let ask =
        |first: usize| xautoclaim(client, (first, TOO_LONG), (first + N_LOOKED_AT, first..first));
    Course::new(places(client, N_PENDING, N_LOOKED_AT + 1).map(ask).collect())
}

/// Ten consumers claim from each other.
pub(super) fn xautoclaim_all(client: usize) -> Course {
    const N_CLAIMED: usize = 100;
    let ask = |first: usize| {
        let next = first + N_CLAIMED;
        xautoclaim(client, (first, b"0"), (next, first..next))
    };
    Course::new(places(client, N_PENDING, N_CLAIMED + 1).map(ask).collect())
}

/// Claims from a place on what has been idle for so long; the reply says where to go on, and what
/// was claimed.
fn xautoclaim(
    client: usize,
    (first, min_idle): (usize, &[u8]),
    (next, claimed): (usize, std::ops::Range<usize>),
) -> Exchange {
    let (consumer, first, next) = (consumer(client), id(first), id(next));
    let words = [LARGE, GROUP, consumer.as_bytes(), min_idle, first.as_bytes()];
    let mut all = vec![&b"XAUTOCLAIM"[..]];
    all.extend(words);
    all.extend([&b"COUNT"[..], b"100", b"JUSTID"]);
    let ids: Vec<String> = claimed.map(id).collect();
    let ids: Vec<&[u8]> = ids.iter().map(String::as_bytes).collect();
    let mut reply = b"*3\r\n".to_vec();
    wire::push_bulk(&mut reply, next.as_bytes());
    reply.extend_from_slice(&wire::command(&ids));
    reply.extend_from_slice(b"*0\r\n");
    Exchange::new(&all, reply)
}
