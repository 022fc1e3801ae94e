//! The reactor itself: its connections, and what happens at the end of a turn.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::{Index, ReactorId, ReactorSet};
use fanfare_engine::scripting::Scripting;
use fanfare_engine::{Client, Now};
use fanfare_resp::{Limits, RequestDecoder};
use rand::rngs::SmallRng;
use slab::Slab;

use super::balance::{Balance, Gauge};
use super::conn::{Conn, KINDS, Session};
use super::inbox::Inbox;
use super::mailbox::{Item, Mailbox};
use super::time::QUIET_TICKS;
use super::tracking::{Broadcasts, Invalidation};
use super::wait::Deadlines;
use crate::client::{BufferPool, Facts, Place, Press, Seat, flag};
use crate::net::{Incoming, Twin};
use crate::observe::Stats;
use crate::shared::{Live, Shared, unix_us};

/// Bytes read from one socket before the next one has its turn.
pub(super) const READ_LEN: usize = 64 * 1024;

/// Commands after which messages must find their client.
const SUBSCRIBING: [&[u8]; 4] = [b"subscribe", b"psubscribe", b"ssubscribe", b"xsubscribe"];

/// One thread's state; never leaves it.
pub(crate) struct Reactor {
    pub(super) id: ReactorId,
    /// Counted by this thread alone: cloning it touches no other core's cache.
    #[expect(clippy::redundant_allocation, reason = "a reactor clones it per batch of commands")]
    pub(super) shared: Rc<Arc<Shared>>,
    pub(super) live: Arc<Live>,
    live_version: u64,
    /// Boxed, so that the slab's growth does not hold room for as many connections again.
    pub(super) conns: Slab<Box<Conn>>,
    /// For the next request that begins.
    pub(super) decoder: Option<Box<RequestDecoder>>,
    /// Our end of the last connection: most have the same.
    laddr: Arc<str>,
    pub(super) index: Index,
    pub(super) press: Press,
    pub(super) pool: BufferPool,
    /// What sockets are read into.
    pub(super) scratch: Vec<u8>,
    pub(super) now: Now,
    /// When the last command ended: the next one's start. Read from the processor's counter where that is steady: a
    /// system clock would be a tenth of a small command's cost.
    pub(super) clock: quanta::Instant,
    /// [`Self::clock`] and the uptime in milliseconds at the last tick: see [`Self::uptime_ms`].
    ticked: (quanta::Instant, u64),
    pub(super) inbox: Inbox,
    /// Connections to flush, to close because they are over a limit, to close because somebody said so.
    pub(super) dirty: Vec<u32>,
    pub(super) overflowing: Vec<u32>,
    doomed: Vec<(u32, u64)>,
    pub(super) parked: Vec<u32>,
    /// Reactors to wake at the end of the turn.
    pub(super) to_wake: ReactorSet,
    /// Mailboxes that the command in progress found beyond their bound.
    pub(super) full: ReactorSet,
    /// What the command in progress asked for beyond its reply.
    pub(super) wants: Wants,
    /// The command of the session that runs, or its last one.
    pub(super) last_command: Option<u16>,
    /// Hard limit of subscribers' outboxes; `usize::MAX`: none.
    pub(super) pubsub_hard_max: usize,
    /// Turns since the last tick, and ticks without any.
    pub(super) n_turns: u32,
    /// The broker ends: nothing is read any more.
    pub(super) is_stopping: bool,
    /// A session is parked because of CLIENT PAUSE.
    pub(super) paused: bool,
    pub(super) n_quiet_ticks: u32,
    /// Connections whose sockets are full.
    pub(super) n_blocked: usize,
    /// Prefixes that clients track.
    pub(super) broadcasts: Broadcasts,
    /// What the client of the command in progress is told after its reply.
    pub(super) own_invalidations: Vec<Invalidation>,
    /// When blocked clients stop waiting.
    pub(super) deadlines: Deadlines,
    /// Wakes the task that sleeps until then.
    pub(super) deadline_waker: Option<Waker>,
    pub(super) rng: SmallRng,
    /// The interpreter, while no script runs; made by the first one.
    pub(super) scripting: Option<Box<Scripting>>,
    /// When clients were looked after while a script ran, in microseconds since the Unix epoch.
    pub(super) busy_since_us: u64,
    /// The sockets that this thread listens on, for the time of a script.
    pub(super) twin: Option<Twin>,
    /// Connections that read the history of streams, and have room for more of it.
    pub(super) readers: VecDeque<u32>,
    /// Bytes that may wait for a subscriber of streams.
    pub(super) push_bytes_max: usize,
    /// No command is in progress: sockets may be written to.
    pub(super) may_flush: bool,
    /// Clients that are about to subscribe elsewhere: slot and id.
    pub(super) leaving: Vec<(u32, u64)>,
    /// A script runs too long, and its other clients are served meanwhile.
    pub(super) in_script: bool,
    /// Commands that subscribe.
    pub(super) subscribing: Box<[u16]>,
    pub(super) gauge: Gauge,
    /// How many reactors take commands: the first one decides.
    pub(super) balance: Balance,
    turn_waker: Option<Waker>,
    turn_scheduled: bool,
    /// Slots whose task is not spawned yet.
    pub(super) adopted: Vec<u32>,
}

