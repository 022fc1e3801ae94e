//! The client: commands with typed answers.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use fanfare_client::{Borrowed, Error, ErrorKind, Link, Namespace, Pipeline as Encoded, Value};
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use super::{
    command::{Command, Run, decode},
    pipeline::Pipeline,
    transaction::Transaction,
};
use crate::Fanfare;

/// Runs commands and gives their answers as the types that are asked for. Made by
/// [`Fanfare::client`]; the commands are those of the traits in [`commands`](crate::commands).
///
/// Cheap to clone; all share the handle's connections. A clone may use another of the command
/// connections if there are several ([`Options::pool_size`](crate::Options::pool_size)): the
/// commands of one client keep their order, those of two need not.
///
/// # What it promises
/// Every call has a deadline ([`with_timeout`](Self::with_timeout)) and a result. A command that may
/// have been sent is never sent again by itself: what an error leaves open is told by
/// [`Error::may_have_been_delivered`].
///
/// # Errors
/// Of every command: [`ErrorKind::Server`] for an error reply (`WRONGTYPE`, `OOM`),
/// [`ErrorKind::Unsupported`] if the server has no such command, [`ErrorKind::Decode`] if the answer
/// is not of the type that was asked for, [`ErrorKind::Encode`] if an argument has no JSON;
/// [`ErrorKind::NotConnected`], [`ErrorKind::Overloaded`] and [`ErrorKind::TooLarge`] if nothing was
/// sent; [`ErrorKind::Disconnected`] and [`ErrorKind::Timeout`] if it may have taken effect;
/// [`ErrorKind::Closed`].
///
/// # Example: a counter and a typed value
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Fanfare, commands::*};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let client = Fanfare::connect("embedded:").await?.client();
/// assert_eq!(client.incr_by("visits", 2).await?, 2);
/// client.set_ex("greeting", "hello", Duration::from_secs(60)).await?;
/// let greeting: Option<String> = client.get("greeting").await?;
/// assert_eq!(greeting.as_deref(), Some("hello"));
/// let missing: Option<u64> = client.get("missing").await?;
/// assert_eq!(missing, None);
/// # Ok(()) }
/// ```
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

/// What the calls of one client have in common.
pub(crate) struct Shared {
    pub(crate) fanfare: Fanfare,
    pub(crate) timeout: Duration,
    route: Route,
}

/// Where commands go.
#[derive(Clone)]
enum Route {
    /// To the connection that all callers share.
    Shared,
    /// To one that nobody else uses.
    Own(Arc<Mutex<Option<Borrowed>>>),
}

/// The longest time limit: an instant must not overflow.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

impl Fanfare {
    /// A client of this handle's connections, for commands with typed answers.
    ///
    /// # Example
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::commands::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let client = fanfare::Fanfare::connect("embedded:").await?.client();
    /// client.set("key", 7).await?;
    /// assert_eq!(client.get("key").await?, Some(7));
    /// # Ok(()) }
    /// ```
    pub fn client(&self) -> Client {
        let timeout = self.link().options().timeout();
        Client::new(self.clone(), timeout, Route::Shared)
    }
}

impl Client {
    fn new(fanfare: Fanfare, timeout: Duration, route: Route) -> Self {
        Self { shared: Arc::new(Shared { fanfare, timeout, route }) }
    }

