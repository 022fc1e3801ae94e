//! What keys of each type cost: many small ones, and one of a million members, or entries.

use std::net::TcpStream;

use anyhow::Result;

use super::client::{self, Exchange};
use super::memory::{self, Held};
use super::server::Server;
use super::stream;
use super::wire;

/// What is kept. Members and elements have 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kept {
    Strings,
    Integers,
    Hashes,
    Lists,
    IntegerSets,
    Sets,
    SortedSets,
    LargeHash,
    LargeList,
    LargeSet,
    LargeSortedSet,
    /// One field of 64 bytes.
    Entries,
    /// Four fields of a few bytes.
    ManifoldEntries,
    /// Entries that a consumer has read.
    Pending,
}

impl Kept {
    /// Resident bytes per key, or per member of the one key.
    pub(super) fn held(self, server: &Server) -> Result<Held> {
        if self == Self::Pending {
            Self::Entries.fill(server, "first", self.count() / 100)?;
            Self::Entries.fill(server, "bench", self.count())?;
        }
        // What the first keys of a type bring with them is not theirs.
        self.fill(server, "first", self.count() / 100)?;
        memory::purge(server)?;
        let before = server.resident_bytes()?;
        self.fill(server, "bench", self.count())?;
        memory::purge(server)?;
        Held::since(server, before, self.count())
    }

    /// Just under a power of two where keys are counted, for which Redis's tables are best.
    fn count(self) -> usize {
        match self {
            Self::Strings | Self::Integers => 500_000,
            Self::Hashes | Self::Lists | Self::IntegerSets | Self::SortedSets => 250_000,
            Self::Sets => 125_000,
            Self::LargeHash
            | Self::LargeList
            | Self::LargeSet
            | Self::LargeSortedSet
            | Self::Entries
            | Self::ManifoldEntries
            | Self::Pending => 1_000_000,
        }
    }

    fn fill(self, server: &Server, prefix: &str, count: usize) -> Result<()> {
        let mut stream = client::connect(server.port())?;
        let key = |n: usize| format!("{prefix}:{n:06}").into_bytes();
        match self {
            Self::Strings => {
                let value = wire::payload(64);
                let set = |n| Exchange::new(&[b"SET", &key(n), &value], b"+OK\r\n");
                client::pipeline(&mut stream, (0..count).map(set))
            }
            Self::Integers => {
                // Beyond those that Redis shares.
                let value = |n: usize| (10_000_000 + n).to_string().into_bytes();
                let set = |n| Exchange::new(&[b"SET", &key(n), &value(n)], b"+OK\r\n");
                client::pipeline(&mut stream, (0..count).map(set))
            }
            Self::Hashes | Self::Lists | Self::IntegerSets | Self::Sets | Self::SortedSets => {
                let n_members = if self == Self::Hashes { 5 } else { 10 };
                let add = |n: usize| self.add(&key(n), n * n_members, n_members);
                client::pipeline(&mut stream, (0..count).map(add))
            }
            Self::LargeHash | Self::LargeList | Self::LargeSet | Self::LargeSortedSet => {
                let add = |n: usize| self.add(&key(0), n * 100, 100);
                let mut adds: Vec<Exchange> = (0..count / 100).map(add).collect();
                if self == Self::LargeList {
                    let lens = (1..=adds.len()).map(|n| wire::integer(n * 100));
                    adds.iter_mut().zip(lens).for_each(|(add, len)| add.reply = len);
                }
                client::pipeline(&mut stream, adds)
            }
            Self::Entries => {
                let value = wire::payload(64);
                let add = |n| stream::add(&key(0), n, &[(b"field", &value)]);
                client::pipeline(&mut stream, (0..count).map(add))
            }
            Self::ManifoldEntries => {
                let (time, speed) = (|n: usize| n * 977 % 86_400, |n: usize| n * 7 % 140);
                let add = |n| {
                    let (time, speed) = (time(n).to_string(), speed(n).to_string());
                    let fields: [(&[u8], &[u8]); 4] = [
                        (b"device", b"sensor-17"),
                        (b"time", time.as_bytes()),
                        (b"speed", speed.as_bytes()),
                        (b"state", b"on"),
                    ];
                    stream::add(&key(0), n, &fields)
                };
                client::pipeline(&mut stream, (0..count).map(add))
            }
            Self::Pending => read_all(&mut stream, &key(0), count),
        }
    }

    /// One command that adds `count` members, all new.
    fn add(self, key: &[u8], first: usize, count: usize) -> Exchange {
        let mut words = vec![self.verb().to_vec(), key.to_vec()];
        for n in first..first + count {
            // In no order, each once.
            let member = format!("member:{:09}", n * 618_033 % 100_000_000);
            match self {
                Self::Hashes => words.push(format!("field:{:03}", n - first).into_bytes()),
                Self::IntegerSets => words.push((n * 7_919 % 30_000).to_string().into_bytes()),
                Self::SortedSets | Self::LargeSortedSet => {
                    words.push((n * 7_919 % 1_000_000).to_string().into_bytes());
                    words.push(member.into_bytes());
                }
                Self::Strings
                | Self::Integers
                | Self::Lists
                | Self::Sets
                | Self::LargeHash
                | Self::LargeList
                | Self::LargeSet
                | Self::Entries
                | Self::ManifoldEntries
                | Self::Pending => words.push(member.into_bytes()),
            }
            if matches!(self, Self::Hashes | Self::LargeHash) {
                words.push(wire::payload(16));
            }
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        Exchange::new(&words, wire::integer(count))
    }

    fn verb(self) -> &'static [u8] {
        match self {
            Self::Strings | Self::Integers => b"SET",
            Self::Hashes | Self::LargeHash => b"HSET",
            Self::Lists | Self::LargeList => b"RPUSH",
            Self::IntegerSets | Self::Sets | Self::LargeSet => b"SADD",
            Self::SortedSets | Self::LargeSortedSet => b"ZADD",
            Self::Entries | Self::ManifoldEntries => b"XADD",
            Self::Pending => b"XREADGROUP",
        }
    }
}

/// Lets ten consumers read all `count` entries of a stream.
fn read_all(connection: &mut TcpStream, key: &[u8], count: usize) -> Result<()> {
    const N_AT_ONCE: usize = 1_000;
    client::pipeline(connection, [stream::create_group(key)])?;
    (0..count).step_by(N_AT_ONCE).try_for_each(|first| {
        let consumer = stream::consumer(first / N_AT_ONCE);
        let read = stream::read_group(key, &consumer, (first, N_AT_ONCE), &wire::payload(64));
        client::pipeline(connection, [read])
    })
}
