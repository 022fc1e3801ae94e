//! Client-side caching: from keys that changed to what clients are told.
//!
//! Invalidations go through the mailboxes as messages do, and are bounded as they are: a writer that finds a mailbox
//! beyond its bound is not read from until there is room. A client that does not read what it is told is closed when too
//! much waits for it, since nobody asked for it command by command.
//!
//! What the present client must be told of its own command follows the reply. Before requests of a client that tracks
//! are run, what was posted until then is handed out: an invalidation whose write was answered before the client asked
//! again is never behind that answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fanfare_engine::Version;
use fanfare_engine::pubsub::{ReactorId, ReactorSet};
use fanfare_engine::tracking::Tracker;
use fanfare_engine::tree::Name;
use fanfare_engine::tuning::Tuning;
use fanfare_resp::Writer;
use parking_lot::RwLock;

use super::input::UNREAD_BYTES_MAX;
use super::mailbox::Item;
use super::state::Reactor;
use crate::client::Seat;

/// Where clients in RESP2 are told, once they are subscribed to anything.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Something that a client is to be told.
#[derive(Debug)]
pub(crate) struct Invalidation {
    slot: u32,
    client_id: u64,
    /// It is told in another client's stead.
    is_redirected: bool,
    what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// A key that it has read.
    Key(Name),
    /// Keys that begin with one of its prefixes.
    Keys(Arc<[Name]>),
    /// All keys.
    All,
    /// The client that is told in its stead is gone.
    RedirectBroken(u64),
}

impl What {
    fn n_bytes(&self) -> usize {
        size_of::<Invalidation>()
            + match self {
                Self::Key(name) => name.len(),
                Self::Keys(names) => names.iter().map(|it| it.len()).sum(),
                Self::All | Self::RedirectBroken(_) => 0,
            }
    }

    /// Whether a client that tracks like this is told.
    fn concerns(&self, tracker: &Tracker) -> bool {
        match self {
            Self::Key(_) => tracker.remembers(),
            Self::Keys(_) => tracker.is_on() && tracker.is_broadcast(),
            Self::All | Self::RedirectBroken(_) => tracker.is_on(),
        }
    }

    fn write(&self, out: &mut Writer<'_>, version: Version) {
        if let Self::RedirectBroken(client_id) = self {
            out.push(2);
            out.bulk(b"tracking-redir-broken");
            out.int(i64::try_from(*client_id).unwrap_or(i64::MAX));
            return;
        }
        match version {
            Version::Resp3 => {
                out.push(2);
                out.bulk(b"invalidate");
            }
            Version::Resp2 => {
                out.push(3);
                out.bulk(b"message");
                out.bulk(CHANNEL);
            }
        }
        match self {
            Self::Key(name) => {
                out.array(1);
                out.bulk(name);
            }
            Self::Keys(names) => {
                out.array(names.len());
                names.iter().for_each(|it| out.bulk(it));
            }
            Self::All | Self::RedirectBroken(_) => out.null(),
        }
    }
}

/// Which reactors have clients that track which prefixes.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    by_prefix: RwLock<BTreeMap<Box<[u8]>, Reactors>>,
}

/// With the number of clients there.
type Reactors = Vec<(ReactorId, usize)>;

impl Prefixes {
    /// Number of distinct prefixes.
    pub(crate) fn len(&self) -> usize {
        self.by_prefix.read().len()
    }

    fn add(&self, prefix: &[u8], reactor: ReactorId, tuning: &Tuning) {
        let mut by_prefix = self.by_prefix.write();
        let reactors = by_prefix.entry(prefix.into()).or_default();
        match reactors.iter_mut().find(|it| it.0 == reactor) {
            Some((_, n)) => *n += 1,
            None => reactors.push((reactor, 1)),
        }
        tuning.set_broadcasts(true);
    }

    fn remove(&self, prefix: &[u8], reactor: ReactorId, tuning: &Tuning) {
        let mut by_prefix = self.by_prefix.write();
        if let Some(reactors) = by_prefix.get_mut(prefix) {
            reactors.iter_mut().filter(|it| it.0 == reactor).for_each(|it| it.1 -= 1);
            reactors.retain(|it| it.1 != 0);
            if reactors.is_empty() {
                by_prefix.remove(prefix);
            }
        }
        tuning.set_broadcasts(!by_prefix.is_empty());
    }

