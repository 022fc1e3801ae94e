//! What a running command sees.

mod elsewhere;

use std::sync::Arc;

use smallvec::SmallVec;

use crate::block::{Awaited, Blocked, Wait};
use crate::client::Queued;
use crate::effect::{Effect, Effects};
use crate::host::{Host, Kind};
use crate::keyspace::{Clock, Entry, Expired, Locked};
use crate::notify::Classes;
use crate::table::Command;
use crate::tuning::Tuning;
use crate::value::{Stream, Typed, Value};
use crate::{Client, CommandTable, Keyspace, Reply, Request, Spec, WireError, push, wire_error};

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
///
/// A command that writes does three things: it changes ([`put`](Self::put), [`edit`](Self::edit), …), it says so
/// ([`changed`](Self::changed), which tells watching and blocked clients and publishes the notification), and, if its
/// own request would do something else when it is run again, it says what it did ([`record`](Self::record)).
pub struct Ctx<'a> {
    /// When.
    pub now: Now,
    /// Which command.
    pub command: Command,
    /// Who asks.
    pub client: &'a mut Client,
    /// The stripes of the command's keys, locked.
    pub(crate) keys: Locked<'a>,
    /// All databases.
    pub keyspace: &'a Keyspace,
    /// Every command there is.
    pub table: &'a CommandTable,
    /// The server.
    pub host: &'a mut dyn Host,
    pub(crate) effects: Effects,
    /// A blocked client is being served.
    pub(crate) serving: Option<Serving>,
    /// What the command waits for.
    pub(crate) waits: Waits,
    /// The error that the command fails with is that of one inside it.
    pub(crate) error_is_counted: bool,
}

/// Whether the running command found what it looks for.
#[derive(Debug, Default)]
pub(crate) enum Waits {
    /// It did, or does not want to wait.
    #[default]
    No,
    /// The client waits from now on.
    Blocked(Arc<Blocked>),
    /// The client that was to be served goes on waiting; it is to be tried again at this time.
    Still { retry_unix_ms: Option<u64> },
}

/// Why a blocked client is being served.
#[derive(Debug)]
pub(crate) enum Serving {
    /// This key is ready; others are not locked.
    Key(SmallVec<[u8; 32]>),
    /// There may be something at any of its keys, since time has passed.
    AnyKey,
}

impl Serving {
    /// Whether it may look at a key.
    fn covers(&self, key: &[u8]) -> bool {
        match self {
            Self::Key(ready) => **ready == *key,
            Self::AnyKey => true,
        }
    }
}

impl<'a> Ctx<'a> {
    /// The world of `command` at `now`.
    #[inline]
    pub(crate) fn new(
        (now, command): (Now, Command),
        (client, keys): (&'a mut Client, Locked<'a>),
        (keyspace, table): (&'a Keyspace, &'a CommandTable),
        host: &'a mut dyn Host,
    ) -> Self {
        let effects = Effects { wanted: host.wants_effects(), ..Effects::default() };
        Self {
            now,
            command,
            client,
            keys,
            keyspace,
            table,
            host,
            effects,
            serving: None,
            waits: Waits::No,
            error_is_counted: false,
        }
    }
}

impl std::fmt::Debug for Ctx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx")
            .field("command", &self.command.spec.name)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// Looking at keys. One whose time has come is removed first.
