//! The protocol of one connection, without I/O: a pipeline of requests with deadlines, pushes,
//! and the heartbeat.
//!
//! The methods are of three kinds. *Inputs*, `handle_*`, and `submit`/`ask` for the application's
//! own wishes; *outputs*, `poll_*`, to be drained after every input; and the two buffers that the
//! driver reads into and writes from. Time is an argument.
//!
//! Decoding happens in [`Core::poll_output`], one value at a time, so that a driver that stops
//! polling holds at most what it has read.

use std::{collections::VecDeque, time::Instant};

use bytes::{Buf, Bytes, BytesMut};
use fanfare_resp::{Decoder, Limits, Value};
use smallvec::SmallVec;

use crate::{
    Error, ErrorKind, Role,
    connection::echo::Echo,
    heartbeat::{Beat, Heartbeat},
    subscriptions::{Ask, Batch, Kind, Target},
};

/// The answers to one request: one for each of its commands.
pub(crate) type Replies = SmallVec<[Result<Value, Error>; 1]>;

/// Encoded commands that are sent together, and what is expected in return.
#[derive(Debug)]
pub(crate) struct Request<T> {
    /// The commands, encoded.
    pub(crate) bytes: Bytes,
    /// How many commands they are.
    pub(crate) n_commands: usize,
    /// When nobody waits for the answers any longer.
    pub(crate) deadline: Instant,
    /// Whose request it is.
    pub(crate) token: T,
}

/// What comes out of a connection.
#[derive(Debug)]
pub(crate) enum Output<T> {
    /// A request is done, for better or worse.
    Replies { token: T, replies: Replies },
    /// A published message.
    Message(Incoming),
    /// The connection is (or no longer is) subscribed to a target.
    Confirmed { ask: Ask, target: Target },
    /// The server refused to do what a batch asks.
    Refused { batch: Batch, error: Error },
    /// A push about a stream that is followed, as it came.
    StreamPush(Vec<Value>),
}

/// A message as it came over the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) kind: Kind,
    /// The pattern that matched, for [`Kind::Pattern`].
    pub(crate) pattern: Option<Bytes>,
    pub(crate) channel: Bytes,
    pub(crate) payload: Bytes,
}

/// The protocol state of one connection after its handshake.
#[derive(Debug)]
pub(crate) struct Core<T> {
    role: Role,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
    /// Bytes ever queued for writing, and ever written: they tell what the server may have seen.
    n_queued: u64,
    n_written: u64,
    pending: VecDeque<Pending<T>>,
    /// A time before which no deadline passes. Not always the earliest deadline: it is only
    /// recomputed when it has passed, so that requests need no timer of their own.
    no_deadline_before: Option<Instant>,
    /// Requests that are done without an answer.
    expired: VecDeque<(T, Replies)>,
    heartbeat: Heartbeat,
    echo: Echo,
    /// Where the last ping ends in all that was ever queued.
    ping_end: u64,
}

/// What has been asked and not been answered, in the order of the wire.
#[derive(Debug)]
enum Pending<T> {
    Request(Waiting<T>),
    Batch { batch: Batch, n_left: usize },
    Ping,
}

#[derive(Debug)]
struct Waiting<T> {
    /// `None` once the deadline has passed: the answers must still be taken off the wire.
    token: Option<T>,
    /// With a token, all commands; without, those whose answers are still to come.
    n_commands: usize,
    replies: Replies,
    deadline: Instant,
    /// Where its bytes are in all that was ever queued.
    start: u64,
    end: u64,
}

/// Bytes to read at once.
pub(crate) const READ_CHUNK: usize = 64 * 1024;

/// Output beyond which no further requests are taken.
const OUTPUT_HIGH: usize = 256 * 1024;

/// Largest output buffer that is kept while it is empty.
const OUTPUT_KEPT_MAX: usize = 1024 * 1024;

/// Most memory reserved because the peer announced a large value.
const RESERVE_MAX: usize = 4 * 1024 * 1024;

impl<T> Core<T> {
    /// A connection whose handshake is done. `input` is what arrived after it, and `random` a
    /// number that nobody else can know.
    pub(crate) fn new(
        role: Role,
        limits: Limits,
        heartbeat: Heartbeat,
        input: BytesMut,
        random: u64,
    ) -> Self {
        Self {
            role,
            decoder: Decoder::new(limits),
            input,
            output: BytesMut::new(),
            n_queued: 0,
            n_written: 0,
            pending: VecDeque::new(),
            no_deadline_before: None,
            expired: VecDeque::new(),
            heartbeat,
            echo: Echo::new(random),
            ping_end: 0,
        }
    }