    /// Reactors with a client that tracks a prefix of `key`.
    pub(super) fn interested(&self, key: &[u8]) -> ReactorSet {
        let mut found = ReactorSet::default();
        for (prefix, reactors) in &*self.by_prefix.read() {
            if key.starts_with(prefix) {
                reactors.iter().for_each(|it| found.insert(it.0));
            }
        }
        found
    }
}

/// The prefixes that clients of one reactor track.
#[derive(Debug, Default)]
pub(super) struct Broadcasts {
    by_prefix: BTreeMap<Box<[u8]>, Audience>,
    /// Some have keys to tell of.
    has_news: bool,
}

#[derive(Debug, Default)]
struct Audience {
    clients: BTreeSet<(u64, u32)>,
    /// Keys that changed in this turn, with the client that changed each last.
    changed: BTreeMap<Name, Option<u64>>,
}

impl Broadcasts {
    fn note(&mut self, key: &Name, writer: Option<u64>) {
        for (prefix, audience) in &mut self.by_prefix {
            if key.starts_with(prefix) {
                audience.changed.insert(key.clone(), writer);
                self.has_news = true;
            }
        }
    }
}

/// The keys that a client is told of: all but those that `skipped` changed last.
fn told(changed: &BTreeMap<Name, Option<u64>>, skipped: Option<u64>) -> Arc<[Name]> {
    let told = changed.iter().filter(|it| skipped.is_none() || *it.1 != skipped);
    told.map(|it| it.0.clone()).collect()
}

impl Reactor {
    pub(super) fn track_prefix(&mut self, prefix: &[u8], slot: u32) {
        let Some(client_id) = self.conn(slot).map(|it| it.facts.id) else { return };
        let audience = self.broadcasts.by_prefix.entry(prefix.into()).or_default();
        if audience.clients.insert((client_id, slot)) {
            self.shared.prefixes.add(prefix, self.id, self.shared.keyspace.tuning());
        }
    }

    pub(super) fn untrack_prefixes(&mut self, slot: u32, client_id: u64) {
        let (shared, id) = (&self.shared, self.id);
        self.broadcasts.by_prefix.retain(|prefix, audience| {
            if audience.clients.remove(&(client_id, slot)) {
                shared.prefixes.remove(prefix, id, shared.keyspace.tuning());
            }
            !audience.clients.is_empty()
        });
    }

    /// Who is told for a client that tracks, and on which reactor.
    fn address(&self, tracker: &Tracker, what: What) -> (ReactorId, Invalidation) {
        let clients = &self.shared.clients;
        match tracker.redirect().map(|id| (id, clients.get(id))) {
            Some((client_id, Some(facts))) => {
                let Seat { reactor, slot } = facts.seat();
                (reactor, Invalidation { slot, client_id, is_redirected: true, what })
            }
            other => {
                let what = other.map_or(what, |it| What::RedirectBroken(it.0));
                let (slot, client_id) = (tracker.slot(), tracker.client_id());
                (tracker.reactor(), Invalidation { slot, client_id, is_redirected: false, what })
            }
        }
    }

    /// Tells a client that tracks, or the one that is told in its stead. `me` is the client whose command runs.
    pub(super) fn tell(&mut self, tracker: &Tracker, what: What, me: Option<u64>) {
        let (reactor, it) = self.address(tracker, what);
        if me == Some(it.client_id) {
            if me == Some(tracker.client_id()) {
                self.own_invalidations.push(it);
                self.wants.own = true;
            } else {
                // As in Redis, what concerns another client's copies does not wait for the reply.
                self.invalidate(&it);
            }
            return;
        }
        self.post(reactor, it);
    }

    fn post(&mut self, to: ReactorId, it: Invalidation) {
        let n_bytes = it.what.n_bytes();
        self.post_counted(to, Item::Invalidate(Box::new(it)), n_bytes);
    }

    /// Posts something that counts for a mailbox's bound.
    fn post_counted(&mut self, to: ReactorId, item: Item, n_bytes: usize) {
        let Some(mailbox) = self.shared.mailbox(to) else { return };
        if mailbox.post_counted(item, n_bytes) {
            self.full.insert(to);
            self.wants.room = true;
        }
        if to != self.id {
            self.to_wake.insert(to);
        }
        self.schedule_turn();
    }

