//! From bytes to commands: what one connection has sent is decoded, checked and run.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use fanfare_engine::client::{Mode, Replies};
use fanfare_engine::evict::make_room;
use fanfare_engine::exec::{self, Admission, Called, Question};
use fanfare_engine::host::{Host as _, Kind};
use fanfare_engine::spec::{Flag, Group, Keys};
use fanfare_engine::table::Command;
use fanfare_engine::{Client, Reply, Request, Spec};
use fanfare_resp::{Progress, RequestError};

use super::conn::{Conn, Session};
use super::host::Turn;
use super::mailbox::{Barrier, Item};
use super::state::{Reactor, Wants};
use crate::client::{Facts, flag};

/// A client that does not read its replies is not read from, and nothing more of it runs, while so many bytes wait.
pub(super) const UNREAD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Whether a session goes on with its next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Next,
    /// The request was not run; it is run when the session is resumed.
    Again,
    Stop,
}

/// What running requests left of the bytes.
struct Used {
    n_bytes: usize,
    /// Bytes worth reserving for the request that is not complete.
    read_ahead: usize,
}

impl Reactor {
    /// Reads and runs what has arrived. `Ready`: the connection is over.
    pub(super) fn poll_conn(
        &mut self,
        slot: u32,
        client_id: u64,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(conn) = self.conn(slot).filter(|it| it.facts.id == client_id) else {
            return Poll::Ready(());
        };
        match &conn.waker {
            None => conn.waker = Some(cx.waker().clone()),
            Some(waker) if waker.will_wake(cx.waker()) => {}
            // It was carried away and has come back to its slot: one task of the two is enough.
            Some(_) => return Poll::Ready(()),
        }
        if conn.blocked && self.poll_blocked(slot, cx).is_ready() {
            return Poll::Ready(());
        }
        if self.is_stopping {
            return Poll::Pending;
        }
        let Some(conn) = self.conn(slot) else { return Poll::Ready(()) };
        if conn.parked || conn.waiting.is_some() {
            return self.poll_parked(slot, cx);
        }
        if conn.closing || UNREAD_BYTES_MAX < conn.outbox.n_bytes() {
            return Poll::Pending;
        }
        if std::mem::take(&mut conn.resumed) {
            // Requests may have waited while the session was parked.
            self.ingest(slot, 0);
            match self.conn(slot) {
                Some(conn) if conn.parked || conn.waiting.is_some() => {
                    return self.poll_parked(slot, cx);
                }
                Some(conn) if !conn.closing && !conn.resumed => {}
                Some(_) | None => return Poll::Pending,
            }
        }
        self.poll_input(slot, cx)
    }

