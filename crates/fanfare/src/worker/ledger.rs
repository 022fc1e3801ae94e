//! What a worker has, and what is to be done about it. No I/O, no clock: time is an argument.
//!
//! Inputs are `handle_*`; outputs are `poll_*` and `take_*`, to be asked after every input. An
//! entry is *held* from the moment it is read or claimed until the server has confirmed what became
//! of it: acknowledged, sent to rest, buried among the dead letters, given back. While it is held,
//! its lease is renewed. It stops being held without that when it is *lost*: somebody else has it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque, hash_map::Entry as Slot},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use foldhash::fast::RandomState;

use crate::{
    bucket::Bucket,
    stream::{Entry, StreamId},
    worker::{context::Lease, ending::Ending, rules::Rules, stats::Counts},
};

mod outbox;

use outbox::Outbox;

/// See the module.
pub(crate) struct Ledger {
    rules: Rules,
    bucket: Option<Bucket>,
    held: HashMap<StreamId, Held, RandomState>,
    /// Held, and to be handled in this order.
    ready: VecDeque<StreamId>,
    /// By key, those who wait until the first of their key is done. A key without an entry of its
    /// own here is free.
    lanes: HashMap<Bytes, BTreeSet<StreamId>, RandomState>,
    /// Entries that rest here until they are tried again: those of lanes, and what was refused.
    resting: BTreeSet<(Instant, StreamId)>,
    /// No token before this.
    throttled_until: Option<Instant>,
    n_running: usize,
    /// When a handler ended last.
    last_done: Option<Instant>,
    /// Held, and handled: acknowledgements that are not confirmed.
    n_handled: usize,
    next_generation: u64,
    /// Earlier ones are of a stream that is gone.
    first_generation: u64,
    is_draining: bool,
    /// What failed here and rests: the server keeps no texts.
    past: BTreeMap<StreamId, Past>,
    outbox: Outbox,
    pub(crate) counts: Counts,
}

struct Held {
    entry: Arc<Entry>,
    deliveries: u64,
    /// The same ID may be held twice in a row; a handler belongs to one of them.
    generation: u64,
    /// A time by which the server had given it to us, or confirmed that it is ours.
    confirmed_at: Instant,
    first_at: SystemTime,
    lane: Option<Bytes>,
    lease: Arc<Lease>,
    stage: Stage,
    /// It waits since it was refused, and its next attempt is the same delivery.
    was_refused: bool,
}

/// What is happening to an entry that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It waits to be handled, for the first time or once more.
    Waiting,
    /// Since then it is being handled.
    Running(Instant),
    /// It was handled, and the server is to be told so.
    Handled,
    /// It is not this worker's any longer, and the server is to be told so.
    Leaving,
}

impl Held {
    fn is_done(&self) -> bool {
        match self.stage {
            Stage::Waiting | Stage::Running(_) => false,
            Stage::Handled | Stage::Leaving => true,
        }
    }
}

/// What is known of earlier deliveries to this worker.
#[derive(Clone, Debug)]
struct Past {
    first_at: SystemTime,
    error: String,
}

/// Most entries whose past is known. Others may have handled them meanwhile, so the oldest goes.
const PASTS_MAX: usize = 10_000;

/// Something to handle.
pub(crate) struct Job {
    pub(crate) id: StreamId,
    pub(crate) generation: u64,
    pub(crate) entry: Arc<Entry>,
    pub(crate) deliveries: u64,
    pub(crate) lease: Arc<Lease>,
}

/// An entry to be put with the dead letters.
#[derive(Clone, Debug)]
pub(crate) struct Burial {
    pub(crate) entry: Arc<Entry>,
    pub(crate) deliveries: u64,
    pub(crate) first_at: SystemTime,
    pub(crate) last_at: SystemTime,
    pub(crate) error: String,
}

/// An entry to be given back unhandled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Return {
    pub(crate) id: StreamId,
    pub(crate) deliveries: u64,
    /// Whether its handler had begun: then the delivery counts.
    pub(crate) is_begun: bool,
}

impl Ledger {
    pub(crate) fn new(rules: Rules, bucket: Option<Bucket>) -> Self {
        Self {
            rules,
            bucket,
            held: HashMap::default(),
            ready: VecDeque::new(),
            lanes: HashMap::default(),
            resting: BTreeSet::new(),
            throttled_until: None,
            n_running: 0,
            last_done: None,
            n_handled: 0,
            next_generation: 0,
            first_generation: 0,
            is_draining: false,
            past: BTreeMap::new(),
            outbox: Outbox::default(),
            counts: Counts::default(),
        }
    }

