//! The task of a spool: it takes messages, sends them directly or appends them, and sends what waits.
//!
//! One sending is under way at a time. While it is one of the log's messages, new ones are appended at
//! once; while it is one of new messages, newer ones wait for what becomes of it, since they must not
//! overtake it.

mod landing;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fanfare_client::{Backoff, Error, ErrorKind, Event, Events, LiveState, Role};
use futures_util::future::BoxFuture;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{
    handle::{Accepted, Ask, Draft, INBOX_BYTES, INBOX_MAX, Spool},
    log::{Item, Log},
    options::Settings,
    record::{self, Record},
    shared::Shared,
    stats::{Recovery, SpoolEvent},
};
use crate::{
    Fanfare, Pulse,
    blocking::apart,
    once::{BATCH_BYTES_MAX, BATCH_MAX, Fate, Parcel, Sender},
};

/// The pauses between attempts to send what waits. An `Up` of the link ends one.
const PAUSES: Backoff = Backoff { first: Duration::from_millis(50), cap: Duration::from_secs(2) };

/// Who handed a message over, and waits for what becomes of it.
pub(super) type Reply = oneshot::Sender<Result<Accepted, Error>>;

/// What is being sent.
enum Cargo {
    /// New messages, with those who wait for them.
    Direct(Vec<(Item, Reply)>),
    /// Messages of the log, and what has become of them.
    Log(Vec<(Item, Lot)>),
    /// A question whether the broker is there that this message is for.
    Probe(Item),
}

/// What has become of a message of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lot {
    Open,
    Sent,
    /// The broker had it already.
    Known,
    Expired,
    Buried,
}

struct Desk {
    fanfare: Fanfare,
    sender: Sender,
    settings: Settings,
    log: Arc<Mutex<Log>>,
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Ask>,
    pulse: Pulse,
    cargo: Option<Cargo>,
    flight: Option<BoxFuture<'static, Vec<Fate>>>,
    n_failed: u32,
    retry_at: Instant,
    /// Whether the broker has just answered.
    is_probed: bool,
    sync_at: Option<Instant>,
    /// A failure of the disk that no publisher has been told: the next one is.
    owed: Option<Error>,
    /// Messages of the log that were sent since nothing waited.
    n_drained: u64,
    is_inbox_closed: bool,
    /// Until when what waits is sent before the spool is closed, and who waits for that.
    closing: Option<(Instant, oneshot::Sender<()>)>,
}

/// Starts the task of a log that is open.
pub(super) fn start(
    fanfare: Fanfare,
    folder: PathBuf,
    settings: Settings,
    (log, recovery): (Log, Recovery),
) -> Spool {
    if 0 < recovery.cut_bytes || !recovery.quarantined.is_empty() {
        let folder = folder.display();
        tracing::warn!(%folder, ?recovery, "a spool was damaged");
    }
    let shared = Arc::new(Shared::new(recovery));
    shared.look(&log);
    let (asks, inbox) = mpsc::channel(INBOX_MAX);
    let desk = Desk {
        sender: Sender::new(&fanfare, settings.try_for, settings.remember),
        pulse: fanfare.pulse(format!("spool {}", folder.display())),
        fanfare: fanfare.clone(),
        settings,
        log: Arc::new(Mutex::new(log)),
        shared: shared.clone(),
        inbox,
        cargo: None,
        flight: None,
        n_failed: 0,
        retry_at: Instant::now(),
        is_probed: false,
        sync_at: None,
        owed: None,
        n_drained: 0,
        is_inbox_closed: false,
        closing: None,
    };
    let events = fanfare.events();
    tokio::spawn(desk.run(events));
    let room = Arc::new(Semaphore::new(INBOX_BYTES));
    Spool { fanfare, folder: folder.into(), settings, asks, room, shared }
}

impl Desk {
    async fn run(mut self, mut events: Events) {
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_link_open = true;
        while !self.is_over() {
            if self.cargo.is_none() && !self.shared.is_empty() && self.retry_at <= Instant::now() {
                self.depart().await;
                // It may be over now. Otherwise others have their turn, too.
                if self.shared.is_empty() {
                    continue;
                }
            }
            self.turn(&mut events, &mut is_link_open, &mut tick).await;
        }
        self.sync().await;
        let closing = self.closing.take();
        self.shared.end();
        // The directory is free before anybody is told that the spool is closed.
        drop(self);
        if let Some((_, closed)) = closing {
            let _ = closed.send(());
        }
    }

