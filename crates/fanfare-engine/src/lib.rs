//! The Fanfare engine: keyspace and commands, without sockets, threads, clock or randomness.
//!
//! A command is data ([`Spec`]): the broker looks it up in a [`CommandTable`], [`exec::run`] locks the stripes of its
//! keys and calls its `run` with a [`Ctx`]; what comes back is a [`Reply`] or a [`WireError`]. What a command needs of
//! the server around it (subscriptions, other clients, configuration) it asks of the [`Host`]. Time is an argument.
//!
//! | module | holds |
//! |---|---|
//! | [`spec`], [`table`] | a command as data; the table that dispatch, `COMMAND` and the docs read |
//! | [`ctx`], [`host`], [`client`] | what a running command sees |
//! | [`exec`] | from a request to a reply: checks, transactions, locks |
//! | [`keyspace`] | databases, stripes, expiry, WATCH |
//! | [`packed`] | small collections as Redis packs them: listpack, intset, the chunk of a list |
//! | [`rdb`] | the parts of RDB: lengths, strings, compression, checksum, payloads of DUMP |
//! | [`tree`] | large collections as trees whose copies cost nothing until one of them changes; names |
//! | [`value`] | what a key can hold |
//! | [`evict`] | removing keys when memory is full |
//! | [`block`], [`effect`], [`notify`] | clients that wait for a key; what a write did; keyspace notifications |
//! | [`scripting`] | Lua: what scripts may do, and what all threads know of them |
//! | [`tuning`] | settings that change while commands run |
//! | [`commands`] | one file per command family |
//! | [`tracking`] | who may hold copies of keys, and is told when they change |
//! | [`pubsub`] | who is subscribed to what, over all reactors and on one |
//! | [`push`] | streams that are pushed: their history, what is added, what became of them |
//! | [`glob`], [`number`], [`double`], [`long_double`] | Redis's pattern and number rules |

mod big;
pub mod block;
pub mod client;
pub mod commands;
pub mod ctx;
pub mod double;
pub mod effect;
pub mod evict;
pub mod exec;
pub mod glob;
pub mod host;
pub mod keyspace;
pub mod long_double;
mod memory;
pub mod notify;
pub mod number;
pub mod packed;
pub mod pubsub;
pub mod push;
pub mod rdb;
pub mod reply;
pub mod scripting;
pub mod spec;
mod sync;
pub mod table;
pub mod tracking;
pub mod tree;
pub mod tuning;
pub mod value;
pub mod wire_error;

pub use client::Client;
pub use ctx::{Ctx, Now};
pub use fanfare_resp::{Request, Version};
pub use host::Host;
pub use keyspace::Keyspace;
pub use reply::{Blob, Reply};
pub use spec::Spec;
pub use table::CommandTable;
pub use wire_error::WireError;

/// What `HELLO` and `INFO` claim to be: clients decide by it what they may send.
pub const REDIS_VERSION: &str = "7.2.4";
/// What it really is.
pub const FANFARE_VERSION: &str = env!("CARGO_PKG_VERSION");
