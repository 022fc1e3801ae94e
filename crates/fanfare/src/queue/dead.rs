//! Tasks that failed too often.

use fanfare_client::{Error, ErrorKind, Value};

use super::{
    TaskId, TaskInfo, TaskQueue,
    handle::odd,
    scripts::{PURGE, REQUEUE},
};

/// The dead letters of a queue: tasks that were delivered as often as is allowed and never ended well.
/// They stay until somebody sends them back or throws them away. Made by [`TaskQueue::dead_letters`].
///
/// # Example: look, mend, send back
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let mails = fanfare.task_queue("dying mails").deliveries_max(1);
/// mails.enqueue("to nobody").await?;
/// for taken in mails.take(1).await? {
///     let _ = taken.fail("no such address").await?;
/// }
/// let dead = mails.dead_letters();
/// let letter = dead.list(10).await?.remove(0);
/// assert_eq!((&letter.payload[..], letter.deliveries), (&b"to nobody"[..], 1));
/// assert_eq!(letter.error.as_deref(), Some("no such address"));
/// assert!(dead.requeue(&letter.id).await?);
/// assert_eq!(mails.take(1).await?[0].task().id(), &letter.id);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DeadTasks {
    pub(crate) queue: TaskQueue,
}

impl DeadTasks {
    /// How many there are.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn len(&self) -> Result<u64, Error> {
        Ok(self.queue.stats().await?.dead)
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len().await? == 0)
    }

    /// Those that died first, at most `n`, with all that is known of them.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Example: what has died, and of what
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let mails = fanfare::Fanfare::connect("embedded:").await?.task_queue("mails that die");
    /// for letter in mails.dead_letters().list(100).await? {
    ///     println!("{} after {} deliveries: {:?}", letter.id, letter.deliveries, letter.error);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn list(&self, n: u32) -> Result<Vec<TaskInfo>, Error> {
        let mut letters = Vec::new();
        for (id, _) in self.queue.listed("dead", n).await? {
            letters.extend(self.show(&id).await?);
        }
        Ok(letters)
    }

    /// One of them. `None`: it is not here.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn show(&self, id: &TaskId) -> Result<Option<TaskInfo>, Error> {
        let info = self.queue.show(id).await?;
        Ok(info.filter(|it| it.state == super::TaskState::Dead))
    }

    /// Sends one back: it is ready at the end of the line, as if it had never been delivered. `false`:
    /// it is not here.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if another task has its [key](super::Job::unique) meanwhile: it
    /// stays here then. Otherwise those of every command.
    ///
    /// # Cancel safety
    /// If the future is dropped, it may or may not have been sent back.
    pub async fn requeue(&self, id: &TaskId) -> Result<bool, Error> {
        let answer: Value = self.queue.run(&REQUEUE, [id.bytes()]).await?;
        match (answer.as_int(), answer.as_str()) {
            (Some(0), _) => Ok(false),
            (Some(1), _) => Ok(true),
            (_, Some(other)) => {
                let message = format!("task {other} has the key of the dead letter {id}");
                Err(Error::new(ErrorKind::InvalidRequest, message))
            }
            _ => Err(odd("sending back")),
        }
    }

    /// Sends all back that are here now, oldest first, and returns how many. Those whose key another
    /// task has stay.
    ///
    /// # Errors
    /// Those of every command; those before are sent back.
    pub async fn requeue_all(&self) -> Result<u64, Error> {
        let all = self.queue.listed("dead", u32::MAX).await?;
        let mut n = 0;
        for (id, _) in all {
            match self.requeue(&id).await {
                Ok(is_back) => n += u64::from(is_back),
                Err(error) if error.kind() == ErrorKind::InvalidRequest => {}
                Err(error) => return Err(error),
            }
        }
        Ok(n)
    }

    /// Throws some away, and returns how many of them were here.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn purge(&self, ids: impl IntoIterator<Item = TaskId>) -> Result<u64, Error> {
        let ids: Vec<TaskId> = ids.into_iter().collect();
        let mut n = 0;
        for some in ids.chunks(200) {
            let some: Vec<_> = some.iter().map(TaskId::bytes).collect();
            n += self.queue.run::<u64>(&PURGE, some).await?;
        }
        Ok(n)
    }
}