/// What a command asks for beyond its reply.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wants {
    /// It published something that its own client is subscribed to, perhaps.
    pub(super) drain: bool,
    /// It must hold on all reactors before its reply.
    pub(super) barrier: bool,
    /// It found a mailbox beyond its bound.
    pub(super) room: bool,
    /// More waits for its client to read than may.
    pub(super) reader: bool,
    /// Its client must be told that copies are stale.
    pub(super) own: bool,
}

impl Wants {
    #[inline]
    pub(super) fn is_nothing(self) -> bool {
        let Self { drain, barrier, room, reader, own } = self;
        !(drain | barrier | room | reader | own)
    }
}

impl Reactor {
    pub(super) fn new(id: ReactorId, shared: Arc<Shared>) -> Self {
        let shared = Rc::new(shared);
        let live = Arc::clone(&shared.live.read());
        let mut reactor = Self {
            id,
            live_version: shared.live_version.load(Ordering::Acquire),
            live,
            conns: Slab::new(),
            decoder: None,
            laddr: Arc::from(""),
            index: Index::default(),
            press: Press::default(),
            pool: BufferPool::default(),
            scratch: vec![0; READ_LEN],
            now: Now { unix_us: unix_us() },
            clock: quanta::Instant::now(),
            ticked: (quanta::Instant::now(), shared.uptime_ms()),
            inbox: Inbox::default(),
            dirty: Vec::new(),
            overflowing: Vec::new(),
            doomed: Vec::new(),
            parked: Vec::new(),
            to_wake: ReactorSet::default(),
            full: ReactorSet::default(),
            wants: Wants::default(),
            last_command: None,
            pubsub_hard_max: usize::MAX,
            n_turns: 0,
            n_blocked: 0,
            broadcasts: Broadcasts::default(),
            own_invalidations: Vec::new(),
            deadlines: Deadlines::default(),
            deadline_waker: None,
            rng: rand::make_rng(),
            scripting: None,
            busy_since_us: 0,
            twin: None,
            is_stopping: false,
            paused: false,
            n_quiet_ticks: QUIET_TICKS,
            readers: VecDeque::new(),
            push_bytes_max: usize::MAX,
            may_flush: false,
            leaving: Vec::new(),
            in_script: false,
            subscribing: SUBSCRIBING
                .iter()
                .filter_map(|it| shared.table.find(it).map(|it| it.id))
                .collect(),
            gauge: Gauge::new(),
            balance: Balance::default(),
            turn_waker: None,
            turn_scheduled: false,
            adopted: Vec::new(),
            shared,
        };
        reactor.apply_live();
        reactor
    }

    pub(super) fn stats(&self) -> Option<&Stats> {
        self.shared.stats.get(usize::from(self.id.0))
    }

    pub(super) fn mailbox(&self) -> Option<&Mailbox> {
        self.shared.mailbox(self.id)
    }

    /// Reads the clock for the commands that follow.
    #[inline]
    pub(super) fn refresh(&mut self) {
        self.now = Now { unix_us: unix_us() };
        self.clock = quanta::Instant::now();
        self.refresh_live();
    }

    /// Sets [`Self::clock`] beside the system's.
    pub(super) fn note_tick(&mut self) {
        self.ticked = (self.clock, self.shared.uptime_ms());
    }

    /// The uptime when the last command ended. The system's clock is not read for it.
    #[inline]
    pub(super) fn uptime_ms(&self) -> u64 {
        let (ticked, uptime_ms) = self.ticked;
        let since_ms = self.clock.saturating_duration_since(ticked).as_millis();
        uptime_ms.saturating_add(u64::try_from(since_ms).unwrap_or(u64::MAX))
    }

    #[inline]
    pub(super) fn refresh_live(&mut self) {
        if self.live_version != self.shared.live_version.load(Ordering::Acquire) {
            self.live_version = self.shared.live_version.load(Ordering::Acquire);
            self.live = Arc::clone(&self.shared.live.read());
            self.apply_live();
        }
    }

    /// A decoder between requests.
    pub(super) fn spare_decoder(&mut self) -> Box<RequestDecoder> {
        self.decoder.take().unwrap_or_else(|| Box::new(RequestDecoder::new(Limits::default())))
    }

