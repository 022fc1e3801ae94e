//! The task of a relay: it numbers what is new, sends what is numbered, and deletes what is sent.
//!
//! Numbers are given in a transaction that holds the lease's row, to rows that are committed then. So a
//! number says where a message is in the order of commits, which the ids of PostgreSQL do not, and no
//! message can come before a number that was sent. What a relay has numbered goes by its own generation,
//! whoever sends it, so the broker knows what it has, even if two relays send the same or the database
//! was set back to a backup.

use std::{sync::Arc, time::Duration};

use fanfare_client::{Backoff, Error, Event, Events, LiveState, Role};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};
use uuid::Uuid;

use super::{
    batch::Item,
    execute::{Cell, Row},
    failure::failed,
    outbox::Outbox,
    pool::Pool,
    relay::{Relay, RelayBuilder, Settings},
    shared::Shared,
    stats::RelayEvent,
    table::NUMBERED_MAX,
};
use crate::{
    Fanfare, Pulse,
    once::{Fate, PlaceKind, Sender},
};

/// The pauses between attempts after a failure. An `Up` of the link ends one.
const PAUSES: Backoff = Backoff { first: Duration::from_millis(50), cap: Duration::from_secs(2) };

/// Up to how many messages are counted for health and statistics, and how often.
const COUNTED_MAX: i64 = 10_000;
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What a turn has found.
enum Turn {
    /// Something was sent, and there may be more.
    Sent,
    /// Nothing waits.
    Empty,
    /// Another relay has the lease.
    Standby,
    /// The broker does not take it.
    BrokerFailed(Error),
}

struct Desk {
    fanfare: Fanfare,
    outbox: Outbox,
    pool: Pool,
    settings: Settings,
    sender: Sender,
    shared: Arc<Shared>,
    pulse: Pulse,
    /// Under which name the lease is held, which is the generation of what is numbered.
    holder: Option<Uuid>,
    /// The one before, which may still be in the lease.
    last_holder: Uuid,
    renew_at: Instant,
    /// The last position that was given under this name.
    position: i64,
    count_at: Instant,
    /// Turns in a row in which something failed.
    n_failed: u32,
    /// Messages that were sent since nothing waited.
    n_drained: u64,
}

