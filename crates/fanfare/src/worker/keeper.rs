//! The task that tells the server what became of entries, keeps leases alive, and looks after what
//! others left. A handler that computes for long does not hold it up on a runtime of several threads.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};

use crate::{
    stream::StreamId,
    worker::{
        WorkerEvent,
        life::Stage,
        options::Acknowledged,
        rules::Rules,
        shared::{Patience, Shared, now, says_no_group},
        wire::{Look, Wire},
    },
};

mod claims;

/// Entries named in one command.
const CHUNK: usize = 500;

/// Entries looked at in one command.
const PAGE: usize = 100;

/// See the module.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    wire: Wire,
    rules: Rules,
    dead_key: Bytes,
    reap_after: Option<Duration>,
    acknowledged: Acknowledged,
    /// Whether the server knows `XACKDEL`, and `ACKED` with it; `None`: it is to be asked.
    knows_acked: Option<bool>,
    /// How far what others left was looked through.
    seen: Option<StreamId>,
    /// How far what rests was looked through.
    seen_resting: Option<StreamId>,
    groups: Vec<Bytes>,
    next: Schedule,
    patience: Patience,
    /// Errands are not tried before this.
    rests_until: Option<Instant>,
}

/// When what is due.
#[derive(Clone, Copy)]
struct Schedule {
    renew: Instant,
    claim: Instant,
    retry: Instant,
    look: Instant,
    reap: Instant,
}

/// What is done regularly.
#[derive(Clone, Copy, Debug)]
enum Duty {
    Renew,
    Claim,
    Retry,
    Look,
    Reap,
}

/// How often the consumers are looked at.
const REAP_EVERY: Duration = Duration::from_secs(60);

/// How often the group is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(3);

impl Keeper {
    pub(crate) fn new(
        shared: Arc<Shared>,
        wire: Wire,
        dead_key: Bytes,
        reap_after: Option<Duration>,
        acknowledged: Acknowledged,
    ) -> Self {
        let rules = shared.ledger().rules().clone();
        let now = now();
        let next = Schedule {
            renew: now + rules.renew_after() / 2,
            claim: now,
            retry: now,
            look: now,
            reap: now + REAP_EVERY.min(reap_after.unwrap_or(REAP_EVERY)) / 2,
        };
        Self {
            groups: vec![wire.group.clone()],
            shared,
            wire,
            rules,
            dead_key,
            reap_after,
            acknowledged,
            knows_acked: None,
            seen: None,
            seen_resting: None,
            next,
            patience: Patience::default(),
            rests_until: None,
        }
    }

    /// Runs until the worker is settling and everything has been told.
    pub(crate) async fn run(mut self) {
        let mut stage = self.shared.life.watch();
        loop {
            if self.rests_until.is_none_or(|until| until <= now()) {
                self.rests_until = None;
                self.run_errands().await;
            }
            self.run_duties().await;
            let has_errands = self.shared.ledger().has_errands();
            let at = *stage.borrow_and_update();
            match at {
                Stage::Working | Stage::Draining => {}
                Stage::Settling if has_errands => {}
                Stage::Settling => return self.leave().await,
                Stage::Ended => return,
            }
            if has_errands && self.rests_until.is_none() {
                continue;
            }
            let Schedule { renew, claim, retry, look, reap } = self.next;
            let wake_at = [renew, claim, retry, look, reap];
            let wake_at = wake_at.into_iter().chain(self.rests_until).min().unwrap_or_else(now);
            tokio::select! {
                () = self.shared.errand.notified() => {}
                () = tokio::time::sleep_until(wake_at.into()) => {}
                // An error means that the worker is gone, and this task with it.
                _ = stage.changed() => {}
            }
        }
    }

    /// Tells the server what there is to tell.
    async fn run_errands(&mut self) {
        let outcomes = [
            ("to acknowledge", self.acknowledge().await),
            ("to send to rest", self.rest().await),
            ("to count deliveries", self.recount().await),
            ("to add dead letters", self.bury().await),
            ("to give back", self.give_back().await),
        ];
        let mut has_failed = false;
        for (what, outcome) in outcomes {
            match outcome {
                Ok(()) => {}
                // All that was pending in it is no more; whoever reads makes it again.
                Err(error) if says_no_group(&error) => has_failed |= !self.repair().await,
                Err(error) => {
                    self.shared.handle_failed(what, &error);
                    has_failed = true;
                }
            }
        }
        if has_failed {
            self.rests_until = Some(self.patience.handle_failure());
        } else {
            self.patience.handle_success();
        }
    }

    async fn acknowledge(&mut self) -> Result<(), Error> {
        let ids = self.shared.ledger().take_acks(CHUNK);
        if ids.is_empty() {
            return Ok(());
        }
        let acknowledged = match self.ack_by().await {
            Ok(AckBy::Xack) => self.wire.acknowledge(&ids).await,
            Ok(AckBy::Xackdel) => self.wire.ack_delete(&ids).await,
            Ok(AckBy::XackXdel) => self.wire.acknowledge_then_delete(&ids).await,
            Err(error) => Err(error),
        };
        match acknowledged {
            Ok(n) => {
                let mut ledger = self.shared.ledger();
                ledger.counts.acknowledged += n;
                ledger.handle_settled(ids);
                drop(ledger);
                self.settled();
                Ok(())
            }
            Err(error) => {
                self.shared.ledger().put_acks(ids);
                Err(self.noticed(error))
            }
        }
    }

