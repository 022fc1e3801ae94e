//! The load generator: one thread that polls, one read per readable socket.
//!
//! A *group* is one publisher and its subscribers. The publisher sends a batch, and the next one
//! when every byte of the last has arrived everywhere: in flight is counted in deliveries, since a
//! server may answer long before it delivers. Frames of a channel have one length, so that bytes
//! are counted and not parsed, or lines, where the clock decides on lengths; `verify` compares them
//! once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::event::epoll::Event;

use super::client::Measure;
use super::poll::Poll;

/// What a publisher sends at once, and what must come back before it goes on.
pub(super) struct Batch {
    pub(super) request: Vec<u8>,
    /// To the publisher.
    pub(super) reply: Vec<u8>,
    /// To each subscriber.
    pub(super) delivery: Vec<u8>,
    /// Of replies and deliveries.
    pub(super) measure: Measure,
}

impl Batch {
    /// The same command `in_flight` times.
    pub(super) fn repeat(in_flight: usize, command: &[u8], reply: &[u8], delivery: &[u8]) -> Self {
        Self {
            request: command.repeat(in_flight),
            reply: reply.repeat(in_flight),
            delivery: delivery.repeat(in_flight),
            measure: Measure::Bytes,
        }
    }
}

/// What a run amounted to.
pub(super) struct Tally {
    /// Batches that have arrived in full.
    pub(super) n_batches: u64,
    pub(super) elapsed: Duration,
    /// How long the generator had nothing to do.
    pub(super) waited: Duration,
}

/// Connections that generate load.
pub(super) struct Load {
    poll: Poll,
    members: Vec<Member>,
    groups: Vec<Group>,
    events: Vec<Event>,
    scratch: Vec<u8>,
}

struct Member {
    stream: TcpStream,
    group: usize,
    /// Of what it receives.
    measure: Measure,
    received: u64,
    expected: u64,
}

struct Group {
    /// The first member; its subscribers follow.
    publisher: usize,
    n_subscribers: usize,
    batches: Arc<[Batch]>,
    next_batch: usize,
    /// Members that have not got all of the last batch.
    n_waiting: usize,
}