    /// Limits of requests, as the configuration has them now.
    pub(super) fn request_limits(&self) -> Limits {
        Limits {
            bulk_len_max: self.live.bulk_bytes_max,
            array_len_max: i32::MAX as usize,
            // What has arrived is limited (`client-query-buffer-limit`), not what is announced.
            total_len_max: usize::MAX,
            ..Limits::default()
        }
    }

    fn apply_live(&mut self) {
        let hard = usize::try_from(self.live.output.pubsub.hard_bytes).unwrap_or(usize::MAX);
        self.pubsub_hard_max = if hard == 0 { usize::MAX } else { hard };
        self.push_bytes_max = self.live.push_bytes_max();
    }

    // --- the turn ---------------------------------------------------------------------------------------------

    pub(super) fn set_turn_waker(&mut self, waker: &Waker) {
        if self.turn_waker.is_none() {
            self.turn_waker = Some(waker.clone());
            if let Some(mailbox) = self.mailbox() {
                mailbox.set_waker(waker);
            }
        }
    }

    /// Sees to it that the turn is ended after the sockets that are ready now.
    #[inline]
    pub(super) fn schedule_turn(&mut self) {
        if !self.turn_scheduled {
            self.turn_scheduled = true;
            if let Some(waker) = &self.turn_waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Ends a turn: wakes others, drains the mailbox, closes and flushes.
    pub(super) fn end_turn(&mut self) {
        self.n_turns = self.n_turns.saturating_add(1);
        self.turn_scheduled = false;
        for reactor in std::mem::take(&mut self.to_wake).iter() {
            if let Some(mailbox) = self.shared.mailbox(reactor) {
                mailbox.wake();
            }
        }
        self.may_flush = true;
        self.drain();
        self.may_flush = false;
        self.flush_broadcasts();
        self.read_histories();
        self.close_overflowing();
        self.flush_dirty();
        self.close_doomed();
        if !self.leaving.is_empty() {
            self.carry_leaving();
        }
        if self.shared.shuffles.load(Ordering::Relaxed) {
            self.shuffle();
        }
    }

    // --- connections ------------------------------------------------------------------------------------------

    #[inline]
    pub(super) fn conn(&mut self, slot: u32) -> Option<&mut Conn> {
        self.conns.get_mut(slot as usize).map(|it| &mut **it).filter(|it| it.socket.is_some())
    }

    /// Takes a connection over; its task is spawned by whoever drains [`Self::take_adopted`].
    pub(super) fn adopt(&mut self, incoming: Incoming) {
        let keepalive_s = u64::from(self.live.keepalive_s);
        let keepalive = (keepalive_s != 0).then(|| Duration::from_secs(keepalive_s));
        let socket = match incoming.adopt(keepalive) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::debug!(%error, "a connection was gone before it was served");
                self.forget_connection(false);
                return;
            }
        };
        let id = self.shared.next_client_id.fetch_add(1, Ordering::Relaxed);
        let entry = self.conns.vacant_entry();
        let slot = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        let (addr, laddr) = socket.addresses(&self.shared.identity.unix_path);
        if *self.laddr != *laddr {
            self.laddr = Arc::from(laddr);
        }
        let laddr = Arc::clone(&self.laddr);
        let seat = Seat { reactor: self.id, slot };
        let place = Place { addr, laddr, fd: socket.fd(), is_unix: socket.is_unix(), seat };
        let facts = Arc::new(Facts::new(id, place, self.shared.uptime_ms()));
        self.shared.clients.insert(Arc::clone(&facts));
        let authenticated = !self.live.requires_auth;
        let session =
            Session { client: Client::new(id, authenticated), decoder: None, input: Vec::new() };
        let mut conn = Conn::new(Box::new(session), facts);
        conn.socket = Some(socket);
        entry.insert(Box::new(conn));
        if let Some(stats) = self.stats() {
            stats.n_connections_accepted.add(1);
        }
        self.adopted.push(slot);
    }

