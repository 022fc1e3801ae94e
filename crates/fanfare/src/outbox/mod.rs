//! A transactional outbox: messages in the program's own database, written in the transaction that they
//! tell of, and sent once it is committed.
//!
//! "Write the order to the database, then publish it" loses the message if the program dies in between, and
//! "publish, then commit" tells of orders that never were. An [`Outbox`] writes the message beside the order: both
//! are there, or neither. A [`Relay`] sends what is committed, each message once and in order.
//!
#![cfg_attr(all(feature = "embedded", feature = "sqlite"), doc = "```")]
#![cfg_attr(not(all(feature = "embedded", feature = "sqlite")), doc = "```ignore")]
//! use std::time::Duration;
//! use fanfare::{Envelope, Fanfare, outbox::{Outbox, sqlx}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("fanfare-outbox-{}.db", std::process::id()));
//! # let database = format!("sqlite:{}?mode=rwc", path.display());
//! // Or sqlx::PgPool and postgres://host/database: the rest stays the same.
//! let pool = sqlx::SqlitePool::connect(&database).await?;
//! let outbox = Outbox::new();
//! outbox.create(&mut *pool.acquire().await?).await?;
//! # sqlx::query("CREATE TABLE orders (item TEXT)").execute(&pool).await?;
//!
//! // In whatever process takes orders; the broker may be away.
//! let mut transaction = pool.begin().await?;
//! sqlx::query("INSERT INTO orders VALUES ('tea')").execute(&mut *transaction).await?;
//! outbox.publish(&mut *transaction, "orders", &Envelope::new("order.created", "tea")).await?;
//! transaction.commit().await?;
//!
//! // In that one, or any other, or several.
//! let fanfare = Fanfare::connect("embedded:").await?;
//! let relay = fanfare.relay(&outbox, pool.clone()).start().await?;
//! let stats = relay.close(Duration::from_secs(10)).await;
//! assert_eq!((stats.sent, fanfare.stream("orders").len().await?), (1, 1));
//! # pool.close().await;
//! # let _ = std::fs::remove_file(path);
//! # Ok(()) }
//! ```
//!
//! | what happens | what becomes of messages |
//! |---|---|
//! | the transaction is rolled back, or its process dies | they never were |
//! | the broker is away, hangs, is full (`OOM`), loads | they wait in the table, and arrive in order |
//! | the relay is killed, at whatever moment | another one goes on after the [lease](RelayBuilder::lease), or this one when it is started again; the broker leaves out what it has |
//! | two relays believe to be the one | both send the same, and the broker leaves out what it has |
//! | the database is away, or locked | nothing is sent; the relay counts it and asks again |
//! | the broker fails over to a replica that did not have everything | what it had said yes to and lost is lost: the row was deleted |
//! | the broker refuses one for good | it is a dead letter in the table, and the rest goes on |
//! | a message to a channel is too old | it is dropped and counted |
//! | the database is set back to a backup | what was written since is gone, as everything else; what was sent since and is there again unsent is sent again |

mod batch;
mod execute;
mod failure;
mod ledger;
#[expect(clippy::module_inception, reason = "the type is what the module is called after")]
mod outbox;
mod pool;
mod relay;
mod run;
mod shared;
mod stats;
mod table;

/// The crate with which programs open their databases, in the version that an outbox works with.
pub use sqlx;

pub use self::{
    execute::{Connection, Dialect},
    outbox::{Contents, DeadLetter, Outbox},
    pool::Pool,
    relay::{Relay, RelayBuilder},
    stats::{RelayEvent, RelayEvents, RelayStats},
};
pub use crate::once::Destination;