impl Ctx<'_> {
    /// The live entry of `key` in the client's database, for a command that writes.
    #[inline]
    pub fn entry(&mut self, key: &[u8]) -> Option<&Entry> {
        let key = self.keys.key(key);
        self.keys.get(self.client.db, key, self.now.unix_ms())
    }

    /// The live entry of `key` for a command that reads: counted as hit or miss, and as a use of the key.
    #[inline]
    pub fn lookup(&mut self, key: &[u8]) -> Option<&Entry> {
        if self.tuning().notify().intersects(Classes::MISS) {
            self.notify_miss(key);
        }
        let clock = self.clock_unless_no_touch();
        let key = self.keys.key(key);
        self.keys.lookup(self.client.db, key, (self.now.unix_ms(), clock))
    }

    /// As [`Self::lookup`], for a command that only asks about a key: no use of it.
    pub fn lookup_untouched(&mut self, key: &[u8]) -> Option<&Entry> {
        if self.tuning().notify().intersects(Classes::MISS) {
            self.notify_miss(key);
        }
        self.examine(key)
    }

    /// As [`Self::lookup_untouched`], of which nobody hears (`OBJECT`).
    pub fn examine(&mut self, key: &[u8]) -> Option<&Entry> {
        let key = self.keys.key(key);
        self.keys.lookup(self.client.db, key, (self.now.unix_ms(), None))
    }

    /// The value of `key` for a command that reads; see [`Self::lookup`].
    ///
    /// # Errors
    /// `WRONGTYPE` if it is of another type.
    #[inline]
    pub fn read<T: Typed>(&mut self, key: &[u8]) -> Result<Option<&T>, WireError> {
        typed(self.lookup(key))
    }

    /// The value of `key` for a command that writes.
    ///
    /// # Errors
    /// `WRONGTYPE` if it is of another type.
    #[inline]
    pub fn peek<T: Typed>(&mut self, key: &[u8]) -> Result<Option<&T>, WireError> {
        typed(self.entry(key))
    }

    /// As [`Self::peek`], for a command that waits until `key` holds something. A client that is being served looks
    /// only at the key that is ready, and goes on waiting if that holds another type.
    ///
    /// # Errors
    /// `WRONGTYPE` if it is of another type.
    pub fn peek_or_wait<T: Typed>(&mut self, key: &[u8]) -> Result<Option<&T>, WireError> {
        match &self.serving {
            Some(serving) if !serving.covers(key) => Ok(None),
            Some(_) => Ok(self.entry(key).and_then(|it| T::of(it.value()))),
            None => self.peek(key),
        }
    }

    /// Whether a command that waits may look at `key`: a client that is being served looks only at the key that is
    /// ready.
    #[must_use]
    pub fn may_look_at(&self, key: &[u8]) -> bool {
        self.serving.as_ref().is_none_or(|it| it.covers(key))
    }

    /// Whether the command runs for a client that has waited.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serving.is_some()
    }

    #[cold]
    fn notify_miss(&mut self, key: &[u8]) {
        if self.entry(key).is_none() {
            self.notify(Classes::MISS, "keymiss", key);
        }
    }
}

fn typed<T: Typed>(entry: Option<&Entry>) -> Result<Option<&T>, WireError> {
    match entry.map(|it| T::of(it.value())) {
        None => Ok(None),
        Some(Some(value)) => Ok(Some(value)),
        Some(None) => Err(wire_error::WRONG_TYPE),
    }
}

/// Changing keys. Nobody hears of it before [`Ctx::changed`].
impl Ctx<'_> {
    /// Sets `key` to a string.
    #[inline]
    pub fn put_text(&mut self, key: &[u8], bytes: &[u8], expires_at_ms: Option<u64>) {
        let clock = self.clock();
        self.note_new(self.client.db, key);
        let key = self.keys.key(key);
        self.keys.put_text(self.client.db, key, bytes, (expires_at_ms, clock));
    }

    /// Sets `key`; what it held is freed, elsewhere if it is large.
    pub fn put(&mut self, key: &[u8], value: Value, expires_at_ms: Option<u64>) {
        self.put_in(self.client.db, key, value, expires_at_ms);
    }

    /// Changes the value of `key` in place, if there is one.
    ///
    /// # Errors
    /// `WRONGTYPE` if it is of another type; then `edit` is not called.
    #[inline]
    pub fn edit<T: Typed, R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut T) -> R,
    ) -> Result<Option<R>, WireError> {
        let times = (self.now.unix_ms(), self.clock_unless_no_touch());
        let key = self.keys.key(key);
        let edited = self.keys.edit(self.client.db, key, times, |it| T::of_mut(it).map(edit));
        match edited {
            None => Ok(None),
            Some(Some(result)) => Ok(Some(result)),
            Some(None) => Err(wire_error::WRONG_TYPE),
        }
    }

    /// Changes the value of `key` in place, or an empty one that is put there unless it is still as good as none.
    ///
    /// # Errors
    /// `WRONGTYPE` if it is of another type; then `edit` is not called.
    #[inline]
    pub fn edit_or_new<T: Typed, R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut T) -> R,
    ) -> Result<R, WireError> {
        let mut edit = Some(edit);
        if let Some(result) = self.edit(key, |it| edit.take().map(|edit| edit(it)))?.flatten() {
            return Ok(result);
        }
        let mut value = T::default();
        // It was not called, since there is nothing.
        let edit = edit.ok_or(wire_error::NO_SUCH_KEY)?;
        let result = edit(&mut value);
        if !value.is_nothing() {
            self.put(key, value.into_value(), None);
        }
        Ok(result)
    }

    /// Removes `key` and frees its value, elsewhere if it is large; returns whether there was one. Says nothing of it.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let value = self.remove(key);
        value.map(|it| self.keys.discard(it)).is_some()
    }

    /// Removes `key`; returns what it held. Says nothing of it.
    pub fn remove(&mut self, key: &[u8]) -> Option<Value> {
        self.entry(key)?;
        let key = self.keys.key(key);
        self.keys.remove(self.client.db, key)
    }

    /// Sets when `key` expires (`None`: never); returns whether it is there.
    pub fn set_expiry(&mut self, key: &[u8], expires_at_ms: Option<u64>) -> bool {
        let key = self.keys.key(key);
        self.keys.set_expiry(self.client.db, key, expires_at_ms)
    }

    /// Removes `key` if a command left nothing in it, and says so; returns whether it did.
    pub fn delete_if_empty<T: Typed>(&mut self, key: &[u8]) -> bool {
        let is_nothing =
            self.entry(key).and_then(|it| T::of(it.value())).is_some_and(T::is_nothing);
        if is_nothing {
            self.delete(key);
            self.notify(Classes::GENERIC, "del", key);
        }
        is_nothing
    }

    /// A key that is about to be put where none is.
    #[inline]
    fn note_new(&mut self, db: u16, key: &[u8]) {
        if self.tuning().notify().intersects(Classes::NEW) && self.entry_in(db, key).is_none() {
            self.publish_event(db, "new", key);
        }
    }
}

