//! Clients that wait until a key holds something (`BLPOP` and its kind).
//!
//! A command that finds nothing asks [`Ctx::block`](crate::Ctx::block) to wait: the client's request is kept and lined
//! up at each of its keys, whose stripes are locked at that moment, so no write is missed. Whoever makes such a key
//! hold what is waited for runs the requests on the clients' behalf before the stripes are unlocked: keys in the order
//! in which they came to hold it, clients in the order in which they came. So nobody else gets the element.
//!
//! Those who read a stream take nothing from it, and are all served; where a stream with a group goes away, or becomes
//! something else, those who wait in the group are told so.
//!
//! A wait ends once: by being served, by its deadline, by `CLIENT UNBLOCK` or with its connection; whoever
//! [ends](Blocked::end) it first decides. While somebody tries to serve a client, the others wait for what comes of it:
//! an attempt may find nothing, and then the deadline still holds.
//!
//! Source: <https://redis.io/docs/latest/commands/blpop/>, "What key is served first?" and what follows.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use fanfare_resp::Version;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::client::Queued;
use crate::keyspace::StripeId;
use crate::long_double::LongDouble;
use crate::value::Value;
use crate::{Now, Reply, Request, WireError, wire_error};

/// The types of values that clients wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// `BLPOP` and its kind.
    List,
    /// `BZPOPMIN` and its kind.
    SortedSet,
    /// `XREAD` and its kind.
    Stream,
}

impl Awaited {
    /// The type of `value`, if clients wait for such.
    #[inline]
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::List(_) => Some(Self::List),
            Value::SortedSet(_) => Some(Self::SortedSet),
            Value::Stream(_) => Some(Self::Stream),
            Value::Text(_) | Value::Set(_) | Value::Hash(_) => None,
        }
    }
}

/// How many clients wait, by type. One whose wait is over counts until it is out of the lines of its keys.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    n_for_lists: AtomicUsize,
    n_for_sorted_sets: AtomicUsize,
    n_for_streams: AtomicUsize,
    /// Tickets that were drawn so far.
    n_tickets: AtomicU64,
}

impl Waiting {
    fn of(&self, awaited: Awaited) -> &AtomicUsize {
        match awaited {
            Awaited::List => &self.n_for_lists,
            Awaited::SortedSet => &self.n_for_sorted_sets,
            Awaited::Stream => &self.n_for_streams,
        }
    }

    /// Whether anybody waits for this type, whatever its key.
    pub(crate) fn any(&self, awaited: Awaited) -> bool {
        self.of(awaited).load(Ordering::Relaxed) != 0
    }

