//! Client-side caching: clients that keep copies of values are told when a copy may be stale.
//!
//! Sources: <https://redis.io/docs/latest/develop/reference/client-side-caching/>,
//! <https://redis.io/docs/latest/commands/client-tracking/>.
//!
//! In the default mode the keys that a reading command of such a client names are remembered in their stripes, while
//! those are locked by the command. Whoever changes such a key takes those who remember it out of the stripe and hands
//! the invalidations to the [`Host`] before the stripe is unlocked: so nothing is lost between a read and
//! the next change, and what a reactor is told comes after the reply that it had written before. In broadcasting mode
//! nothing is remembered: the host is told of every key that changes, and knows the prefixes.
//!
//! A stripe remembers a [`Tracker`], not a client. One whose client is gone, or no longer tracks, is passed over, and
//! is taken out when its key changes, when the key is read by more clients, or when the table is full
//! (`tracking-table-max-keys`). Unlike in Redis, a key is remembered with its database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use smallvec::SmallVec;

use crate::client::Mode;
use crate::host::Host;
use crate::pubsub::ReactorId;
use crate::spec::{Flag, Group};
use crate::table::Command;
use crate::tuning::Tuning;
use crate::{Client, Ctx, Keyspace, Request};

/// A client as those see it who change what it may hold copies of. Its own thread writes, everybody reads.
#[derive(Debug)]
pub struct Tracker {
    client_id: u64,
    reactor: ReactorId,
    slot: u32,
    flags: AtomicU8,
    /// 0: nobody.
    redirect: AtomicU64,
}

/// Bits of [`Tracker::flags`].
mod flag {
    pub(super) const ON: u8 = 1;
    pub(super) const BROADCAST: u8 = 2;
    pub(super) const NO_LOOP: u8 = 4;
    pub(super) const BROKEN: u8 = 8;
    pub(super) const GONE: u8 = 16;
}

/// Those who may hold a copy of one key, by ascending id.
pub type Trackers = SmallVec<[Arc<Tracker>; 1]>;

impl Tracker {
    /// Of a client that lives in this slot of this reactor; it does not track yet.
    #[must_use]
    pub fn new(client_id: u64, reactor: ReactorId, slot: u32) -> Self {
        let (flags, redirect) = (AtomicU8::new(0), AtomicU64::new(0));
        Self { client_id, reactor, slot, flags, redirect }
    }

    /// Of the client.
    #[must_use]
    pub fn client_id(&self) -> u64 {
        self.client_id
    }

    /// Where it lives.
    #[must_use]
    pub fn reactor(&self) -> ReactorId {
        self.reactor
    }

    /// Where in its reactor.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    fn has(&self, bit: u8) -> bool {
        self.flags.load(Ordering::Relaxed) & bit != 0
    }

    /// Whether the client tracks at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.has(flag::ON)
    }

    /// Whether it tracks prefixes instead of what it reads.
    #[must_use]
    pub fn is_broadcast(&self) -> bool {
        self.has(flag::BROADCAST)
    }

    /// Whether it is not told of its own changes.
    #[must_use]
    pub fn is_no_loop(&self) -> bool {
        self.has(flag::NO_LOOP)
    }

    /// Whether the client that is told in its stead was found to be gone.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.has(flag::BROKEN)
    }

    /// Whether what it reads is remembered.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.is_on() && !self.is_broadcast()
    }

    /// The client that is told in its stead.
    #[must_use]
    pub fn redirect(&self) -> Option<u64> {
        Some(self.redirect.load(Ordering::Relaxed)).filter(|it| *it != 0)
    }

    /// The client that is told in its stead is gone.
    pub fn break_redirect(&self) {
        self.flags.fetch_or(flag::BROKEN, Ordering::Relaxed);
    }

    /// Its client has disconnected.
    pub fn leave(&self) {
        self.flags.store(flag::GONE, Ordering::Relaxed);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.has(flag::GONE)
    }
}

/// What `CLIENT TRACKING` and `CLIENT CACHING` asked for.
#[derive(Debug)]
pub struct Tracking {
    tracker: Arc<Tracker>,
    choice: Choice,
    /// `CLIENT CACHING` was the last command, or came before the transaction in progress.
    caching: bool,
    prefixes: BTreeSet<Box<[u8]>>,
}

/// Which reads are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    /// All.
    #[default]
    All,
    /// Those behind `CLIENT CACHING YES`.
    OptIn,
    /// All but those behind `CLIENT CACHING NO`.
    OptOut,
}

/// How a client tracks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// 0: nobody.
    pub(crate) redirect: u64,
    pub(crate) broadcast: bool,
    pub(crate) no_loop: bool,
    pub(crate) choice: Choice,
}

impl Tracking {
    pub(crate) fn new(tracker: Arc<Tracker>) -> Self {
        Self { tracker, choice: Choice::All, caching: false, prefixes: BTreeSet::new() }
    }

    pub(crate) fn start(&mut self, style: Style) {
        let mut flags = flag::ON;
        for (on, bit) in [(style.broadcast, flag::BROADCAST), (style.no_loop, flag::NO_LOOP)] {
            if on {
                flags |= bit;
            }
        }
        self.choice = style.choice;
        self.tracker.redirect.store(style.redirect, Ordering::Relaxed);
        self.tracker.flags.store(flags, Ordering::Relaxed);
    }