    /// Waits for something to happen, and does it.
    async fn turn(&mut self, events: &mut Events, is_link_open: &mut bool, tick: &mut Interval) {
        let mut asks = Vec::new();
        let is_direct = matches!(self.cargo, Some(Cargo::Direct(_)));
        let is_resting = self.cargo.is_none() && !self.shared.is_empty();
        let closes_at = self.closing.as_ref().map(|it| it.0);
        tokio::select! {
            fates = landing(self.flight.as_mut()) => {
                self.flight = None;
                self.landed(fates).await;
            }
            n = self.inbox.recv_many(&mut asks, BATCH_MAX), if !is_direct && !self.is_inbox_closed => {
                self.is_inbox_closed = n == 0;
                self.take(asks).await;
            }
            () = sleep_until(self.retry_at), if is_resting => {}
            () = at(self.sync_at) => self.sync().await,
            () = at(closes_at), if !is_direct => {}
            event = events.next(), if *is_link_open => match event {
                Some(Event::Up { role: Role::Commands }) => self.retry_at = Instant::now(),
                Some(_) => {}
                None => *is_link_open = false,
            },
            _ = tick.tick() => {}
        }
        self.beat();
    }

    /// Whether nothing is left to do: all handles are gone, or it is to be closed and nothing waits, or
    /// it has waited for that as long as it may.
    fn is_over(&self) -> bool {
        if !self.is_inbox_closed || matches!(self.cargo, Some(Cargo::Direct(_))) {
            return false;
        }
        match &self.closing {
            Some((until, _)) => self.shared.is_empty() || *until <= Instant::now(),
            None => true,
        }
    }

    fn beat(&self) {
        self.pulse.beat();
        let n = self.shared.stats().waiting;
        self.pulse.set_queued(usize::try_from(n).unwrap_or(usize::MAX), 0 < n && 0 < self.n_failed);
        self.pulse.set_lag(Some(n));
        let is_disk_bad = self.shared.has_disk_error();
        self.pulse.set_state(if is_disk_bad { LiveState::Down } else { LiveState::Up });
    }