    /// The server has delivered this. `since`: no later than that.
    pub(crate) fn handle_delivered(
        &mut self,
        entry: Entry,
        deliveries: u64,
        lane: Option<Bytes>,
        since: Instant,
    ) {
        let id = entry.id;
        if let Some(held) = self.held.get_mut(&id) {
            // The group was made anew while we have it: it is ours once more.
            held.confirmed_at = since;
            if held.stage == Stage::Handled {
                self.outbox.acks.push(id);
            }
            return;
        }
        let past = self.past.remove(&id);
        let generation = self.next_generation;
        self.next_generation += 1;
        let held = Held {
            first_at: past.map_or(entry.received_at, |past| past.first_at),
            entry: Arc::new(entry),
            deliveries,
            generation,
            confirmed_at: since,
            lane: lane.clone(),
            lease: Arc::default(),
            stage: Stage::Waiting,
            was_refused: false,
        };
        self.held.insert(id, held);
        if self.is_draining {
            self.give_back(id, false);
            return;
        }
        let Some(lane) = lane else { return self.ready.push_back(id) };
        match self.lanes.entry(lane) {
            Slot::Occupied(mut waiting) => {
                waiting.get_mut().insert(id);
            }
            Slot::Vacant(free) => {
                free.insert(BTreeSet::new());
                self.ready.push_back(id);
            }
        }
    }

    /// Something that was claimed only to be buried.
    pub(crate) fn handle_exhausted(&mut self, entry: Entry, deliveries: u64, since: Instant) {
        if self.holds(entry.id) {
            return;
        }
        let past = self.past.remove(&entry.id);
        let error = past.as_ref().map_or_else(
            || "it was never finished: those who had it died, hung, or were killed".to_owned(),
            |past| past.error.clone(),
        );
        let (id, first_at) = (entry.id, past.map_or(entry.received_at, |past| past.first_at));
        let generation = self.next_generation;
        self.next_generation += 1;
        let entry = Arc::new(entry);
        let last_at = entry.received_at;
        let held = Held {
            entry: entry.clone(),
            deliveries,
            generation,
            confirmed_at: since,
            first_at,
            lane: None,
            lease: Arc::default(),
            stage: Stage::Leaving,
            was_refused: false,
        };
        self.held.insert(id, held);
        self.outbox.burials.push(Burial { entry, deliveries, first_at, last_at, error });
    }

    /// A handler has ended.
    pub(crate) fn handle_done(
        &mut self,
        (id, generation): (StreamId, u64),
        ending: Ending,
        now: Instant,
    ) {
        self.n_running = self.n_running.saturating_sub(1);
        self.last_done = Some(now);
        let is_permanent = matches!(ending, Ending::Permanent(_));
        let error = ending.text().unwrap_or_default();
        match ending {
            Ending::Handled => {
                self.counts.handled += 1;
                // Also if it was lost: then whoever has it now need not do it again. But not if the
                // ID is one of another stream by now.
                if self.first_generation <= generation {
                    self.outbox.acks.push(id);
                }
                if let Some(held) = self.own(id, generation) {
                    held.stage = Stage::Handled;
                    self.n_handled += 1;
                    self.leave_lane(id);
                }
                return;
            }
            Ending::Refused(refusal) => {
                self.counts.refused += 1;
                return self.put_off((id, generation), refusal.wait, now);
            }
            Ending::Failed(_) | Ending::Permanent(_) => self.counts.failed += 1,
            Ending::Panicked(_) => self.counts.panicked += 1,
            Ending::TimedOut(_) => self.counts.timed_out += 1,
        }
        self.counts.last_failure = Some(error.clone());
        let deliveries_max = if is_permanent { 0 } else { self.rules.deliveries_max };
        self.fail((id, generation), error, deliveries_max, now);
    }

