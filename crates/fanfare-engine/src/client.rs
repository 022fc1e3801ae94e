//! What the engine knows of the client that sent a command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_resp::{Span, Version};

use smallvec::SmallVec;

use crate::table::Command;
use crate::tracking::Tracking;
use crate::{Keyspace, Request};

/// Facts about one client; the broker keeps one per connection and hands it to every command.
#[derive(Debug)]
pub struct Client {
    /// Never used twice in a server's life.
    pub id: u64,
    /// Selected database.
    pub db: u16,
    /// Protocol it speaks.
    pub version: Version,
    /// Whether it may run commands.
    pub authenticated: bool,
    /// Set by `CLIENT SETNAME` or `HELLO … SETNAME`; empty: none.
    pub name: Vec<u8>,
    /// Set by `CLIENT SETINFO LIB-NAME`.
    pub lib_name: Vec<u8>,
    /// Set by `CLIENT SETINFO LIB-VER`.
    pub lib_ver: Vec<u8>,
    /// Whether it is in a transaction.
    pub mode: Mode,
    /// Its queued commands are running.
    pub in_exec: bool,
    /// One of its scripts is running.
    pub in_script: bool,
    /// Keys it watches.
    pub watch: Watch,
    /// `CLIENT REPLY`.
    pub replies: Replies,
    /// `CLIENT NO-EVICT`.
    pub no_evict: bool,
    /// `CLIENT NO-TOUCH`.
    pub no_touch: bool,
    /// Channels and patterns it is subscribed to (without shard channels).
    pub n_subscriptions: usize,
    /// Shard channels it is subscribed to.
    pub n_shard_subscriptions: usize,
    /// Streams that it is pushed.
    pub n_stream_subscriptions: usize,
    /// It asked for `MONITOR`.
    pub monitoring: bool,
    /// Close the connection once what was written so far is sent.
    pub closing: bool,
    /// Client-side caching; `None`: it never asked for it.
    pub(crate) tracking: Option<Box<Tracking>>,
    /// The last command it sent.
    pub(crate) recent: Recent,
}

/// The last command of a client as it was spelled: finding it again takes one comparison.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    name: [u8; 14],
    name_len: u8,
    command: Option<Command>,
}

impl Recent {
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<Command> {
        let known = self.name.get(..usize::from(self.name_len))?;
        if known == name { self.command } else { None }
    }

    pub(crate) fn remember(&mut self, name: &[u8], command: Command) {
        if let (Some(to), Ok(len)) = (self.name.get_mut(..name.len()), u8::try_from(name.len())) {
            to.copy_from_slice(name);
            self.name_len = len;
            self.command = Some(command);
        }
    }
}

/// What a client's next command means.
#[derive(Debug, Default)]
pub enum Mode {
    /// It runs.
    #[default]
    Normal,
    /// It is queued until `EXEC`.
    Multi {
        /// Commands so far.
        queued: Vec<Queued>,
        /// Bytes that they take: the broker bounds them as it bounds what a client has sent.
        n_bytes: usize,
        /// A command was refused while queueing: `EXEC` will abort.
        doomed: bool,
    },
}

/// `CLIENT REPLY` state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// Every reply is sent.
    #[default]
    On,
    /// None is.
    Off,
    /// `SKIP` was this very command: the next reply is dropped.
    SkipNext,
    /// This command's reply is dropped.
    Skipping,
}

/// A command waiting for `EXEC`, with a copy of its arguments.
#[derive(Debug)]
pub struct Queued {
    /// The command.
    pub command: Command,
    data: Box<[u8]>,
    spans: SmallVec<[Span; 3]>,
}

impl Queued {
    /// Copies `request`.
    #[must_use]
    pub fn new(command: Command, request: Request<'_>) -> Self {
        Self::of_args(command, request.iter())
    }

    /// Copies arguments, the command's name included.
    pub(crate) fn of_args<'a>(
        command: Command,
        args: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Self {
        let mut data = Vec::with_capacity(args.clone().map(<[u8]>::len).sum());
        let spans = args.map(|arg| {
            let start = data.len();
            data.extend_from_slice(arg);
            Span { start, end: data.len() }
        });
        let spans = spans.collect();
        Self { command, data: data.into_boxed_slice(), spans }
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        let n_spilled = if self.spans.spilled() { self.spans.capacity() } else { 0 };
        size_of::<Self>() + self.data.len() + n_spilled * size_of::<Span>()
    }

    /// The arguments.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        Request::new(&self.data, &self.spans)
    }
}

/// The keys a client watches and whether one of them was written.
#[derive(Debug, Default)]
pub struct Watch {
    pub(crate) keys: Vec<WatchedKey>,
    pub(crate) dirty: Option<Arc<AtomicBool>>,
}

#[derive(Debug)]
pub(crate) struct WatchedKey {
    pub(crate) db: u16,
    pub(crate) key: Box<[u8]>,
}

impl Watch {
    /// Whether nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Number of watched keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// What is set when a watched key is written; another one after the keys were forgotten.
    #[must_use]
    pub fn mark(&self) -> Option<&Arc<AtomicBool>> {
        self.dirty.as_ref()
    }

    /// The mark, made with the first watched key.
    pub(crate) fn mark_or_new(&mut self) -> Arc<AtomicBool> {
        Arc::clone(self.dirty.get_or_insert_default())
    }

    /// Whether a watched key was written.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.dirty.as_ref().is_some_and(|it| it.load(Ordering::Acquire))
    }
}

impl Client {
    /// A client that has just connected.
    #[must_use]
    pub fn new(id: u64, authenticated: bool) -> Self {
        Self {
            id,
            db: 0,
            version: Version::Resp2,
            authenticated,
            name: Vec::new(),
            lib_name: Vec::new(),
            lib_ver: Vec::new(),
            mode: Mode::Normal,
            in_exec: false,
            in_script: false,
            watch: Watch::default(),
            replies: Replies::On,
            no_evict: false,
            no_touch: false,
            n_subscriptions: 0,
            n_shard_subscriptions: 0,
            n_stream_subscriptions: 0,
            monitoring: false,
            closing: false,
            tracking: None,
            recent: Recent::default(),
        }
    }

    /// In RESP2 a subscribed client may only send the commands of the subscribed mode.
    #[inline]
    #[must_use]
    pub fn is_subscribed_resp2(&self) -> bool {
        let n_subscriptions = self.n_subscriptions + self.n_shard_subscriptions;
        self.version == Version::Resp2 && n_subscriptions + self.n_stream_subscriptions != 0
    }

    /// Whether it is told when what it may hold copies of changes.
    #[inline]
    #[must_use]
    pub fn is_tracking(&self) -> bool {
        self.tracking.as_ref().is_some_and(|it| it.tracker().is_on())
    }

    /// Forgets watched keys.
    pub fn unwatch(&mut self, keyspace: &Keyspace) {
        let Some(dirty) = self.watch.dirty.take() else { return };
        for watched in std::mem::take(&mut self.watch.keys) {
            keyspace.unwatch(watched.db, &watched.key, &dirty);
        }
    }

    /// Leaves a transaction and forgets watched keys.
    pub fn discard(&mut self, keyspace: &Keyspace) {
        self.mode = Mode::Normal;
        self.unwatch(keyspace);
    }
}