/// Starts the task.
pub(super) async fn start(builder: RelayBuilder) -> Result<Relay, Error> {
    let RelayBuilder { fanfare, outbox, pool, settings } = builder;
    let shared = Arc::new(Shared::new());
    let mut desk = Desk {
        sender: Sender::new(&fanfare, settings.try_for, settings.remember),
        pulse: fanfare.pulse(format!("relay of {}", outbox.table.name())),
        fanfare,
        outbox,
        pool,
        settings,
        shared: shared.clone(),
        holder: None,
        last_holder: Uuid::nil(),
        renew_at: Instant::now(),
        position: 0,
        count_at: Instant::now(),
        n_failed: 0,
        n_drained: 0,
    };
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
            let is_empty = matches!(turn, Ok(Turn::Empty | Turn::Standby));
            let pause = self.pause(turn);
            if !is_held || (deadline.is_some() && is_empty) {
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
                    () = self.shared.wake.notified() => break,
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
        if self.count_at <= Instant::now() {
            self.count().await?;
        }
        if !self.hold().await? {
            return Ok(Turn::Standby);
        }
        let mut items = self.read().await?;
        if items.is_empty() && self.number().await? {
            items = self.read().await?;
        }
        if items.is_empty() {
            return Ok(Turn::Empty);
        }
        self.send(items).await
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
            Ok(Turn::Sent) => {
                self.shared.change(|stats| stats.last_error = None);
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
                self.n_failed = self.n_failed.saturating_add(1);
                return PAUSES.delay(self.n_failed, rand::random());
            }
        };
        self.n_failed = 0;
        pause
    }

    /// Takes the lease, or holds it for longer. Returns whether it is held.
    async fn hold(&mut self) -> Result<bool, Error> {
        let now = Instant::now();
        if self.holder.is_some() && now < self.renew_at {
            return Ok(true);
        }
        let table = &self.outbox.table;
        let dialect = self.pool.dialect();
        let ms = Cell::Int(i64::try_from(self.settings.lease.as_millis()).unwrap_or(i64::MAX));
        let is_held = match self.holder {
            Some(holder) => {
                let args = vec![bytes(holder), ms];
                !self.rows("renew the lease of", &table.renew(dialect), args).await?.is_empty()
            }
            None => {
                let holder = Uuid::from_u128(rand::random());
                let args = vec![bytes(holder), bytes(self.last_holder), ms];
                let n = self.run_one("take the lease of", &table.acquire(dialect), args).await?;
                if 0 < n {
                    (self.holder, self.last_holder) = (Some(holder), holder);
                    self.position = 0;
                    self.shared.change(|stats| stats.is_active = true);
                    self.shared.announce(RelayEvent::Active);
                }
                0 < n
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

    /// Gives numbers to new rows. Returns whether there were any.
    async fn number(&mut self) -> Result<bool, Error> {
        let Some(holder) = self.holder else { return Ok(false) };
        let table = &self.outbox.table;
        if !self.has_new().await? {
            return Ok(false);
        }
        let failed = |source| failed("number messages of", table, source);
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        let connection = transaction.connection();
        let ms = Cell::Int(i64::try_from(self.settings.lease.as_millis()).unwrap_or(i64::MAX));
        let renew = table.renew(self.pool.dialect());
        let rows = connection.rows(&renew, vec![bytes(holder), ms]).await.map_err(failed)?;
        let Some(mut row) = rows.into_iter().next() else {
            drop(transaction);
            self.retire();
            return Ok(false);
        };
        let position = row.int();
        if position < self.position {
            // The database was set back under a pool that hides lost connections. What gets these numbers
            // again must not have the same generation.
            drop(transaction);
            tracing::warn!(position, before = self.position, "an outbox was set back");
            self.retire();
            return Ok(false);
        }
        let args = vec![bytes(holder), Cell::Int(position)];
        let n = connection.run(&table.number(), args).await.map_err(failed)?;
        // Numbers may be left out: fewer rows than that are new, or somebody deletes one meanwhile.
        let last = position.saturating_add(NUMBERED_MAX);
        let args = vec![Cell::Int(last), bytes(holder)];
        connection.run(&table.advance(), args).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        self.position = last;
        Ok(0 < n)
    }

    async fn has_new(&self) -> Result<bool, Error> {
        let rows = self.rows("look into", &self.outbox.table.has_new(), Vec::new()).await?;
        Ok(!rows.is_empty())
    }

    /// The oldest numbered rows.
    async fn read(&self) -> Result<Vec<Item>, Error> {
        let sql = self.outbox.table.read(self.pool.dialect());
        let rows = self.rows("read", &sql, Vec::new()).await?;
        Ok(rows.into_iter().map(Item::from_row).collect())
    }

    /// Sends messages, and settles what has become of them.
    async fn send(&mut self, items: Vec<Item>) -> Result<Turn, Error> {
        let names = self.fanfare.link().options().names();
        let (mut done, mut refused, mut open) = (Vec::new(), Vec::new(), Vec::new());
        let mut n_expired = 0;
        for item in items {
            if let Some(flaw) = item.flaw {
                let error = Error::new(fanfare_client::ErrorKind::Decode, flaw);
                refused.push((item, error));
            } else if let Err(error) = item.place.check(names) {
                refused.push((item, error));
            } else if item.place.kind == PlaceKind::Channel && self.settings.channels < item.age {
                n_expired += 1;
                done.push((item.id, item.position));
            } else {
                open.push(item);
            }
        }
        let (mut n_sent, mut n_known, mut failure) = (0, 0, None);
        let fates = self.sender.send(&open).await;
        for (item, fate) in open.into_iter().zip(fates) {
            match fate {
                Fate::Sent | Fate::Known => {
                    if matches!(fate, Fate::Sent) {
                        n_sent += 1
                    } else {
                        n_known += 1
                    }
                    done.push((item.id, item.position));
                }
                Fate::Refused(error) => refused.push((item, error)),
                Fate::NotYet(error) => failure = failure.or(Some(error)),
                Fate::Untried => {}
            }
        }
        self.shared.change(|stats| {
            stats.sent += n_sent;
            stats.duplicates += n_known;
        });
        self.settle(&done, refused).await?;
        self.n_drained += n_sent + n_known;
        if 0 < n_expired {
            self.shared.change(|stats| stats.expired += n_expired);
            self.shared.announce(RelayEvent::Expired { n: n_expired });
        }
        Ok(failure.map_or(Turn::Sent, Turn::BrokerFailed))
    }

    /// Deletes what is done, and makes dead letters of what is refused.
    async fn settle(
        &mut self,
        done: &[(i64, i64)],
        refused: Vec<(Item, Error)>,
    ) -> Result<(), Error> {
        let bury = self.outbox.table.bury();
        for (item, error) in refused {
            let Some(holder) = self.holder else { break };
            let error_text = Cell::Text(error.to_string());
            let args =
                vec![error_text, Cell::Int(item.id), Cell::Int(item.position), bytes(holder)];
            if 0 < self.run_one("put a dead letter into", &bury, args).await? {
                self.shared.change(|stats| stats.buried += 1);
                let name = item.place.name;
                self.shared.announce(RelayEvent::Buried { id: item.id, name, error });
                self.count_at = Instant::now();
            } else {
                // Somebody else has the lease, and settles it.
                self.retire();
            }
        }
        if !done.is_empty() {
            let delete = self.outbox.table.delete(done);
            self.run_one("delete what was sent from", &delete, Vec::new()).await?;
        }
        Ok(())
    }

    /// Looks how much there is.
    async fn count(&mut self) -> Result<(), Error> {
        self.count_at = Instant::now() + COUNT_EVERY;
        let lent = self.pool.acquire().await;
        let mut lent = lent.map_err(|source| failed("reach", &self.outbox.table, source))?;
        let found = self.outbox.contents_to(lent.connection(), COUNTED_MAX).await?;
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
        if let Some(holder) = self.holder.take() {
            let sql = self.outbox.table.release();
            let released = self.run_one("give back the lease of", &sql, vec![bytes(holder)]);
            let until = Instant::now() + self.settings.try_for;
            if let Ok(Err(error)) = timeout_at(until, released).await {
                tracing::warn!(%error, "the relay's lease ends by itself");
            }
        }
    }

    async fn run_one(&self, doing: &str, sql: &str, args: Vec<Cell>) -> Result<u64, Error> {
        let failed = |source| failed(doing, &self.outbox.table, source);
        let mut lent = self.pool.acquire().await.map_err(failed)?;
        lent.connection().run(sql, args).await.map_err(failed)
    }

    async fn rows(&self, doing: &str, sql: &str, args: Vec<Cell>) -> Result<Vec<Row>, Error> {
        let failed = |source| failed(doing, &self.outbox.table, source);
        let mut lent = self.pool.acquire().await.map_err(failed)?;
        lent.connection().rows(sql, args).await.map_err(failed)
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

fn bytes(id: Uuid) -> Cell {
    Cell::Bytes(id.as_bytes().to_vec())
}
