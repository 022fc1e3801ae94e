//! Commands that happen as a whole or not at all.

use std::{fmt, time::Duration};

use fanfare_client::{Error, ErrorKind, Namespace, Pipeline as Encoded, Value};
use tokio::time::Instant;

use super::{
    Client,
    command::{Command, Run, explained, words},
    pipeline::{Answers, Queue, Ticket, one_slot},
};

/// Commands that are queued and then run as one (`MULTI`, `EXEC`), in one flush: nobody else's
/// command runs in between. If the server refuses one while they are queued (unknown, wrong number
/// of arguments), none is run; one that fails when it is run (`WRONGTYPE`) does not undo the others.
///
/// In a cluster all keys must be in one slot.
///
/// # What it promises
/// All or nothing, at most once: if the connection breaks, the server runs all of them or none, and
/// the error says whether it may have ([`Error::may_have_been_delivered`]).
///
/// # Example: from one account to another
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, commands::*};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let client = Fanfare::connect("embedded:").await?.client();
/// let transaction = client.transaction();
/// let left = transaction.incr_by("{bank}:anna", -30);
/// let right = transaction.incr_by("{bank}:ben", 30);
/// let mut answers = transaction.exec().await?;
/// assert_eq!((answers.take(left)?, answers.take(right)?), (-30, 30));
/// # Ok(()) }
/// ```
pub struct Transaction {
    client: Client,
    queue: Queue,
}

/// Keys that are watched, on a connection of their own. Made by [`Client::watch`].
///
/// Dropping it closes the connection, which ends the watching; [`unwatch`](Self::unwatch) keeps it
/// for others.
#[derive(Debug)]
pub struct Watch {
    client: Client,
}

impl Transaction {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, queue: Queue::new() }
    }

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs the commands, and returns their answers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the keys are in several slots of a cluster, or if the
    /// transaction belongs to a [`Watch`]; the error of the first command that the server refused
    /// to queue; otherwise as every command.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what has been handed to the connection.
    pub async fn exec(self) -> Result<Answers, Error> {
        if self.client.has_own() {
            let message = "this transaction belongs to a watch: run it with `Watch::exec`";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let no_watch = || Error::new(ErrorKind::Protocol, "EXEC without WATCH has no answers");
        self.run_all().await?.ok_or_else(no_watch)
    }

    /// `None`: what was watched has changed.
    async fn run_all(self) -> Result<Option<Answers>, Error> {
        let (id, queued) = self.queue.into_parts();
        let key = one_slot(&self.client, &queued)?;
        let mut pipeline = Encoded::new();
        pipeline.push([&b"MULTI"[..]]);
        for args in &queued {
            match args {
                Ok(args) => args.write(&mut pipeline),
                Err(error) => return Err(error.clone()),
            }
        }
        pipeline.push([&b"EXEC"[..]]);
        let link = self.client.link();
        let needs_own = link.options().url().is_cluster() && !self.client.has_own();
        let mut replies = if needs_own {
            let timeout = self.client.shared.timeout;
            link.send_alone(pipeline, key.as_deref(), Duration::ZERO, timeout).await?
        } else {
            self.client.shared.send(pipeline).await?
        };
        let outcome = replies.pop().unwrap_or_else(|| Err(super::handle::closed()));
        let value = match outcome {
            Ok(value) if value.is_null() => return Ok(None),
            Ok(value) => value,
            Err(error) if error.server_code() == Some("EXECABORT") => {
                // Why, is what the server said about the command that it refused.
                let refused = replies.into_iter().find_map(Result::err);
                return Err(explained(refused.unwrap_or(error)));
            }
            Err(error) => return Err(error),
        };
        let values = value.into_array().unwrap_or_default();
        let reply = |value: Value| match value.as_error() {
            Some(text) => Err(Error::server(text)),
            None => Ok(value),
        };
        let sent = values.into_iter().map(reply).collect();
        Ok(Some(Answers::new(id, queued, sent, self.client.namespace())))
    }
}

impl Run for Transaction {
    type Out<T: Send + 'static> = Ticket<T>;

    fn namespace(&self) -> &Namespace {
        self.client.namespace()
    }

    fn run<T: Send + 'static>(&self, command: Command<T>) -> Ticket<T> {
        self.queue.push(command)
    }
}

