//! Asking.

use std::{fmt, sync::Arc, time::Duration};

use fanfare_client::{Error, ErrorKind};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::{
    Answer, Answers, Gather, RequesterStats,
    inbox::{Inbox, Place},
    wire,
};
use crate::{Envelope, Fanfare, Sealed, agreed::Agreed};

/// The longest deadline: an instant must not overflow.
const DEADLINE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where a request goes. A text is the name of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// To all responders of a channel.
    Channel(String),
    /// To all responders of a sharded channel.
    Shard(String),
    /// To one worker of each group of a stream.
    Stream(String),
}

impl<T: Into<String>> From<T> for Target {
    fn from(channel: T) -> Self {
        Self::Channel(channel.into())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(name) => write!(f, "channel {name:?}"),
            Self::Shard(name) => write!(f, "sharded channel {name:?}"),
            Self::Stream(name) => write!(f, "stream {name:?}"),
        }
    }
}

/// Sends requests and gets their answers, any number at the same time. Made by
/// [`Fanfare::requester`].
///
/// Cheap to clone; all clones share one inbox, a channel on the connection that subscriptions share,
/// which is unsubscribed when the last is dropped, and all [`Answers`] of them. What is promised is told in the
/// [module's documentation](crate::request).
///
/// # Example: with a deadline of one's own
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{ErrorKind, Fanfare};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let requester = fanfare.requester().await?.deadline(Duration::from_secs(2));
/// let error = requester.request("nobody answers here", &1).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NoResponders);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Requester {
    fanfare: Fanfare,
    inbox: Arc<Inbox>,
    deadline: Duration,
    agreed: Agreed,
}

impl Fanfare {
    /// Subscribes to an inbox for the answers to requests. Keep it and share it: see [`Requester`].
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    /// Dropping the future takes the subscription back.
    pub async fn requester(&self) -> Result<Requester, Error> {
        let inbox = Arc::new(Inbox::open(self).await?);
        let deadline = self.link().options().timeout();
        Ok(Requester { fanfare: self.in_same_lane(), inbox, deadline, agreed: Agreed::default() })
    }
}