    /// Whether another request may be submitted now.
    pub(crate) fn has_room(&self) -> bool {
        self.output.len() < OUTPUT_HIGH
    }

    /// Sends a request. Its answer, or its failure, comes out of [`poll_output`](Self::poll_output),
    /// unless the connection is given up first: then out of [`give_up`](Self::give_up).
    pub(crate) fn submit(&mut self, request: Request<T>) {
        let start = self.n_queued;
        if request.n_commands == 0 {
            // Nothing will be answered, and nobody else's answer is to be taken for it.
            self.expired.push_back((request.token, Replies::new()));
            return;
        }
        self.queue(&request.bytes);
        let deadline = request.deadline;
        self.no_deadline_before =
            Some(self.no_deadline_before.map_or(deadline, |earliest| earliest.min(deadline)));
        self.pending.push_back(Pending::Request(Waiting {
            token: Some(request.token),
            n_commands: request.n_commands,
            replies: Replies::with_capacity(request.n_commands),
            deadline,
            start,
            end: self.n_queued,
        }));
    }

    /// Sends a batch of subscribes or unsubscribes.
    pub(crate) fn ask(&mut self, batch: Batch) {
        let mut bytes = Vec::new();
        let args = std::iter::once(batch.verb().as_bytes())
            .chain(batch.names.iter().map(Bytes::as_ref))
            .collect::<Vec<_>>();
        fanfare_resp::command(&mut bytes, args.into_iter());
        self.queue(&bytes);
        let n_left = batch.names.len();
        self.pending.push_back(Pending::Batch { batch, n_left });
    }

    /// Where the driver reads into.
    pub(crate) fn input(&mut self) -> &mut BytesMut {
        let wanted = self.decoder.bytes_wanted().clamp(READ_CHUNK, RESERVE_MAX);
        if self.input.capacity() - self.input.len() < READ_CHUNK / 2 {
            self.input.reserve(wanted);
        }
        &mut self.input
    }

    /// The last `n` bytes have been added to [`input`](Self::input).
    pub(crate) fn handle_read(&mut self, n: usize, now: Instant) {
        self.heartbeat.handle_read(n, now);
        self.echo.handle_read(&self.input, n);
    }

    /// When the bytes came that made the last value whole.
    pub(crate) fn value_at(&self) -> Instant {
        self.heartbeat.value_at()
    }

    /// When there was last a sign of life: such a value, or enough of one that is under way.
    pub(crate) fn alive_at(&self) -> Instant {
        self.heartbeat.alive_at()
    }

    /// What the driver should write next; empty if nothing.
    pub(crate) fn output(&self) -> &[u8] {
        &self.output
    }

    /// The first `n` bytes of [`output`](Self::output) have been written.
    pub(crate) fn handle_written(&mut self, n: usize) {
        self.output.advance(n);
        if self.n_written < self.ping_end {
            self.heartbeat.handle_progress(n);
        }
        self.n_written += n as u64;
        // One huge request must not keep its memory for as long as the connection lives.
        if self.output.is_empty() && OUTPUT_KEPT_MAX < self.output.capacity() {
            self.output = BytesMut::new();
        }
    }

    /// Reading stops on purpose, or goes on.
    pub(crate) fn handle_pause(&mut self, paused: bool, now: Instant) {
        self.heartbeat.handle_pause(paused, now);
    }

