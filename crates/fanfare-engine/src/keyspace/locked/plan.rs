//! Which stripes a command needs.

use crate::keyspace::{Keyspace, StripeId};

/// Which stripes a command needs.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Most commands have one key: they neither allocate nor sort.
    pub(super) first: Option<StripeId>,
    /// Of databases that are wanted as a whole, [`ALL`] stripes.
    pub(super) more: Vec<StripeId>,
    /// `first` is given back for another: see [`Plan::step`].
    pub(super) steps: bool,
    /// All stripes of all databases, whatever else is wanted.
    pub(super) everything: bool,
}

/// Stands for every stripe of a database, if it was ever used.
pub(super) const ALL: u16 = u16::MAX;

impl Plan {
    /// Adds the stripe of `key` in database `db`.
    #[inline]
    pub fn key(&mut self, keyspace: &Keyspace, db: u16, key: &[u8]) {
        self.stripe(keyspace.stripe_of(db, keyspace.hash(key)));
    }

    #[inline]
    pub(super) fn stripe(&mut self, id: StripeId) {
        if self.first.is_none() {
            self.first = Some(id);
        } else {
            self.more.push(id);
        }
    }

    /// One stripe after another is wanted, from this one on, and nothing else.
    pub(crate) fn step(&mut self, id: StripeId) {
        self.first = Some(id);
        self.steps = true;
    }

    /// Adds all stripes of `db`.
    pub fn database(&mut self, db: u16) {
        self.more.push(StripeId { db, index: ALL });
    }

    /// Adds all stripes of all databases.
    pub fn everything(&mut self) {
        self.everything = true;
    }
}