/// Telling of changes.
impl Ctx<'_> {
    /// `key` was changed: tells clients that watch it or are blocked on it, and publishes the notification.
    #[inline]
    pub fn changed(&mut self, class: Classes, event: &'static str, key: &[u8]) {
        self.changed_in(self.client.db, (class, event), key);
    }

    /// As [`Self::changed`], in any database whose stripe of `key` is locked.
    #[inline]
    pub fn changed_in(&mut self, db: u16, (class, event): (Classes, &'static str), key: &[u8]) {
        self.touch(db, key);
        if self.tuning().notify().intersects(class) {
            self.publish_event(db, event, key);
        }
    }

    /// Tells clients that watch `key` or are blocked on it, without a notification.
    #[inline]
    pub fn touch(&mut self, db: u16, key: &[u8]) {
        self.keys.touch(db, key);
    }

    /// Publishes a notification without telling clients that watch `key`.
    #[inline]
    pub fn notify(&mut self, class: Classes, event: &'static str, key: &[u8]) {
        if self.tuning().notify().intersects(class) {
            self.publish_event(self.client.db, event, key);
        }
    }

    #[cold]
    fn publish_event(&mut self, db: u16, event: &str, key: &[u8]) {
        self.settle_expired();
        let classes = self.tuning().notify();
        publish_event(self.host, classes, (db, event, key));
    }

    /// `key` was changed, but not what those see who read it, as when an entry of a stream is acknowledged: the request is
    /// an effect, and clients that watch the key or hold copies of it are not told, as in Redis.
    pub fn changed_quietly(&mut self, key: &[u8]) {
        self.keys.note_quiet_change(self.client.db, key);
    }

    /// Something other than a key was changed, such as a library of functions: the request is an effect.
    pub fn changed_elsewhere(&mut self) {
        self.keys.note_change();
    }

    /// Says what the command did, where its own request would do something else when it is run again. It may be called
    /// several times; the order counts.
    pub fn record<'b>(&mut self, args: impl IntoIterator<Item = &'b [u8]>) {
        if self.effects.wanted {
            self.settle_expired();
            self.effects.push(self.client.db, args);
        }
        self.effects.replaced = true;
    }

    /// Whether [`Self::record`] is of use: nobody may want to know what commands did.
    #[must_use]
    pub fn records(&self) -> bool {
        self.effects.wanted
    }

    /// Streams that went or came: tells those whom they are pushed to.
    #[inline]
    pub(crate) fn settle_streams(&mut self) {
        for (db, key) in self.keys.take_restarted() {
            push::announce_restart(self.host, db, &key);
        }
    }

    /// Streams at keys of such databases, which are about to be replaced or have just come: those whom they are pushed to
    /// begin again.
    pub(crate) fn restart_streams(&mut self, is_affected: impl Fn(u16) -> bool) {
        if !self.keyspace.pushed().any() {
            return;
        }
        for name in self.host.active(Kind::Stream, None) {
            let Some((db, key)) = push::split(&name).filter(|it| is_affected(it.0)) else {
                continue;
            };
            if self.entry_in(db, key).is_some_and(|it| matches!(it.value(), Value::Stream(_))) {
                let key = self.keys.key(key);
                self.keys.note_restarted(db, key);
            }
        }
    }

    /// The stream at `key` is no longer the one it was.
    pub(crate) fn restart_stream(&mut self, key: &[u8]) -> Result<(), WireError> {
        let identity = self.keyspace.pushed().draw_identity();
        self.edit(key, |it: &mut Stream| it.set_identity(identity))?;
        let key = self.keys.key(key);
        self.keys.note_restarted(self.client.db, key);
        Ok(())
    }

    /// Keys and fields that were found to be due and removed: says so.
    #[inline]
    pub(crate) fn settle_expired(&mut self) {
        for (db, expired) in self.keys.take_expired() {
            if self.effects.wanted {
                self.effects.list.push(effect_of(db, &expired));
            }
            publish_expired(self.host, self.keyspace.tuning().notify(), db, &expired);
        }
    }
}

