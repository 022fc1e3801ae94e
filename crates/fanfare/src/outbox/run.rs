//! The task of a relay: it numbers what is new, sends what is numbered, and deletes what is sent.
//!
//! Numbers are given in a transaction that holds the lease's row, to rows that are committed then. So a
//! number says where a message is in the order of commits, which the ids of PostgreSQL do not, and no
//! message can come before a number that was sent. What a relay has numbered goes by its own generation,
//! whoever sends it, so the broker knows what it has, even if two relays send the same or the database
//! was set back to a backup.

mod send;

use std::{sync::Arc, time::Duration};

use fanfare_client::{Backoff, Error, Event, Events, LiveState, Role};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use uuid::Uuid;

use super::{
    batch::Item,
    ledger::{Ledger, Numbered},
    relay::{Relay, RelayBuilder, Settings},
    shared::Shared,
    stats::RelayEvent,
};
use crate::{
    Fanfare, Pulse,
    once::{Place, Sender},
};

/// The pauses between attempts after a failure. An `Up` of the link ends one.
const PAUSES: Backoff = Backoff { first: Duration::from_millis(50), cap: Duration::from_secs(2) };

/// How long giving the lease back may take.
const RELEASE_MAX: Duration = Duration::from_secs(2);

/// Up to how many messages are counted for health and statistics, and how often.
const COUNTED_MAX: i64 = 10_000;
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Most places that are left out since they take nothing, and most turns in a row in which nothing was taken
/// before all is left for a while.
const STUCK_MAX: usize = 64;
const VAIN_MAX: u32 = 4;

/// What a turn has found.
enum Turn {
    /// There may be more to send at once.
    More,
    /// Nothing waits.
    Empty,
    /// Another relay has the lease.
    Standby,
    /// The broker does not take it.
    BrokerFailed(Error),
}

struct Desk {
    fanfare: Fanfare,
    ledger: Ledger,
    settings: Settings,
    sender: Sender,
    shared: Arc<Shared>,
    pulse: Pulse,
    /// Under which name the lease is held, which is the generation of what is numbered.
    holder: Option<Uuid>,
    /// The one before, which may still be in the lease.
    last_holder: Uuid,
    /// Under which name it asks for the lease: the same until there is an answer, since one that was lost may
    /// have been yes.
    candidate: Uuid,
    /// The answer to that, while it is waited for.
    asking: Option<JoinHandle<Result<bool, Error>>>,
    renew_at: Instant,
    /// The last position that was given under this name.
    position: i64,
    count_at: Instant,
    /// Turns in a row in which something failed.
    n_failed: u32,
    /// Messages that were sent since nothing waited.
    n_drained: u64,
    /// Places that take nothing at present, and why.
    stuck: Vec<Place>,
    stuck_error: Option<Error>,
    /// Turns in a row in which nothing was taken.
    n_vain: u32,
}

/// Starts the task.
pub(super) async fn start(builder: RelayBuilder) -> Result<Relay, Error> {
    let RelayBuilder { fanfare, outbox, pool, settings } = builder;
    let shared = Arc::new(Shared::new());
    let mut desk = Desk {
        sender: Sender::new(&fanfare, settings.try_for, settings.remember),
        pulse: fanfare.pulse(format!("relay of {}", outbox.table.name())),
        fanfare,
        ledger: Ledger { outbox, pool, lease: settings.lease, timeout: settings.database_timeout },
        settings,
        shared: shared.clone(),
        holder: None,
        last_holder: Uuid::nil(),
        candidate: Uuid::from_u128(rand::random()),
        asking: None,
        renew_at: Instant::now(),
        position: 0,
        count_at: Instant::now(),
        n_failed: 0,
        n_drained: 0,
        stuck: Vec::new(),
        stuck_error: None,
        n_vain: 0,
    };
    desk.ledger.look().await?;
    desk.count().await?;
    let (closing, told) = watch::channel(None);
    let events = desk.fanfare.events();
    tokio::spawn(desk.run(events, told));
    Ok(Relay { shared, closing: Arc::new(closing) })
}

