//! Choosing a key that goes when memory is full.
//!
//! Source: <https://redis.io/docs/latest/develop/reference/eviction/>: of some keys chosen at random, the one that the
//! policy likes least.

use std::sync::atomic::Ordering;

use super::access::Clock;
use super::entry::Entry;
use super::garbage::Garbage;
use super::policy::Policy;
use super::{Key, Keyspace, StripeId};
use crate::tracking::Trackers;
use crate::tree::Name;
use crate::value::Value;

/// A key to be removed.
#[derive(Clone, Debug)]
pub(crate) struct Victim {
    id: StripeId,
    name: Name,
}

/// What the removal of a key brought.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    /// Bytes that the keyspace takes less.
    pub(crate) n_bytes: usize,
    /// What is still to be freed.
    pub(crate) garbage: Option<Garbage>,
}

impl Keyspace {
    /// Chooses a key of any database by the policy. `None`: there is none, or a script that holds everything runs on.
    pub(crate) fn choose_victim(
        &self,
        clock: Clock,
        mut random: impl FnMut() -> u64,
    ) -> Option<Victim> {
        let policy = self.tuning().policy();
        let mut worst: Option<(u64, Victim)> = None;
        for db in (0..).take(self.n_databases()) {
            for _ in 0..policy.n_samples(self.tuning().samples()) {
                let Some(found) = self.sample(db, (policy, clock), &mut random) else { break };
                if worst.as_ref().is_none_or(|it| it.0 <= found.0) {
                    worst = Some(found);
                }
            }
        }
        worst.map(|it| it.1)
    }

    /// A key of `db` that may go, and how little the policy likes it.
    fn sample(
        &self,
        db: u16,
        (policy, clock): (Policy, Clock),
        random: &mut impl FnMut() -> u64,
    ) -> Option<(u64, Victim)> {
        let slots = self.existing(db);
        let first = usize::try_from(random() % u64::from(self.n_stripes)).ok()?;
        let index = (first..first + slots.len()).map(|it| it % slots.len()).find(|it| {
            let slot = slots.get(*it);
            slot.is_some_and(
                |it| if policy.is_volatile() { it.n_expires() } else { it.n_keys() } != 0,
            )
        })?;
        let id = StripeId { db, index: u16::try_from(index).ok()? };
        let held = self.hold(id)?;
        let entry = if policy.is_volatile() {
            held.stripe.sample_expiring(random())
        } else {
            held.stripe.table().sample(random())
        }?;
        let dislike = policy.dislike(entry, clock).unwrap_or_else(random);
        Some((dislike, Victim { id, name: entry.key().clone() }))
    }

    /// Removes a key, if it is still there, and tells `removed` of it while its stripe is locked. `None`: a script that
    /// holds everything runs on.
    pub(crate) fn evict(
        &self,
        victim: &Victim,
        removed: impl FnOnce((u16, &Name), &Value, &Trackers),
    ) -> Option<Freed> {
        let Victim { id, name } = victim;
        let mut held = self.hold(*id)?;
        let key = Key { hash: self.hash(name), name };
        let n_before = held.stripe.n_bytes();
        let Some(value) = held.stripe.remove(key) else { return Some(Freed::default()) };
        self.n_evicted.fetch_add(1, Ordering::Relaxed);
        let trackers = if held.stripe.touch() {
            held.stripe.tell(key, self.tracked())
        } else {
            Trackers::default()
        };
        removed((id.db, name), &value, &trackers);
        let n_bytes = n_before.saturating_sub(held.stripe.n_bytes());
        drop(held);
        let garbage = value.is_large().then(|| Garbage::from(value));
        Some(Freed { n_bytes, garbage })
    }
}

impl Policy {
    /// How many keys are compared.
    fn n_samples(self, wanted: u32) -> u32 {
        match self {
            Self::AllkeysRandom | Self::VolatileRandom => 1,
            Self::NoEviction => 0,
            Self::VolatileLru
            | Self::VolatileLfu
            | Self::VolatileTtl
            | Self::AllkeysLru
            | Self::AllkeysLfu => wanted,
        }
    }

    /// The more, the rather the key goes. `None`: it does not matter.
    fn dislike(self, entry: &Entry, clock: Clock) -> Option<u64> {
        match self {
            Self::AllkeysLru | Self::VolatileLru => Some(entry.access().idle_s(clock).into()),
            Self::AllkeysLfu | Self::VolatileLfu => {
                Some(u64::from(u8::MAX - entry.access().count(clock)))
            }
            Self::VolatileTtl => entry.expires_at_ms().map(|it| u64::MAX - it),
            Self::AllkeysRandom | Self::VolatileRandom | Self::NoEviction => None,
        }
    }
}