    fn fail(
        &mut self,
        (id, generation): (StreamId, u64),
        error: String,
        deliveries_max: u64,
        now: Instant,
    ) {
        let (is_draining, is_ordered) = (self.is_draining, self.rules.is_ordered);
        let Some(held) = self.own(id, generation) else { return };
        held.stage = Stage::Waiting;
        let (deliveries, first_at) = (held.deliveries, held.first_at);
        if deliveries_max <= deliveries {
            held.stage = Stage::Leaving;
            let (entry, last_at) = (held.entry.clone(), SystemTime::now());
            self.outbox.burials.push(Burial { entry, deliveries, first_at, last_at, error });
            self.leave_lane(id);
        } else if is_draining {
            self.give_back(id, true);
        } else if is_ordered {
            self.counts.retried += 1;
            self.resting.insert((now + self.rules.rest(id, deliveries), id));
        } else {
            held.stage = Stage::Leaving;
            self.counts.retried += 1;
            if PASTS_MAX <= self.past.len() {
                self.past.pop_first();
            }
            self.past.insert(id, Past { first_at, error });
            self.outbox.rests.push(id);
        }
    }

    /// It is begun again when the wait is over, and that is the same delivery. Meanwhile it keeps its place:
    /// while all are refused, nothing more is read.
    fn put_off(&mut self, (id, generation): (StreamId, u64), wait: Duration, now: Instant) {
        let is_draining = self.is_draining;
        let Some(held) = self.own(id, generation) else { return };
        held.stage = Stage::Waiting;
        held.was_refused = true;
        if is_draining {
            self.give_back(id, false);
        } else {
            self.resting.insert((now + wait, id));
        }
    }

    /// The server has confirmed what was asked for these; they are not held any more.
    pub(crate) fn handle_settled(&mut self, ids: impl IntoIterator<Item = StreamId>) {
        for id in ids {
            self.let_go(id);
        }
    }

    fn let_go(&mut self, id: StreamId) -> bool {
        let held = self.held.remove(&id);
        if held.as_ref().is_some_and(|held| held.stage == Stage::Handled) {
            self.n_handled -= 1;
        }
        held.is_some()
    }

    /// These were ours at `at`.
    pub(crate) fn handle_renewed(&mut self, ids: &[StreamId], at: Instant) {
        for id in ids {
            if let Some(held) = self.held.get_mut(id) {
                held.confirmed_at = held.confirmed_at.max(at);
            }
        }
    }

    /// Somebody else has this, or nobody. A handler that runs goes on, and is told.
    pub(crate) fn handle_lost(&mut self, id: StreamId) {
        let Some(held) = self.held.get(&id) else { return };
        if held.is_done() {
            // What was to be told about it is told, or has been.
            self.let_go(id);
            return;
        }
        held.lease.lose();
        self.counts.lost += 1;
        self.leave_lane(id);
        self.let_go(id);
        self.ready.retain(|it| *it != id);
        self.resting.retain(|(_, it)| *it != id);
    }

    /// The stream is another one: what is held is of the old one, and its IDs mean nothing.
    pub(crate) fn handle_reset(&mut self) {
        let ids: Vec<StreamId> = self.held.keys().copied().collect();
        self.outbox = Outbox::default();
        self.past.clear();
        self.first_generation = self.next_generation;
        for id in ids {
            self.handle_lost(id);
        }
    }