    /// Tells those who track a prefix of `key`, when their turn ends.
    pub(super) fn broadcast(&mut self, key: &[u8], writer: Option<u64>) {
        for reactor in self.shared.prefixes.interested(key).iter() {
            let item = Item::Changed(Box::new((key.into(), writer)));
            self.post_counted(reactor, item, size_of::<Name>() + key.len());
        }
    }

    pub(super) fn note_changed(&mut self, key: &Name, writer: Option<u64>) {
        self.broadcasts.note(key, writer);
    }

    /// Tells clients that track prefixes of what changed since the last time.
    pub(super) fn flush_broadcasts(&mut self) {
        if !std::mem::take(&mut self.broadcasts.has_news) {
            return;
        }
        let mut news = Vec::new();
        for audience in self.broadcasts.by_prefix.values_mut() {
            let changed = std::mem::take(&mut audience.changed);
            if changed.is_empty() {
                continue;
            }
            let all = told(&changed, None);
            for &(client_id, slot) in &audience.clients {
                let Some(conn) = self.conns.get(slot as usize) else { continue };
                let Some(tracker) = conn.facts.tracker() else { continue };
                let skipped = Some(client_id).filter(|_| tracker.is_no_loop());
                let keys =
                    if skipped.is_none() { Arc::clone(&all) } else { told(&changed, skipped) };
                if !keys.is_empty() {
                    news.push((Arc::clone(tracker), keys));
                }
            }
        }
        for (tracker, keys) in news {
            match self.address(&tracker, What::Keys(keys)) {
                (reactor, it) if reactor == self.id => self.invalidate(&it),
                (reactor, it) => self.post(reactor, it),
            }
        }
        // Nobody's command posts this: nobody has to wait.
        self.full = ReactorSet::default();
        self.wants.room = false;
    }

    /// Tells all clients that track anything to drop all copies. `me` is the client whose command runs.
    pub(super) fn invalidate_all(&mut self, me: Option<u64>) {
        let mut trackers = Vec::new();
        self.shared.clients.for_each(|facts| {
            trackers.extend(facts.tracker().filter(|it| it.is_on()).map(Arc::clone));
        });
        for tracker in trackers {
            self.tell(&tracker, What::All, me);
        }
    }

    /// Tells the client whose command has been answered what it changed itself.
    pub(super) fn tell_own(&mut self) {
        for it in std::mem::take(&mut self.own_invalidations) {
            self.invalidate(&it);
        }
    }

    /// Who is told in another's stead may have been carried elsewhere meanwhile.
    fn follow(&mut self, it: &Invalidation) {
        if !it.is_redirected {
            return;
        }
        let Some(facts) = self.shared.clients.get(it.client_id) else { return };
        let Seat { reactor, slot } = facts.seat();
        // It may be under way to this reactor.
        if reactor != self.id || slot != it.slot || slot == Seat::UNKNOWN {
            let Invalidation { client_id, is_redirected, .. } = *it;
            let what = it.what.clone();
            self.post(reactor, Invalidation { slot, client_id, is_redirected, what });
        }
    }

    /// Writes what a client of this reactor is told.
    pub(super) fn invalidate(&mut self, it: &Invalidation) {
        let Self { conns, pool, overflowing, .. } = self;
        let conn = conns.get_mut(it.slot as usize);
        let is_there = |conn: &super::conn::Conn| {
            conn.socket.is_some() && conn.facts.id == it.client_id && !conn.closing
        };
        let Some(conn) = conn.filter(|it| is_there(it)) else {
            self.follow(it);
            return;
        };
        if !it.is_redirected {
            let Some(tracker) = conn.facts.tracker().filter(|t| it.what.concerns(t)) else {
                return;
            };
            if let What::RedirectBroken(_) = it.what {
                tracker.break_redirect();
            }
        }
        let version = conn.version;
        if version == Version::Resp2 && !(it.is_redirected && conn.is_subscribed()) {
            return;
        }
        conn.outbox.reply(version, pool, |out| it.what.write(out, version));
        if UNREAD_BYTES_MAX < conn.outbox.n_bytes() {
            overflowing.push(it.slot);
        }
        self.mark_dirty(it.slot);
    }
}
