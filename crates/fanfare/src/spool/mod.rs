//! A bounded log on disk for messages while the broker is away.
//!
//! "Publish, and if that fails write it to a list in memory, or to Redis" loses exactly when it matters:
//! the one is gone with the process, the other is what is away. A [`Spool`] keeps messages in files,
//! within limits, and sends them in their order when the broker is back, each once.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use std::time::Duration;
//! use fanfare::{Envelope, Fanfare};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! # let directory = std::env::temp_dir().join(format!("fanfare-module-{}", std::process::id()));
//! let fanfare = Fanfare::builder("embedded:").connect_lazy().await?;
//! let spool = fanfare.spool(&directory).open().await?;
//! let order = Envelope::new("order.created", serde_json::json!({"item": "tea"})).source("shop");
//! spool.publish("orders", &order).await?;
//! let stats = spool.close(Duration::from_secs(10)).await;
//! assert_eq!((stats.waiting, stats.sent + stats.replayed), (0, 1));
//! # let _ = std::fs::remove_dir_all(directory);
//! # Ok(()) }
//! ```
//!
//! | what happens | what becomes of messages |
//! |---|---|
//! | the broker is away, hangs, is full (`OOM`), loads | they wait, and arrive in order |
//! | this process ends or is killed | those that were accepted are in the directory, and go when it is opened again |
//! | the machine goes down | as [`Fsync`] says |
//! | an answer is lost, or the process between sending and noting that | they are sent again, and the broker's script leaves out what it has |
//! | a limit is reached | the publisher gets [`SpoolFull`](crate::ErrorKind::SpoolFull), or the oldest are dropped and counted ([`WhenFull`]) |
//! | they wait for too long ([`age_max`](SpoolBuilder::age_max)) | dropped and counted |
//! | the disk is full or fails | the publisher gets [`Storage`](crate::ErrorKind::Storage); what waits stays, and new ones are taken again when there is space |
//! | the broker refuses one for good | it goes with the dead letters, and the rest goes on |
//! | a file is damaged | what is whole goes on; the file is kept aside |

mod dead;
mod disk;
mod frame;
mod handle;
mod letter;
mod log;
mod mark;
mod options;
mod record;
mod run;
mod segment;
mod shared;
mod stats;
#[cfg(test)]
mod tests;

pub use crate::once::Destination;
pub use handle::{Accepted, Spool};
pub use letter::DeadLetter;
pub use options::{Fsync, SpoolBuilder, WhenFull};
pub use stats::{Recovery, SpoolEvent, SpoolEvents, SpoolStats};