    /// The same with another deadline for each call: `timeout` from the call to its answer, waiting
    /// for a connection included. At most a year. Default:
    /// [`Options::request_timeout`](crate::Options::request_timeout).
    ///
    /// # Example
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # use std::time::Duration;
    /// use fanfare::commands::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let client = fanfare::Fanfare::connect("embedded:").await?.client();
    /// let patient = client.with_timeout(Duration::from_secs(60));
    /// assert_eq!(patient.exists(["key"]).await?, 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let fanfare = self.shared.fanfare.in_same_lane();
        Self::new(fanfare, timeout.min(TIMEOUT_MAX), self.shared.route.clone())
    }

    /// The handle that it belongs to.
    pub fn fanfare(&self) -> &Fanfare {
        &self.shared.fanfare
    }

    /// Commands to be sent together. See [`Pipeline`].
    pub fn pipeline(&self) -> Pipeline {
        Pipeline::new(self.clone_in_lane())
    }

    /// Commands that happen as a whole or not at all. See [`Transaction`].
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.clone_in_lane())
    }

    /// Runs any command and returns the server's answer as it is. Names are sent as they are given,
    /// without the namespace.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for a command that would disturb the others on the shared
    /// connection; otherwise as every command.
    pub fn command<A: AsRef<[u8]>>(&self, args: impl IntoIterator<Item = A>) -> Call<Value> {
        self.run(Command::raw(args))
    }

    /// On the same connection, and the very same client.
    pub(crate) fn clone_in_lane(&self) -> Self {
        Self { shared: self.shared.clone() }
    }

    pub(crate) fn link(&self) -> &Link {
        self.shared.fanfare.link()
    }

    /// One for a connection of its own.
    pub(crate) fn on_own(&self, borrowed: Borrowed) -> Self {
        let (fanfare, timeout) = (self.shared.fanfare.in_same_lane(), self.shared.timeout);
        Self::new(fanfare, timeout, Route::Own(Arc::new(Mutex::new(Some(borrowed)))))
    }

    /// Gives the connection of its own back.
    pub(crate) async fn give_back(&self) {
        if let Route::Own(own) = &self.shared.route
            && let Some(borrowed) = own.lock().await.take()
        {
            borrowed.give_back();
        }
    }

    /// Whether it has a connection of its own.
    pub(crate) fn has_own(&self) -> bool {
        matches!(self.shared.route, Route::Own(_))
    }
}

impl Shared {
    /// Sends commands and waits for their answers.
    pub(crate) async fn send(&self, pipeline: Encoded) -> Result<Vec<Result<Value, Error>>, Error> {
        match &self.route {
            Route::Shared => {
                let answers = self.fanfare.link().send_within(pipeline, self.timeout).await?;
                Ok(answers.all().await)
            }
            Route::Own(own) => {
                let mut own = own.lock().await;
                let gone = || {
                    let message = "the connection that watched is gone: watch again";
                    Error::new(ErrorKind::NotConnected, message)
                };
                // If this future is dropped, so is the connection: it is not as it was found.
                let mut borrowed = own.take().ok_or_else(gone)?;
                let replies = borrowed.exchange(pipeline, self.timeout).await?;
                *own = Some(borrowed);
                Ok(replies)
            }
        }
    }
}

impl Run for Client {
    type Out<T: Send + 'static> = Call<T>;

    fn namespace(&self) -> &Namespace {
        self.link().options().names()
    }

    fn run<T: Send + 'static>(&self, command: Command<T>) -> Call<T> {
        let client = self.clone_in_lane();
        Call::new(async move {
            let (pipeline, meaning) = command.into_pipeline()?;
            let reply = client.shared.send(pipeline).await?.pop();
            decode(reply.unwrap_or_else(|| Err(closed())), meaning, client.namespace())
        })
    }
}

/// There is no answer, and no reason for that.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the link is closed")
}

impl Clone for Client {
    fn clone(&self) -> Self {
        match self.shared.route {
            Route::Shared => {
                Self::new(self.shared.fanfare.clone(), self.shared.timeout, Route::Shared)
            }
            Route::Own(_) => self.clone_in_lane(),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.shared.fanfare).finish()
    }
}

/// A command's answer, to be awaited. Nothing is sent before that.
///
/// # Cancel safety
/// Dropping it does not take back a command that has been handed to the connection.
#[must_use = "a command does nothing until it is awaited"]
pub struct Call<T>(BoxFuture<'static, Result<T, Error>>);

impl<T> Call<T> {
    pub(crate) fn new(answer: impl Future<Output = Result<T, Error>> + Send + 'static) -> Self {
        Self(Box::pin(answer))
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}
