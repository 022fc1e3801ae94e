//! The client: commands with typed answers.

use std::time::Duration;

use bytes::Bytes;

use futures_util::StreamExt;

use super::{Fanfare, runtime, twin};
use crate::{
    Error, Namespace, Value,
    client::{self, Answers, Command, End, FromValue, Run, Scan, ScanItem, Script, Ticket, ToArg},
};

/// The twin of [`fanfare::client::Client`](crate::client::Client). It has the commands of the traits in
/// [`commands`](crate::commands), which return their answers.
///
/// # Example: a pipeline
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{blocking::Fanfare, commands::*};
///
/// let client = Fanfare::connect("embedded:")?.client();
/// let pipeline = client.pipeline();
/// let visits = pipeline.incr("visits");
/// let name = pipeline.get::<String>("name");
/// let mut answers = pipeline.send()?;
/// assert_eq!((answers.take(visits)?, answers.take(name)?), (1, None));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    inner: client::Client,
}

impl Client {
    pub(super) fn new(inner: client::Client) -> Self {
        Self { inner }
    }

    /// The same with another deadline for each call.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { inner: self.inner.with_timeout(timeout) }
    }

    /// The handle that it belongs to.
    pub fn fanfare(&self) -> Fanfare {
        Fanfare { inner: self.inner.fanfare().clone() }
    }

    /// Commands to be sent together.
    pub fn pipeline(&self) -> Pipeline {
        Pipeline { inner: self.inner.pipeline() }
    }

    /// Commands that happen as a whole or not at all.
    pub fn transaction(&self) -> Transaction {
        Transaction { inner: self.inner.transaction() }
    }

    /// Watches keys on a connection of its own.
    ///
    /// # Errors
    /// As [`Client::watch`](client::Client::watch).
    pub fn watch(&self, keys: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Watch, Error> {
        let inner = runtime::wait(self.inner.watch(keys))?;
        let client = Self { inner: inner.client().clone() };
        Ok(Watch { inner, client })
    }

    /// Watches keys and runs the transaction that `build` makes of what it reads, again and again
    /// until nobody has changed them meanwhile.
    ///
    /// # Errors
    /// As [`Client::transact`](client::Client::transact).
    ///
    /// # Example: a high score
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{blocking::Fanfare, commands::*};
    ///
    /// let client = Fanfare::connect("embedded:")?.client();
    /// client.transact(["score"], |watch| {
    ///     let score: Option<u32> = watch.client().get("score")?;
    ///     let transaction = watch.transaction();
    ///     let _ = transaction.set("score", score.unwrap_or(0) + 1);
    ///     Ok((transaction, ()))
    /// })?;
    /// assert_eq!(client.get("score")?, Some(1));
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn transact<R>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        build: impl Fn(&Watch) -> Result<(Transaction, R), Error>,
    ) -> Result<(Answers, R), Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        let end = std::time::Instant::now() + self.inner.shared.timeout;
        let mut n_tries = 0;
        loop {
            let watch = self.watch(&keys)?;
            let (transaction, rest) = match build(&watch) {
                Ok(built) => built,
                Err(error) => {
                    watch.unwatch()?;
                    return Err(error);
                }
            };
            if let Some(answers) = watch.exec(transaction)? {
                return Ok((answers, rest));
            }
            n_tries += 1;
            if end <= std::time::Instant::now() {
                return Err(client::outrun(n_tries));
            }
        }
    }

    /// What a scan of [`Client::scan`](client::Client::scan) and its like sees, one after the other.
    /// After an error there is nothing more.
    ///
    /// # Example: all keys
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{blocking::Fanfare, commands::*};
    ///
    /// let client = Fanfare::connect("embedded:all keys")?.client();
    /// client.set("a", 1)?;
    /// let keys = client.scan(|client| client.scan().count(100));
    /// assert_eq!(keys.collect::<Result<Vec<_>, _>>()?, ["a"]);
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn scan<T: ScanItem, S: FnOnce(&client::Client) -> Scan<T>>(
        &self,
        scan: S,
    ) -> impl Iterator<Item = Result<T, Error>> + Send + use<T, S> {
        let mut stream = scan(&self.inner).stream();
        std::iter::from_fn(move || runtime::wait(stream.next()))
    }
}

