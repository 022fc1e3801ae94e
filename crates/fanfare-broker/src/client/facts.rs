//! What every reactor may know about a client: the source of CLIENT LIST, CLIENT KILL and INFO.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
use std::sync::{Arc, OnceLock};

use fanfare_engine::block::Blocked;
use fanfare_engine::host::{ClientFilter, ClientKind};
use fanfare_engine::pubsub::ReactorId;
use fanfare_engine::tracking::Tracker;
use parking_lot::Mutex;

/// One client. Its reactor writes, everybody reads.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) id: u64,
    /// Peer, `ip:port` or `path:0`.
    pub(crate) addr: Box<str>,
    /// Own end of the connection; most clients share it.
    pub(crate) laddr: Arc<str>,
    pub(crate) fd: i32,
    pub(crate) is_unix: bool,
    /// Changes when it is carried to another reactor.
    seat: AtomicU64,
    /// Milliseconds since the broker's start.
    pub(crate) created_ms: u64,
    pub(crate) seen: Seen,
    /// Since it asked for client-side caching.
    tracker: OnceLock<Arc<Tracker>>,
    /// Most clients have none.
    texts: Mutex<Option<Box<Texts>>>,
}

/// What changes with every batch of commands.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) active_ms: AtomicU64,
    pub(crate) db: AtomicU16,
    pub(crate) n_channels: AtomicU32,
    pub(crate) n_patterns: AtomicU32,
    pub(crate) n_shards: AtomicU32,
    pub(crate) n_streams: AtomicU32,
    /// Queued commands; -1 outside a transaction.
    pub(crate) n_queued: AtomicI64,
    pub(crate) n_watched: AtomicU32,
    pub(crate) input_len: AtomicUsize,
    /// What the socket did not take.
    pub(crate) output_len: AtomicUsize,
    pub(crate) output_chunks: AtomicU32,
    /// Index of the last command in the table; `u16::MAX`: none.
    pub(crate) command: AtomicU16,
    pub(crate) resp: AtomicU8,
    pub(crate) flags: AtomicU8,
}

/// Bits of [`Seen::flags`].
pub(crate) mod flag {
    pub(crate) const MONITOR: u8 = 1;
    pub(crate) const CLOSE_AFTER_REPLY: u8 = 2;
    pub(crate) const NO_EVICT: u8 = 8;
    pub(crate) const NO_TOUCH: u8 = 16;
    pub(crate) const BLOCKED: u8 = 32;
}

#[derive(Debug, Default)]
struct Texts {
    name: Vec<u8>,
    lib_name: Vec<u8>,
    lib_ver: Vec<u8>,
    /// Set when a key that the client watches is written.
    watch_mark: Option<Arc<AtomicBool>>,
    /// What it waits for.
    waiting: Option<Arc<Blocked>>,
}

/// Where a client lives.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) addr: Box<str>,
    pub(crate) laddr: Arc<str>,
    pub(crate) fd: i32,
    pub(crate) is_unix: bool,
    pub(crate) seat: Seat,
}

/// The reactor that serves a client, and its slot there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) reactor: ReactorId,
    pub(crate) slot: u32,
}

impl Seat {
    /// The slot of a client that has not arrived yet.
    pub(crate) const UNKNOWN: u32 = u32::MAX;

    pub(crate) fn packed(self) -> u64 {
        u64::from(self.reactor.0) << 32 | u64::from(self.slot)
    }

    pub(crate) fn unpacked(packed: u64) -> Self {
        let [_, _, _, reactor, slot @ ..] = packed.to_be_bytes();
        Self { reactor: ReactorId(reactor), slot: u32::from_be_bytes(slot) }
    }
}

impl Facts {
    pub(crate) fn new(id: u64, place: Place, now_ms: u64) -> Self {
        let seen = Seen::default();
        seen.command.store(u16::MAX, Ordering::Relaxed);
        seen.n_queued.store(-1, Ordering::Relaxed);
        seen.resp.store(2, Ordering::Relaxed);
        seen.active_ms.store(now_ms, Ordering::Relaxed);
        let Place { addr, laddr, fd, is_unix, seat } = place;
        Self {
            id,
            addr,
            laddr,
            fd,
            is_unix,
            seat: AtomicU64::new(seat.packed()),
            created_ms: now_ms,
            seen,
            tracker: OnceLock::new(),
            texts: Mutex::default(),
        }
    }

