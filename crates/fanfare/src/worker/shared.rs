//! What the two tasks of a worker and its handle share.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare_client::{Backoff, Error, ErrorKind, LiveKind, Vital, Vitals};
use tokio::sync::{Notify, broadcast};

use crate::{
    stream::{Entry, Position, StreamId},
    worker::{
        WorkerEvent, WorkerState, WorkerStats,
        ledger::Ledger,
        life::{Life, Stage},
        options::KeyOf,
        stats::age,
        wire::{Look, StreamFacts, Wire},
    },
};

/// See the module.
pub(crate) struct Shared {
    /// What it works on, for those who watch over it.
    name: String,
    ledger: Mutex<Ledger>,
    condition: Mutex<Condition>,
    /// Something may be begun or read.
    pub(crate) wake: Notify,
    /// The server is to be told something.
    pub(crate) errand: Notify,
    events: broadcast::Sender<WorkerEvent>,
    pub(crate) life: Life,
    key_of: Option<KeyOf>,
    start: Position,
    /// Whoever makes the group has this: the other task then finds it made, and does not take the
    /// new stream for one more.
    making: tokio::sync::Mutex<()>,
}

/// How things are with the server.
struct Condition {
    last_read_at: Instant,
    last_contact_at: Instant,
    has_read: bool,
    /// Times that it has read again after a failure.
    n_recovered: u64,
    failing_since: Option<Instant>,
    last_error: Option<Error>,
    known: Option<Known>,
    lag: Option<u64>,
    pending: Option<u64>,
    oldest_pending: Option<StreamId>,
    /// Until then, entries may be ours whose delivery went astray.
    suspect_until: Option<Instant>,
    /// When the read that is not answered was sent.
    reading_since: Option<Instant>,
}

/// What was last seen of the group, to make it again from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// All up to this one was delivered and settled, by whatever worker.
    settled_upto: StreamId,
    stream: StreamFacts,
}

