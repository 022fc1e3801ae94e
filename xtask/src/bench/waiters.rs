//! Clients that wait for what comes to a key, and one that adds it.
//!
//! A waiter that was served waits again at once, so that always almost all of them wait.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::client;
use super::load::Tally;
use super::poll::Poll;
use super::server::Server;
use super::stream;
use super::wire;

const KEY: &[u8] = b"jobs";
const N_WAITERS: usize = 1_000;

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Awaited {
    /// Elements of a list, each of which serves one waiter; so many are pushed at once.
    Elements { in_flight: usize },
    /// The next entry of a stream, which serves all waiters.
    Entry,
}

impl Awaited {
    /// How many are served by what is added at once.
    pub(super) fn n_served(self) -> usize {
        match self {
            Self::Elements { in_flight } => in_flight,
            Self::Entry => N_WAITERS,
        }
    }

    /// Waits for what is added in a round.
    fn wait(self, round: usize) -> Vec<u8> {
        match self {
            Self::Elements { .. } => wire::command(&[b"BLPOP", KEY, b"0"]),
            Self::Entry => {
                let last = stream::id(round);
                wire::command(&[b"XREAD", b"BLOCK", b"0", b"STREAMS", KEY, last.as_bytes()])
            }
        }
    }

    /// Adds what is waited for in a round.
    fn add(self, round: usize) -> Vec<u8> {
        match self {
            Self::Elements { in_flight } => {
                wire::command(&[b"RPUSH", KEY, &wire::payload(64)]).repeat(in_flight)
            }
            Self::Entry => Self::entry(round).request,
        }
    }

    /// What is answered to that.
    fn reply(self, round: usize) -> Vec<u8> {
        match self {
            Self::Elements { in_flight } => wire::integer(1).repeat(in_flight),
            Self::Entry => Self::entry(round).reply,
        }
    }

    fn entry(round: usize) -> client::Exchange {
        stream::add(KEY, round + 1, &[(b"field", &wire::payload(64))])
    }

    /// What each waiter that is served in a round gets.
    fn delivery(self, round: usize) -> Vec<u8> {
        match self {
            Self::Elements { .. } => wire::command(&[KEY, &wire::payload(64)]),
            Self::Entry => stream::read(KEY, (round + 1, 1), &wire::payload(64)),
        }
    }
}

/// The waiters, all of which wait, and who adds.
pub(super) struct Waiters {
    poll: Poll,
    waiters: Vec<TcpStream>,
    adder: TcpStream,
    awaited: Awaited,
    /// How often something was added.
    round: usize,
}

impl Waiters {
    /// Lets a thousand clients wait.
    pub(super) fn connect(server: &Server, awaited: Awaited) -> Result<Self> {
        let poll = Poll::new()?;
        let wait = awaited.wait(0);
        let mut waiters = Vec::with_capacity(N_WAITERS);
        for token in 0..N_WAITERS {
            let mut waiter = client::connect(server.port())?;
            waiter.write_all(&wait)?;
            poll.add(&waiter, token)?;
            waiters.push(waiter);
        }
        let adder = client::connect(server.port())?;
        poll.add(&adder, N_WAITERS)?;
        Ok(Self { poll, waiters, adder, awaited, round: 0 })
    }

    /// Fails unless as many wait as were told to.
    pub(super) fn verify(&mut self) -> Result<()> {
        let info = wire::command(&[b"INFO", b"clients"]);
        let expected = format!("\r\nblocked_clients:{}\r\n", self.waiters.len());
        let start = Instant::now();
        let mut answer = vec![0; 64 * 1024];
        while start.elapsed() < client::PATIENCE {
            self.adder.write_all(&info)?;
            let n_read = self.adder.read(&mut answer)?;
            let text = String::from_utf8_lossy(answer.get(..n_read).unwrap_or_default());
            if text.contains(&expected) {
                return Ok(());
            }
        }
        bail!("the server does not say{}", expected.trim_end());
    }

    /// Adds for `duration`; each time when all of the last was delivered.
    pub(super) fn run(&mut self, duration: Duration) -> Result<Tally> {
        let start = Instant::now();
        let mut waited = Duration::ZERO;
        let first_round = self.round;
        let mut events = Vec::with_capacity(1024);
        let mut scratch = vec![0; 64 * 1024];
        while start.elapsed() < duration {
            let (awaited, round) = (self.awaited, self.round);
            self.adder.write_all(&awaited.add(round))?;
            let (delivery, wait) = (awaited.delivery(round), awaited.wait(round + 1));
            let mut n_bytes = awaited.reply(round).len();
            let mut n_served = 0;
            while n_bytes > 0 || n_served < awaited.n_served() {
                waited += self.poll.spin(&mut events)?;
                ensure!(!events.is_empty(), "{n_served} of {} were served", awaited.n_served());
                for event in &events {
                    let token = usize::try_from(event.data.u64())?;
                    let Some(waiter) = self.waiters.get_mut(token) else {
                        let n_read = self.adder.read(&mut scratch)?;
                        ensure!(n_read > 0, "the server closed the connection of who adds");
                        n_bytes = n_bytes.checked_sub(n_read).context("too many replies")?;
                        continue;
                    };
                    let n_read = waiter.read(&mut scratch)?;
                    let got = scratch.get(..n_read).unwrap_or_default();
                    ensure!(got == delivery, "a waiter got {:?}", String::from_utf8_lossy(got));
                    waiter.write_all(&wait)?;
                    n_served += 1;
                }
            }
            self.round += 1;
        }
        let n_batches = (self.round - first_round) as u64;
        Ok(Tally { n_batches, elapsed: start.elapsed(), waited })
    }
}