    /// Where it is served. It may be another place a moment later, unless it waits, subscribes or tracks.
    pub(crate) fn seat(&self) -> Seat {
        Seat::unpacked(self.seat.load(Ordering::Acquire))
    }

    /// It is served elsewhere from now on.
    pub(crate) fn sit(&self, seat: Seat) {
        self.seat.store(seat.packed(), Ordering::Release);
    }

    /// How those know it who change what it may hold copies of, if it ever asked for that.
    pub(crate) fn tracker(&self) -> Option<&Arc<Tracker>> {
        self.tracker.get()
    }

    pub(crate) fn set_tracker(&self, tracker: &Arc<Tracker>) {
        // A client has one for its life.
        let _ = self.tracker.set(Arc::clone(tracker));
    }

    /// Whom it lets be told in its stead: 0 nobody, -1 it does not track.
    fn redirect(&self) -> i64 {
        let tracker = self.tracker().filter(|it| it.is_on());
        tracker
            .map_or(-1, |it| i64::try_from(it.redirect().unwrap_or_default()).unwrap_or(i64::MAX))
    }

    /// What it calls itself.
    pub(crate) fn name(&self) -> Vec<u8> {
        self.texts.lock().as_ref().map(|it| it.name.clone()).unwrap_or_default()
    }

    /// What the client waits for, if it is blocked.
    pub(crate) fn waiting(&self) -> Option<Arc<Blocked>> {
        self.texts.lock().as_ref().and_then(|it| it.waiting.clone())
    }

    pub(crate) fn set_waiting(&self, waiting: Option<Arc<Blocked>>) {
        self.texts.lock().get_or_insert_default().waiting = waiting;
    }

    pub(crate) fn set_texts(&self, name: &[u8], lib_name: &[u8], lib_ver: &[u8]) {
        let mut texts = self.texts.lock();
        if texts.is_none() && name.is_empty() && lib_name.is_empty() && lib_ver.is_empty() {
            return;
        }
        let texts = texts.get_or_insert_default();
        let Texts { name: old_name, lib_name: old_lib_name, lib_ver: old_lib_ver, .. } =
            &mut **texts;
        for (to, from) in [(old_name, name), (old_lib_name, lib_name), (old_lib_ver, lib_ver)] {
            if *to != from {
                to.clear();
                to.extend_from_slice(from);
            }
        }
    }

    /// What is set when one of `n_keys` watched keys is written.
    pub(crate) fn set_watch(&self, n_keys: usize, mark: Option<&Arc<AtomicBool>>) {
        let n_keys = u32::try_from(n_keys).unwrap_or(u32::MAX);
        let before = self.seen.n_watched.load(Ordering::Relaxed);
        if n_keys != 0 || before != 0 {
            self.seen.n_watched.store(n_keys, Ordering::Relaxed);
            self.texts.lock().get_or_insert_default().watch_mark =
                mark.filter(|_| n_keys != 0).cloned();
        }
    }

    /// The mark, for as long as anybody else holds it.
    #[cfg(test)]
    pub(crate) fn watch_mark(&self) -> Option<std::sync::Weak<AtomicBool>> {
        self.texts.lock().as_ref()?.watch_mark.as_ref().map(Arc::downgrade)
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        let seen = &self.seen;
        [&seen.n_channels, &seen.n_patterns, &seen.n_shards, &seen.n_streams]
            .iter()
            .any(|it| it.load(Ordering::Relaxed) != 0)
    }

    fn kind(&self) -> ClientKind {
        if self.is_subscribed() { ClientKind::PubSub } else { ClientKind::Normal }
    }

    /// Whether every criterion of `filter` holds; `me` is who asks.
    pub(crate) fn matches(&self, filter: &ClientFilter, me: Option<u64>, now_ms: u64) -> bool {
        filter.ids.as_ref().is_none_or(|it| it.contains(&self.id))
            && filter.addr.as_ref().is_none_or(|it| *it == self.addr.as_bytes())
            && filter.laddr.as_ref().is_none_or(|it| *it == self.laddr.as_bytes())
            && filter.kind.is_none_or(|it| it == self.kind())
            && filter.user.as_ref().is_none_or(|it| it == b"default")
            && !(filter.skip_me && me == Some(self.id))
            && filter.age_s_min.is_none_or(|it| it <= now_ms.saturating_sub(self.created_ms) / 1000)
    }

