//! Clients that wait for a list's elements, and one that pushes them.
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
use super::wire;

const KEY: &[u8] = b"jobs";

/// The waiters, all of which wait, and the pusher.
pub(super) struct Waiters {
    poll: Poll,
    waiters: Vec<TcpStream>,
    pusher: TcpStream,
    wait: Vec<u8>,
    /// Pushes that are sent at once.
    in_flight: usize,
}

impl Waiters {
    /// Lets `count` clients wait.
    pub(super) fn connect(server: &Server, count: usize, in_flight: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let wait = wire::command(&[b"BLPOP", KEY, b"0"]);
        let mut waiters = Vec::with_capacity(count);
        for token in 0..count {
            let mut waiter = client::connect(server.port())?;
            waiter.write_all(&wait)?;
            poll.add(&waiter, token)?;
            waiters.push(waiter);
        }
        let pusher = client::connect(server.port())?;
        poll.add(&pusher, count)?;
        Ok(Self { poll, waiters, pusher, wait, in_flight })
    }

    /// Fails unless as many wait as were told to.
    pub(super) fn verify(&mut self) -> Result<()> {
        let info = wire::command(&[b"INFO", b"clients"]);
        let expected = format!("\r\nblocked_clients:{}\r\n", self.waiters.len());
        let start = Instant::now();
        let mut answer = vec![0; 64 * 1024];
        while start.elapsed() < client::PATIENCE {
            self.pusher.write_all(&info)?;
            let n_read = self.pusher.read(&mut answer)?;
            let text = String::from_utf8_lossy(answer.get(..n_read).unwrap_or_default());
            if text.contains(&expected) {
                return Ok(());
            }
        }
        bail!("the server does not say{}", expected.trim_end());
    }

    /// Pushes for `duration`; each batch when all elements of the last were delivered.
    pub(super) fn run(&mut self, duration: Duration) -> Result<Tally> {
        let pushes = wire::command(&[b"RPUSH", KEY, &wire::payload(64)]).repeat(self.in_flight);
        let reply = wire::integer(1).repeat(self.in_flight);
        let delivery = wire::command(&[KEY, &wire::payload(64)]);
        let start = Instant::now();
        let mut waited = Duration::ZERO;
        let mut n_batches = 0;
        let mut events = Vec::with_capacity(1024);
        let mut scratch = vec![0; 64 * 1024];
        while start.elapsed() < duration {
            self.pusher.write_all(&pushes)?;
            let mut n_bytes = reply.len();
            let mut n_served = 0;
            while n_bytes > 0 || n_served < self.in_flight {
                waited += self.poll.spin(&mut events)?;
                ensure!(!events.is_empty(), "{n_served} of {} were served", self.in_flight);
                for event in &events {
                    let token = usize::try_from(event.data.u64())?;
                    let Some(waiter) = self.waiters.get_mut(token) else {
                        let n_read = self.pusher.read(&mut scratch)?;
                        ensure!(n_read > 0, "the server closed the pusher's connection");
                        n_bytes = n_bytes.checked_sub(n_read).context("too many replies")?;
                        continue;
                    };
                    let n_read = waiter.read(&mut scratch)?;
                    let got = scratch.get(..n_read).unwrap_or_default();
                    ensure!(got == delivery, "a waiter got {:?}", String::from_utf8_lossy(got));
                    waiter.write_all(&self.wait)?;
                    n_served += 1;
                }
            }
            n_batches += 1;
        }
        Ok(Tally { n_batches, elapsed: start.elapsed(), waited })
    }
}