    /// What is done to an entry that was handled.
    async fn ack_by(&mut self) -> Result<AckBy, Error> {
        Ok(match self.acknowledged {
            Acknowledged::Kept | Acknowledged::Trimmed => AckBy::Xack,
            Acknowledged::Deleted => match self.knows_acked().await? {
                true => AckBy::Xackdel,
                false => AckBy::XackXdel,
            },
        })
    }

    async fn knows_acked(&mut self) -> Result<bool, Error> {
        if let Some(knows) = self.knows_acked {
            return Ok(knows);
        }
        let knows = self.wire.has_command("xackdel").await?;
        self.knows_acked = Some(knows);
        Ok(knows)
    }

    /// The server may be another one than the one that was asked what it knows.
    fn noticed(&mut self, error: Error) -> Error {
        if error.kind() == ErrorKind::Server {
            self.knows_acked = None;
        }
        error
    }

    async fn rest(&self) -> Result<(), Error> {
        let ids = self.shared.ledger().take_rests(CHUNK, now());
        if ids.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.wire.rest(&ids, self.n_held()).await {
            self.shared.ledger().put_rests(ids);
            return Err(error);
        }
        self.shared.ledger().handle_settled(ids);
        self.settled();
        Ok(())
    }

    async fn recount(&self) -> Result<(), Error> {
        let recounts = self.shared.ledger().take_recounts(now());
        if recounts.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.wire.recount(&recounts, self.n_held()).await {
            self.shared.ledger().put_recounts(recounts);
            return Err(error);
        }
        Ok(())
    }