impl Shared {
    pub(crate) fn new(
        name: String,
        ledger: Ledger,
        key_of: Option<KeyOf>,
        start: Position,
    ) -> Self {
        let now = now();
        Self {
            name,
            ledger: Mutex::new(ledger),
            condition: Mutex::new(Condition {
                last_read_at: now,
                last_contact_at: now,
                has_read: false,
                n_recovered: 0,
                failing_since: None,
                last_error: None,
                known: None,
                lag: None,
                pending: None,
                oldest_pending: None,
                suspect_until: None,
                reading_since: None,
            }),
            wake: Notify::new(),
            errand: Notify::new(),
            events: broadcast::channel(1024).0,
            life: Life::new(),
            key_of,
            start,
            making: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<WorkerEvent> {
        self.events.subscribe()
    }

    pub(crate) fn announce(&self, event: WorkerEvent) {
        tracing::debug!(?event, "worker");
        // No listener is no error.
        let _ = self.events.send(event);
    }

    /// The key of an entry. Who asks for order and can not tell an entry's key gets the order of
    /// all such entries.
    pub(crate) fn lane(&self, entry: &Entry) -> Option<Bytes> {
        let key_of = self.key_of.as_ref()?;
        let lane = catch_unwind(AssertUnwindSafe(|| key_of(entry)));
        Some(lane.unwrap_or_else(|_| {
            tracing::error!(id = %entry.id, "the key of an entry could not be told: a panic");
            Bytes::new()
        }))
    }

    pub(crate) fn handle_reading(&self) {
        self.condition().reading_since = Some(now());
    }

    /// A read was answered, with or without entries.
    pub(crate) fn handle_read(&self) {
        let now = now();
        let outage = {
            let mut condition = self.condition();
            condition.last_read_at = now;
            condition.last_contact_at = now;
            condition.has_read = true;
            condition.reading_since = None;
            condition.n_recovered += u64::from(condition.failing_since.is_some());
            condition.failing_since.take().map(|since| now.saturating_duration_since(since))
        };
        if let Some(outage) = outage {
            tracing::info!(?outage, "the worker reads again");
            self.announce(WorkerEvent::ReadAgain { outage });
        }
    }

    /// A read failed.
    pub(crate) fn handle_read_failed(&self, error: &Error) {
        self.ledger().counts.read_errors += 1;
        let lease = self.ledger().rules().lease;
        let is_new = {
            let mut condition = self.condition();
            condition.last_error = Some(error.clone());
            condition.reading_since = None;
            if error.may_have_been_delivered() {
                condition.suspect_until = Some(now() + lease * 2);
            }
            let is_new = condition.failing_since.is_none();
            condition.failing_since.get_or_insert_with(now);
            is_new
        };
        if is_new {
            tracing::warn!(%error, "the worker can not read");
            self.announce(WorkerEvent::ReadFailed { error: error.clone() });
        }
    }

    /// A command that is not a read was answered well.
    pub(crate) fn handle_contact(&self) {
        self.condition().last_contact_at = now();
    }

    /// A command that is not a read failed.
    pub(crate) fn handle_failed(&self, what: &'static str, error: &Error) {
        tracing::warn!(what, %error, "a command of the worker failed");
        self.ledger().counts.errors += 1;
        self.condition().last_error = Some(error.clone());
        self.announce(WorkerEvent::Failed { what, error: error.clone() });
    }

    /// Since when an entry must be ours by the server's account for its delivery to have gone
    /// astray: it was delivered before the read that is not answered yet. `None`: none is suspected.
    pub(crate) fn orphaned_after(&self) -> Option<Duration> {
        let now = now();
        let condition = self.condition();
        condition.suspect_until.filter(|until| now < *until)?;
        let reading = condition.reading_since.map(|at| now.saturating_duration_since(at));
        Some(reading.unwrap_or_default() + Duration::from_secs(1))
    }

    /// There was a look at the group.
    pub(crate) fn handle_look(&self, group: &Bytes, look: &Look) {
        let info = look.groups.iter().find(|it| it.name == group);
        let first = look.first_pending.iter().find(|(name, _)| name == group);
        let (Some(stream), Some(info), Some((_, first))) = (look.stream, info, first) else {
            return;
        };
        let settled_upto = first.map_or(info.last_delivered, before);
        let mut condition = self.condition();
        condition.known = Some(Known { settled_upto, stream });
        condition.lag = info.lag;
        condition.pending = Some(info.pending);
        condition.oldest_pending = *first;
    }

    /// Makes the group if it is missing: where it is to begin, or where it was.
    pub(crate) async fn make_group(&self, wire: &Wire) -> Result<(), Error> {
        let _making = self.making.lock().await;
        let look = wire.look(&[]).await?;
        let known = self.condition().known;
        let (after, is_new_stream) = match (known, look.stream) {
            (None, stream) => (first_place(self.start, stream), stream.is_none()),
            (Some(_), None) => (StreamId::MIN, true),
            (Some(known), Some(stream)) => match is_same(&known.stream, &stream) {
                true => (known.settled_upto, false),
                false => (StreamId::MIN, true),
            },
        };
        let is_made = wire.make_group(after).await?;
        if known.is_some() && is_new_stream {
            self.ledger().handle_reset();
            self.condition().known = None;
        }
        let look = wire.look(std::slice::from_ref(&wire.group)).await?;
        self.handle_look(&wire.group, &look);
        if is_made && known.is_some() {
            tracing::warn!(%after, is_new_stream, "the group was missing and was made again");
            self.ledger().counts.groups_made += 1;
            self.announce(WorkerEvent::GroupMade { after, is_new_stream });
        }
        Ok(())
    }

    /// What the worker is doing and has done.
    pub(crate) fn stats(&self) -> WorkerStats {
        let now = now();
        let stage = self.life.stage();
        let (counts, (held, in_flight), oldest_running, may_read) = {
            let ledger = self.ledger();
            let numbers = ledger.n_held_and_running();
            let oldest = ledger.oldest_running(now);
            (ledger.counts.clone(), numbers, oldest, ledger.poll_read().is_some())
        };
        let condition = self.condition();
        let state = match stage {
            Stage::Draining | Stage::Settling => WorkerState::Draining,
            Stage::Ended => WorkerState::Stopped,
            Stage::Working if condition.failing_since.is_some() => WorkerState::Failing,
            Stage::Working if !condition.has_read => WorkerState::Starting,
            Stage::Working => WorkerState::Running,
        };
        WorkerStats {
            state,
            counts,
            last_read_age: now.saturating_duration_since(condition.last_read_at),
            last_contact_age: now.saturating_duration_since(condition.last_contact_at),
            is_held_back: stage == Stage::Working && !may_read && condition.reading_since.is_none(),
            held,
            in_flight,
            oldest_running,
            lag: condition.lag,
            pending: condition.pending,
            oldest_pending_age: condition.oldest_pending.map(age),
            last_error: condition.last_error.clone(),
        }
    }
}

impl Vital for Shared {
    /// A worker whose places are all taken does not read on purpose; what it is judged by then is
    /// how long nothing has been finished.
    fn vitals(&self) -> Vitals {
        let stats = self.stats();
        let mut vitals = Vitals::new(LiveKind::Worker, self.name.clone());
        vitals.state = stats.state.live(stats.is_held_back);
        vitals.last_read_age = stats.last_read_age;
        vitals.queued = stats.held;
        vitals.lag = stats.lag;
        vitals.reconnects = self.condition().n_recovered;
        if stats.is_held_back {
            let finished = self.ledger().finished_age(now());
            vitals.stalled_for = [finished, stats.oldest_running].into_iter().flatten().min();
        }
        vitals
    }
}

/// Where a group begins that was never seen. The place is spelled out, never `$`: should making it
/// be tried twice, nothing that came in between is skipped.
fn first_place(start: Position, stream: Option<StreamFacts>) -> StreamId {
    match start {
        Position::Start => StreamId::MIN,
        Position::After(id) => id,
        Position::New => stream.map(|it| it.last_id).unwrap_or_default(),
    }
}

/// Whether a stream can be the one that was seen, as far as its counters tell: they only grow, and
/// whoever adds an entry moves all of them.
fn is_same(known: &StreamFacts, stream: &StreamFacts) -> bool {
    let have_grown = match (known.added, stream.added) {
        (Some(before), Some(now)) => {
            before <= now && (before == now) == (known.last_id == stream.last_id)
        }
        (None, _) | (_, None) => true,
    };
    let is_first_later = match (known.first_id, stream.first_id) {
        (Some(before), Some(now)) => before <= now,
        (None, _) | (_, None) => true,
    };
    known.last_id <= stream.last_id && have_grown && is_first_later
}

/// The largest ID below this one.
fn before(id: StreamId) -> StreamId {
    match (id.ms, id.seq) {
        (0, 0) => id,
        (ms, 0) => StreamId::new(ms - 1, u64::MAX),
        (ms, seq) => StreamId::new(ms, seq - 1),
    }
}

/// Whether an error says that there is no such group, or no stream.
pub(crate) fn says_no_group(error: &Error) -> bool {
    // A read that waits is told so when the key goes away.
    matches!(error.server_code(), Some("NOGROUP" | "UNBLOCKED"))
        || (error.kind() == ErrorKind::Server && error.message().ends_with("no such key"))
}

/// Whether a server that can be reached takes no more for the time being: its memory is full, or it can not
/// write to its disk. Before Redis 7.0, an error in a script has another code.
pub(crate) fn says_full(error: &Error) -> bool {
    matches!(error.server_code(), Some("OOM" | "MISCONF"))
        || (error.kind() == ErrorKind::Server
            && [" -OOM ", " -MISCONF "].iter().any(|it| error.message().contains(it)))
}

/// The pauses between attempts that fail.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    n_failed: u32,
}

impl Patience {
    pub(crate) fn handle_success(&mut self) {
        self.n_failed = 0;
    }