impl Requester {
    /// The same with another deadline: the time from the call to the (last) answer. At most a year.
    /// Default: [`Options::request_timeout`](crate::Options::request_timeout).
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(DEADLINE_MAX);
        self
    }

    /// The same, and refuses to send what does not fit, as [`ErrorKind::InvalidRecord`] with the place and the rule.
    /// Clones that were made before go on without. Values are sent as envelopes of the type `request` and version 1.0.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn contract(mut self, contract: impl Into<crate::schema::Contract>) -> Self {
        self.agreed = Agreed::on(contract);
        self
    }

    /// Sends a value as JSON, and returns the first answer.
    ///
    /// # Errors
    /// Those of the table in the [module's documentation](crate::request), and
    /// [`ErrorKind::Encode`]. If the first answer is an error, that is
    /// [`ErrorKind::Refused`], whatever others say.
    ///
    /// # Cancel safety
    /// Dropping the future does not take the request back. Its answer is counted as unknown.
    pub async fn request<T: Serialize + ?Sized>(
        &self,
        to: impl Into<Target>,
        value: &T,
    ) -> Result<Answer, Error> {
        self.request_sealed(to, Envelope::new(wire::REQUEST, value).seal()?).await
    }

    /// Sends an envelope, whose type, metadata and bytes are the program's own, and returns the first
    /// answer. It is recognised by the envelope's id; of several requests with one id that are on their
    /// way each gets as many of the answers as the others.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn request_sealed(
        &self,
        to: impl Into<Target>,
        request: Sealed,
    ) -> Result<Answer, Error> {
        let (to, end) = (to.into(), Instant::now() + self.deadline);
        let (mut place, asked) = self.ask(&to, request, end, 1).await?;
        match timeout_at(end, place.next()).await {
            Ok((_, answer)) => answer.map(Answer),
            Err(_) => Err(self.late(&to, asked)),
        }
    }

    /// Sends a value as JSON, and returns the answers as they come, until there are enough of them,
    /// none has come for a while, or the deadline: see [`Gather`].
    ///
    /// # Errors
    /// As [`request`](Self::request), but for what is told of each answer.
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    ///
    /// # Example: who is there?
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Fanfare, Text, request::Gather};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::connect("embedded:").await?;
    /// let anna = fanfare.respond("roll call", async || Text("anna".into())).start().await?;
    /// let ben = fanfare.respond("roll call", async || Text("ben".into())).start().await?;
    /// let requester = fanfare.requester().await?;
    /// let mut answers = requester.request_many("roll call", &(), Gather::new().at_most(2)).await?;
    /// let mut names = Vec::new();
    /// while let Some(answer) = answers.next().await {
    ///     names.push(String::from_utf8_lossy(answer?.payload()).into_owned());
    /// }
    /// names.sort();
    /// assert_eq!(names, ["anna", "ben"]);
    /// # Ok(()) }
    /// ```
    pub async fn request_many<T: Serialize + ?Sized>(
        &self,
        to: impl Into<Target>,
        value: &T,
        gather: Gather,
    ) -> Result<Answers, Error> {
        let request = Envelope::new(wire::REQUEST, value).seal()?;
        self.request_many_sealed(to, request, gather).await
    }

    /// Sends an envelope, and returns the answers as they come.
    ///
    /// # Errors
    /// As [`request_many`](Self::request_many).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn request_many_sealed(
        &self,
        to: impl Into<Target>,
        request: Sealed,
        gather: Gather,
    ) -> Result<Answers, Error> {
        let (to, end) = (to.into(), Instant::now() + self.deadline);
        let (place, asked) = self.ask(&to, request, end, gather.queue()).await?;
        Ok(Answers::new(place, gather, end, asked.receivers))
    }

    /// The counts of this requester and its clones.
    pub fn stats(&self) -> RequesterStats {
        self.inbox.stats()
    }

    /// The inbox's channel, without the namespace.
    pub fn inbox(&self) -> &str {
        self.inbox.channel()
    }

    async fn ask(
        &self,
        to: &Target,
        request: Sealed,
        end: Instant,
        answers_max: usize,
    ) -> Result<(Place, Asked), Error> {
        self.agreed.check(&request)?;
        let request = wire::request(request, self.inbox.channel());
        // An answer to an inbox that is away would be lost without a word.
        let place = self.inbox.place(request.head().id(), answers_max);
        let place = timeout_at(end, place).await.map_err(|_| {
            let message = "the inbox had no connection until the deadline, and nothing was sent";
            Error::new(ErrorKind::NotConnected, message)
        })??;
        let send = self.send(to, &request);
        let receivers = match timeout_at(end, send).await {
            Ok(receivers) => receivers?,
            Err(_) => return Err(self.late(to, Asked { receivers: None })),
        };
        if receivers == Some(0) {
            let message = format!("nobody is there to answer on {to}");
            return Err(Error::new(ErrorKind::NoResponders, message));
        }
        Ok((place, Asked { receivers }))
    }

    /// Sends it, and returns who got it, where that can be told.
    async fn send(&self, to: &Target, request: &Sealed) -> Result<Option<u64>, Error> {
        match to {
            Target::Channel(channel) => {
                let n = self.fanfare.publish(channel, request.to_payload()?).await?;
                // Of a cluster, those of one node.
                let is_all = !self.fanfare.link().options().url().is_cluster();
                Ok(is_all.then_some(n))
            }
            Target::Shard(channel) => {
                self.fanfare.spublish(channel, request.to_payload()?).await.map(Some)
            }
            Target::Stream(key) => {
                self.fanfare.stream(key).add(request.to_fields()?).await?;
                Ok(None)
            }
        }
    }

    fn late(&self, to: &Target, asked: Asked) -> Error {
        let who = match asked.receivers {
            Some(n) => format!(" (it was handed to {n})"),
            None => String::new(),
        };
        let message = format!("no answer from {to} within {:?}{who}", self.deadline);
        Error::new(ErrorKind::Timeout, message).after_sending()
    }
}

/// What a document of the program tells of it.
#[cfg(feature = "schema")]
impl Requester {
    pub(crate) fn checks(&self) -> Option<&crate::schema::Contract> {
        self.agreed.contract()
    }
}

/// What is known about a request that was sent.
struct Asked {
    receivers: Option<u64>,
}

impl fmt::Debug for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requester")
            .field("inbox", &self.inbox)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
