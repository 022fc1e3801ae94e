//! Going through the keys of a database.

use super::{Held, Locked};
use crate::keyspace::entry::Entry;
use crate::keyspace::{Key, Keyspace, N_STRIPES_MAX, StripeId};
use crate::tree::Name;

/// Where a walk through a database is: in a stripe, at a hash.
///
/// Its number has at most 48 bits: clients may keep cursors in floating-point numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    stripe: u16,
    hash: u64,
}

/// Bits of a hash that a position does not keep.
const N_LOW: u32 = 22;
const N_HIGH: u32 = u64::BITS - N_LOW;

impl Position {
    /// The position that has this number. `None`: there is none.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        let stripe = u16::try_from(number >> N_HIGH).ok()?;
        (stripe < N_STRIPES_MAX).then_some(Self { stripe, hash: number << N_LOW })
    }

    /// Its number; 0 is the beginning.
    pub(crate) fn number(self) -> u64 {
        u64::from(self.stripe) << N_HIGH | self.hash >> N_LOW
    }

    /// The stripe that it is in.
    pub(crate) fn stripe(self) -> u16 {
        self.stripe
    }

    /// Whether there is such a stripe.
    pub(crate) fn is_in(self, keyspace: &Keyspace) -> bool {
        self.stripe < keyspace.n_stripes()
    }

    /// The beginning of the next stripe.
    fn next_stripe(self) -> Self {
        Self { stripe: self.stripe + 1, hash: 0 }
    }
}

impl Locked<'_> {
    /// Goes on to the stripe at `position`: gives the one back that is held before, unless all are held. `false`: a
    /// script that holds everything runs on.
    pub(crate) fn step_to(&mut self, db: u16, position: Position) -> bool {
        let id = StripeId { db, index: position.stripe };
        if self.steps && !self.holds(id) {
            // Nobody waits for one stripe while holding another, unless in their order.
            self.first = None;
            self.first = self.keyspace.hold(id);
        }
        !self.steps || self.first.is_some()
    }

    /// Calls `f` with the keys from `position` on, some tens of them or none; returns where they end, or `None` at the
    /// end of the database. Due keys are among them.
    pub(crate) fn visit<'a>(
        &'a self,
        db: u16,
        position: Position,
        f: impl FnMut(&'a Entry),
    ) -> Option<Position> {
        let stripe = self.held(StripeId { db, index: position.stripe });
        let table = stripe.map(|it| it.stripe.table());
        let rehash = |entry: &Entry| self.keyspace.hash(entry.key());
        match table.and_then(|it| it.visit_coarsely(position.hash, N_LOW, rehash, f)) {
            Some(hash) => Some(Position { hash, ..position }),
            None => Some(position.next_stripe()).filter(|it| it.is_in(self.keyspace)),
        }
    }

    /// The name of a key of `db`, all of whose stripes are locked; each with the same chance. Due ones that are met are
    /// removed.
    pub(crate) fn random_key(
        &mut self,
        (db, now_ms): (u16, u64),
        mut random: impl FnMut() -> u64,
    ) -> Option<Name> {
        loop {
            let scaled = u128::from(random()) * self.n_keys(db) as u128;
            let mut n_before = usize::try_from(scaled >> u64::BITS).ok()?;
            let table = self.stripes(db).map(|it| it.table()).find(|table| {
                let is_in = n_before < table.len();
                if !is_in {
                    n_before -= table.len();
                }
                is_in
            })?;
            let entry = table.nth(n_before)?;
            let name = entry.key().clone();
            if !entry.is_due(now_ms) {
                return Some(name);
            }
            let key = Key { hash: self.keyspace.hash(&name), name: &name };
            self.expire(db, key, now_ms);
        }
    }

    /// A locked stripe. `None`: its database was never used.
    ///
    /// # Panics
    /// If it is not locked.
    fn held(&self, id: StripeId) -> Option<&Held<'_>> {
        let held = self.all().find(|it| it.id == id);
        let is_absent = || self.rest.as_ref().is_some_and(|it| it.absent.contains(&id.db));
        assert!(held.is_some() || is_absent(), "a command goes only through what its Spec names");
        held
    }
}

#[cfg(test)]
mod tests {
    use super::Position;

    #[test]
    fn a_position_is_a_number_of_48_bits() {
        assert_eq!(Position::from_number(0), Some(Position::default()));
        for number in [0, 1, 0xFFFF_FFFF_FFFF, 5 << 42, 63 << 42] {
            assert_eq!(Position::from_number(number).map(Position::number), Some(number));
        }
        assert_eq!(Position::from_number(1 << 48), None);
        assert_eq!(Position::from_number(u64::MAX), None);
    }
}