    /// Until when to wait after one more failure.
    pub(crate) fn handle_failure(&mut self) -> Instant {
        self.n_failed = self.n_failed.saturating_add(1);
        now() + Backoff::default().delay(self.n_failed, 0.5)
    }
}

/// The runtime's clock, which tests can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_stream_is_known_by_its_counters() {
        let facts = |first, last, added| StreamFacts {
            first_id: Some(StreamId::new(first, 0)),
            last_id: StreamId::new(last, 0),
            added: Some(added),
        };
        let known = facts(3, 9, 7);
        assert!(is_same(&known, &known));
        assert!(is_same(&known, &facts(5, 12, 8)), "trimmed and added to");
        assert!(is_same(&known, &StreamFacts { added: None, ..facts(5, 12, 0) }));
        assert!(is_same(&known, &StreamFacts { first_id: None, ..known }), "emptied");
        assert!(!is_same(&known, &facts(1, 12, 8)), "what was gone is back");
        assert!(!is_same(&known, &facts(5, 8, 8)), "the last ID is smaller");
        assert!(!is_same(&known, &facts(5, 12, 6)), "fewer were ever added");
        assert!(!is_same(&known, &facts(5, 12, 7)), "another last ID, and none added");
    }

    #[test]
    fn a_new_group_begins_at_a_place_that_is_spelled_out() {
        let last_id = StreamId::new(9, 1);
        let stream = StreamFacts { last_id, ..StreamFacts::default() };
        assert_eq!(first_place(Position::New, Some(stream)), last_id);
        assert_eq!(first_place(Position::New, None), StreamId::MIN);
        assert_eq!(first_place(Position::Start, Some(stream)), StreamId::MIN);
        assert_eq!(before(StreamId::new(5, 0)), StreamId::new(4, u64::MAX));
    }
}