/// Says that something was removed in the background because its time had come. Its stripe is locked.
pub fn announce_expired(host: &mut dyn Host, tuning: &Tuning, db: u16, expired: &Expired) {
    if host.wants_effects() {
        host.record(vec![effect_of(db, expired)]);
    }
    publish_expired(host, tuning.notify(), db, expired);
}

fn effect_of(db: u16, expired: &Expired) -> Effect {
    match expired {
        Expired::Key { key, .. } | Expired::Fields { key, were_all: true, .. } => {
            Effect::new(db, [&b"DEL"[..], key])
        }
        Expired::Fields { key, names, were_all: false } => {
            let names = names.iter().map(|it| &**it);
            Effect::new(db, [&b"HDEL"[..], key].into_iter().chain(names))
        }
    }
}

fn publish_expired(host: &mut dyn Host, classes: Classes, db: u16, expired: &Expired) {
    match expired {
        Expired::Key { key, was_stream } => {
            if *was_stream {
                push::announce_restart(host, db, key);
            }
            if classes.intersects(Classes::EXPIRED) {
                publish_event(host, classes, (db, "expired", key));
            }
        }
        Expired::Fields { key, were_all, .. } => {
            if classes.intersects(Classes::HASH) {
                publish_event(host, classes, (db, "hexpired", key));
            }
            if *were_all && classes.intersects(Classes::GENERIC) {
                publish_event(host, classes, (db, "del", key));
            }
        }
    }
}

/// Publishes `event` of `key` to the channels that `classes` asks for.
pub fn publish_event(host: &mut dyn Host, classes: Classes, (db, event, key): (u16, &str, &[u8])) {
    if classes.intersects(Classes::KEYSPACE) {
        let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
        host.publish(Kind::Channel, &channel, event.as_bytes());
    }
    if classes.intersects(Classes::KEYEVENT) {
        host.publish(Kind::Channel, format!("__keyevent@{db}__:{event}").as_bytes(), key);
    }
}

/// Waiting.
impl Ctx<'_> {
    /// The command found nothing: its client waits, unless it is inside a transaction or a script, where the answer of
    /// a wait that is over is given at once.
    ///
    /// What it waits for must be among the keys of the command's `Spec`.
    pub fn block(&mut self, request: Request<'_>, wait: Wait<'_>) -> Reply {
        if self.serving.is_some() {
            self.waits = Waits::Still { retry_unix_ms: wait.retry_unix_ms };
            return Reply::None;
        }
        if self.client.in_exec || self.client.in_script {
            return wait.on_timeout;
        }
        let db = self.client.db;
        let stripe_of = |key: &[u8]| self.keyspace.stripe_of(db, self.keyspace.hash(key));
        let reaches = wait.destination.map(stripe_of).into_iter().collect();
        let request = Queued::new(self.command, request);
        let client = (self.client.id, self.host.seat(), db, self.client.version);
        let ticket = self.keyspace.waiting().draw_ticket();
        let blocked = Arc::new(Blocked::new(client, ticket, request, wait, reaches));
        for key in blocked.keys() {
            let key = self.keys.key(key);
            self.keys.block(db, key, &blocked);
        }
        self.keyspace.waiting().add(&blocked);
        self.waits = Waits::Blocked(blocked);
        Reply::None
    }
}

/// Waking.
impl Ctx<'_> {
    /// There is something new in the stream at `key`, or in one of its groups: those who wait for it look again, once the
    /// command is done.
    #[inline]
    pub fn wake_readers(&mut self, key: &[u8]) {
        if self.keyspace.waiting().any(Awaited::Stream) {
            let key = self.keys.key(key);
            self.keys.wake_readers(self.client.db, key);
        }
    }
}

/// Settings and time.
impl Ctx<'_> {
    /// The running command as data.
    #[inline]
    #[must_use]
    pub fn spec(&self) -> &'static Spec {
        self.command.spec
    }

    /// Settings that change while the server runs.
    #[inline]
    #[must_use]
    pub fn tuning(&self) -> &Tuning {
        self.keyspace.tuning()
    }

    /// What a use of a key is noted with.
    #[inline]
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.keyspace.clock(self.now)
    }

    /// Whether more memory is used than may be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let bytes_max = self.tuning().memory_max();
        bytes_max != 0 && bytes_max < self.keyspace.n_bytes() as u64
    }

    /// `CLIENT NO-TOUCH`: uses are not noted.
    #[inline]
    fn clock_unless_no_touch(&self) -> Option<Clock> {
        (!self.client.no_touch).then(|| self.clock())
    }
}
