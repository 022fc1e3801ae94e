//! Requests and their answers.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use super::{Fanfare, runtime};
use crate::{
    Call, Error, Overflow, Sealed,
    request::{self, Answer, AnsweringStats, Gather, IntoReply, RequesterStats, Target},
};

/// The twin of [`fanfare::request::Requester`](crate::request::Requester). Made by
/// [`Fanfare::requester`]; cheap to clone, for any number of threads.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Call, ErrorKind, Raw};
///
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let echo = |call: Call| call.payload().cloned().map(Raw);
/// let responder = fanfare.respond("blocking echo", echo).start()?;
/// let requester = fanfare.requester()?.deadline(Duration::from_secs(60));
/// assert_eq!(requester.request("blocking echo", "tea")?.payload(), "\"tea\"");
/// let error = requester.request("nobody is here", "tea").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NoResponders);
/// assert_eq!(responder.stop().answered, 1);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Requester {
    inner: request::Requester,
}

/// The twin of [`fanfare::request::Responder`](crate::request::Responder): a handler that answers, being
/// described. It is a plain function, which may block: each call has a thread apart.
#[derive(Debug)]
#[must_use = "nothing happens before `start`"]
pub struct Responder {
    inner: request::Responder,
}

/// The twin of [`fanfare::request::Responding`](crate::request::Responding). Stops when dropped.
#[derive(Debug)]
#[must_use = "the responder stops when this is dropped"]
pub struct Responding {
    inner: request::Responding,
}

/// The twin of [`fanfare::request::Answers`](crate::request::Answers): an iterator that waits for the
/// next answer.
#[derive(Debug)]
pub struct Answers {
    inner: request::Answers,
}

impl Fanfare {
    /// Subscribes to an inbox for the answers to requests.
    ///
    /// # Errors
    /// As [`Fanfare::requester`](crate::Fanfare::requester).
    pub fn requester(&self) -> Result<Requester, Error> {
        Ok(Requester { inner: runtime::wait(self.inner.requester())? })
    }

    /// A function that answers the requests of a channel: see [`Requester`] for an example.
    pub fn respond<F, T>(&self, channel: impl AsRef<[u8]>, handler: F) -> Responder
    where
        F: Fn(Call) -> T + Send + Sync + 'static,
        T: IntoReply + 'static,
    {
        let handler = Arc::new(handler);
        let handle = move |call: Call| {
            let handler = handler.clone();
            runtime::apart(move || handler(call))
        };
        Responder { inner: self.inner.respond(channel, handle) }
    }
}

impl Responder {
    /// Answers the requests of sharded channels as well.
    pub fn sharded(self, names: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        Self { inner: self.inner.sharded(names) }
    }

    /// Answers the requests of all channels that match glob patterns as well.
    pub fn patterns(self, patterns: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        Self { inner: self.inner.patterns(patterns) }
    }

    /// How many requests are handled at the same time, each on a thread of its own. Default: 1.
    pub fn concurrency(self, n: usize) -> Self {
        Self { inner: self.inner.concurrency(n) }
    }

    /// Bounds the queue of requests.
    pub fn queue(self, overflow: Overflow, messages_max: usize, bytes_max: usize) -> Self {
        Self { inner: self.inner.queue(overflow, messages_max, bytes_max) }
    }

    /// Answers only with what keeps to this.
    #[cfg(feature = "schema")]
    pub fn contract(self, contract: impl Into<crate::schema::Contract>) -> Self {
        Self { inner: self.inner.contract(contract) }
    }

    /// Subscribes, and returns after the server has confirmed.
    ///
    /// # Errors
    /// As [`start`](crate::request::Responder::start).
    pub fn start(self) -> Result<Responding, Error> {
        Ok(Responding { inner: runtime::wait(self.inner.start())? })
    }
}

impl Responding {
    /// The counts so far.
    pub fn stats(&self) -> AnsweringStats {
        self.inner.stats()
    }

    /// Whether it has ended by itself, and why.
    pub fn error(&self) -> Option<Error> {
        self.inner.error()
    }

    /// Unsubscribes, answers what is being handled, and returns the final counts.
    pub fn stop(self) -> AnsweringStats {
        runtime::wait(self.inner.stop())
    }

    /// Unsubscribes after everything that has arrived is answered, and returns the final counts.
    pub fn finish(self) -> AnsweringStats {
        runtime::wait(self.inner.finish())
    }
}

impl Requester {
    /// The same with another deadline.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { inner: self.inner.deadline(deadline) }
    }

    /// Refuses to send what does not fit, and sends nothing then.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn contract(self, contract: impl Into<crate::schema::Contract>) -> Self {
        Self { inner: self.inner.contract(contract) }
    }

    /// Sends a value as JSON, and returns the first answer.
    ///
    /// # Errors
    /// As [`request`](crate::request::Requester::request).
    pub fn request<T: Serialize + ?Sized>(
        &self,
        to: impl Into<Target>,
        value: &T,
    ) -> Result<Answer, Error> {
        runtime::wait(self.inner.request(to, value))
    }

    /// Sends an envelope, and returns the first answer.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn request_sealed(&self, to: impl Into<Target>, request: Sealed) -> Result<Answer, Error> {
        runtime::wait(self.inner.request_sealed(to, request))
    }

    /// Sends a value as JSON, and returns the answers as they come.
    ///
    /// # Errors
    /// As [`request_many`](crate::request::Requester::request_many).
    pub fn request_many<T: Serialize + ?Sized>(
        &self,
        to: impl Into<Target>,
        value: &T,
        gather: Gather,
    ) -> Result<Answers, Error> {
        Ok(Answers { inner: runtime::wait(self.inner.request_many(to, value, gather))? })
    }

    /// The counts of this requester and its clones.
    pub fn stats(&self) -> RequesterStats {
        self.inner.stats()
    }
}

impl Answers {
    /// How many subscribed connections the request was handed to, where that can be told.
    pub fn receivers(&self) -> Option<u64> {
        self.inner.receivers()
    }
}

impl Iterator for Answers {
    type Item = Result<Answer, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        runtime::wait(self.inner.next())
    }
}
