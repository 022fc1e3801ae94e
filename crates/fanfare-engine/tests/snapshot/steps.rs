//! Reading in steps while others write.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use fanfare_engine::value::Typed;
use fanfare_testkit::{Rng, seed};

use crate::server::{Server, Session};
use crate::{alone, n_items};

/// Writers beside the one who reads.
const N_WRITERS: u64 = 2;

/// In how many steps something is read.
pub(crate) const N_STEPS: u64 = 20;

/// Writes that are done, at least, between one step and the next.
const N_WRITES_PER_STEP: u64 = 200;

/// Counts the writes of others.
pub(crate) struct Pace<'a> {
    n_writes: &'a AtomicU64,
    /// Nobody writes any more: a writer has failed.
    is_over: &'a AtomicBool,
    n_items: u64,
    n_read: u64,
    n_steps: u64,
}

impl Pace<'_> {
    /// An item was read. After each of the [`N_STEPS`] parts this lets the others write some hundred times, and returns
    /// how many parts there were.
    pub(crate) fn read(&mut self) -> Option<u64> {
        self.n_read += 1;
        if self.n_read * N_STEPS < (self.n_steps + 1) * self.n_items {
            return None;
        }
        self.n_steps += 1;
        let wanted = self.n_writes.load(Ordering::Relaxed) + N_WRITES_PER_STEP;
        let is_over = || self.is_over.load(Ordering::Relaxed);
        while self.n_writes.load(Ordering::Relaxed) < wanted && !is_over() {
            thread::yield_now();
        }
        Some(self.n_steps)
    }
}

/// Calls `write` again and again on several threads, each with a session of its own, as long as `read` takes. That is
/// told how many items it will read.
pub(crate) fn while_writing(
    (server, seed): (&Server, u64),
    n_items: u64,
    write: impl Fn(&mut Session<'_>, &mut Rng) + Sync,
    read: impl FnOnce(&mut Pace<'_>),
) {
    /// Whoever ends ends the others, also by failing: writers go on as long as it takes to read, and the reader waits for
    /// writes.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let (is_over, n_writes) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let _over = Over(&is_over);
        for number in 0..N_WRITERS {
            let (write, is_over, n_writes) = (&write, &is_over, &n_writes);
            scope.spawn(move || {
                let _over = Over(is_over);
                let mut session = server.session();
                let mut rng = Rng::new(seed.wrapping_add(number));
                while !is_over.load(Ordering::Relaxed) {
                    write(&mut session, &mut rng);
                    n_writes.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        read(&mut Pace { n_writes: &n_writes, is_over: &is_over, n_items, n_read: 0, n_steps: 0 });
    });
}

/// What is done to one large collection at the key `big`.
pub(crate) struct Big {
    pub(crate) fill: fn(&mut Session<'_>, u64),
    /// One write of one of several threads.
    pub(crate) write: fn(&mut Session<'_>, &mut Rng, u64),
    /// What else happens when so many steps were read.
    pub(crate) happen: fn(&Server, &mut Session<'_>, u64),
}

impl Big {
    /// Calls `check` with the collection in a snapshot, how many items it has, and what is to be called after each item
    /// that is read, while others write to it.
    pub(crate) fn stays<T: Typed>(&self, check: impl FnOnce(&T, u64, &mut dyn FnMut())) {
        let _alone = alone();
        let (seed, n_items) = (seed(), n_items());
        let server = Server::new(seed);
        let mut session = server.session();
        (self.fill)(&mut session, n_items);
        let snapshot = server.keyspace.snapshot().expect("no script runs");
        let write = |session: &mut Session<'_>, rng: &mut Rng| (self.write)(session, rng, n_items);
        while_writing((&server, seed), n_items, write, |pace| {
            let mut entries = snapshot.entries(0);
            let value = entries.next().and_then(|it| T::of(it.value()));
            let mut note_read = || {
                if let Some(n_steps) = pace.read() {
                    (self.happen)(&server, &mut session, n_steps);
                }
            };
            check(value.expect("there is one, of this type"), n_items, &mut note_read);
            assert!(entries.next().is_none());
        });
    }
}

/// Numbers below `n`, each of which is to be seen once.
pub(crate) struct Seen {
    words: Vec<u64>,
    n_seen: u64,
}

impl Seen {
    pub(crate) fn new(n: u64) -> Self {
        Self { words: vec![0; (n / 64) as usize + 1], n_seen: 0 }
    }

    pub(crate) fn see(&mut self, number: u64) {
        let (word, bit) = (&mut self.words[(number / 64) as usize], 1 << (number % 64));
        assert!(*word & bit == 0, "{number} was there twice");
        *word |= bit;
        self.n_seen += 1;
    }

    pub(crate) fn n_seen(&self) -> u64 {
        self.n_seen
    }
}

/// The number at the end of a name, after `prefix`.
pub(crate) fn number_of(name: &[u8], prefix: &str) -> u64 {
    let digits = std::str::from_utf8(name).ok().and_then(|it| it.strip_prefix(prefix));
    let number = digits.and_then(|it| it.parse().ok());
    number.unwrap_or_else(|| panic!("{} does not begin with {prefix}", name.escape_ascii()))
}

/// Adds members to a collection, a thousand with each command; `args` gives those of one member.
pub(crate) fn collect(
    session: &mut Session<'_>,
    command: &str,
    key: &str,
    members: impl Iterator<Item = Vec<Vec<u8>>>,
) {
    let mut members = members.peekable();
    while members.peek().is_some() {
        let mut args = vec![command.as_bytes().to_vec(), key.as_bytes().to_vec()];
        args.extend(members.by_ref().take(1_000).flatten());
        let args: Vec<_> = args.iter().map(|it| &it[..]).collect();
        session.call(&args);
    }
}

#[test]
#[should_panic(expected = "a scoped thread panicked")]
fn who_reads_does_not_wait_for_writers_that_fail() {
    let server = Server::new(seed());
    let fail = |_: &mut Session<'_>, _: &mut Rng| panic!("as asked");
    while_writing((&server, 1), N_STEPS, fail, |pace| {
        for _ in 0..N_STEPS {
            pace.read();
        }
    });
}
