//! The inbox: one subscription, and who waits for what comes there.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fanfare_client::{Delivery, Error, ErrorKind, Gap, Subscription, SubscriptionNames};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::wire;
use crate::{Fanfare, Sealed};

/// How often to look whether an inbox that was away is back.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The counts of a requester and all its clones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequesterStats {
    /// Requests that were begun.
    pub requests: u64,
    /// Answers, errors of responders included, that somebody waited for.
    pub answers: u64,
    /// Answers that nobody waited for: late, to a request that has its answer, or to none of ours.
    pub unknown: u64,
    /// What came to the inbox and was no answer.
    pub undecodable: u64,
    /// Answers that were dropped because whoever gathers them did not take them.
    pub dropped: u64,
    /// Requests whose answer may have been lost with the inbox's connection.
    pub lost: u64,
    /// Requests that wait for an answer now.
    pub waiting: usize,
}

/// See the module. Its task ends when this is dropped.
pub(super) struct Inbox {
    channel: String,
    table: Arc<Table>,
    names: SubscriptionNames,
    _stop: watch::Sender<()>,
}

#[derive(Default)]
struct Table(Mutex<State>);

#[derive(Default)]
struct State {
    /// By the ids of the requests. More than one have the same if a program says so.
    waiting: HashMap<String, Vec<Waiting>>,
    n_places: u64,
    counts: RequesterStats,
    /// How often the connection was lost, as far as the gaps of that have come.
    n_lost: u64,
    /// Why nothing comes any more.
    closed: Option<Error>,
}

struct Waiting {
    number: u64,
    /// How often the connection had been lost before.
    since: u64,
    n_answers: u64,
    answers: mpsc::Sender<Arrived>,
}

/// An answer, and when it came.
type Arrived = (Instant, Result<Sealed, Error>);

/// The place of one request. When it is dropped, what comes for it is late.
pub(super) struct Place {
    id: String,
    number: u64,
    /// It lives as long as somebody waits.
    inbox: Arc<Inbox>,
    answers: mpsc::Receiver<Arrived>,
}

impl Inbox {
    pub(super) async fn open(fanfare: &Fanfare) -> Result<Self, Error> {
        let nonce: u128 = rand::random();
        let channel = format!("{}{nonce:032x}", wire::INBOX);
        let subscription = fanfare.subscribe([&channel]).await?;
        let (stop, stopped) = watch::channel(());
        let (table, names) = (Arc::new(Table::default()), subscription.names());
        tokio::spawn(read(subscription, table.clone(), stopped));
        Ok(Self { channel, table, names, _stop: stop })
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    pub(super) fn stats(&self) -> RequesterStats {
        let state = self.table.lock();
        let waiting = state.waiting.values().map(Vec::len).sum();
        RequesterStats { waiting, ..state.counts.clone() }
    }

    /// A place for the answers to a request, of which so many may wait to be taken. Taken when answers
    /// would arrive; what is lost from then on, a gap tells.
    ///
    /// # Cancel safety
    /// Dropping the future takes no place.
    pub(super) async fn place(
        self: &Arc<Self>,
        id: &str,
        answers_max: usize,
    ) -> Result<Place, Error> {
        loop {
            let since = self.ready().await;
            let mut state = self.table.lock();
            if let Some(error) = &state.closed {
                return Err(error.clone());
            }
            if state.n_lost <= since {
                state.counts.requests += 1;
                state.n_places += 1;
                let (sender, answers) = mpsc::channel(answers_max.max(1));
                let number = state.n_places;
                let waiting = Waiting { number, since, n_answers: 0, answers: sender };
                state.waiting.entry(id.to_owned()).or_default().push(waiting);
                return Ok(Place { id: id.to_owned(), number, inbox: self.clone(), answers });
            }
        }
    }

    /// Waits for the connection, and returns how often it has been lost before.
    async fn ready(&self) -> u64 {
        loop {
            // Each time that it is lost is counted before it is up again.
            let (before, now) = (self.names.stats(), self.names.stats());
            let is_same = before.reconnects == now.reconnects;
            if self.names.error().is_some() || (now.is_up && is_same) {
                return now.reconnects;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("channel", &self.channel)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Place {
    /// The next answer, and when it came. An error that is not [`ErrorKind::Refused`] is the last.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Arrived {
        match self.answers.recv().await {
            Some(arrived) => arrived,
            None => {
                let closed = self.inbox.table.lock().closed.clone();
                (Instant::now(), Err(closed.unwrap_or_else(lost)))
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.inbox.table.lock();
        if let Some(waiting) = state.waiting.get_mut(&self.id) {
            waiting.retain(|it| it.number != self.number);
            if waiting.is_empty() {
                state.waiting.remove(&self.id);
            }
        }
        // What has come and was not taken is nobody's.
        while self.answers.try_recv().is_ok() {
            state.counts.answers -= 1;
            state.counts.dropped += 1;
        }
    }
}

/// Tells those who wait when the task ends, however it does.
struct Open(Arc<Table>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

async fn read(mut subscription: Subscription, table: Arc<Table>, mut stopped: watch::Receiver<()>) {
    let open = Open(table);
    let Open(table) = &open;
    loop {
        let delivery = tokio::select! {
            // That the other side is dropped is the stop.
            _ = stopped.changed() => return,
            delivery = subscription.next_delivery() => delivery,
        };
        match delivery {
            Some(Delivery::Message(message)) => table.deliver(&message.payload),
            Some(Delivery::Gap(gap)) => table.lose(&gap),
            None => return table.close(subscription.error()),
        }
    }
}

impl Table {
    fn deliver(&self, payload: &Bytes) {
        let read = wire::read(payload);
        let mut state = self.lock();
        let State { waiting, counts, .. } = &mut *state;
        match read {
            Ok((id, answer)) => {
                // Of several with one id nobody can tell which is meant: each gets its share.
                let waiting = waiting.get_mut(&id).and_then(|it| {
                    it.iter_mut().min_by_key(|waiting| (waiting.n_answers, waiting.number))
                });
                let Some(waiting) = waiting else {
                    counts.unknown += 1;
                    return;
                };
                waiting.n_answers += 1;
                match waiting.answers.try_send((Instant::now(), answer)) {
                    Ok(()) => counts.answers += 1,
                    Err(mpsc::error::TrySendError::Full(_)) => counts.dropped += 1,
                    Err(mpsc::error::TrySendError::Closed(_)) => counts.unknown += 1,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "something came to the inbox that is no answer");
                counts.undecodable += 1;
            }
        }
    }

    /// Something may be missing: whoever waited before the end of the outage is told so, after what
    /// has come.
    fn lose(&self, gap: &Gap) {
        let mut state = self.lock();
        state.n_lost += gap.outage.map_or(0, |outage| outage.n_disconnects.into());
        let State { waiting, counts, n_lost, .. } = &mut *state;
        waiting.retain(|_, waiting| {
            let n_before = waiting.len();
            waiting.retain(|it| gap.n_dropped == 0 && *n_lost <= it.since);
            counts.lost += u64::try_from(n_before - waiting.len()).unwrap_or(u64::MAX);
            !waiting.is_empty()
        });
    }

    /// The first reason counts.
    fn close(&self, error: Option<Error>) {
        let closed = || Error::new(ErrorKind::Closed, "the inbox is closed");
        let mut state = self.lock();
        state.closed.get_or_insert_with(|| error.unwrap_or_else(closed));
        state.waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lost() -> Error {
    let message = "the inbox's connection was lost while the request was on its way: the answer may \
                   have been lost with it";
    Error::new(ErrorKind::AnswerLost, message).after_sending()
}
