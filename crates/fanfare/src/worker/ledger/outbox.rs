//! What the server is to be told: taken from here, and put back if it could not be.

use std::time::Instant;

use super::{Burial, Ledger, Return};
use crate::stream::StreamId;

/// What the server is to be told.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) acks: Vec<StreamId>,
    pub(super) rests: Vec<StreamId>,
    pub(super) recounts: Vec<(StreamId, u64)>,
    pub(super) burials: Vec<Burial>,
    pub(super) returns: Vec<Return>,
}

/// Most bytes of entries that are put with the dead letters at once, but for one that has more.
pub(super) const BURIED_BYTES_MAX: usize = 1 << 20;

impl Ledger {
    /// Acknowledgements to send.
    pub(crate) fn take_acks(&mut self, n_max: usize) -> Vec<StreamId> {
        let n = self.outbox.acks.len().min(n_max);
        self.outbox.acks.drain(..n).collect()
    }

    /// They could not be sent.
    pub(crate) fn put_acks(&mut self, ids: Vec<StreamId>) {
        self.outbox.acks.extend(ids);
    }

    /// Entries to send to rest. Those that are perhaps not ours any more are given up.
    pub(crate) fn take_rests(&mut self, n_max: usize, now: Instant) -> Vec<StreamId> {
        let n = self.outbox.rests.len().min(n_max);
        let ids: Vec<StreamId> = self.outbox.rests.drain(..n).collect();
        ids.into_iter().filter(|id| self.is_ours_or_forgotten(*id, now)).collect()
    }

    /// They could not be sent.
    pub(crate) fn put_rests(&mut self, ids: Vec<StreamId>) {
        self.outbox.rests.extend(ids);
    }

    /// Numbers of deliveries that the server is to know.
    pub(crate) fn take_recounts(&mut self, now: Instant) -> Vec<(StreamId, u64)> {
        let recounts = std::mem::take(&mut self.outbox.recounts);
        let ours = |it: &(StreamId, u64)| {
            let held = self.held.get(&it.0);
            held.is_some_and(|held| self.rules.is_surely_ours(held.confirmed_at, now))
        };
        recounts.into_iter().filter(ours).collect()
    }

    /// They could not be sent.
    pub(crate) fn put_recounts(&mut self, recounts: Vec<(StreamId, u64)>) {
        self.outbox.recounts.extend(recounts);
    }

    /// Entries to put with the dead letters. Those that are perhaps not ours any more are given up.
    pub(crate) fn take_burials(&mut self, n_max: usize, now: Instant) -> Vec<Burial> {
        let mut n_bytes = 0;
        let fits = |it: &&Burial| {
            let is_first = n_bytes == 0;
            n_bytes +=
                it.entry.fields.iter().map(|(name, it)| name.len() + it.len()).sum::<usize>();
            is_first || n_bytes <= BURIED_BYTES_MAX
        };
        let n = self.outbox.burials.iter().take(n_max).take_while(fits).count();
        let burials: Vec<Burial> = self.outbox.burials.drain(..n).collect();
        burials.into_iter().filter(|it| self.is_ours_or_forgotten(it.entry.id, now)).collect()
    }

    /// They could not be sent.
    pub(crate) fn put_burials(&mut self, burials: Vec<Burial>) {
        self.outbox.burials.extend(burials);
    }

    /// Entries to give back. Those that are perhaps not ours any more are given up.
    pub(crate) fn take_returns(&mut self, n_max: usize, now: Instant) -> Vec<Return> {
        let n = self.outbox.returns.len().min(n_max);
        let returns: Vec<Return> = self.outbox.returns.drain(..n).collect();
        returns.into_iter().filter(|it| self.is_ours_or_forgotten(it.id, now)).collect()
    }

    /// They could not be sent.
    pub(crate) fn put_returns(&mut self, returns: Vec<Return>) {
        self.outbox.returns.extend(returns);
    }

    fn is_ours_or_forgotten(&mut self, id: StreamId, now: Instant) -> bool {
        let held = self.held.get(&id);
        let is_ours = held.is_some_and(|held| self.rules.is_surely_ours(held.confirmed_at, now));
        if !is_ours && self.let_go(id) {
            // Its lease ends, and then somebody claims it, perhaps we.
            self.counts.lost += 1;
        }
        is_ours
    }

    /// Whether there is anything left that the server is to be told.
    pub(crate) fn has_errands(&self) -> bool {
        let Outbox { acks, rests, recounts, burials, returns } = &self.outbox;
        !acks.is_empty()
            || !rests.is_empty()
            || !recounts.is_empty()
            || !burials.is_empty()
            || !returns.is_empty()
    }
}
