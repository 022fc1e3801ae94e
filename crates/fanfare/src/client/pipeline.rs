//! Commands that are sent together.

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use fanfare_client::{Error, ErrorKind, Namespace, Pipeline as Encoded, Value};

use super::{
    Client,
    command::{Args, Command, Decode, Run, decode},
};

/// Commands that are queued and then sent together: one flush and one wait for all of them. Each has
/// an outcome of its own.
///
/// It is not a transaction: other clients' commands may run in between, and one that fails does not
/// stop the next. In a cluster each goes to the node of its key, and those for one slot keep their
/// order.
///
/// # Example: two questions, one wait
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, commands::*};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let client = Fanfare::connect("embedded:").await?.client();
/// let pipeline = client.pipeline();
/// let visits = pipeline.incr("visits");
/// let name = pipeline.get::<String>("name");
/// let mut answers = pipeline.send().await?;
/// assert_eq!(answers.take(visits)?, 1);
/// assert_eq!(answers.take(name)?, None);
/// # Ok(()) }
/// ```
pub struct Pipeline {
    client: Client,
    queue: Queue,
}

/// A command, or why there is none.
pub(crate) type Queued = Result<Args, Error>;

/// The commands of one pipeline or transaction.
pub(crate) struct Queue {
    /// By which its tickets are known.
    id: u64,
    queued: Mutex<Vec<Queued>>,
}

/// The claim to the answer of one queued command.
#[must_use = "an answer that nobody takes is an error that nobody sees"]
pub struct Ticket<T> {
    queue: u64,
    at: usize,
    decode: Decode<T>,
}

/// The answers to queued commands.
#[derive(Debug)]
pub struct Answers {
    queue: u64,
    replies: Vec<Option<Result<Value, Error>>>,
    namespace: Namespace,
}

impl Queue {
    pub(crate) fn new() -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), queued: Mutex::default() }
    }

    pub(crate) fn push<T>(&self, command: Command<T>) -> Ticket<T> {
        let mut queued = self.lock();
        queued.push(command.args);
        Ticket { queue: self.id, at: queued.len() - 1, decode: command.decode }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The number by which its tickets are known, and the commands.
    pub(crate) fn into_parts(self) -> (u64, Vec<Queued>) {
        (self.id, self.queued.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Queued>> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipeline {
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

    /// Sends the commands, and waits for all answers.
    ///
    /// # Errors
    /// [`ErrorKind::Overloaded`], [`ErrorKind::TooLarge`] and [`ErrorKind::Closed`]: nothing was
    /// sent. All else is told of each command.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what has been handed to the connection.
    pub async fn send(self) -> Result<Answers, Error> {
        let (id, queued) = self.queue.into_parts();
        let mut pipeline = Encoded::new();
        queued.iter().flatten().for_each(|args| args.write(&mut pipeline));
        let sent = match pipeline.is_empty() {
            true => Vec::new(),
            false => self.client.shared.send(pipeline).await?,
        };
        Ok(Answers::new(id, queued, sent, self.client.namespace()))
    }

    /// Sends the commands on a connection of their own, and waits until `n_replicas` replicas have
    /// them, for at most `wait` (`WAIT`). Returns the answers, and how many replicas have them. In a
    /// cluster all keys must be in one slot.
    ///
    /// # Errors
    /// As [`send`](Self::send), and those of every command if the connection breaks.
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn send_and_wait(
        self,
        n_replicas: u32,
        wait: std::time::Duration,
    ) -> Result<(Answers, u64), Error> {
        let (id, queued) = self.queue.into_parts();
        let key = one_slot(&self.client, &queued)?;
        let mut pipeline = Encoded::new();
        queued.iter().flatten().for_each(|args| args.write(&mut pipeline));
        // 0 would be for ever.
        let wait = wait.max(std::time::Duration::from_millis(1));
        let (n, ms) = (n_replicas.to_string(), wait.as_millis().to_string());
        pipeline.push([&b"WAIT"[..], n.as_bytes(), ms.as_bytes()]);
        let timeout = self.client.shared.timeout;
        let link = self.client.link();
        let mut sent = link.send_alone(pipeline, key.as_deref(), wait, timeout).await?;
        let reached = sent.pop().unwrap_or_else(|| Err(super::handle::closed()))?;
        let reached = super::value::FromValue::from_value(reached)?;
        Ok((Answers::new(id, queued, sent, self.client.namespace()), reached))
    }
}

/// The first key, if all keys are in one slot or this is no cluster.
pub(crate) fn one_slot(client: &Client, queued: &[Queued]) -> Result<Option<Vec<u8>>, Error> {
    let mut keys = queued.iter().flatten().flat_map(Args::keys);
    let Some(first) = keys.next() else { return Ok(None) };
    let slot = fanfare_client::slot(first);
    if client.link().options().url().is_cluster()
        && let Some(other) = keys.find(|key| fanfare_client::slot(key) != slot)
    {
        let (first, other) = (String::from_utf8_lossy(first), String::from_utf8_lossy(other));
        return Err(Error::new(
            ErrorKind::InvalidRequest,
            format!(
                "the keys {first:?} and {other:?} are in different slots of the cluster, and this \
                 needs one: give them a common part in braces, such as {{user:7}}:name"
            ),
        ));
    }
    Ok(Some(first.to_vec()))
}

impl Run for Pipeline {
    type Out<T: Send + 'static> = Ticket<T>;

    fn namespace(&self) -> &Namespace {
        self.client.namespace()
    }

    fn run<T: Send + 'static>(&self, command: Command<T>) -> Ticket<T> {
        self.queue.push(command)
    }
}

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.at).finish()
    }
}

impl Answers {
    /// `sent` are the answers to those of `queued` that could be sent.
    pub(crate) fn new(
        queue: u64,
        queued: Vec<Queued>,
        sent: Vec<Result<Value, Error>>,
        namespace: &Namespace,
    ) -> Self {
        let mut sent = sent.into_iter();
        let mut next = || sent.next().unwrap_or_else(|| Err(super::handle::closed()));
        let replies = queued.into_iter().map(|args| Some(args.and_then(|_| next()))).collect();
        Self { queue, replies, namespace: namespace.clone() }
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.replies.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    /// The answer that a ticket is for.
    ///
    /// # Errors
    /// Those of the command; [`ErrorKind::InvalidRequest`] if the ticket is from another pipeline or
    /// transaction.
    pub fn take<T>(&mut self, ticket: Ticket<T>) -> Result<T, Error> {
        let is_ours = ticket.queue == self.queue;
        let reply = self.replies.get_mut(ticket.at).filter(|_| is_ours).and_then(Option::take);
        let reply = reply.unwrap_or_else(|| {
            let message = "this ticket is from another pipeline or transaction";
            Err(Error::new(ErrorKind::InvalidRequest, message))
        });
        decode(reply, ticket.decode, &self.namespace)
    }

    /// All answers that nobody has taken, in the order of the commands, as they came.
    pub fn into_values(self) -> Vec<Result<Value, Error>> {
        self.replies.into_iter().flatten().collect()
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("n_commands", &self.len()).finish_non_exhaustive()
    }
}
