//! Who gets what: the subscriptions that share one connection. No I/O; time is an argument.
//!
//! Several subscriptions of one channel share the server's one subscription of it, and the bytes
//! of its messages. A member joins with all its targets and is told once they are confirmed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use foldhash::fast::RandomState;

use crate::{
    Error, Event, Gap, Kind, Message,
    connection::core::{Incoming, READ_CHUNK},
    queue::{Pushed, Queue},
    subscriptions::{Ask, Batch, Subscriptions, Target},
    waiting::{Call, Calls, Ready},
};

/// A message that waits for room in a queue that blocks.
pub(crate) type Held = (Arc<Queue>, Message);

/// All subscriptions of one connection.
#[derive(Default)]
pub(crate) struct Registry {
    desired: Subscriptions,
    channels: Routes,
    patterns: Routes,
    shards: Routes,
    members: HashMap<u64, Member, RandomState>,
    /// Queues that got something since [`Registry::wake`].
    touched: Vec<Arc<Queue>>,
    /// Calls for which everything was confirmed since [`Registry::wake`], and whose they are.
    fulfilled: Vec<(u64, Call)>,
    /// Refused targets of which an event has told.
    refused: HashSet<Target, RandomState>,
    /// Members with drops that have not been reported, and when to report them.
    dropping: HashSet<u64, RandomState>,
    report_at: Option<Instant>,
    reported_at: Option<Instant>,
}

type Routes = HashMap<Bytes, Vec<(u64, Arc<Queue>)>, RandomState>;

struct Member {
    queue: Arc<Queue>,
    targets: HashSet<Target, RandomState>,
    waiting: Calls,
    n_dropped_reported: u64,
}

/// Payloads of these sizes are copied, so that a message that is kept for long does not keep the
/// whole buffer it was read into. Shorter ones the decoder has copied already; of longer ones
/// there are few in a buffer.
const COPY_LENS: std::ops::RangeInclusive<usize> = 257..=READ_CHUNK / 16;

/// Drops are reported at most this often.
const REPORT_EVERY: Duration = Duration::from_secs(1);

impl Registry {
    /// Subscribes `id` to more targets.
    pub(crate) fn join(&mut self, id: u64, queue: &Arc<Queue>, targets: Vec<Target>, ready: Ready) {
        let member = self.members.entry(id).or_insert_with(|| Member {
            queue: queue.clone(),
            targets: HashSet::default(),
            waiting: Calls::default(),
            n_dropped_reported: 0,
        });
        let (mut added, mut unconfirmed) = (Vec::new(), Vec::new());
        for target in &targets {
            if member.targets.contains(target) {
                if !self.desired.is_confirmed(target) {
                    unconfirmed.push(target.clone());
                }
                continue;
            }
            if !self.desired.want(target) {
                unconfirmed.push(target.clone());
            }
            let routes = match target.kind {
                Kind::Channel => &mut self.channels,
                Kind::Pattern => &mut self.patterns,
                Kind::Shard => &mut self.shards,
            };
            routes.entry(target.name.clone()).or_default().push((id, queue.clone()));
            member.targets.insert(target.clone());
            added.push(target.clone());
        }
        member.waiting.push(Call::new(targets, added, unconfirmed, ready));
        let done = member.waiting.take_done();
        self.confirm(done.into_iter().map(|call| (id, call)).collect());
    }