    async fn bury(&mut self) -> Result<(), Error> {
        let burials = self.shared.ledger().take_burials(PAGE, now());
        if burials.is_empty() {
            return Ok(());
        }
        let outcomes = match self.ack_by().await {
            // What is only acknowledged is trimmed away with the next look.
            Ok(AckBy::Xack | AckBy::XackXdel) => {
                self.wire.bury(&self.dead_key, &burials, false).await
            }
            Ok(AckBy::Xackdel) => self.wire.bury(&self.dead_key, &burials, true).await,
            Err(error) => Err(error),
        };
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.shared.ledger().put_burials(burials);
                return Err(self.noticed(error));
            }
        };
        let (mut failed, mut first_error) = (Vec::new(), None);
        for (burial, outcome) in burials.into_iter().zip(outcomes) {
            let id = burial.entry.id;
            match outcome {
                Ok(dead_id) => {
                    tracing::warn!(%id, %dead_id, error = burial.error, "a dead letter");
                    let mut ledger = self.shared.ledger();
                    ledger.counts.dead_lettered += 1;
                    ledger.handle_settled([id]);
                    drop(ledger);
                    let error = burial.error;
                    self.shared.announce(WorkerEvent::DeadLettered { id, dead_id, error });
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                    failed.push(burial);
                }
            }
        }
        self.shared.ledger().put_burials(failed);
        self.settled();
        first_error.map_or(Ok(()), Err)
    }

    async fn give_back(&self) -> Result<(), Error> {
        let returns = self.shared.ledger().take_returns(CHUNK, now());
        if returns.is_empty() {
            return Ok(());
        }
        let rest_max = self.rules.backoff.cap;
        if let Err(error) = self.wire.give_back(&returns, (rest_max, self.n_held())).await {
            self.shared.ledger().put_returns(returns);
            return Err(error);
        }
        self.shared.ledger().handle_settled(returns.into_iter().map(|it| it.id));
        Ok(())
    }

    fn n_held(&self) -> usize {
        self.shared.ledger().n_held_and_running().0
    }

    /// The server has answered, and there is room for more.
    fn settled(&self) {
        self.shared.handle_contact();
        self.shared.wake.notify_one();
    }

    /// Does what is due.
    async fn run_duties(&mut self) {
        if Stage::Settling <= self.shared.life.stage() {
            return;
        }
        for duty in [Duty::Renew, Duty::Retry, Duty::Claim, Duty::Look, Duty::Reap] {
            if !self.is_due(duty) {
                continue;
            }
            let outcome = match duty {
                Duty::Renew => self.renew().await,
                Duty::Claim => self.claim_left().await,
                Duty::Retry => self.claim_rested().await,
                Duty::Look => self.look().await,
                Duty::Reap => self.reap().await,
            };
            match outcome {
                Ok(()) => {}
                Err(error) if says_no_group(&error) => {
                    self.repair().await;
                }
                Err(error) => self.shared.handle_failed(duty.name(), &error),
            }
        }
    }

    /// Whether it is time; then the next time is set.
    fn is_due(&mut self, duty: Duty) -> bool {
        let lease = self.rules.lease;
        let (at, every) = match duty {
            Duty::Renew => (&mut self.next.renew, self.rules.renew_after() / 2),
            Duty::Claim => (&mut self.next.claim, lease / 4),
            Duty::Retry => {
                let first = self.rules.backoff.first / 2;
                let every = first.clamp(Duration::from_millis(10), Duration::from_secs(1));
                (&mut self.next.retry, every)
            }
            Duty::Look => (&mut self.next.look, LOOK_EVERY.min(lease / 2)),
            Duty::Reap => {
                let every = self.reap_after.map_or(REAP_EVERY, |after| REAP_EVERY.min(after));
                (&mut self.next.reap, every)
            }
        };
        let now = now();
        if now < *at {
            return false;
        }
        *at = now + every;
        true
    }

    /// Gives a sign of life for what is held.
    async fn renew(&self) -> Result<(), Error> {
        let ids = self.shared.ledger().poll_renewals(now());
        if ids.is_empty() {
            return Ok(());
        }
        let asked_at = now();
        let ours = self.wire.renew(&ids, self.n_held()).await?;
        self.shared.handle_contact();
        let lost = {
            let mut ledger = self.shared.ledger();
            ledger.handle_renewed(&ours, asked_at);
            let is_lost = |id: &StreamId| ours.binary_search(id).is_err() && ledger.holds(*id);
            let lost: Vec<StreamId> = ids.into_iter().filter(is_lost).collect();
            lost.iter().for_each(|id| ledger.handle_lost(*id));
            lost
        };
        if !lost.is_empty() {
            tracing::warn!(?lost, "entries are not this worker's any more");
            self.shared.announce(WorkerEvent::Lost { ids: lost });
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// Looks how far the group is, and trims what all groups are done with.
    async fn look(&mut self) -> Result<(), Error> {
        let look = self.wire.look(&self.groups).await?;
        self.shared.handle_contact();
        self.shared.handle_look(&self.wire.group, &look);
        match self.acknowledged {
            Acknowledged::Kept => return Ok(()),
            Acknowledged::Trimmed | Acknowledged::Deleted => {}
        }
        let trimmed = if self.knows_acked().await? {
            match look.groups.iter().map(|it| it.last_delivered).min() {
                Some(last) => self.wire.trim_acked(after(last)).await,
                None => Ok(0),
            }
        } else {
            match first_needed(&look) {
                Some(first) => self.wire.trim(first).await,
                None => Ok(0),
            }
        };
        self.groups = look.groups.into_iter().map(|it| it.name).collect();
        if !self.groups.contains(&self.wire.group) {
            self.groups.push(self.wire.group.clone());
        }
        let n = trimmed.map_err(|error| self.noticed(error))?;
        self.shared.ledger().counts.trimmed += n;
        Ok(())
    }

    async fn reap(&self) -> Result<(), Error> {
        let Some(idle) = self.reap_after else { return Ok(()) };
        for consumer in self.wire.dead_consumers(idle).await? {
            if self.wire.reap(&consumer).await? {
                tracing::info!(?consumer, "a dead consumer was removed");
                self.shared.ledger().counts.consumers_reaped += 1;
                self.shared.announce(WorkerEvent::Reaped { consumer });
            }
        }
        Ok(())
    }

    /// The group is missing. Returns whether it is there now.
    async fn repair(&self) -> bool {
        let made = self.shared.make_group(&self.wire).await;
        if let Err(error) = &made {
            self.shared.handle_failed("to make the group again", error);
        }
        self.shared.wake.notify_one();
        made.is_ok()
    }

    /// The consumer is not needed any more, if it has nothing.
    async fn leave(&self) {
        // If it does not work, somebody reaps it later.
        let _ = self.wire.reap(&self.wire.me).await;
    }
}

/// How the server is told that an entry was handled.
#[derive(Clone, Copy, Debug)]
enum AckBy {
    Xack,
    /// In one step.
    Xackdel,
    /// In two.
    XackXdel,
}

impl Duty {
    fn name(self) -> &'static str {
        match self {
            Self::Renew => "to renew leases",
            Self::Claim => "to claim what others left",
            Self::Retry => "to take what was to be tried again",
            Self::Look => "to look at the group",
            Self::Reap => "to remove dead consumers",
        }
    }
}

/// The first entry that some group still needs, if that is known of all groups.
fn first_needed(look: &Look) -> Option<StreamId> {
    let mut first_needed = None;
    for group in &look.groups {
        let (_, pending) = look.first_pending.iter().find(|(name, _)| *name == group.name)?;
        let needed = pending.unwrap_or(after(group.last_delivered));
        first_needed = Some(first_needed.map_or(needed, |it: StreamId| it.min(needed)));
    }
    first_needed
}

/// The ID behind this one.
fn after(id: StreamId) -> StreamId {
    match id.seq.checked_add(1) {
        Some(seq) => StreamId::new(id.ms, seq),
        None => StreamId::new(id.ms.saturating_add(1), 0),
    }
}