    /// Whether [`handle_timeout`](Self::handle_timeout) may give something up. What has arrived
    /// and was not read yet could save it, so the driver should read that first, and hand out what
    /// comes of it.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.no_deadline_before.is_some_and(|at| at <= now) || self.heartbeat.is_overdue(now)
    }

    /// Time has passed: expires requests and keeps the heartbeat.
    ///
    /// # Errors
    /// The peer did not answer the heartbeat: give the connection up.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.no_deadline_before.is_some_and(|at| at <= now) {
            self.expire(now);
            // If its answer was swallowed, the next ones are late or somebody else's.
            if !self.expired.is_empty() && !self.echo.is_waiting() {
                self.ping();
            }
        }
        match self.heartbeat.handle_timeout(now) {
            Beat::Nothing => Ok(()),
            Beat::Ping => {
                self.ping();
                Ok(())
            }
            Beat::Dead => Err(Error::silence(
                "the server does not answer the heartbeat: it hangs, or the network is cut",
            )),
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) even if nothing happens.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match (self.no_deadline_before, self.heartbeat.poll_timeout()) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        }
    }

    /// What has come out, or `None` until the next input.
    ///
    /// # Errors
    /// The peer broke the protocol, or its answers are not those to the questions: give the
    /// connection up.
    pub(crate) fn poll_output(&mut self) -> Result<Option<Output<T>>, Error> {
        if let Some((token, replies)) = self.expired.pop_front() {
            return Ok(Some(Output::Replies { token, replies }));
        }
        loop {
            let value = self.decoder.decode(&mut self.input).map_err(|source| {
                Error::new(ErrorKind::Protocol, "the server sent something that is not RESP")
                    .with_source(source)
                    .sent()
            })?;
            let Some(value) = value else {
                return if self.echo.is_out_of_step() { Err(out_of_step()) } else { Ok(None) };
            };
            self.heartbeat.handle_value();
            if let Some(output) = self.dispatch(value)? {
                return Ok(Some(output));
            }
        }
    }

    /// Ends the connection. What was (even partly) sent fails with `error`; what was not sent at
    /// all comes back to be sent elsewhere.
    pub(crate) fn give_up(mut self, error: &Error) -> (Vec<(T, Replies)>, Vec<Request<T>>) {
        let (mut failed, mut unsent) = (Vec::from(std::mem::take(&mut self.expired)), Vec::new());
        for pending in std::mem::take(&mut self.pending) {
            let Pending::Request(mut waiting) = pending else { continue };
            let Some(token) = waiting.token.take() else { continue };
            match self.unsent_bytes(waiting.start, waiting.end) {
                Some(bytes) => unsent.push(Request {
                    bytes,
                    n_commands: waiting.n_commands,
                    deadline: waiting.deadline,
                    token,
                }),
                None => failed.push((token, fill(waiting.replies, waiting.n_commands, error))),
            }
        }
        (failed, unsent)
    }

    fn unsent_bytes(&self, start: u64, end: u64) -> Option<Bytes> {
        let start = usize::try_from(start.checked_sub(self.n_written)?).ok()?;
        let end = usize::try_from(end.checked_sub(self.n_written)?).ok()?;
        self.output.get(start..end).map(Bytes::copy_from_slice)
    }

    fn ping(&mut self) {
        let Some(word) = self.echo.ask() else { return };
        let mut bytes = Vec::new();
        fanfare_resp::command(&mut bytes, [&b"PING"[..], word.as_bytes()].into_iter());
        self.queue(&bytes);
        self.ping_end = self.n_queued;
        self.pending.push_back(Pending::Ping);
    }

    fn queue(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        self.n_queued += bytes.len() as u64;
    }

    fn expire(&mut self, now: Instant) {
        let mut earliest: Option<Instant> = None;
        for pending in &mut self.pending {
            let Pending::Request(waiting) = pending else { continue };
            if waiting.token.is_none() {
                continue;
            }
            if now < waiting.deadline {
                earliest = Some(earliest.map_or(waiting.deadline, |it| it.min(waiting.deadline)));
                continue;
            }
            if let Some(token) = waiting.token.take() {
                let replies = std::mem::take(&mut waiting.replies);
                let error =
                    Error::new(ErrorKind::Timeout, "the server did not answer in time").sent();
                let n_left = waiting.n_commands.saturating_sub(replies.len());
                self.expired.push_back((token, fill(replies, waiting.n_commands, &error)));
                waiting.n_commands = n_left;
            }
        }
        self.no_deadline_before = earliest;
    }

    fn dispatch(&mut self, value: Value) -> Result<Option<Output<T>>, Error> {
        match value {
            Value::Push(items) if self.role == Role::Streams => Ok(Some(Output::StreamPush(items))),
            Value::Push(items) => self.dispatch_push(items),
            Value::Array(items) if self.role == Role::Subscriptions => self.dispatch_push(items),
            value => self.dispatch_reply(value),
        }
    }

    fn dispatch_reply(&mut self, value: Value) -> Result<Option<Output<T>>, Error> {
        let value = match value {
            Value::SimpleError(text) | Value::BulkError(text) => Err(Error::server(&text)),
            value => Ok(value),
        };
        match self.pending.pop_front() {
            Some(Pending::Request(mut waiting)) => {
                if waiting.token.is_some() {
                    waiting.replies.push(value);
                } else {
                    // Nobody waits: the slot only counts down.
                    waiting.n_commands -= 1;
                }
                if waiting.replies.len() < waiting.n_commands {
                    self.pending.push_front(Pending::Request(waiting));
                    return Ok(None);
                }
                let replies = waiting.replies;
                Ok(waiting.token.map(|token| Output::Replies { token, replies }))
            }
            Some(Pending::Ping) => self.handle_pong(value.as_ref()),
            Some(Pending::Batch { batch, .. }) => match value {
                Err(error) => Ok(Some(Output::Refused { batch, error })),
                Ok(_) => Err(unexpected("a plain reply to a subscribe")),
            },
            None => Err(match value {
                // Such as "-ERR max number of clients reached", just before the server closes.
                Err(error) => error,
                Ok(_) => unexpected("a reply to no request"),
            }),
        }
    }

    fn handle_pong(&mut self, answer: Result<&Value, &Error>) -> Result<Option<Output<T>>, Error> {
        let is_ours = match answer {
            Ok(Value::BulkString(word)) => self.echo.handle_answer(Some(&word[..])),
            Ok(Value::SimpleString(text)) if text == "PONG" => self.echo.handle_answer(None),
            Ok(_) => false,
            // Who may not ping, or is told that the server is busy, has an answer all the same.
            Err(_) => self.echo.handle_answer(None),
        };
        if is_ours { Ok(None) } else { Err(out_of_step()) }
    }

    fn dispatch_push(&mut self, items: Vec<Value>) -> Result<Option<Output<T>>, Error> {
        let n_items = items.len();
        let mut items = items.into_iter();
        let mut next = || items.next().and_then(Value::into_bytes);
        let verb = next().unwrap_or_default();
        let (ask, kind) = match (verb.as_ref(), n_items) {
            (b"message", 3) => return incoming(Kind::Channel, None, next(), next()),
            (b"pmessage", 4) => return incoming(Kind::Pattern, next(), next(), next()),
            (b"smessage", 3) => return incoming(Kind::Shard, None, next(), next()),
            // It may have swallowed others.
            (b"message" | b"pmessage" | b"smessage", _) => {
                return Err(unexpected("a message with too few or too many parts"));
            }
            (b"subscribe", _) => (Ask::Subscribe, Kind::Channel),
            (b"psubscribe", _) => (Ask::Subscribe, Kind::Pattern),
            (b"ssubscribe", _) => (Ask::Subscribe, Kind::Shard),
            (b"unsubscribe", _) => (Ask::Unsubscribe, Kind::Channel),
            (b"punsubscribe", _) => (Ask::Unsubscribe, Kind::Pattern),
            (b"sunsubscribe", _) => (Ask::Unsubscribe, Kind::Shard),
            (b"pong", _) => {
                let word = next().filter(|word| !word.is_empty());
                let is_ours = matches!(self.pending.pop_front(), Some(Pending::Ping))
                    && self.echo.handle_answer(word.as_deref());
                return if is_ours { Ok(None) } else { Err(out_of_step()) };
            }
            // Other pushes, such as "invalidate", are nothing that this link asks for.
            _ => return Ok(None),
        };
        let Some(name) = next() else { return Ok(None) };
        if let Some(Pending::Batch { batch, n_left }) = self.pending.front_mut()
            && (batch.ask, batch.kind) == (ask, kind)
        {
            let awaited = batch.names.get(batch.names.len() - *n_left);
            // That a shard has moved away is told unasked.
            if awaited != Some(&name) && (ask, kind) != (Ask::Unsubscribe, Kind::Shard) {
                return Err(out_of_step());
            }
            if awaited == Some(&name) {
                *n_left -= 1;
            }
            if *n_left == 0 {
                self.pending.pop_front();
            }
        }
        Ok(Some(Output::Confirmed { ask, target: Target { kind, name } }))
    }
}

fn incoming<T>(
    kind: Kind,
    pattern: Option<Bytes>,
    channel: Option<Bytes>,
    payload: Option<Bytes>,
) -> Result<Option<Output<T>>, Error> {
    match (channel, payload) {
        (Some(channel), Some(payload)) => {
            Ok(Some(Output::Message(Incoming { kind, pattern, channel, payload })))
        }
        _ => Err(unexpected("a message without channel or payload")),
    }
}

fn out_of_step() -> Error {
    let message = "the server's answers are out of step with the questions: something on the way \
                   has changed or lost a part of them";
    Error::new(ErrorKind::Protocol, message).sent()
}

fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the server sent {what}")).sent()
}

fn fill(mut replies: Replies, n_commands: usize, error: &Error) -> Replies {
    replies.resize_with(n_commands, || Err(error.clone()));
    replies
}

#[cfg(test)]
mod tests;
