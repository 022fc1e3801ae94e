//! Clients that wait until a key holds something (`BLPOP` and its kind).
//!
//! A command that finds nothing asks [`Ctx::block`](crate::Ctx::block) to wait: the client's request is kept and lined
//! up at each of its keys, whose stripes are locked at that moment, so no write is missed. Whoever changes such a key
//! runs the request on the client's behalf before the stripes are unlocked, in the order in which clients came, so
//! nobody else gets the element. A wait ends once: by being served, by its deadline, by `CLIENT UNBLOCK` or with its
//! connection; whoever [ends](Blocked::end) it first decides.
//!
//! Source: <https://redis.io/docs/latest/commands/blpop/>, "What key is served first?" and what follows.

use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_resp::Version;

use crate::client::Queued;
use crate::keyspace::StripeId;
use crate::{Reply, Request};

/// A client that waits.
#[derive(Debug)]
pub struct Blocked {
    /// Of the client.
    pub client_id: u64,
    /// Database of its keys.
    pub db: u16,
    /// Protocol it speaks.
    pub version: Version,
    /// When it stops waiting, in milliseconds since the Unix epoch; `None`: never.
    pub deadline_unix_ms: Option<u64>,
    /// What it is told then.
    pub on_timeout: Reply,
    request: Queued,
    keys: Vec<Box<[u8]>>,
    reaches: Vec<StripeId>,
    over: AtomicBool,
}

/// What a command that found nothing wants to wait for.
#[derive(Debug)]
pub struct Wait<'a> {
    /// Keys, any of which will do.
    pub keys: Vec<&'a [u8]>,
    /// A key that is written when the client is served (`BLMOVE`).
    pub destination: Option<&'a [u8]>,
    /// Unix time in milliseconds; `None`: for ever.
    pub deadline_unix_ms: Option<u64>,
    /// What is answered at the deadline.
    pub on_timeout: Reply,
}

impl Blocked {
    pub(crate) fn new(
        (client_id, db, version): (u64, u16, Version),
        request: Queued,
        wait: Wait<'_>,
        reaches: Vec<StripeId>,
    ) -> Self {
        Self {
            client_id,
            db,
            version,
            deadline_unix_ms: wait.deadline_unix_ms,
            on_timeout: wait.on_timeout,
            request,
            keys: wait.keys.into_iter().map(Box::from).collect(),
            reaches,
            over: AtomicBool::new(false),
        }
    }

    /// Ends the wait. `false`: it was over already, and whoever ended it answers.
    #[must_use]
    pub fn end(&self) -> bool {
        !self.over.swap(true, Ordering::AcqRel)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The attempt to serve it found nothing after all.
    pub(crate) fn resume(&self) {
        self.over.store(false, Ordering::Release);
    }

    /// The command it waits in.
    #[must_use]
    pub fn command(&self) -> crate::table::Command {
        self.request.command
    }

    pub(crate) fn request(&self) -> Request<'_> {
        self.request.request()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|it| &**it)
    }

    /// Stripes beyond that of the key which is ready that serving it writes.
    pub(crate) fn reaches(&self) -> impl Iterator<Item = StripeId> + '_ {
        self.reaches.iter().copied()
    }
}