    /// Does something with the log, apart from everything that must not wait for a disk.
    async fn with_log<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Log) -> T + Send + 'static,
    ) -> T {
        let log = self.log.clone();
        let (done, incidents, is_unsynced) = apart({
            let shared = self.shared.clone();
            move || {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                let done = work(&mut log);
                shared.look(&log);
                (done, log.take_incidents(), log.is_unsynced())
            }
        })
        .await;
        self.sync_at = match (self.settings.sync_every, is_unsynced) {
            (Some(interval), true) => self.sync_at.or_else(|| Some(Instant::now() + interval)),
            _ => None,
        };
        if let Some(error) = &incidents.sync_error {
            self.owed = Some(error.clone());
        }
        self.shared.tell(incidents);
        done
    }

    async fn sync(&mut self) {
        self.sync_at = None;
        if self.settings.sync_every.is_some()
            && let Err(error) = self.with_log(Log::sync).await
        {
            self.shared.disk_failed(&error);
            self.owed = Some(error);
        }
    }

    /// Takes what handles ask for.
    async fn take(&mut self, asks: Vec<Ask>) {
        let mut drafts = Vec::new();
        for ask in asks {
            match ask {
                Ask::Publish(draft, reply) => match self.owed.take() {
                    None => drafts.push((draft, reply)),
                    Some(error) => {
                        self.shared.change(|stats| stats.refused += 1);
                        let _ = reply.send(Err(error));
                    }
                },
                Ask::Letters(reply) => {
                    let _ = reply.send(self.with_log(|log| log.dead.read()).await);
                }
                Ask::Requeue(sequences, reply) => {
                    // What was handed over before comes before.
                    self.publish(std::mem::take(&mut drafts), false).await;
                    let requeue = move |log: &mut Log| log.requeue(sequences.as_deref());
                    let _ = reply.send(self.with_log(requeue).await);
                }
                Ask::Close(until, closed) => {
                    self.inbox.close();
                    self.closing = Some((until, closed));
                }
            }
        }
        self.publish(drafts, true).await;
    }

    /// Sends new messages directly, if nothing waits and there is a connection, or appends them.
    async fn publish(&mut self, drafts: Vec<(Draft, Reply)>, may_be_direct: bool) {
        if drafts.is_empty() {
            return;
        }
        let batch: Vec<(Item, Reply)> = {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            let generation = log.generation();
            let item = |draft: Draft, log: &mut Log| {
                let Draft { time, age_max_ms, parcel: Parcel { place, id, words } } = draft;
                let sequence = log.number();
                let record = Record { sequence, time, age_max_ms, place, id, words };
                Item::direct(generation, record)
            };
            drafts.into_iter().map(|(draft, reply)| (item(draft, &mut log), reply)).collect()
        };
        let is_up = self.is_up();
        if may_be_direct && self.shared.is_empty() && self.cargo.is_none() && is_up {
            self.fly(Cargo::Direct(batch));
            return;
        }
        if self.shared.is_empty() && !is_up {
            self.not_yet(&away());
        }
        let batch = batch.into_iter().map(|(item, reply)| (item, reply, None)).collect();
        self.append(batch).await;
    }

    /// Begins to send.
    fn fly(&mut self, cargo: Cargo) {
        let is_probe = matches!(cargo, Cargo::Probe(_));
        let items: Vec<Item> = match &cargo {
            Cargo::Direct(batch) => batch.iter().map(|it| it.0.clone()).collect(),
            Cargo::Log(batch) => {
                let open = batch.iter().filter(|it| it.1 == Lot::Open);
                open.map(|it| it.0.clone()).collect()
            }
            Cargo::Probe(item) => vec![item.clone()],
        };
        let sender = self.sender.clone();
        self.flight = Some(Box::pin(async move {
            if is_probe { sender.probe(&items).await } else { sender.send(&items).await }
        }));
        self.cargo = Some(cargo);
    }

    /// Begins to send the oldest of what waits.
    async fn depart(&mut self) {
        // What is in flight can not be dropped. So while there is no connection, a question waits for one
        // in its place.
        let is_probe = !self.is_up() && !std::mem::take(&mut self.is_probed);
        let n_max = if is_probe { 1 } else { BATCH_MAX };
        let read = move |log: &mut Log| {
            let items = log.read_batch(n_max, BATCH_BYTES_MAX);
            if is_probe {
                log.rewind();
            }
            items
        };
        let items = match self.with_log(read).await {
            Ok(items) => items,
            Err(error) => {
                self.shared.disk_failed(&error);
                return self.rest();
            }
        };
        if is_probe && let Some(item) = items.first() {
            return self.fly(Cargo::Probe(item.clone()));
        }
        let now = record::now();
        let age_max = self.settings.age_max;
        let batch: Vec<(Item, Lot)> = items
            .into_iter()
            .map(|item| match item.record.is_expired(age_max, now) {
                true => (item, Lot::Expired),
                false => (item, Lot::Open),
            })
            .collect();
        if batch.is_empty() {
            // The damaged rest of a file was all that waited.
            return self.rest();
        }
        if batch.iter().all(|it| it.1 == Lot::Expired) {
            return self.settle(batch).await;
        }
        self.fly(Cargo::Log(batch));
    }

    fn is_up(&self) -> bool {
        self.fanfare.link().stats().commands.is_up
    }

    /// The next attempt comes later.
    fn rest(&mut self) {
        self.n_failed = self.n_failed.saturating_add(1);
        self.retry_at = Instant::now() + PAUSES.delay(self.n_failed, rand::random());
    }

    /// The broker does not take messages now.
    fn not_yet(&mut self, error: &Error) {
        if self.shared.change(|stats| stats.last_error.replace(error.clone())).is_none() {
            self.shared.announce(SpoolEvent::Spooling { error: error.clone() });
        }
        self.rest();
    }
}

fn away() -> Error {
    Error::new(ErrorKind::NotConnected, "there is no connection to the broker")
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn landing(flight: Option<&mut BoxFuture<'static, Vec<Fate>>>) -> Vec<Fate> {
    match flight {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}
