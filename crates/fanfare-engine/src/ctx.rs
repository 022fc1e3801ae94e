//! What a running command sees.

use crate::host::Host;
use crate::keyspace::{Entry, Locked, Value};
use crate::{Client, CommandTable, Keyspace, Spec};

/// The time a command runs at; read once by the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Microseconds since the Unix epoch.
    pub unix_us: u64,
}

impl Now {
    /// Milliseconds since the Unix epoch.
    #[inline]
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.unix_us / 1000
    }
}

/// The world of one command: its client, the stripes that are locked for it, and the server around it.
pub struct Ctx<'a> {
    /// When.
    pub now: Now,
    /// Which command.
    pub spec: &'static Spec,
    /// Who asks.
    pub client: &'a mut Client,
    /// The stripes of the command's keys, locked.
    pub keys: Locked<'a>,
    /// All databases.
    pub keyspace: &'a Keyspace,
    /// Every command there is.
    pub table: &'a CommandTable,
    /// The server.
    pub host: &'a mut dyn Host,
}

impl std::fmt::Debug for Ctx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx")
            .field("spec", &self.spec.name)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Ctx<'_> {
    /// The live entry of `key` in the client's database, for a command that writes.
    #[inline]
    pub fn entry(&mut self, key: &[u8]) -> Option<&mut Entry> {
        self.keys.get(self.client.db, key, self.now.unix_ms())
    }

    /// The live entry of `key` for a command that reads: counted as hit or miss.
    #[inline]
    pub fn lookup(&mut self, key: &[u8]) -> Option<&mut Entry> {
        self.keys.lookup(self.client.db, key, self.now.unix_ms())
    }

    /// Sets `key` to a string.
    #[inline]
    pub fn put_text(&mut self, key: &[u8], bytes: &[u8], expires_at_ms: Option<u64>) {
        self.keys.put_text(self.client.db, key, bytes, expires_at_ms);
    }

    /// Sets `key`; returns its value before.
    pub fn put(&mut self, key: &[u8], value: Value, expires_at_ms: Option<u64>) -> Option<Value> {
        self.keys.put(self.client.db, key, value, expires_at_ms)
    }

    /// Removes `key` and frees its value, elsewhere if it is large; returns whether there was one.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let value = self.remove(key);
        value.map(|it| self.keys.discard(it)).is_some()
    }

    /// Removes `key`; returns what it held. What is not kept of it goes to [`Locked::discard`].
    pub fn remove(&mut self, key: &[u8]) -> Option<Value> {
        self.keys.remove(self.client.db, key, self.now.unix_ms())
    }

    /// Sets when `key` expires (`None`: never); returns whether it is there.
    pub fn set_expiry(&mut self, key: &[u8], expires_at_ms: Option<u64>) -> bool {
        self.keys.set_expiry(self.client.db, key, expires_at_ms)
    }

    /// Tells those who watch `key` that its value was changed in place.
    pub fn touch(&mut self, key: &[u8]) {
        self.keys.touch(self.client.db, key);
    }
}