    /// Slots whose reading task is not spawned yet.
    pub(super) fn take_adopted(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.adopted)
    }

    /// One connection less, which stayed here or did not.
    pub(super) fn forget_connection(&self, was_settled: bool) {
        if let Some(load) = self.shared.loads.get(usize::from(self.id.0)) {
            let n_settled = usize::from(was_settled && self.shared.is_elastic);
            load.n_settled.fetch_sub(n_settled, Ordering::Relaxed);
            load.n_connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn mark_dirty(&mut self, slot: u32) {
        if let Some(conn) = self.conns.get_mut(slot as usize)
            && !conn.dirty
        {
            conn.dirty = true;
            self.dirty.push(slot);
        }
        self.schedule_turn();
    }

    /// Closes the connection at the end of the turn, whatever it still has to send.
    pub(super) fn doom(&mut self, slot: u32) {
        if let Some(client_id) = self.conns.get(slot as usize).map(|it| it.facts.id) {
            self.doomed.push((slot, client_id));
            self.schedule_turn();
        }
    }

    /// Closes those whose end was decided. A slot may have another client by now.
    pub(super) fn close_doomed(&mut self) {
        for (slot, client_id) in std::mem::take(&mut self.doomed) {
            let conn = self.conns.get_mut(slot as usize);
            match conn.filter(|it| it.facts.id == client_id) {
                // It may have lost its socket on the way from another reactor.
                Some(conn) if conn.session.is_some() => {
                    conn.socket = None;
                    self.forget(slot);
                }
                // Its own command runs at this moment.
                Some(conn) if conn.socket.is_some() => self.doomed.push((slot, client_id)),
                // It is closed already.
                Some(_) | None => {}
            }
        }
    }

    /// Closes a connection now. Its slot is kept until the markers that mention it are gone.
    pub(super) fn close(&mut self, slot: u32) {
        if self.conns.get_mut(slot as usize).is_some_and(|it| it.socket.take().is_some()) {
            self.forget(slot);
        }
    }

    /// Forgets a client whose socket is gone.
    pub(super) fn forget(&mut self, slot: u32) {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        let was_settled = conn.settled;
        if std::mem::take(&mut conn.blocked) {
            self.n_blocked = self.n_blocked.saturating_sub(1);
        }
        let facts = Arc::clone(&conn.facts);
        let waker = conn.waker.take();
        let session = conn.session.take();
        let waiting = conn.waiting.take();
        let subscriptions = conn.subscriptions.take();
        let n_lost = conn.outbox.n_bytes();
        conn.outbox = crate::client::Outbox::default();
        tracing::debug!(
            client = facts.id,
            addr = facts.addr,
            unsent_bytes = n_lost,
            "connection closed"
        );
        if let Some(blocked) = waiting {
            // Whoever serves it at this moment does so in vain, as if it had gone a moment later.
            let _ = blocked.end();
            self.shared.keyspace.forget_blocked(&blocked);
        }
        if let Some(mut session) = session {
            session.client.unwatch(&self.shared.keyspace);
        }
        if let Some(tracker) = facts.tracker() {
            tracker.leave();
            self.untrack_prefixes(slot, facts.id);
        }
        // Whatever the session says: its command may have panicked halfway.
        if self.shared.monitors.any() {
            self.shared.monitors.remove(facts.id);
        }
        match subscriptions {
            None => {
                self.conns.remove(slot as usize);
            }
            Some(subscriptions) => {
                for kind in KINDS {
                    for list in subscriptions.lists(kind) {
                        self.leave(kind, list, slot);
                    }
                }
                self.shared.n_reading.fetch_sub(subscriptions.reading().len(), Ordering::Relaxed);
                if let Some(mailbox) = self.mailbox() {
                    mailbox.post(Item::Free { slot });
                }
                self.schedule_turn();
            }
        }
        // Last: who no longer finds the client in a list does not find its subscriptions either.
        self.shared.clients.remove(facts.id);
        self.forget_connection(was_settled);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Gives up a subscription: the count changes and the marker is posted under one lock.
    pub(super) fn leave(&mut self, kind: Kind, list: fanfare_engine::pubsub::ListId, slot: u32) {
        let name = self.index.name(list).to_vec();
        let mailbox = self.shared.mailbox(self.id);
        if kind == Kind::Stream {
            self.shared.keyspace.pushed().leave();
        }
        self.shared.registry.unsubscribe(kind, &name, self.id, || {
            if let Some(mailbox) = mailbox {
                mailbox.post(Item::Unsubscribe { list, slot });
            }
        });
        self.schedule_turn();
    }

    // --- parking ----------------------------------------------------------------------------------------------

    /// Stops a session until it is resumed.
    pub(super) fn park(&mut self, slot: u32) {
        if let Some(conn) = self.conn(slot)
            && !conn.parked
        {
            conn.parked = true;
            conn.facts.seen.flags.fetch_or(flag::BLOCKED, Ordering::Relaxed);
            self.parked.push(slot);
        }
    }

    pub(super) fn resume_parked(&mut self) {
        for slot in std::mem::take(&mut self.parked) {
            let Some(conn) = self.conn(slot) else { continue };
            if conn.holds_back() {
                self.parked.push(slot);
                continue;
            }
            let had_barrier = conn.barrier.take().is_some();
            conn.parked = false;
            conn.paused = false;
            conn.gated = false;
            conn.resumed = true;
            conn.facts.seen.flags.fetch_and(!flag::BLOCKED, Ordering::Relaxed);
            let waker = conn.waker.clone();
            if had_barrier {
                self.mark_dirty(slot);
            }
            // The reading task runs what has arrived meanwhile and reads on.
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}