    fn poll_blocked(&mut self, slot: u32, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(conn) = self.conn(slot) else { return Poll::Ready(()) };
            if !conn.blocked {
                return Poll::Pending;
            }
            // What is held back is flushed when the session is resumed.
            let held_back = conn.holds_back();
            let Some(socket) = conn.socket.as_ref().filter(|_| !held_back) else {
                return Poll::Pending;
            };
            match socket.poll_writable(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(_) => self.flush(slot),
            }
        }
    }

    fn poll_input(&mut self, slot: u32, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut scratch = std::mem::take(&mut self.scratch);
            let polled = match self.conn(slot).and_then(|it| it.socket.as_mut()) {
                Some(socket) => socket.poll_read(cx, &mut scratch),
                None => Poll::Ready(Ok(0)),
            };
            let len = scratch.len();
            self.scratch = scratch;
            match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => {
                    // The peer has said all it wanted to (`printf … | nc`), and may still read the answers.
                    self.flush(slot);
                    self.close(slot);
                    return Poll::Ready(());
                }
                Poll::Ready(Err(_)) => {
                    self.close(slot);
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(n)) => {
                    self.ingest(slot, n);
                    let Some(conn) = self.conn(slot) else { return Poll::Ready(()) };
                    if conn.parked || conn.waiting.is_some() {
                        return self.poll_parked(slot, cx);
                    }
                    if conn.closing || conn.resumed {
                        return Poll::Pending;
                    }
                    if n == len {
                        // More has arrived; the others first.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// While a command waits, or CLIENT PAUSE holds it: who hangs up is gone, and what it had sent with it, as in Redis.
    fn poll_parked(&mut self, slot: u32, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let polled = loop {
            let Some(conn) = self.conn(slot).filter(|it| it.is_waiting()) else {
                break Poll::Pending;
            };
            let (Some(socket), Some(session)) = (&mut conn.socket, &mut conn.session) else {
                break Poll::Pending;
            };
            if PAUSED_INPUT_MAX < session.input.len() {
                break Poll::Pending;
            }
            match socket.poll_read(cx, &mut scratch) {
                Poll::Pending => break Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => {
                    self.close(slot);
                    break Poll::Ready(());
                }
                Poll::Ready(Ok(n)) => {
                    session.input.extend_from_slice(scratch.get(..n).unwrap_or_default())
                }
            }
        };
        self.scratch = scratch;
        polled
    }

    /// Runs the requests in what was kept and the first `n` bytes of the scratch buffer.
    fn ingest(&mut self, slot: u32, n: usize) {
        let session = self.conn(slot).and_then(|it| it.session.as_ref());
        if session.is_some_and(|it| it.client.is_tracking()) {
            // What was changed before the client asks again is told before it is answered.
            self.drain();
            self.flush_broadcasts();
        }
        let Some(mut session) = self.conn(slot).and_then(|it| it.session.take()) else { return };
        self.refresh();
        let scratch = std::mem::take(&mut self.scratch);
        let arrived = scratch.get(..n).unwrap_or_default();
        let run = || self.run_arrived(slot, &mut session, arrived);
        let ran = catch_unwind(AssertUnwindSafe(run));
        self.scratch = scratch;
        if let Err(panic) = ran {
            // Whoever catches it closes the connection, and needs to know what it watches.
            if let Some(conn) = self.conns.get_mut(slot as usize) {
                conn.session = Some(session);
            }
            resume_unwind(panic);
        }
        if let Some(stats) = self.stats() {
            stats.n_reads.add(1);
            stats.n_bytes_read.add(n as u64);
            stats.input_bytes_peak.raise_to(session.input.len() as u64);
        }
        if self.live.query_bytes_max < session.input.len() {
            self.refuse_input(slot, session.input.len());
        }
        let (uptime_ms, last_command) = (self.uptime_ms(), self.last_command.take());
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            note(&conn.facts, &session, last_command, uptime_ms);
            note_subscriptions(conn);
            conn.session = Some(session);
            if conn.subscriptions.is_some() && !conn.settled {
                // It subscribed in a transaction.
                self.settle(slot);
            }
        }
    }

    /// Runs the requests in what was kept and `arrived`, and keeps the rest.
    pub(super) fn run_arrived(&mut self, slot: u32, session: &mut Session, arrived: &[u8]) {
        if session.input.is_empty() {
            let used = self.run(slot, session, arrived);
            let rest = arrived.get(used.n_bytes..).unwrap_or_default();
            if !rest.is_empty() {
                session.input.reserve(rest.len() + used.read_ahead);
                session.input.extend_from_slice(rest);
            }
        } else {
            session.input.extend_from_slice(arrived);
            let mut input = std::mem::take(&mut session.input);
            let used = self.run(slot, session, &input);
            if used.n_bytes == input.len() {
                input = Vec::new();
            } else {
                input.drain(..used.n_bytes);
                input.reserve(used.read_ahead);
            }
            session.input = input;
        }
    }

    pub(super) fn refuse_input(&mut self, slot: u32, n_bytes: usize) {
        let limit = self.live.query_bytes_max;
        if let Some(conn) = self.conn(slot) {
            let addr = conn.facts.addr.clone();
            tracing::warn!(
                addr,
                n_bytes,
                limit,
                "client closed: it sent more than client-query-buffer-limit at once"
            );
        }
        if let Some(stats) = self.stats() {
            stats.n_query_kills.add(1);
        }
        self.doom(slot);
    }

    /// Runs the complete requests in `data`.
    fn run(&mut self, slot: u32, session: &mut Session, data: &[u8]) -> Used {
        let shared = Rc::clone(&self.shared);
        let mut decoder = session.decoder.take().unwrap_or_else(|| self.spare_decoder());
        *decoder.limits_mut() = self.request_limits();
        decoder.set_authenticated(session.client.authenticated);
        let mut in_request = false;
        let mut at = 0;
        let mut read_ahead = 0;
        while at < data.len() {
            let rest = data.get(at..).unwrap_or_default();
            match decoder.decode(rest) {
                Ok(Progress::Incomplete { wanted }) => {
                    in_request = true;
                    // Room for the rest of a large argument, but not for a length that is only claimed.
                    read_ahead =
                        if READ_AHEAD_MIN < wanted { wanted.min(READ_AHEAD_MAX) } else { 0 };
                    break;
                }
                Ok(Progress::Complete { consumed }) => {
                    let request = decoder.request(rest);
                    match self.serve(slot, &mut session.client, request, &shared) {
                        Flow::Next => at += consumed,
                        Flow::Again => break,
                        Flow::Stop => {
                            at += consumed;
                            break;
                        }
                    }
                    decoder.set_authenticated(session.client.authenticated);
                }
                Err(error) => {
                    self.protocol_error(slot, &session.client, &error);
                    // Neither the connection nor its decoder are used again.
                    return Used { n_bytes: data.len(), read_ahead: 0 };
                }
            }
        }
        if in_request {
            session.decoder = Some(decoder);
        } else {
            self.decoder = Some(decoder);
        }
        Used { n_bytes: if session.client.closing { data.len() } else { at }, read_ahead }
    }

    fn protocol_error(&mut self, slot: u32, client: &Client, error: &RequestError) {
        tracing::debug!(client = client.id, %error, "protocol error");
        if let Some(stats) = self.stats() {
            stats.n_protocol_errors.add(1);
        }
        let mut line = Vec::new();
        error.write_reply(&mut line);
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            conn.outbox.copy(&line, &mut self.pool);
        }
        self.close_after_flush(slot);
    }

    /// Handles one request.
    fn serve(
        &mut self,
        slot: u32,
        client: &mut Client,
        request: Request<'_>,
        shared: &crate::shared::Shared,
    ) -> Flow {
        if request.is_empty() {
            return Flow::Next;
        }
        let now = self.now;
        let ask = |question| {
            let mut turn = Turn::new(&mut *self, shared, slot);
            match question {
                Question::MayDebug => turn.debug_allowed(),
                Question::HasRoom => make_room(now, &shared.keyspace, &mut turn),
            }
        };
        let (command, queues) =
            match exec::admit(client, (&shared.keyspace, &shared.table), request, ask) {
                Ok(Admission::Run(command)) => (command, false),
                Ok(Admission::Queue(command)) => (command, true),
                Err(refusal) => {
                    self.last_command = Some(refusal.command.map_or(u16::MAX, |it| it.id));
                    if let Some(stats) = self.stats() {
                        stats.refused(refusal.command, &refusal.error);
                    }
                    if refusal.command.is_none() && is_http(request) {
                        tracing::warn!(
                            client = client.id,
                            "connection closed: it speaks HTTP, perhaps on behalf of an attacker"
                        );
                        client.closing = true;
                        // Not even what was answered before.
                        if let Some(conn) = self.conns.get_mut(slot as usize) {
                            conn.outbox = crate::client::Outbox::default();
                        }
                        self.doom(slot);
                        return Flow::Stop;
                    }
                    self.reply_unless_silent(slot, client, &Reply::Error(refusal.error));
                    return Flow::Next;
                }
            };
        if shared.pause.holds(self.now.unix_ms(), || may_write(client, command)) {
            self.park(slot);
            self.paused = true;
            if let Some(conn) = self.conn(slot) {
                conn.paused = true;
            }
            return Flow::Again;
        }
        if queues {
            let reply = exec::queue(client, command, request);
            self.last_command = Some(command.id);
            self.reply_unless_silent(slot, client, &reply);
            // A transaction is something that the client has sent and that is not handled yet.
            if let Mode::Multi { n_bytes, .. } = client.mode
                && self.live.query_bytes_max < n_bytes
            {
                self.refuse_input(slot, n_bytes);
                client.closing = true;
                return Flow::Stop;
            }
            return Flow::Next;
        }
        if shared.is_elastic
            && command.has(Flag::PubSub)
            && self.subscribing.contains(&command.id)
            && self.leaves_to_subscribe(slot)
        {
            return Flow::Again;
        }
        self.call(slot, client, (command, request), shared)
    }

    fn call(
        &mut self,
        slot: u32,
        client: &mut Client,
        (command, request): (Command, Request<'_>),
        shared: &crate::shared::Shared,
    ) -> Flow {
        let is_exec = matches!(command.spec.keys, Keys::Queued);
        if command.has(Flag::Admin) || is_exec {
            self.note_before(slot, client, command);
        }
        self.last_command = Some(command.id);
        let (keyspace, table) = (&shared.keyspace, &shared.table);
        let mut turn = Turn::new(self, shared, slot);
        let called =
            exec::call(turn.reactor.now, client, (keyspace, table), &mut turn, (command, request));
        drop(turn);
        let reply = match called {
            Called::Done(result) => result.unwrap_or_else(Reply::Error),
            Called::Blocked(blocked) => {
                self.wait(slot, blocked);
                self.tell_own();
                return Flow::Stop;
            }
            Called::Closed => {
                self.park(slot);
                if let Some(conn) = self.conn(slot) {
                    conn.gated = true;
                }
                return Flow::Again;
            }
        };
        self.reply_unless_silent(slot, client, &reply);
        if command.spec.group == Group::Connection || is_exec {
            self.note_connection(slot, client);
        }
        if self.wants.is_nothing() && !client.closing {
            return Flow::Next;
        }
        let wants = std::mem::take(&mut self.wants);
        self.follow_up(slot, client, wants)
    }

    /// What a command asked for beyond its reply.
    fn follow_up(&mut self, slot: u32, client: &Client, wants: Wants) -> Flow {
        if client.closing {
            self.full = fanfare_engine::pubsub::ReactorSet::default();
            self.own_invalidations.clear();
            self.close_after_flush(slot);
            return Flow::Stop;
        }
        if wants.own {
            self.tell_own();
        }
        if wants.drain {
            self.drain();
            self.close_doomed();
        }
        if wants.barrier && self.hold_until_all_know(slot) {
            return Flow::Stop;
        }
        if wants.room && self.wait_for_room(slot) {
            return Flow::Stop;
        }
        if wants.reader && self.wait_for_reader(slot) {
            return Flow::Stop;
        }
        Flow::Next
    }

    /// A connection command may have changed the protocol version or a name.
    fn note_connection(&mut self, slot: u32, client: &Client) {
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            conn.version = client.version;
            conn.facts.set_texts(&client.name, &client.lib_name, &client.lib_ver);
        }
    }

    /// A few bytes of requests can make gigabytes of replies: the rest of them runs once these are read. Returns
    /// whether it waits.
    fn wait_for_reader(&mut self, slot: u32) -> bool {
        match self.conn(slot) {
            Some(conn) if UNREAD_BYTES_MAX < conn.outbox.n_bytes() => {
                conn.resumed = true;
                true
            }
            _ => false,
        }
    }

    /// A mailbox is beyond its bound: this publisher is not read from until there is room. Returns whether it waits.
    fn wait_for_room(&mut self, slot: u32) -> bool {
        let full = std::mem::take(&mut self.full);
        let must_wait =
            full.iter().any(|it| self.shared.mailbox(it).is_some_and(super::Mailbox::must_wait));
        if !must_wait {
            return false;
        }
        if let Some(stats) = self.stats() {
            stats.n_mailbox_waits.add(1);
        }
        full.iter().for_each(|it| self.to_wake.insert(it));
        self.park(slot);
        self.schedule_turn();
        true
    }

    /// The reply waits until every other reactor has seen what this command changed. Returns whether it waits.
    fn hold_until_all_know(&mut self, slot: u32) -> bool {
        let others: Vec<_> =
            (0..self.shared.mailboxes.len()).filter(|it| *it != usize::from(self.id.0)).collect();
        if others.is_empty() {
            return false;
        }
        let barrier = Arc::new(Barrier { n_missing: AtomicUsize::new(others.len()) });
        if let Some(conn) = self.conn(slot) {
            conn.barrier = Some(Arc::clone(&barrier));
        }
        self.park(slot);
        for other in others {
            if let Some(mailbox) = self.shared.mailboxes.get(other) {
                mailbox.post(Item::Barrier(Arc::clone(&barrier)));
                mailbox.wake();
            }
        }
        true
    }

    pub(super) fn reply_unless_silent(&mut self, slot: u32, client: &mut Client, reply: &Reply) {
        let silent = match client.replies {
            Replies::On => false,
            Replies::Off => true,
            Replies::SkipNext => {
                client.replies = Replies::Skipping;
                true
            }
            Replies::Skipping => {
                client.replies = Replies::On;
                true
            }
        };
        if !silent || reply.is_push() {
            self.answer(slot, client, reply);
        }
    }

    #[inline]
    fn answer(&mut self, slot: u32, client: &Client, reply: &Reply) {
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            conn.outbox.reply(client.version, &mut self.pool, |out| reply.write(out));
            self.wants.reader |= UNREAD_BYTES_MAX < conn.outbox.n_bytes();
            if !conn.dirty {
                conn.dirty = true;
                self.dirty.push(slot);
                self.schedule_turn();
            }
        }
    }

    fn close_after_flush(&mut self, slot: u32) {
        if let Some(conn) = self.conn(slot) {
            conn.closing = true;
            self.mark_dirty(slot);
        }
    }

    /// What an administrative command may read about its own client.
    fn note_before(&mut self, slot: u32, client: &Client, command: Command) {
        let uptime_ms = self.shared.uptime_ms();
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            note_client(&conn.facts, client);
            conn.facts.seen.active_ms.store(uptime_ms, Ordering::Relaxed);
            conn.facts.seen.command.store(command.id, Ordering::Relaxed);
            note_subscriptions(conn);
        }
    }
}