impl Client {
    /// Watches keys on a connection of its own: a [`Transaction`] that is run there does nothing if
    /// one of them has changed meanwhile. In a cluster the keys must be in one slot.
    ///
    /// # Errors
    /// [`ErrorKind::Overloaded`] if all of `max_connections` are in use until the deadline;
    /// otherwise as every command.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    ///
    /// # Example: only if nobody else has
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Fanfare, commands::*};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let client = Fanfare::connect("embedded:").await?.client();
    /// client.set("stock", 1).await?;
    /// let watch = client.watch(["stock"]).await?;
    /// let stock: Option<u32> = watch.client().get("stock").await?;
    /// client.set("stock", 0).await?; // somebody else is faster
    /// let transaction = watch.transaction();
    /// let _ = transaction.decr("stock");
    /// assert!(watch.exec(transaction).await?.is_none());
    /// assert_eq!((stock, client.get("stock").await?), (Some(1), Some(0)));
    /// # Ok(()) }
    /// ```
    pub async fn watch<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Watch, Error> {
        let command = words(self, "WATCH").keys(keys).reply::<()>();
        let queued = [command.args.clone()];
        let key = one_slot(self, &queued)?;
        let timeout = self.shared.timeout;
        let end = Instant::now() + timeout;
        loop {
            let borrowed = self.link().borrow_for(key.as_deref(), timeout).await?;
            let client = self.on_own(borrowed);
            let watched = client.run(command.clone()).await;
            let code = watched.as_ref().err().and_then(Error::server_code);
            let is_elsewhere = matches!(code, Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN"));
            if !is_elsewhere || end <= Instant::now() {
                return watched.map(|()| Watch { client });
            }
            self.link().look_again();
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Watches keys and runs the transaction that `build` makes of what it reads, again and again
    /// until nobody has changed them meanwhile. Returns the answers, and what `build` returned with
    /// the transaction (tickets, mostly).
    ///
    /// # Errors
    /// Those of `build`; [`ErrorKind::Timeout`] if somebody else was faster each time until the
    /// deadline (nothing was done then); otherwise as every command.
    ///
    /// # Cancel safety
    /// As [`Transaction::exec`].
    ///
    /// # Example: a high score
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Fanfare, commands::*};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let client = Fanfare::connect("embedded:").await?.client();
    /// let score = 7;
    /// client
    ///     .transact(["high score"], async |watch| {
    ///         let highest: Option<u32> = watch.client().get("high score").await?;
    ///         let transaction = watch.transaction();
    ///         let _ = transaction.set("high score", highest.unwrap_or(0).max(score));
    ///         Ok((transaction, ()))
    ///     })
    ///     .await?;
    /// assert_eq!(client.get("high score").await?, Some(7));
    /// # Ok(()) }
    /// ```
    pub async fn transact<K: AsRef<[u8]>, R>(
        &self,
        keys: impl IntoIterator<Item = K>,
        build: impl AsyncFn(&Watch) -> Result<(Transaction, R), Error>,
    ) -> Result<(Answers, R), Error> {
        let keys: Vec<K> = keys.into_iter().collect();
        let (end, mut n_tries) = (Instant::now() + self.shared.timeout, 0_u32);
        loop {
            let watch = self.watch(&keys).await?;
            let (transaction, rest) = match build(&watch).await {
                Ok(built) => built,
                Err(error) => {
                    watch.unwatch().await?;
                    return Err(error);
                }
            };
            if let Some(answers) = watch.exec(transaction).await? {
                return Ok((answers, rest));
            }
            n_tries += 1;
            if end <= Instant::now() {
                return Err(outrun(n_tries));
            }
        }
    }
}

/// Somebody else was faster each time.
pub(crate) fn outrun(n_tries: u32) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!(
            "somebody else changed what is watched each of {n_tries} times until the deadline: \
             nothing was done"
        ),
    )
}

/// How long to wait for a slot that is moving.
const AGAIN: Duration = Duration::from_millis(50);

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
    /// As [`Transaction::exec`]; [`ErrorKind::InvalidRequest`] if the transaction is of another
    /// client.
    ///
    /// # Cancel safety
    /// As [`Transaction::exec`].
    pub async fn exec(self, transaction: Transaction) -> Result<Option<Answers>, Error> {
        if !std::sync::Arc::ptr_eq(&self.client.shared, &transaction.client.shared) {
            let message = "make the transaction with `Watch::transaction`";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let outcome = transaction.run_all().await?;
        self.client.give_back().await;
        Ok(outcome)
    }

    /// Stops watching, and keeps the connection for others.
    ///
    /// # Errors
    /// As every command.
    pub async fn unwatch(self) -> Result<(), Error> {
        self.client.run(words(&self.client, "UNWATCH").reply::<()>()).await?;
        self.client.give_back().await;
        Ok(())
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("n_commands", &self.len()).finish_non_exhaustive()
    }
}
