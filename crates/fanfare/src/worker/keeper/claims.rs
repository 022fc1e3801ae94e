//! Taking what others left, what rested, and what went astray.

use std::time::Duration;

use fanfare_client::Error;

use super::{Keeper, PAGE};
use crate::{
    stream::{PendingEntry, StreamId},
    worker::{
        WorkerEvent,
        rules::{RETRY_CONSUMER, Verdict},
        shared::now,
        wire::{Claim, Claimed},
    },
};

/// Pages in one round, so that other things are not put off for long.
const PAGES_MAX: usize = 20;

impl Keeper {
    /// Takes what dead consumers left.
    pub(super) async fn claim_left(&mut self) -> Result<(), Error> {
        for _ in 0..PAGES_MAX {
            if self.shared.ledger().room_for_claims() == 0 {
                return Ok(());
            }
            let page = self.wire.pending(self.rules.lease, self.seen, PAGE, None).await?;
            self.shared.handle_contact();
            self.seen = page.last().filter(|_| page.len() == PAGE).map(|it| it.id);
            self.claim(page).await?;
            if self.seen.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Takes what was to rest for a while, and what was delivered here and went astray.
    pub(super) async fn claim_rested(&mut self) -> Result<(), Error> {
        let least = self.rules.backoff.first / 2;
        self.seen_resting = self.claim_from(RETRY_CONSUMER, least, self.seen_resting).await?;
        if let Some(idle) = self.shared.orphaned_after() {
            let me = self.wire.me.clone();
            self.claim_from(&me, idle, None).await?;
        }
        Ok(())
    }

    /// Looks through some of what a consumer has. Returns how far, if that is not all: those that
    /// are to rest for long must not hide those behind them whose time has come.
    async fn claim_from(
        &self,
        consumer: &[u8],
        idle: Duration,
        mut after: Option<StreamId>,
    ) -> Result<Option<StreamId>, Error> {
        for _ in 0..PAGES_MAX {
            if self.shared.ledger().room_for_claims() == 0 {
                break;
            }
            let page = self.wire.pending(idle, after, PAGE, Some(consumer)).await?;
            after = page.last().filter(|_| page.len() == PAGE).map(|it| it.id);
            self.claim(page).await?;
            if after.is_none() {
                break;
            }
        }
        Ok(after)
    }

    /// Takes those of a page whose time has come.
    async fn claim(&self, page: Vec<PendingEntry>) -> Result<(), Error> {
        let orphaned_after = self.shared.orphaned_after().unwrap_or(Duration::MAX);
        let (claims, verdicts) = {
            let ledger = self.shared.ledger();
            let room = ledger.room_for_claims();
            let judged = page.into_iter().filter(|it| !ledger.holds(it.id)).map(|it| {
                let verdict = self.rules.judge(&it, &self.wire.me, orphaned_after);
                (it, verdict)
            });
            let wanted = judged.filter(|(_, verdict)| *verdict != Verdict::Leave).take(room);
            wanted
                .map(|(it, verdict)| (self.claim_of(it, verdict), verdict))
                .unzip::<_, _, Vec<_>, Vec<_>>()
        };
        if claims.is_empty() {
            return Ok(());
        }
        let asked_at = now();
        let claimed = self.wire.claim(&claims).await?;
        self.shared.handle_contact();
        let mut gone = Vec::new();
        for ((claim, verdict), outcome) in claims.into_iter().zip(verdicts).zip(claimed) {
            let (id, deliveries) = (claim.pending.id, claim.deliveries);
            let entry = match outcome {
                Claimed::Ours(entry) => entry,
                Claimed::Elsewhere => continue,
                Claimed::Gone => {
                    gone.push(id);
                    continue;
                }
            };
            let lane = self.shared.lane(&entry);
            let mut ledger = self.shared.ledger();
            ledger.counts.claimed += 1;
            match verdict {
                Verdict::Bury => ledger.handle_exhausted(entry, deliveries, asked_at),
                Verdict::Claim | Verdict::Leave => {
                    ledger.handle_delivered(entry, deliveries, lane, asked_at);
                }
            }
            drop(ledger);
            let from = claim.pending.consumer;
            self.shared.announce(WorkerEvent::Claimed { id, from, deliveries });
        }
        if !gone.is_empty() {
            self.cleared(gone);
        }
        self.shared.errand.notify_one();
        self.shared.wake.notify_one();
        Ok(())
    }

    fn claim_of(&self, mut pending: PendingEntry, verdict: Verdict) -> Claim {
        if pending.consumer.is_empty() {
            // As idle as can be, until somebody takes it.
            pending.idle = self.rules.lease;
        }
        let again = u64::from(verdict == Verdict::Claim);
        Claim { deliveries: pending.deliveries.saturating_add(again), pending }
    }

    fn cleared(&self, ids: Vec<StreamId>) {
        tracing::warn!(?ids, "entries were pending but gone from the stream");
        self.shared.ledger().counts.cleared += u64::try_from(ids.len()).unwrap_or(0);
        self.shared.announce(WorkerEvent::Cleared { ids });
    }
}