/// A browser can be made to send commands inside an HTTP request; its own words give it away. Redis closes too.
fn is_http(request: Request<'_>) -> bool {
    let name = request.get(0).unwrap_or_default();
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Hints of the decoder below this are not worth an allocation, and more than this is not allocated on a mere claim.
const READ_AHEAD_MIN: usize = 32 * 1024;
const READ_AHEAD_MAX: usize = 1024 * 1024;

/// What is kept of a client that waits for the end of a pause; the rest stays in the socket.
const PAUSED_INPUT_MAX: usize = 1024 * 1024;

/// Whether `CLIENT PAUSE WRITE` holds the command.
fn may_write(client: &Client, command: Command) -> bool {
    let writes = |spec: &Spec| spec.has(Flag::Write) || spec.has(Flag::MayReplicate);
    match &client.mode {
        Mode::Multi { queued, .. } if command.spec.name == "exec" => {
            queued.iter().any(|it| writes(it.command.spec))
        }
        Mode::Multi { .. } | Mode::Normal => writes(command.spec),
    }
}

fn note(facts: &Facts, session: &Session, command: Option<u16>, uptime_ms: u64) {
    facts.seen.active_ms.store(uptime_ms, Ordering::Relaxed);
    facts.seen.input_len.store(session.input.len(), Ordering::Relaxed);
    if let Some(command) = command {
        facts.seen.command.store(command, Ordering::Relaxed);
    }
    note_client(facts, &session.client);
}

/// Copies what others may see of a connection's subscriptions.
pub(super) fn note_subscriptions(conn: &Conn) {
    let seen = &conn.facts.seen;
    for (kind, seen) in [
        (Kind::Channel, &seen.n_channels),
        (Kind::Pattern, &seen.n_patterns),
        (Kind::Shard, &seen.n_shards),
        (Kind::Stream, &seen.n_streams),
    ] {
        seen.store(
            u32::try_from(conn.n_subscriptions(kind)).unwrap_or(u32::MAX),
            Ordering::Relaxed,
        );
    }
}

/// Copies what others may see of a client.
pub(super) fn note_client(facts: &Facts, client: &Client) {
    let seen = &facts.seen;
    seen.db.store(client.db, Ordering::Relaxed);
    seen.resp.store(
        if client.version == fanfare_engine::Version::Resp3 { 3 } else { 2 },
        Ordering::Relaxed,
    );
    let n_queued = match &client.mode {
        Mode::Normal => -1,
        Mode::Multi { queued, .. } => i64::try_from(queued.len()).unwrap_or(i64::MAX),
    };
    if !client.in_exec {
        seen.n_queued.store(n_queued, Ordering::Relaxed);
    }
    facts.set_watch(client.watch.len(), client.watch.mark());
    let mut bits = seen.flags.load(Ordering::Relaxed) & flag::BLOCKED;
    for (on, bit) in [
        (client.monitoring, flag::MONITOR),
        (client.closing, flag::CLOSE_AFTER_REPLY),
        (client.no_evict, flag::NO_EVICT),
        (client.no_touch, flag::NO_TOUCH),
    ] {
        if on {
            bits |= bit;
        }
    }
    seen.flags.store(bits, Ordering::Relaxed);
}
