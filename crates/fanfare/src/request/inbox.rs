//! The inbox: one subscription, and who waits for what comes there.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fanfare_client::{Delivery, Error, ErrorKind, Subscription, SubscriptionNames};
use tokio::sync::{mpsc, watch};

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
    waiting: HashMap<String, mpsc::Sender<Result<Sealed, Error>>>,
    counts: RequesterStats,
    /// Why nothing comes any more.
    closed: Option<Error>,
}

/// The place of one request. When it is dropped, what comes for it is late.
pub(super) struct Place {
    id: String,
    table: Arc<Table>,
    answers: mpsc::Receiver<Result<Sealed, Error>>,
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
        RequesterStats { waiting: state.waiting.len(), ..state.counts.clone() }
    }

    /// A place for the answers to a request, of which so many may wait to be taken.
    pub(super) fn place(&self, id: &str, answers_max: usize) -> Result<Place, Error> {
        let (sender, answers) = mpsc::channel(answers_max.max(1));
        let mut state = self.table.lock();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        state.counts.requests += 1;
        state.waiting.insert(id.to_owned(), sender);
        Ok(Place { id: id.to_owned(), table: self.table.clone(), answers })
    }

    /// Waits until answers would arrive: what is lost from then on, a gap tells.
    pub(super) async fn ready(&self) {
        while self.names.error().is_none() && !self.names.stats().is_up {
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
    /// The next answer. An error that is not [`ErrorKind::Refused`] is the last.
    pub(super) async fn next(&mut self) -> Result<Sealed, Error> {
        match self.answers.recv().await {
            Some(answer) => answer,
            None => Err(self.table.lock().closed.clone().unwrap_or_else(lost)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.table.lock();
        state.waiting.remove(&self.id);
        // What has come and was not taken is nobody's.
        while self.answers.try_recv().is_ok() {
            state.counts.answers -= 1;
            state.counts.dropped += 1;
        }
    }
}

async fn read(mut subscription: Subscription, table: Arc<Table>, mut stopped: watch::Receiver<()>) {
    loop {
        let delivery = tokio::select! {
            // That the other side is dropped is the stop.
            _ = stopped.changed() => return,
            delivery = subscription.next_delivery() => delivery,
        };
        match delivery {
            Some(Delivery::Message(message)) => table.deliver(&message.payload),
            Some(Delivery::Gap(_)) => table.lose(),
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
            Ok((id, answer)) => match waiting.get(&id).map(mpsc::Sender::try_reserve) {
                Some(Ok(place)) => {
                    place.send(answer);
                    counts.answers += 1;
                }
                Some(Err(mpsc::error::TrySendError::Full(()))) => counts.dropped += 1,
                Some(Err(mpsc::error::TrySendError::Closed(()))) | None => counts.unknown += 1,
            },
            Err(error) => {
                tracing::warn!(%error, "something came to the inbox that is no answer");
                counts.undecodable += 1;
            }
        }
    }

    /// Something may be missing: whoever waits is told so, after what has come.
    fn lose(&self) {
        let mut state = self.lock();
        state.counts.lost += u64::try_from(state.waiting.len()).unwrap_or(u64::MAX);
        state.waiting.clear();
    }

    fn close(&self, error: Option<Error>) {
        let closed = || Error::new(ErrorKind::Closed, "the inbox is closed");
        let mut state = self.lock();
        state.closed = Some(error.unwrap_or_else(closed));
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
