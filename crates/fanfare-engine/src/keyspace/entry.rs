//! One key with its value.

use std::sync::atomic::{AtomicU32, Ordering};

use super::access::{Access, Clock};
use crate::tree::Name;
use crate::value::Value;

/// A key, its value, when it expires and how often it is used.
#[derive(Debug)]
pub struct Entry {
    pub(super) key: Name,
    pub(super) value: Value,
    /// Unix time in milliseconds; 0: never.
    pub(super) expires_at_ms: u64,
    /// See [`Access`]. Reading a key changes it, which must not copy what a snapshot holds: hence atomic.
    access: AtomicU32,
}

impl Entry {
    pub(super) fn new(key: Name, value: Value, expires_at_ms: u64, access: Access) -> Self {
        Self { key, value, expires_at_ms, access: AtomicU32::new(access.bits()) }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &Name {
        &self.key
    }

    /// The value.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// When it expires, in milliseconds since the Unix epoch.
    #[inline]
    #[must_use]
    pub fn expires_at_ms(&self) -> Option<u64> {
        (self.expires_at_ms != 0).then_some(self.expires_at_ms)
    }

    /// When or how often it was used.
    #[must_use]
    pub fn access(&self) -> Access {
        Access::from_bits(self.access.load(Ordering::Relaxed))
    }

    /// Sets when or how often it was used.
    pub fn set_access(&self, access: Access) {
        self.access.store(access.bits(), Ordering::Relaxed);
    }

    /// It is used now.
    #[inline]
    pub(super) fn note_access(&self, clock: Clock) {
        let before = self.access();
        let after = before.used(clock);
        if after != before {
            self.set_access(after);
        }
    }

    /// Bytes that it takes, without its place in the table.
    #[inline]
    pub(in crate::keyspace) fn n_bytes(&self) -> usize {
        self.key.n_bytes() + self.value.n_bytes()
    }

    /// Whether its time has come.
    #[inline]
    pub(crate) fn is_due(&self, now_ms: u64) -> bool {
        self.expires_at_ms != 0 && self.expires_at_ms <= now_ms
    }

    /// When the next field of the hash is due that it holds; 0: never.
    #[inline]
    pub(super) fn soonest_ms(&self) -> u64 {
        self.value.soonest_ms().unwrap_or(0)
    }

    /// Whether it or a field in it is due.
    #[inline]
    pub(super) fn has_due(&self, now_ms: u64) -> bool {
        self.is_due(now_ms) || self.value.soonest_ms().is_some_and(|it| it <= now_ms)
    }
}

impl Clone for Entry {
    fn clone(&self) -> Self {
        let Self { key, value, expires_at_ms, access } = self;
        Self {
            key: key.clone(),
            value: value.clone(),
            expires_at_ms: *expires_at_ms,
            access: AtomicU32::new(access.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::Entry;

    #[test]
    fn an_entry_is_one_cache_line() {
        assert_eq!(size_of::<Entry>(), 64);
    }
}