    /// Takes targets away from `id`. Its queue gets nothing of them from now on.
    pub(crate) fn part(&mut self, id: u64, targets: &[Target]) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.waiting.handle_parted(targets);
        let done = member.waiting.take_done();
        let parted: Vec<&Target> =
            targets.iter().filter(|target| member.targets.remove(*target)).collect();
        parted.into_iter().for_each(|target| self.unroute(id, target));
        self.confirm(done.into_iter().map(|call| (id, call)).collect());
    }

    /// Takes back what calls have asked for in vain that nobody waits for any more.
    pub(crate) fn take_back(&mut self, id: u64) {
        let Some(member) = self.members.get_mut(&id) else { return };
        for call in member.waiting.take_gone() {
            self.fail(id, call, &Error::closed());
        }
    }

    /// Tells a call that it came to nothing, and takes back what it has added.
    fn fail(&mut self, id: u64, mut call: Call, error: &Error) {
        if let Some(member) = self.members.get_mut(&id) {
            let back = member.waiting.take_back(&mut call);
            self.part(id, &back);
        }
        call.refuse(error);
    }

    /// Tells calls that everything is confirmed.
    fn confirm(&mut self, done: Vec<(u64, Call)>) {
        for (id, call) in done {
            let back = call.confirm();
            if !back.is_empty() {
                self.part(id, &back);
            }
        }
    }

    /// Takes `id` away altogether.
    pub(crate) fn leave(&mut self, id: u64) {
        if let Some(member) = self.members.remove(&id) {
            for target in &member.targets {
                self.unroute(id, target);
            }
        }
    }

    fn unroute(&mut self, id: u64, target: &Target) {
        let routes = self.routes(target.kind);
        if let Some(queues) = routes.get_mut(&target.name) {
            queues.retain(|(other, _)| *other != id);
            if queues.is_empty() {
                routes.remove(&target.name);
                self.refused.remove(target);
            }
        }
        self.desired.unwant(target);
    }

    fn routes(&mut self, kind: Kind) -> &mut Routes {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    /// Hands a message to everybody who wants it. Returns who has to be waited for.
    pub(crate) fn deliver(
        &mut self,
        now: Instant,
        received_at: SystemTime,
        incoming: Incoming,
    ) -> Vec<Held> {
        let Incoming { kind, pattern, channel, payload } = incoming;
        let routes = match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shards,
        };
        let Some((name, queues)) = routes.get_key_value(pattern.as_ref().unwrap_or(&channel))
        else {
            return Vec::new();
        };
        // The route's own name is shared by all messages and keeps no read buffer.
        let (channel, pattern) = match kind {
            Kind::Pattern => (unpinned(channel), Some(name.clone())),
            Kind::Channel | Kind::Shard => (name.clone(), None),
        };
        let payload = unpinned(payload);
        let message = Message { kind, channel, pattern, payload, received_at };
        let (mut held, mut ended) = (Vec::new(), Vec::new());
        for (id, queue) in queues {
            match queue.push(message.clone()) {
                Pushed::Queued => {}
                Pushed::Dropped => {
                    self.dropping.insert(*id);
                    let earliest = self.reported_at.map_or(now, |at| now.max(at + REPORT_EVERY));
                    self.report_at.get_or_insert(earliest);
                }
                Pushed::Full(message) => held.push((queue.clone(), message)),
                Pushed::Ended => ended.push(*id),
            }
            if self.touched.last().is_none_or(|last| !Arc::ptr_eq(last, queue)) {
                self.touched.push(queue.clone());
            }
        }
        for id in ended {
            self.leave(id);
        }
        held
    }

    /// Wakes every subscription that got something or was confirmed.
    pub(crate) fn wake(&mut self) {
        let done = std::mem::take(&mut self.fulfilled);
        self.confirm(done);
        for queue in self.touched.drain(..) {
            queue.wake();
        }
    }

    /// The server's confirmation.
    pub(crate) fn handle_confirmed(&mut self, ask: Ask, target: &Target) {
        self.desired.handle_confirmed(ask, target);
        if !self.desired.is_confirmed(target) {
            return;
        }
        self.refused.remove(target);
        for id in self.ids_of(target) {
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.waiting.handle_confirmed(target);
            self.fulfilled.extend(member.waiting.take_done().into_iter().map(|call| (id, call)));
        }
    }

    /// The server's refusal. Those who wait for it are told and get none of what they asked for;
    /// for those who had it before, an event comes back.
    pub(crate) fn handle_refused(
        &mut self,
        now: Instant,
        batch: Batch,
        error: &Error,
    ) -> Option<Event> {
        let target = self.desired.handle_refused(now, batch)?;
        let mut event = None;
        for id in self.ids_of(&target) {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let refused = member.waiting.take_waiting_for(&target);
            let is_new = refused.iter().any(|call| call.has_added(&target));
            if !is_new && self.refused.insert(target.clone()) {
                event = Some(Event::Refused { channel: target.name.clone(), error: error.clone() });
            }
            for call in refused {
                self.fail(id, call, error);
            }
        }
        event
    }

    fn ids_of(&mut self, target: &Target) -> Vec<u64> {
        self.routes(target.kind)
            .get(&target.name)
            .map(|queues| queues.iter().map(|(id, _)| *id).collect())
            .unwrap_or_default()
    }

    /// There is no connection and nobody shall wait for one.
    pub(crate) fn fail_waiting(&mut self, error: &Error) {
        let waiting: Vec<(u64, Call)> = self
            .members
            .iter_mut()
            .flat_map(|(id, member)| member.waiting.take_all().into_iter().map(|it| (*id, it)))
            .collect();
        for (id, call) in waiting {
            self.fail(id, call, error);
        }
    }

    /// The connection is gone.
    pub(crate) fn handle_disconnected(&mut self) {
        self.desired.handle_disconnected();
        self.refused.clear();
        for member in self.members.values_mut() {
            member.waiting.handle_disconnected();
        }
        self.wake();
    }

    /// A new connection is there after an outage: all who may have lost something are told.
    pub(crate) fn push_outage(&mut self, gap: &Gap) {
        for member in self.members.values() {
            // Who never was subscribed can not have missed anything.
            if member.waiting.n_added() < member.targets.len() {
                member.queue.push_outage(gap.clone());
                member.queue.wake();
            }
        }
    }

    /// The next command to send.
    pub(crate) fn poll_batch(&mut self) -> Option<Batch> {
        self.desired.poll_batch()
    }

    /// Whether the server has confirmed all that is wanted.
    pub(crate) fn is_settled(&self) -> bool {
        self.desired.is_settled()
    }

    /// Whether nobody is subscribed.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Retries what was refused, and reports what was dropped.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Event> {
        self.desired.handle_timeout(now);
        if self.report_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.report_at = None;
        self.reported_at = Some(now);
        let mut events = Vec::new();
        for id in self.dropping.drain() {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let n_dropped = member.queue.n_dropped();
            let n = n_dropped - member.n_dropped_reported;
            member.n_dropped_reported = n_dropped;
            events.push(Event::Dropped { subscription: id, n });
        }
        events
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match (self.desired.poll_timeout(), self.report_at) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        }
    }

    /// Ends every subscription.
    pub(crate) fn close(&mut self, error: &Error) {
        for (_, mut member) in self.members.drain() {
            member.queue.end(error.clone());
            for call in member.waiting.take_all() {
                call.refuse(error);
            }
        }
    }
}

fn unpinned(bytes: Bytes) -> Bytes {
    if COPY_LENS.contains(&bytes.len()) { Bytes::copy_from_slice(&bytes) } else { bytes }
}

#[cfg(test)]
mod tests;
