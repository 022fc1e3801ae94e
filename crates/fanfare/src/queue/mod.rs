//! Queues of tasks: each is run at least once, by one worker at a time, and none is lost when a worker
//! dies.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use std::time::Duration;
//! use fanfare::{Fanfare, queue::Task};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let fanfare = Fanfare::connect("embedded:").await?;
//! let mails = fanfare.task_queue("mails to send");
//! let ticket = mails.enqueue("to ada").await?;
//! let worker = mails.worker().concurrency(8).spawn(async |task: Task| {
//!     println!("{} for the {}. time", task.text()?, task.deliveries());
//!     Ok::<_, fanfare::Error>(())
//! })?;
//! ticket.outcome(Duration::from_secs(30)).await?;
//! let stats = worker.drain(Duration::from_secs(10)).await;
//! assert_eq!((stats.counts.completed, stats.held), (1, 0));
//! # Ok(()) }
//! ```
//!
//! # A queue or a stream?
//! A stream keeps what was added, in order, for any number of groups. A queue forgets what is done, and
//! each task can have a time, a priority, a key, a time to live and a result of its own; it can be
//! looked at and taken back. See [`worker`](crate::worker) for streams.
//!
//! # What is promised
//! *At least once.* A task that was enqueued is run well by some worker, or ends among the
//! [dead letters](DeadTasks), or has expired or was taken back because somebody said so.
//!
//! | what happens | what becomes of the task |
//! |---|---|
//! | its handler fails, panics, or takes longer than it may | it rests, then any worker gets it; after [`deliveries_max`](TaskQueue::deliveries_max) it is with the dead letters |
//! | its handler, or a layer around it, does not want it now ([`Refused`](crate::layers::Refused), [`RetryAfter`](crate::layers::RetryAfter)) | it waits for so long, and the delivery does not count; a worker whose breaker is open, or whose limit is reached, takes nothing for so long, at most 5 s |
//! | it can not be turned into the handler's arguments, or the error is [`Permanent`](crate::Permanent), or what is kept of it can not be read | it is with the dead letters at once |
//! | its result can not be kept, since it is too large, say | it is with the dead letters |
//! | a handler takes long | it keeps the task: its worker gives a sign of life every third of the [`lease`](TaskQueue::lease) |
//! | the process dies, or hangs for longer than the lease | another worker gets it, and the delivery counts; one that was delivered too often already is put with the dead letters |
//! | whoever had it comes late | it is told so, and nothing is changed: each delivery has a token of its own, which is compared together with the worker's name |
//! | the server's memory is full | nothing is put in; what is there is taken, kept and settled as always |
//! | the connection is lost, the server restarts, a master or a slot moves | workers go on by themselves |
//! | a wake-up is lost | workers look every second, whatever they were told |
//! | the worker is [drained](RunningQueueWorker::drain) | what it did not begin goes back to where it was in line, and does not count as delivered |
//!
//! What the server itself loses in a failover or a restart is lost, as everywhere; so is what it evicts:
//! a server with queues has `maxmemory-policy noeviction`. A handler is made idempotent by the
//! task's [ID](Task::id), and what it writes elsewhere can be fenced by its [token](Task::token).
//!
//! # How it works
//! Everything is on the server, under keys of one hash tag: sorted sets of what is ready, delayed,
//! leased and dead, a list for wake-ups, a hash for counts, and a hash for each task. Whatever has to
//! happen together is one Lua script that touches a few hundred tasks at most. The server's clock decides
//! what is due and whose lease has ended, so clocks of programs need not agree. Whoever takes tasks first
//! sees to those that are due and to those that were left behind: there is no program that has to run for
//! that.
//!
//! | key | type | what |
//! |---|---|---|
//! | `{name}:ready` | sorted set | IDs by their place in line, in microseconds |
//! | `{name}:delayed`, `{name}:leased`, `{name}:dead` | sorted set | IDs by the time when they are due, the lease ends, they died |
//! | `{name}:wake` | list | at most one token |
//! | `{name}:meta` | hash | counts, the last token and the last moment |
//! | `{name}:task:<id>` | hash | all that is known of a task |
//! | `{name}:unique:<key>` | string | the ID of the task that has the key |
//! | `{name}:result:<id>` | list | there only while somebody waits for an outcome that is known |
//! | `{name}:cron`, `{name}:schedule:<name>` | sorted set, hash | schedules by the time when they are due next, and what they are |
//!
//! Those below `{name}:meta` are not among the `KEYS` of the scripts, since which they are is known only to the
//! server. They have the same hash tag, so they are in the same slot.
//!
//! It needs Redis 6.2 or newer, or Fanfare's broker, and the rights to `EVAL`, `EVALSHA`, `SCRIPT|LOAD`, to what the
//! scripts call, to `BLPOP` and `BLMOVE`, and to the keys above.

#[cfg(feature = "cron")]
mod cron;
mod dead;
mod events;
mod handle;
mod held;
mod job;
mod keep;
mod kinds;
mod run;
mod scripts;
mod settle;
mod stats;
mod take;
mod task;
mod ticket;
mod wake;
mod worker;

#[cfg(feature = "cron")]
pub use cron::{Missed, RunningScheduler, Schedule, ScheduleInfo, SchedulerStats, Schedules};
pub use dead::DeadTasks;
pub use events::{QueueWorkerEvent, QueueWorkerEvents};
pub use handle::TaskQueue;
pub use job::{Job, TaskId};
pub use kinds::{DelayQueue, PriorityQueue, UniqueQueue};
pub use run::RunningQueueWorker;
pub(crate) use scripts::{Place, key_patterns, name_of};
pub use stats::{QueueCounts, QueueStats, QueueWorkerStats, TaskCounts};
pub use take::{Failing, Settled, Taken};
pub use task::Task;
pub use ticket::{Ending, TaskInfo, TaskState, Ticket};
pub use worker::QueueWorker;
