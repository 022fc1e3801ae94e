//! One key with its value.

use std::sync::atomic::{AtomicU32, Ordering};

use super::access::{Access, Clock};
use crate::tree::Name;
use crate::value::{Text, Value};

/// A key, its value, when it expires and how often it is used.
#[derive(Debug)]
pub struct Entry {
    pub(super) key: Name,
    content: Content,
    /// See [`Access`]. Reading a key changes it, which must not copy what a snapshot holds: hence atomic.
    access: AtomicU32,
}

/// A value and when it expires, for which a key that never does needs no memory.
#[derive(Clone, Debug)]
enum Content {
    Lasting(Value),
    Expiring(Box<Expiring>),
}

#[derive(Clone, Debug)]
struct Expiring {
    value: Value,
    /// Unix time in milliseconds; never 0.
    at_ms: u64,
}

impl Content {
    /// `expires_at_ms` 0 means never.
    fn new(value: Value, expires_at_ms: u64) -> Self {
        match expires_at_ms {
            0 => Self::Lasting(value),
            at_ms => Self::Expiring(Box::new(Expiring { value, at_ms })),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Lasting(value) => value,
            Self::Expiring(expiring) => expiring.value,
        }
    }
}

impl Entry {
    /// `expires_at_ms` 0 means never.
    pub(super) fn new(key: Name, value: Value, expires_at_ms: u64, access: Access) -> Self {
        let content = Content::new(value, expires_at_ms);
        Self { key, content, access: AtomicU32::new(access.bits()) }
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
        match &self.content {
            Content::Lasting(value) => value,
            Content::Expiring(expiring) => &expiring.value,
        }
    }

    #[inline]
    pub(super) fn value_mut(&mut self) -> &mut Value {
        match &mut self.content {
            Content::Lasting(value) => value,
            Content::Expiring(expiring) => &mut expiring.value,
        }
    }

    pub(super) fn into_value(self) -> Value {
        self.content.into_value()
    }

    /// When it expires, in milliseconds since the Unix epoch.
    #[inline]
    #[must_use]
    pub fn expires_at_ms(&self) -> Option<u64> {
        match &self.content {
            Content::Lasting(_) => None,
            Content::Expiring(expiring) => Some(expiring.at_ms),
        }
    }

    /// Sets when it expires (0: never); returns what that was before.
    #[inline]
    pub(super) fn set_expires_at_ms(&mut self, at_ms: u64) -> u64 {
        match &mut self.content {
            Content::Lasting(_) if at_ms == 0 => 0,
            Content::Expiring(expiring) if at_ms != 0 => {
                std::mem::replace(&mut expiring.at_ms, at_ms)
            }
            Content::Lasting(_) | Content::Expiring(_) => self.change_content(at_ms),
        }
    }

    /// It expires from now on, or no longer.
    fn change_content(&mut self, at_ms: u64) -> u64 {
        let before_ms = self.expires_at_ms().unwrap_or(0);
        let nothing = Content::Lasting(Value::Text(Text::default()));
        let value = std::mem::replace(&mut self.content, nothing).into_value();
        self.content = Content::new(value, at_ms);
        before_ms
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
        self.key.n_bytes() + self.n_content_bytes()
    }

    /// Bytes that its value takes, and its time.
    #[inline]
    pub(super) fn n_content_bytes(&self) -> usize {
        match &self.content {
            Content::Lasting(value) => value.n_bytes(),
            Content::Expiring(expiring) => size_of::<Expiring>() + expiring.value.n_bytes(),
        }
    }

    /// Whether its time has come.
    #[inline]
    pub(crate) fn is_due(&self, now_ms: u64) -> bool {
        self.expires_at_ms().is_some_and(|it| it <= now_ms)
    }

    /// When the next field of the hash is due that it holds; 0: never.
    #[inline]
    pub(super) fn soonest_ms(&self) -> u64 {
        self.value().soonest_ms().unwrap_or(0)
    }

    /// Whether it or a field in it is due.
    #[inline]
    pub(super) fn has_due(&self, now_ms: u64) -> bool {
        self.is_due(now_ms) || self.value().soonest_ms().is_some_and(|it| it <= now_ms)
    }
}

impl Clone for Entry {
    fn clone(&self) -> Self {
        let Self { key, content, access } = self;
        Self {
            key: key.clone(),
            content: content.clone(),
            access: AtomicU32::new(access.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::Entry;

    #[test]
    fn an_entry_is_seven_words() {
        assert_eq!(size_of::<Entry>(), 56);
        assert_eq!(size_of::<Option<Entry>>(), 56);
    }
}