    /// Keys that are remembered stay so, as in Redis: they count again if the client tracks again.
    pub(crate) fn stop(&mut self, host: &mut dyn Host) {
        if !std::mem::take(&mut self.prefixes).is_empty() {
            host.untrack_prefixes();
        }
        self.tracker.flags.store(0, Ordering::Relaxed);
        self.caching = false;
        self.choice = Choice::All;
    }

    pub(crate) fn add_prefix(&mut self, prefix: &[u8], host: &mut dyn Host) {
        if self.prefixes.insert(prefix.into()) {
            host.track_prefix(prefix);
        }
    }

    pub(crate) fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    pub(crate) fn choice(&self) -> Choice {
        self.choice
    }

    pub(crate) fn is_caching(&self) -> bool {
        self.caching
    }

    pub(crate) fn set_caching(&mut self) {
        self.caching = true;
    }

    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.prefixes.iter().map(|it| &**it)
    }

    /// Whether the keys of the command in progress are remembered.
    fn wants_keys(&self) -> bool {
        self.tracker.remembers()
            && match self.choice {
                Choice::All => true,
                Choice::OptIn => self.caching,
                Choice::OptOut => !self.caching,
            }
    }
}

/// A command of a client that may track has run, whether or not it failed: its keys are remembered if it reads. The
/// commands of a script count themselves.
#[cold]
pub(crate) fn remember(ctx: &mut Ctx<'_>, command: Command, request: Request<'_>) {
    let Some(tracking) = &ctx.client.tracking else { return };
    let reads = command.has(Flag::ReadOnly)
        && !command.has(Flag::PubSub)
        && command.spec.group != Group::Scripting;
    if !reads || !tracking.wants_keys() {
        return;
    }
    let tracker = Arc::clone(&tracking.tracker);
    for name in command.spec.keys_of(request) {
        let key = ctx.keys.key(name);
        ctx.keys.track(ctx.client.db, key, &tracker);
    }
}

/// `CLIENT CACHING` holds for one command or transaction.
#[inline]
pub(crate) fn end_caching(client: &mut Client, command: Option<Command>) {
    if let Some(tracking) = &mut client.tracking
        && tracking.caching
        && matches!(client.mode, Mode::Normal)
        && !command.is_some_and(|it| it.spec.name.starts_with("client"))
    {
        tracking.caching = false;
    }
}

/// Tells those who may hold a copy of `key` that it changed in the background: it expired or was evicted. Its stripe is
/// locked.
pub fn announce_changed(host: &mut dyn Host, tuning: &Tuning, key: &[u8], trackers: &Trackers) {
    if tuning.broadcasts() {
        host.broadcast(key, None);
    }
    announce_stale(host, key, trackers);
}

fn announce_stale(host: &mut dyn Host, key: &[u8], trackers: &Trackers) {
    trackers.iter().filter(|it| it.remembers()).for_each(|it| host.invalidate(it, key));
}

/// Forgets keys that clients may hold copies of, at most `n_max`, while they are more than `tracking-table-max-keys`.
/// No stripe may be locked.
pub fn limit(host: &mut dyn Host, keyspace: &Keyspace, n_max: usize) {
    for _ in 0..n_max {
        if !keyspace.tracks_too_many() {
            return;
        }
        let random = host.random();
        keyspace.forget_any_tracked(random, |key, trackers| announce_stale(host, key, trackers));
    }
}

/// Something that copies are to be dropped for.
#[derive(Debug)]
pub(crate) enum Stale {
    /// A key that was remembered.
    Key(crate::tree::Name, Trackers),
    /// Any key that changed, while somebody tracks prefixes. `by_client`: not because its time had come.
    Changed { key: crate::tree::Name, by_client: bool },
    /// Whole databases.
    All,
}

/// Hands what became stale to the host, while the stripes are locked.
#[cold]
pub(crate) fn settle(ctx: &mut Ctx<'_>, stale: Vec<Stale>) {
    let me = ctx.client.id;
    for it in stale {
        match it {
            Stale::Key(key, trackers) => {
                let told = trackers.iter().filter(|it| it.remembers());
                for tracker in told.filter(|it| !(it.is_no_loop() && it.client_id == me)) {
                    ctx.host.invalidate(tracker, &key);
                }
            }
            Stale::Changed { key, by_client } => ctx.host.broadcast(&key, by_client.then_some(me)),
            Stale::All => ctx.host.invalidate_all(),
        }
    }
}

/// How much is remembered, over all stripes.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    n_keys: AtomicUsize,
    n_items: AtomicUsize,
}

impl Counts {
    pub(crate) fn n_keys(&self) -> usize {
        self.n_keys.load(Ordering::Relaxed)
    }

    pub(crate) fn n_items(&self) -> usize {
        self.n_items.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, n_keys: usize, n_items: usize) {
        self.n_keys.fetch_add(n_keys, Ordering::Relaxed);
        self.n_items.fetch_add(n_items, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, n_keys: usize, n_items: usize) {
        self.n_keys.fetch_sub(n_keys, Ordering::Relaxed);
        self.n_items.fetch_sub(n_items, Ordering::Relaxed);
    }
}
