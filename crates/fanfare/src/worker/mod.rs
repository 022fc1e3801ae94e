//! Workers: programs that share the entries of a stream, each of which is handled at least once.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use std::{sync::Arc, time::Duration};
//! use fanfare::{Fanfare, stream::Entry, worker::Context};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let fanfare = Fanfare::connect("embedded:").await?;
//! let orders = fanfare.stream("orders to handle");
//! orders.add([("item", "tea")]).await?;
//! let worker = orders.group("billing").worker().concurrency(8).spawn(
//!     async |entry: Arc<Entry>, context: Context| {
//!         println!("{} for the {}. time", entry.text("item")?, context.deliveries());
//!         Ok::<_, fanfare::Error>(())
//!     },
//! )?;
//! while worker.stats().counts.handled < 1 {
//!     tokio::time::sleep(Duration::from_millis(10)).await;
//! }
//! let stats = worker.drain(Duration::from_secs(10)).await;
//! assert_eq!((stats.counts.acknowledged, stats.held), (1, 0));
//! # Ok(()) }
//! ```
//!
//! # What is promised
//! *At least once.* An entry that was added to the stream is handled well by some worker of the
//! group, or ends among the dead letters. It is acknowledged only then.
//!
//! | what happens | what becomes of the entry |
//! |---|---|
//! | its handler fails, panics, or takes longer than it may | it rests, then any worker of the group gets it; after [`deliveries_max`](Worker::deliveries_max) it is put with the dead letters, together with its acknowledgement |
//! | its handler, or a layer around it, does not want it now ([`Refused`](crate::layers::Refused), [`RetryAfter`](crate::layers::RetryAfter)) | it waits for so long and is begun again, and this does not count; it keeps its place, so a worker all of whose entries are refused reads no more |
//! | it can not be turned into the handler's arguments, or the error is [`Permanent`](crate::Permanent) | it is put with the dead letters at once |
//! | a handler takes long | it keeps the entry: its worker gives a sign of life every third of the [`lease`](Worker::lease) |
//! | the process dies, or hangs for longer than the lease | another worker gets it, and the delivery counts; one that was delivered too often already is put with the dead letters unhandled |
//! | the connection is lost, the server hangs or restarts, a master or a slot moves | the worker goes on by itself; what was on its way is found again |
//! | the answer to a read is lost | the worker finds that it has entries it does not know of, and takes them |
//! | the group is missing (`FLUSHALL`, a failover, `XGROUP DESTROY`) | it is made again, behind the last entry of which the worker knows that it and all before it are settled; at the first one if the stream is another one. Never at its end: some may be handled twice, none is skipped |
//! | the entry is trimmed away while it is pending | it is cleared |
//! | the worker is [drained](RunningWorker::drain) | what it did not begin is given back and does not count as delivered |
//! | somebody else takes it | the handler is told ([`Context::lost`]), and it is not taken back |
//!
//! What the server itself loses in a failover or a restart is lost, as everywhere. A handler is
//! made idempotent by the entry's ID.
//!
//! # How it works
//! A worker has two connections of its own: on one it waits for entries, on the other it does
//! everything else, so neither holds up the other, nor any other command. Entries are read and
//! acknowledged many at a time.
//!
//! All that must survive a crash is on the server, in the group: who has an entry, since when, and
//! how often it was delivered. What failed is handed to the consumer `fanfare:retry`, which is no
//! program; its time is up when it has been there for as long as the number of deliveries says,
//! and then whoever is first gets it. Workers look with `XPENDING` at what others left, so they know
//! the number of deliveries *before* they take anything, and take with `XCLAIM` only what is as idle as
//! they saw it. `XAUTOCLAIM` and `XREADGROUP … CLAIM` are not used, since they would take what
//! rests before its time; `XNACK` is, where the server knows it (it is asked by `COMMAND INFO`).
//! Scripts are not used: they may be forbidden, and stop the whole server while they run. Where two
//! things must happen together, they are a transaction.
//!
//! It needs Redis 6.2 or newer, or Fanfare's broker, and the rights to `XREADGROUP`, `XACK`,
//! `XCLAIM`, `XPENDING`, `XINFO`, `XGROUP`, `XRANGE`, `XLEN`, `XADD`, `MULTI`, `EXEC`, `WATCH` and
//! `UNWATCH`; and to `XTRIM`, if it is to trim, `XDEL` and `XACKDEL`, if it is to delete, `XNACK`, and
//! `COMMAND|INFO`.

mod context;
pub(crate) mod dead;
mod ending;
mod extract;
mod keeper;
mod ledger;
mod life;
mod options;
mod rules;
mod run;
mod shared;
mod stats;
mod wire;

pub use context::Context;
pub(crate) use context::Lease;
pub use dead::{DeadLetter, DeadLetters};
pub(crate) use ending::{Ending, shortened};
pub use extract::Delivered;
pub(crate) use life::{Life, Running, Stage};
pub use options::Worker;
pub(crate) use options::{TIME_MAX, unique_name};
pub(crate) use rules::RETRY_CONSUMER;
pub use run::RunningWorker;
pub(crate) use shared::{Patience, now, says_full};
pub use stats::{Counts, WorkerEvent, WorkerEvents, WorkerState, WorkerStats};