    /// The line of `CLIENT LIST`, without its end.
    ///
    /// Source of the fields: <https://redis.io/docs/latest/commands/client-list/>.
    pub(crate) fn write_line(&self, out: &mut Vec<u8>, now_ms: u64, command_name: &str) {
        let seen = &self.seen;
        let texts = self.texts.lock();
        let none = Texts::default();
        let texts = texts.as_deref().unwrap_or(&none);
        let load = |it: &AtomicU32| it.load(Ordering::Relaxed);
        let (input_len, output_len) =
            (seen.input_len.load(Ordering::Relaxed), seen.output_len.load(Ordering::Relaxed));
        let mut head = String::new();
        let _ = write!(
            head,
            "id={} addr={} laddr={} fd={} name=",
            self.id, self.addr, self.laddr, self.fd
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&texts.name);
        let mut rest = String::new();
        let _ = write!(
            rest,
            " age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} qbuf={} qbuf-free=0 argv-mem=0 \
             multi-mem=0 rbs=0 rbp=0 obl={} oll={} omem={} tot-mem={} events={} cmd={} user=default redir={} resp={} \
             lib-name=",
            now_ms.saturating_sub(self.created_ms) / 1000,
            now_ms.saturating_sub(seen.active_ms.load(Ordering::Relaxed)) / 1000,
            self.flags(texts),
            seen.db.load(Ordering::Relaxed),
            load(&seen.n_channels),
            load(&seen.n_patterns),
            load(&seen.n_shards),
            seen.n_queued.load(Ordering::Relaxed),
            input_len,
            0,
            load(&seen.output_chunks),
            output_len,
            input_len + output_len + size_of::<Self>(),
            if output_len == 0 { "r" } else { "rw" },
            command_name,
            self.redirect(),
            seen.resp.load(Ordering::Relaxed),
        );
        out.extend_from_slice(rest.as_bytes());
        out.extend_from_slice(&texts.lib_name);
        out.extend_from_slice(b" lib-ver=");
        out.extend_from_slice(&texts.lib_ver);
        // No Redis has this field, and who is pushed no stream looks as in Redis.
        let n_streams = load(&seen.n_streams);
        if n_streams != 0 {
            out.extend_from_slice(format!(" xsub={n_streams}").as_bytes());
        }
    }

    fn flags(&self, texts: &Texts) -> String {
        let bits = self.seen.flags.load(Ordering::Relaxed);
        let mut flags = String::new();
        let mut add = |on: bool, letter: char| {
            if on {
                flags.push(letter);
            }
        };
        add(bits & flag::MONITOR != 0, 'O');
        add(self.is_subscribed(), 'P');
        add(0 <= self.seen.n_queued.load(Ordering::Relaxed), 'x');
        add(bits & flag::BLOCKED != 0, 'b');
        let tracker = self.tracker();
        add(tracker.is_some_and(|it| it.is_on()), 't');
        add(tracker.is_some_and(|it| it.is_broken()), 'R');
        add(tracker.is_some_and(|it| it.is_broadcast()), 'B');
        add(texts.watch_mark.as_ref().is_some_and(|it| it.load(Ordering::Relaxed)), 'd');
        add(bits & flag::CLOSE_AFTER_REPLY != 0, 'c');
        add(self.is_unix, 'U');
        add(bits & flag::NO_EVICT != 0, 'e');
        add(bits & flag::NO_TOUCH != 0, 'T');
        if flags.is_empty() {
            flags.push('N');
        }
        flags
    }
}

/// All clients of the broker.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    by_id: Mutex<HashMap<u64, Arc<Facts>>>,
}

impl Clients {
    pub(crate) fn insert(&self, facts: Arc<Facts>) {
        self.by_id.lock().insert(facts.id, facts);
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut by_id = self.by_id.lock();
        by_id.remove(&id);
        if by_id.len() * 8 < by_id.capacity() {
            by_id.shrink_to(64);
        }
    }

    /// Calls `visit` with every client, under the lock.
    pub(crate) fn for_each(&self, visit: impl FnMut(&Facts)) {
        self.by_id.lock().values().map(|it| &**it).for_each(visit);
    }

    /// The client with this id.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Facts>> {
        self.by_id.lock().get(&id).map(Arc::clone)
    }

    /// Every client, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Facts>> {
        let mut all: Vec<_> = self.by_id.lock().values().map(Arc::clone).collect();
        all.sort_unstable_by_key(|it| it.id);
        all
    }
}