impl Load {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            members: Vec::new(),
            groups: Vec::new(),
            events: Vec::with_capacity(1024),
            scratch: vec![0; 1024 * 1024],
        })
    }

    /// Adds a publisher that sends `batches` in turn, and the subscribers that get them.
    pub(super) fn add_group(
        &mut self,
        publisher: TcpStream,
        subscribers: Vec<TcpStream>,
        batches: Arc<[Batch]>,
    ) -> Result<()> {
        let group = Group {
            publisher: self.members.len(),
            n_subscribers: subscribers.len(),
            batches,
            next_batch: 0,
            n_waiting: 0,
        };
        let measure = group.batches.first().map_or(Measure::Bytes, |it| it.measure);
        for stream in std::iter::once(publisher).chain(subscribers) {
            self.poll.add(&stream, self.members.len())?;
            let group = self.groups.len();
            self.members.push(Member { stream, group, measure, received: 0, expected: 0 });
        }
        self.groups.push(group);
        Ok(())
    }

    /// Sends the next two batches of each group and compares every byte that comes back.
    pub(super) fn verify(&mut self) -> Result<()> {
        for group in &mut self.groups {
            let end = group.publisher + 1 + group.n_subscribers;
            let members = self.members.get_mut(group.publisher..end).context("no members")?;
            let (publisher, subscribers) = members.split_first_mut().context("no publisher")?;
            for _ in 0..2 {
                let batch = group.batches.get(group.next_batch).context("no such batch")?;
                group.next_batch = (group.next_batch + 1) % group.batches.len();
                publisher.stream.write_all(&batch.request)?;
                publisher.measure.expect(&mut publisher.stream, &batch.reply)?;
                for subscriber in &mut *subscribers {
                    subscriber.measure.expect(&mut subscriber.stream, &batch.delivery)?;
                }
            }
        }
        Ok(())
    }

    /// Keeps all groups busy for `duration`, then waits for what is under way.
    pub(super) fn run(&mut self, duration: Duration) -> Result<Tally> {
        let start = Instant::now();
        let mut waited = Duration::ZERO;
        let mut n_batches = 0;
        let mut n_active = self.groups.len();
        for group in 0..self.groups.len() {
            self.send(group)?;
        }
        while n_active > 0 {
            let mut events = std::mem::take(&mut self.events);
            waited += self.poll.spin(&mut events)?;
            if events.is_empty() {
                bail!("deliveries are missing: {}", self.missing());
            }
            for event in &events {
                let Some(finished) = self.read(event.data.u64())? else { continue };
                n_batches += 1;
                if start.elapsed() < duration {
                    self.send(finished)?;
                } else {
                    n_active -= 1;
                }
            }
            self.events = events;
        }
        Ok(Tally { n_batches, elapsed: start.elapsed(), waited })
    }

    /// Fails if the server has sent more than it should.
    pub(super) fn check_no_surplus(&mut self) -> Result<()> {
        let mut events = std::mem::take(&mut self.events);
        self.poll.wait(&mut events, Duration::from_millis(10))?;
        if !events.is_empty() {
            bail!("{} connections got more than was published", events.len());
        }
        self.events = events;
        Ok(())
    }

    fn send(&mut self, group: usize) -> Result<()> {
        let group = self.groups.get_mut(group).context("no such group")?;
        let batch = group.batches.get(group.next_batch).context("no such batch")?;
        group.next_batch = (group.next_batch + 1) % group.batches.len();
        let end = group.publisher + 1 + group.n_subscribers;
        let members = self.members.get_mut(group.publisher..end).context("no members")?;
        let (publisher, subscribers) = members.split_first_mut().context("no publisher")?;
        publisher.expected += publisher.measure.of(&batch.reply);
        for subscriber in &mut *subscribers {
            subscriber.expected += subscriber.measure.of(&batch.delivery);
        }
        group.n_waiting = subscribers.len() + usize::from(!batch.reply.is_empty());
        publisher.stream.write_all(&batch.request)?;
        Ok(())
    }

    /// Reads once; tells the group whose batch is complete by that.
    fn read(&mut self, token: u64) -> Result<Option<usize>> {
        let member =
            self.members.get_mut(usize::try_from(token)?).context("event of no connection")?;
        let n_read = member.stream.read(&mut self.scratch)?;
        if n_read == 0 {
            bail!("the server closed a connection");
        }
        member.received += member.measure.of(self.scratch.get(..n_read).unwrap_or_default());
        if member.received > member.expected {
            bail!("a connection got more than was published");
        }
        if member.received < member.expected {
            return Ok(None);
        }
        let group = self.groups.get_mut(member.group).context("no such group")?;
        group.n_waiting -= 1;
        Ok((group.n_waiting == 0).then_some(member.group))
    }

    fn missing(&self) -> String {
        let late = self.members.iter().filter(|member| member.received < member.expected);
        let n_missing: u64 = late.clone().map(|member| member.expected - member.received).sum();
        format!("{} connections wait for {n_missing} bytes, or lines", late.count())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::bench::client::{self, Kind};
    use crate::bench::{null, wire};

    /// Three subscribers of the null server, whose publisher expects `delivery` for each message.
    fn fan_out(n_threads: usize, delivery: &[u8]) -> Load {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        thread::spawn(move || null::serve(port, n_threads));
        while client::connect(port).is_err() {
            thread::yield_now();
        }
        let publish = wire::command(&[b"PUBLISH", wire::CHANNEL, b"x"]);
        let batch = Batch::repeat(4, &publish, b":3\r\n", delivery);
        let subscribers = client::subscribers(port, 3, Kind::Channel, wire::CHANNEL).unwrap();
        let mut load = Load::new().unwrap();
        load.add_group(client::connect(port).unwrap(), subscribers, Arc::from([batch])).unwrap();
        load
    }

    #[test]
    fn all_deliveries_are_counted() {
        for n_threads in [1, 2] {
            let mut load = fan_out(n_threads, &wire::message(wire::CHANNEL, b"x"));
            load.verify().unwrap();
            let tally = load.run(Duration::from_millis(20)).unwrap();
            load.check_no_surplus().unwrap();
            assert!(tally.n_batches > 0);
            let n_bytes = tally.n_batches * 4 * wire::message(wire::CHANNEL, b"x").len() as u64;
            assert!(load.members[1..].iter().all(|member| member.received == n_bytes));
        }
    }

    #[test]
    fn other_bytes_and_other_lengths_are_errors() {
        let error = fan_out(1, &wire::message(wire::CHANNEL, b"y")).verify().unwrap_err();
        assert!(error.to_string().contains("instead of"), "{error}");
        let error = fan_out(1, b"short").run(Duration::from_millis(20)).err().unwrap();
        assert!(error.to_string().contains("more than was published"), "{error}");
    }
}