impl Desk {
    async fn run(mut self, mut events: Events, mut told: watch::Receiver<Option<Instant>>) {
        let mut is_link_open = true;
        let mut is_held = true;
        loop {
            let turn = tokio::select! {
                turn = self.turn() => turn,
                // What was under way may have been sent: the next relay finds that the broker has it.
                () = is_over(told.clone()) => break,
            };
            let deadline = *told.borrow_and_update();
            let is_idle = matches!(turn, Ok(Turn::Empty));
            let is_done = is_idle || matches!(turn, Ok(Turn::Standby));
            let pause = self.pause(turn);
            if !is_held || (deadline.is_some() && is_done) {
                break;
            }
            if pause.is_zero() {
                is_held = told.has_changed().is_ok();
                continue;
            }
            let until = Instant::now() + pause;
            while is_held {
                tokio::select! {
                    () = sleep_until(until) => break,
                    // Who waits because something failed, or stands by, is not hurried.
                    () = self.shared.wake.notified(), if is_idle => break,
                    () = is_over(told.clone()) => break,
                    changed = told.changed() => {
                        is_held = changed.is_ok();
                        break;
                    }
                    event = events.next(), if is_link_open => match event {
                        Some(Event::Up { role: Role::Commands }) => break,
                        Some(_) => {}
                        None => is_link_open = false,
                    },
                }
            }
        }
        self.release().await;
        self.shared.end();
    }

    /// Looks once, sends once.
    async fn turn(&mut self) -> Result<Turn, Error> {
        if self.count_at <= Instant::now()
            && let Err(error) = self.count().await
        {
            // Messages can be sent all the same.
            tracing::warn!(%error, "what is in an outbox is not counted");
            self.shared.change(|stats| stats.database_errors += 1);
        }
        if !self.hold().await? {
            return Ok(Turn::Standby);
        }
        let mut items = self.ledger.read(&self.stuck).await?;
        if items.is_empty()
            && let Some(holder) = self.holder
        {
            match self.ledger.number(holder, self.position).await? {
                Numbered::None => {}
                Numbered::UpTo(position) => {
                    self.position = position;
                    items = self.ledger.read(&self.stuck).await?;
                }
                Numbered::NotOurs => {
                    self.retire();
                    return Ok(Turn::Standby);
                }
                Numbered::SetBack => {
                    // What gets the same numbers again must not have the same generation.
                    tracing::warn!(before = self.position, "an outbox was set back");
                    self.retire();
                    return Ok(Turn::More);
                }
            }
        }
        match (items.is_empty(), self.stuck_error.clone()) {
            (false, _) => self.send(items).await,
            (true, Some(error)) => Ok(Turn::BrokerFailed(error)),
            (true, None) => Ok(Turn::Empty),
        }
    }

    /// What comes of a turn: how long to wait for the next one.
    fn pause(&mut self, turn: Result<Turn, Error>) -> Duration {
        self.pulse.beat();
        let database_error = turn.as_ref().err().cloned();
        let is_down = database_error.is_some();
        self.pulse.set_state(if is_down { LiveState::Down } else { LiveState::Up });
        let before = self.shared.change(|stats| {
            stats.database_errors += u64::from(is_down);
            std::mem::replace(&mut stats.database_error, database_error)
        });
        if let Err(error) = &turn {
            // Whoever it is after that, it may have been set back to what it was before.
            self.retire();
            if before.is_none() {
                self.shared.announce(RelayEvent::DatabaseFailed { error: error.clone() });
            }
        }
        if let Ok(Turn::BrokerFailed(error)) = &turn {
            let before = self.shared.change(|stats| {
                stats.broker_errors += 1;
                stats.last_error.replace(error.clone())
            });
            if before.is_none() {
                self.shared.announce(RelayEvent::BrokerFailed { error: error.clone() });
            }
        }
        let pause = match turn {
            Ok(Turn::More) => {
                if self.stuck.is_empty() {
                    self.shared.change(|stats| stats.last_error = None);
                }
                Duration::ZERO
            }
            Ok(Turn::Empty) => {
                self.shared.change(|stats| (stats.waiting, stats.oldest_age) = (0, None));
                let n = std::mem::take(&mut self.n_drained);
                if 0 < n {
                    self.shared.announce(RelayEvent::Drained { n });
                }
                self.settings.poll
            }
            Ok(Turn::Standby) => self.settings.lease / 4,
            Ok(Turn::BrokerFailed(_)) | Err(_) => {
                // All places are tried again after it.
                self.stuck.clear();
                (self.stuck_error, self.n_vain) = (None, 0);
                self.n_failed = self.n_failed.saturating_add(1);
                return PAUSES.delay(self.n_failed, rand::random());
            }
        };
        if self.stuck.is_empty() {
            self.n_failed = 0;
        }
        pause
    }