    /// No more is begun: what is not running is given back.
    pub(crate) fn handle_drain(&mut self) {
        if std::mem::replace(&mut self.is_draining, true) {
            return;
        }
        self.ready.clear();
        self.resting.clear();
        self.lanes.clear();
        let waits = |held: &Held| held.stage == Stage::Waiting;
        let ids: Vec<_> =
            self.held.iter().filter(|(_, held)| waits(held)).map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.give_back(id, false));
    }

    /// The handlers that still run were dropped.
    pub(crate) fn handle_cut(&mut self) {
        let running = |held: &Held| matches!(held.stage, Stage::Running(_));
        let ids: Vec<_> =
            self.held.iter().filter(|(_, held)| running(held)).map(|(id, _)| *id).collect();
        self.n_running = 0;
        ids.into_iter().for_each(|id| self.give_back(id, true));
    }

    fn give_back(&mut self, id: StreamId, is_begun: bool) {
        if let Some(held) = self.held.get_mut(&id) {
            held.stage = Stage::Leaving;
            let deliveries = held.deliveries;
            self.counts.returned += 1;
            self.outbox.returns.push(Return { id, deliveries, is_begun });
        }
    }

    /// What a handler holds, unless it was lost meanwhile.
    fn own(&mut self, id: StreamId, generation: u64) -> Option<&mut Held> {
        self.held.get_mut(&id).filter(|held| held.generation == generation)
    }

    /// The next one of its lane gets its turn.
    fn leave_lane(&mut self, id: StreamId) {
        let Some(lane) = self.held.get_mut(&id).and_then(|held| held.lane.take()) else { return };
        let Some(waiting) = self.lanes.get_mut(&lane) else { return };
        // It may have been one of those who wait.
        if waiting.remove(&id) {
            return;
        }
        match waiting.pop_first() {
            Some(next) => self.ready.push_back(next),
            None => {
                self.lanes.remove(&lane);
            }
        }
    }

    /// The next entry to handle, if there is one and room for it.
    pub(crate) fn poll_start(&mut self, now: Instant) -> Option<Job> {
        self.wake_resting(now);
        while self.n_running < self.rules.concurrency {
            let id = *self.ready.front()?;
            let Some(held) = self.held.get_mut(&id) else {
                self.ready.pop_front();
                continue;
            };
            self.throttled_until = None;
            if let Some(Err(at)) = self.bucket.as_mut().map(|bucket| bucket.take(now)) {
                self.throttled_until = Some(at);
                return None;
            }
            self.ready.pop_front();
            held.stage = Stage::Running(now);
            self.n_running += 1;
            return Some(Job {
                id,
                generation: held.generation,
                entry: held.entry.clone(),
                deliveries: held.deliveries,
                lease: held.lease.clone(),
            });
        }
        None
    }

    fn wake_resting(&mut self, now: Instant) {
        while let Some((at, id)) = self.resting.first().copied()
            && at <= now
        {
            self.resting.pop_first();
            if let Some(held) = self.held.get_mut(&id) {
                if !std::mem::take(&mut held.was_refused) {
                    held.deliveries = held.deliveries.saturating_add(1);
                    self.outbox.recounts.push((id, held.deliveries));
                }
                self.ready.push_front(id);
            }
        }
    }

    /// When [`poll_start`](Self::poll_start) is to be asked again although nothing has happened.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let rested = self.resting.first().map(|(at, _)| *at);
        [rested, self.throttled_until].into_iter().flatten().min()
    }

    /// How many entries to read now, if any: not one by one while many are handled. Those whose
    /// acknowledgement is under way make room already, once.
    pub(crate) fn poll_read(&self) -> Option<usize> {
        let capacity = self.rules.capacity();
        let taken = self.held.len().saturating_sub(self.n_handled.min(capacity));
        let room = capacity.saturating_sub(taken);
        let worth_it = (capacity / 4).max(1);
        (worth_it <= room && !self.is_draining).then_some(room)
    }

    /// How many entries may be claimed now: these come on top of those that are read, so that a
    /// stream that never ends does not keep what failed from being tried again.
    pub(crate) fn room_for_claims(&self) -> usize {
        let most = self.rules.capacity().saturating_add(self.rules.concurrency);
        let taken = self.held.len().saturating_sub(self.n_handled);
        if self.is_draining { 0 } else { most.saturating_sub(taken) }
    }

    /// Entries whose lease is to be renewed.
    pub(crate) fn poll_renewals(&self, now: Instant) -> Vec<StreamId> {
        let after = self.rules.renew_after();
        let is_due = |held: &Held| after <= now.saturating_duration_since(held.confirmed_at);
        let mut ids: Vec<_> =
            self.held.iter().filter(|(_, held)| is_due(held)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn holds(&self, id: StreamId) -> bool {
        self.held.contains_key(&id)
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Entries held, and handlers running.
    pub(crate) fn n_held_and_running(&self) -> (usize, usize) {
        (self.held.len(), self.n_running)
    }

    /// How long ago a handler ended last; `None` if none has.
    pub(crate) fn finished_age(&self, now: Instant) -> Option<Duration> {
        self.last_done.map(|at| now.saturating_duration_since(at))
    }

    /// For how long the handler that began first has been running.
    pub(crate) fn oldest_running(&self, now: Instant) -> Option<Duration> {
        let began = |held: &Held| match held.stage {
            Stage::Running(at) => Some(at),
            Stage::Waiting | Stage::Handled | Stage::Leaving => None,
        };
        let first = self.held.values().filter_map(began).min();
        first.map(|at| now.saturating_duration_since(at))
    }
}

#[cfg(test)]
mod tests;
