//! [`Kept`]: what a group keeps of each pending entry. There are millions of them.

use super::group::{Owner, Pending};
use super::id::StreamId;
use crate::tree::rank::{Item, RankTree};

/// What is pending, by ID.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) id: StreamId,
    delivered_ms: u64,
    /// Its place among those that were delivered at the same time.
    turn: u64,
    /// [`OFTEN`]: so many, or more.
    n_deliveries: u32,
    pub(super) owner: Option<Owner>,
}

/// What is pending, in the order of deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) delivered_ms: u64,
    turn: u64,
    pub(super) id: StreamId,
}

/// How often entries were delivered for which a [`Kept`] has no room: nobody delivers anything so often, but who claims
/// an entry may say so (`XCLAIM … RETRYCOUNT`).
#[derive(Clone, Debug, Default)]
pub(super) struct Often(RankTree<Count>);

#[derive(Clone, Copy, Debug)]
struct Count {
    id: StreamId,
    n_deliveries: u64,
}

/// So many deliveries are counted in [`Often`].
const OFTEN: u32 = u32::MAX;

impl Kept {
    pub(super) fn new(pending: Pending, turn: u64) -> Self {
        let Pending { id, delivered_ms, n_deliveries, owner } = pending;
        let n_deliveries = u32::try_from(n_deliveries).unwrap_or(OFTEN);
        Self { id, delivered_ms, turn, n_deliveries, owner }
    }

    #[inline]
    pub(super) fn pending(&self, often: &Often) -> Pending {
        let Self { id, delivered_ms, n_deliveries, owner, .. } = *self;
        let n_deliveries = match n_deliveries {
            OFTEN => often.n_deliveries(id),
            n_deliveries => u64::from(n_deliveries),
        };
        Pending { id, delivered_ms, n_deliveries, owner }
    }

    pub(super) fn due(&self) -> Due {
        let Self { id, delivered_ms, turn, .. } = *self;
        Due { delivered_ms, turn, id }
    }

    /// Whether [`Often`] knows of it.
    #[inline]
    pub(super) fn is_often(&self) -> bool {
        self.n_deliveries == OFTEN
    }
}

impl Often {
    pub(super) fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    fn search(&self, id: StreamId) -> Result<usize, usize> {
        self.0.search(id, |it| it.id.cmp(&id))
    }

    #[cold]
    fn n_deliveries(&self, id: StreamId) -> u64 {
        let count = self.search(id).ok().and_then(|at| self.0.get(at));
        count.map_or(u64::from(OFTEN), |it| it.n_deliveries)
    }

    /// Keeps how often an entry was delivered; it was not known.
    #[cold]
    pub(super) fn insert(&mut self, id: StreamId, n_deliveries: u64) {
        let (Ok(at) | Err(at)) = self.search(id);
        self.0.insert(at, Count { id, n_deliveries });
    }

    /// Forgets how often an entry was delivered.
    #[cold]
    pub(super) fn remove(&mut self, id: StreamId) {
        if let Ok(at) = self.search(id) {
            self.0.remove(at);
        }
    }
}

impl Item for Kept {
    type Hint = StreamId;

    fn hint(&self) -> StreamId {
        self.id
    }
}

impl Item for Due {
    type Hint = u64;

    fn hint(&self) -> u64 {
        self.delivered_ms
    }
}

impl Item for Count {
    type Hint = StreamId;

    fn hint(&self) -> StreamId {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use super::{Due, Kept};

    #[test]
    fn what_is_pending_takes_few_bytes() {
        assert_eq!((size_of::<Kept>(), size_of::<Due>()), (40, 32));
    }
}
