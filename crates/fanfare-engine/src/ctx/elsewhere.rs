//! Keys of any database whose stripes are locked, and what goes with a key that gets another name.

use super::Ctx;
use crate::keyspace::{Access, Entry};
use crate::notify::Classes;
use crate::value::Value;

/// What a key holds and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Belongings {
    pub(crate) value: Value,
    pub(crate) expires_at_ms: Option<u64>,
    access: Access,
}

impl Belongings {
    fn of(entry: &Entry) -> Self {
        let (value, expires_at_ms) = (entry.value().clone(), entry.expires_at_ms());
        Self { value, expires_at_ms, access: entry.access() }
    }
}

impl Ctx<'_> {
    /// The live entry of `key` in `db`.
    pub fn entry_in(&mut self, db: u16, key: &[u8]) -> Option<&Entry> {
        let key = self.keys.key(key);
        self.keys.get(db, key, self.now.unix_ms())
    }

    /// Sets `key` in `db`; what it held is freed, elsewhere if it is large.
    pub fn put_in(&mut self, db: u16, key: &[u8], value: Value, expires_at_ms: Option<u64>) {
        let clock = self.clock();
        self.note_new(db, key);
        let key = self.keys.key(key);
        let before = self.keys.put(db, key, value, (expires_at_ms, clock));
        before.into_iter().for_each(|it| self.keys.discard(it));
    }

    /// Removes `key` from `db` and frees its value; returns whether there was one. Says nothing of it.
    pub fn delete_in(&mut self, db: u16, key: &[u8]) -> bool {
        if self.entry_in(db, key).is_none() {
            return false;
        }
        let key = self.keys.key(key);
        let value = self.keys.remove(db, key);
        value.map(|it| self.keys.discard(it)).is_some()
    }

    /// Publishes a notification of `key` in `db` without telling clients that watch it.
    pub fn notify_in(&mut self, db: u16, (class, event): (Classes, &'static str), key: &[u8]) {
        if self.tuning().notify().intersects(class) {
            self.publish_event(db, event, key);
        }
    }

    /// What `key` has, to be given to another.
    pub(crate) fn belongings(&mut self, key: &[u8]) -> Option<Belongings> {
        self.entry(key).map(Belongings::of)
    }

    /// Moves what `from` has to another key, which has nothing; counted as a use of it.
    pub(crate) fn hand_over(&mut self, from: &[u8], to: (u16, &[u8]), it: Belongings) {
        let (db, key) = to;
        self.put_in(db, key, it.value, it.expires_at_ms);
        if let Some(entry) = self.entry_in(db, key) {
            entry.set_access(it.access);
        }
        let clock = self.clock_unless_no_touch();
        let key = self.keys.key(key);
        self.keys.edit(db, key, (self.now.unix_ms(), clock), |_| ());
        self.remove(from);
    }
}