twin!(Client {
    /// Runs any command and returns the server's answer as it is.
    fn command(&self, args: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Value;

    /// Runs a script by its hash, and by its text if the server does not know it.
    fn run_script<T: FromValue>(
        &self,
        script: &Script,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        args: impl IntoIterator<Item = impl ToArg>,
    ) -> T;

    /// Takes the head of the first of these lists that has one. `None`: there was nothing in time.
    fn blpop<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        wait: Duration,
    ) -> Option<(Bytes, T)>;

    /// The same with the tail.
    fn brpop<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        wait: Duration,
    ) -> Option<(Bytes, T)>;

    /// Takes an element from an end of one list, puts it at an end of another, and returns it.
    fn blmove<T: FromValue>(
        &self,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
        ends: (End, End),
        wait: Duration,
    ) -> Option<T>;

    /// Takes the member with the lowest score of the first of these sorted sets that has one.
    fn bzpopmin<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        wait: Duration,
    ) -> Option<(Bytes, T, f64)>;

    /// The same with the highest score.
    fn bzpopmax<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        wait: Duration,
    ) -> Option<(Bytes, T, f64)>;
});

impl Run for Client {
    type Out<T: Send + 'static> = Result<T, Error>;

    fn namespace(&self) -> &Namespace {
        self.inner.namespace()
    }

    fn run<T: Send + 'static>(&self, command: Command<T>) -> Result<T, Error> {
        runtime::wait(self.inner.run(command))
    }
}

/// The twin of [`fanfare::client::Pipeline`](crate::client::Pipeline).
#[derive(Debug)]
pub struct Pipeline {
    inner: client::Pipeline,
}

impl Pipeline {
    /// Sends the commands, and waits for all answers.
    ///
    /// # Errors
    /// As [`Pipeline::send`](client::Pipeline::send).
    pub fn send(self) -> Result<Answers, Error> {
        runtime::wait(self.inner.send())
    }

    /// Sends the commands, and waits until so many replicas have them.
    ///
    /// # Errors
    /// As [`Pipeline::send_and_wait`](client::Pipeline::send_and_wait).
    pub fn send_and_wait(self, n_replicas: u32, wait: Duration) -> Result<(Answers, u64), Error> {
        runtime::wait(self.inner.send_and_wait(n_replicas, wait))
    }
}

/// The twin of [`fanfare::client::Transaction`](crate::client::Transaction).
#[derive(Debug)]
pub struct Transaction {
    inner: client::Transaction,
}

impl Transaction {
    /// Runs the commands, and returns their answers.
    ///
    /// # Errors
    /// As [`Transaction::exec`](client::Transaction::exec).
    pub fn exec(self) -> Result<Answers, Error> {
        runtime::wait(self.inner.exec())
    }
}

/// What pipelines and transactions have in common: commands are queued, and give tickets.
macro_rules! queues {
    ($($type:ty),+) => {$(
        impl $type {
            /// How many commands are queued.
            pub fn len(&self) -> usize {
                self.inner.len()
            }

            /// Whether none is.
            pub fn is_empty(&self) -> bool {
                self.inner.is_empty()
            }
        }

        impl Run for $type {
            type Out<T: Send + 'static> = Ticket<T>;

            fn namespace(&self) -> &Namespace {
                self.inner.namespace()
            }

            fn run<T: Send + 'static>(&self, command: Command<T>) -> Ticket<T> {
                self.inner.run(command)
            }
        }
    )+};
}

queues!(Pipeline, Transaction);

/// The twin of [`fanfare::client::Watch`](crate::client::Watch).
#[derive(Debug)]
pub struct Watch {
    inner: client::Watch,
    client: Client,
}

impl Watch {
    /// A client on the same connection, to read what is watched.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A transaction for [`exec`](Self::exec).
    pub fn transaction(&self) -> Transaction {
        self.client.transaction()
    }

    /// Runs the transaction. `None`: somebody has changed what is watched, and nothing was done.
    ///
    /// # Errors
    /// As [`Watch::exec`](client::Watch::exec).
    pub fn exec(self, transaction: Transaction) -> Result<Option<Answers>, Error> {
        runtime::wait(self.inner.exec(transaction.inner))
    }

    /// Stops watching, and keeps the connection for others.
    ///
    /// # Errors
    /// As [`Watch::unwatch`](client::Watch::unwatch).
    pub fn unwatch(self) -> Result<(), Error> {
        runtime::wait(self.inner.unwatch())
    }
}