    /// The place of a client that is about to wait, in all the lines in which it will be: behind those who have a
    /// smaller one. Called while the stripes of its keys are locked: who wants a place in one of the same lines draws
    /// before or after.
    pub(crate) fn draw_ticket(&self) -> Ticket {
        Ticket(self.n_tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// Called while the stripes of its keys are locked.
    pub(crate) fn add(&self, blocked: &Blocked) {
        if let Some(awaited) = blocked.awaited {
            self.of(awaited).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a client off that was added, once.
    pub(crate) fn remove(&self, blocked: &Blocked) {
        if let Some(awaited) = blocked.awaited
            && !blocked.is_forgotten.swap(true, Ordering::Relaxed)
        {
            self.of(awaited).fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Who drew a smaller one has waited for longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// A client that waits.
#[derive(Debug)]
pub struct Blocked {
    /// Of the client.
    pub client_id: u64,
    /// Where the client's host finds it ([`Host::seat`](crate::Host::seat)).
    pub seat: u64,
    /// Database of its keys.
    pub db: u16,
    /// Protocol it speaks.
    pub version: Version,
    /// When it stops waiting, in milliseconds since the Unix epoch; `None`: never.
    pub deadline_unix_ms: Option<u64>,
    /// What it is told then.
    pub on_timeout: Reply,
    request: Queued,
    awaited: Option<Awaited>,
    ticket: Ticket,
    keys: SmallVec<[Box<[u8]>; 1]>,
    /// Lines in which it still is.
    n_lines: AtomicUsize,
    reaches: Vec<StripeId>,
    /// When it is looked again whether there is something for it, in milliseconds since the Unix epoch; 0: never.
    retry_unix_ms: AtomicU64,
    /// Who waits with the same word finds nothing where it finds nothing.
    shares: Option<Box<[u8]>>,
    /// How long its command ran before it waited.
    spent_ns: AtomicU64,
    /// It is out of the lines of its keys.
    is_forgotten: AtomicBool,
    /// Locked after stripes, and while somebody tries to serve the client.
    is_over: Mutex<bool>,
}

/// What a command that found nothing wants to wait for.
#[derive(Debug)]
pub struct Wait<'a> {
    /// What its keys must hold; `None`: it has none.
    pub awaited: Option<Awaited>,
    /// Keys, any of which will do.
    pub keys: SmallVec<[&'a [u8]; 1]>,
    /// A key that is written when the client is served (`BLMOVE`).
    pub destination: Option<&'a [u8]>,
    /// Unix time in milliseconds; `None`: for ever.
    pub deadline_unix_ms: Option<u64>,
    /// What is answered at the deadline.
    pub on_timeout: Reply,
    /// When there may be something although nobody wrote: Unix time in milliseconds.
    pub retry_unix_ms: Option<u64>,
    /// Who waits with the same word for the same key gets nothing if this one gets nothing: the name of a group.
    pub shares: Option<&'a [u8]>,
}

impl<'a> Wait<'a> {
    /// To wait for values of a type at any of `keys`.
    #[must_use]
    pub fn new(
        awaited: impl Into<Option<Awaited>>,
        keys: impl IntoIterator<Item = &'a [u8]>,
        deadline_unix_ms: Option<u64>,
        on_timeout: Reply,
    ) -> Self {
        Self {
            awaited: awaited.into(),
            keys: keys.into_iter().collect(),
            destination: None,
            deadline_unix_ms,
            on_timeout,
            retry_unix_ms: None,
            shares: None,
        }
    }
}

impl Blocked {
    pub(crate) fn new(
        (client_id, seat, db, version): (u64, u64, u16, Version),
        ticket: Ticket,
        request: Queued,
        wait: Wait<'_>,
        reaches: Vec<StripeId>,
    ) -> Self {
        let keys = distinct(wait.keys);
        Self {
            client_id,
            seat,
            db,
            version,
            deadline_unix_ms: wait.deadline_unix_ms,
            on_timeout: wait.on_timeout,
            request,
            awaited: wait.awaited,
            ticket,
            n_lines: AtomicUsize::new(keys.len()),
            keys,
            reaches,
            retry_unix_ms: AtomicU64::new(wait.retry_unix_ms.unwrap_or(0)),
            shares: wait.shares.map(Box::from),
            spent_ns: AtomicU64::new(0),
            is_forgotten: AtomicBool::new(false),
            is_over: Mutex::new(false),
        }
    }

    /// Ends the wait. `false`: it was over already, and whoever ended it answers.
    #[must_use]
    pub fn end(&self) -> bool {
        !std::mem::replace(&mut *self.is_over.lock(), true)
    }

    /// Ends the wait if `serve` finds what it is for, unless it is over already.
    pub(crate) fn end_if_served<R>(&self, serve: impl FnOnce() -> Option<R>) -> Option<R> {
        let mut is_over = self.is_over.lock();
        if *is_over {
            return None;
        }
        let served = serve();
        *is_over = served.is_some();
        served
    }

    /// When it is to be looked again whether there is something for it ([`retry`](crate::exec::retry)), in milliseconds
    /// since the Unix epoch.
    #[must_use]
    pub fn retry_unix_ms(&self) -> Option<u64> {
        Some(self.retry_unix_ms.load(Ordering::Relaxed)).filter(|it| *it != 0)
    }

    pub(crate) fn set_retry(&self, unix_ms: Option<u64>) {
        self.retry_unix_ms.store(unix_ms.unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn shares(&self) -> Option<&[u8]> {
        self.shares.as_deref()
    }

    /// Notes how long its command ran before it waited.
    pub fn note_spent(&self, nanos: u64) {
        self.spent_ns.store(nanos, Ordering::Relaxed);
    }

    /// How long its command ran before it waited.
    #[must_use]
    pub fn spent_ns(&self) -> u64 {
        self.spent_ns.load(Ordering::Relaxed)
    }

    pub(crate) fn awaits(&self, awaited: Awaited) -> bool {
        self.awaited == Some(awaited)
    }

    /// The command it waits in.
    #[must_use]
    pub fn command(&self) -> crate::table::Command {
        self.request.command
    }

    /// Its arguments.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        self.request.request()
    }

    /// Its place in each line in which it is.
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// It was taken out of one line.
    pub(crate) fn note_left(&self) {
        self.n_lines.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether it is in any line. Once it is lined up it only leaves: who reads what was true before looks in vain, once.
    pub(crate) fn is_in_line(&self) -> bool {
        self.n_lines.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|it| &**it)
    }

    /// Stripes beyond that of the key which is ready that serving it writes.
    pub(crate) fn reaches(&self) -> impl Iterator<Item = StripeId> + '_ {
        self.reaches.iter().copied()
    }
}

/// A client is lined up once at a key, however often it named it.
fn distinct(mut keys: SmallVec<[&[u8]; 1]>) -> SmallVec<[Box<[u8]>; 1]> {
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().map(Box::from).collect()
}

/// When a command stops waiting whose timeout is `raw`, in seconds, as Redis reads it: in milliseconds since the Unix
/// epoch, rounded up; `None`: never.
///
/// # Errors
/// It is no number, or below zero. As in redis-server 7.0.15, what is too large for 64 bits counts as below zero.
pub fn parse_deadline(raw: &[u8], now: Now) -> Result<Option<u64>, WireError> {
    let timeout_ms = match whole_seconds(raw) {
        Some(timeout_s) => timeout_s * 1000,
        None => parse_timeout_ms(raw)?,
    };
    Ok(if timeout_ms == 0 { None } else { now.unix_ms().checked_add(timeout_ms) })
}

/// What almost everybody sends: a few digits.
#[inline]
fn whole_seconds(raw: &[u8]) -> Option<u64> {
    let is_simple = (1..=9).contains(&raw.len()) && raw.iter().all(u8::is_ascii_digit);
    is_simple.then(|| raw.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

fn parse_timeout_ms(raw: &[u8]) -> Result<u64, WireError> {
    let timeout_s = LongDouble::parse(raw).ok_or(wire_error::TIMEOUT_NOT_A_FLOAT)?;
    let timeout_ms = i64::try_from(timeout_s.times_up(1000)).ok();
    let timeout_ms = timeout_ms.and_then(|it| u64::try_from(it).ok());
    timeout_ms.ok_or(wire_error::TIMEOUT_NEGATIVE)
}

#[cfg(test)]
mod tests {
    use super::parse_deadline;
    use crate::{Now, wire_error};

    #[test]
    fn timeouts_are_read_as_redis_does() {
        let parsed = |raw: &str| parse_deadline(raw.as_bytes(), Now { unix_us: 1_000_000 });
        for raw in ["0", "0.0", "-0", "-0.0001", "-0.001", "0e9", "-0x0p0"] {
            assert_eq!(parsed(raw), Ok(None), "{raw}");
        }
        for (raw, timeout_ms) in [
            ("1", 1000),
            ("0.1", 100),
            ("0.3", 300),
            ("0.7", 700),
            ("1.1", 1100),
            ("2.675", 2675),
            ("0.0001", 1),
            ("1e-4000", 1),
            ("0.1001", 101),
            ("0x10", 16_000),
            ("007", 7000),
            ("100000000", 100_000_000_000),
            ("999999999", 999_999_999_000),
            ("1000000000", 1_000_000_000_000),
            ("9223372036854775.807", i64::MAX as u64),
        ] {
            assert_eq!(parsed(raw), Ok(Some(1000 + timeout_ms)), "{raw}");
        }
        for raw in ["-1", "-0.01", "9223372036854775.808", "1e30", "-1e30", "1e4000", "inf", "-inf"]
        {
            assert_eq!(parsed(raw), Err(wire_error::TIMEOUT_NEGATIVE), "{raw}");
        }
        for raw in ["", "x", "1s", " 1", "nan", "1e99999"] {
            assert_eq!(parsed(raw), Err(wire_error::TIMEOUT_NOT_A_FLOAT), "{raw}");
        }
    }
}