    /// Takes the lease, or holds it for longer. Returns whether it is held.
    async fn hold(&mut self) -> Result<bool, Error> {
        let now = Instant::now();
        if self.holder.is_some() && now < self.renew_at {
            return Ok(true);
        }
        let is_held = match self.holder {
            Some(holder) => self.ledger.renew(holder).await?,
            None => {
                let holder = self.candidate;
                let (ledger, before) = (self.ledger.clone(), self.last_holder);
                let ask = async move { ledger.acquire(holder, before).await };
                // Nobody would know whether it has the lease if that were dropped with the turn.
                let answer = self.asking.insert(tokio::spawn(ask)).await;
                self.asking = None;
                let is_held = answer.unwrap_or(Ok(false))?;
                if is_held {
                    (self.holder, self.last_holder, self.position) = (Some(holder), holder, 0);
                    self.candidate = Uuid::from_u128(rand::random());
                    self.shared.change(|stats| stats.is_active = true);
                    self.shared.announce(RelayEvent::Active);
                }
                is_held
            }
        };
        match is_held {
            true => self.renew_at = now + self.settings.lease / 3,
            false => self.retire(),
        }
        Ok(is_held)
    }

    /// It does not have the lease any more, or does not know.
    fn retire(&mut self) {
        if self.holder.take().is_some() {
            self.shared.change(|stats| stats.is_active = false);
            self.shared.announce(RelayEvent::Standby);
        }
    }

    /// Looks how much there is.
    async fn count(&mut self) -> Result<(), Error> {
        self.count_at = Instant::now() + COUNT_EVERY;
        let found = self.ledger.count(COUNTED_MAX).await?;
        self.shared.change(|stats| {
            (stats.waiting, stats.oldest_age) = (found.waiting, found.oldest_age);
            stats.dead = found.dead;
        });
        let n = usize::try_from(found.waiting).unwrap_or(usize::MAX);
        // Who stands by is not the one that is stuck.
        self.pulse.set_queued(n, self.holder.is_some() && 0 < n && 0 < self.n_failed);
        self.pulse.set_lag(Some(found.waiting));
        Ok(())
    }

    /// Gives the lease back. Without that, it ends by itself.
    async fn release(&mut self) {
        if let Some(mut asking) = self.asking.take()
            && let Ok(Ok(Ok(true))) = timeout(RELEASE_MAX, &mut asking).await
        {
            self.holder = Some(self.candidate);
        }
        if let Some(holder) = self.holder.take()
            && let Ok(Err(error)) = timeout(RELEASE_MAX, self.ledger.release(holder)).await
        {
            tracing::warn!(%error, "the relay's lease ends by itself");
        }
    }
}

/// Ends when the deadline has passed until which it is to send what waits.
async fn is_over(mut told: watch::Receiver<Option<Instant>>) {
    loop {
        let deadline = *told.borrow_and_update();
        if let Some(deadline) = deadline {
            return sleep_until(deadline).await;
        }
        if told.changed().await.is_err() {
            // All handles are gone. It ends after this turn.
            std::future::pending::<()>().await;
        }
    }
}
