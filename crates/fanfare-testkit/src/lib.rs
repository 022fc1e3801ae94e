//! Test support for the Fanfare workspace: real servers on free ports, a client that sees raw
//! bytes, and transcripts that hold Fanfare to redis-server's answers byte for byte.
//!
//! * [`RedisServer`] and [`FanfareServer`] start a server process in a directory of its own and
//!   end both on drop; [`SentinelGroup`] starts a master with its replicas and sentinels,
//!   [`ClusterGroup`] a cluster; both speak TLS too, with [`TlsFiles`].
//! * [`Postgres`] is a PostgreSQL server likewise.
//! * [`RawClient`] sends and receives bytes, and notices a closed connection.
//! * [`transcript`] parses and runs the scripts under `transcripts/`.
//! * [`seed`] gives randomised tests a seed that is printed and can be set.
//!
//! This crate does not use Fanfare's own codec: what checks the broker shares no code with it.

/// Where the examples of `seed` find it: its file is a part of two crates.
macro_rules! here {
    () => {
        "fanfare_testkit"
    };
}

mod client;
mod cluster;
mod frame;
mod installed;
mod port;
mod postgres;
mod process;
// The same as in `fanfare::testing`, on which this crate does not depend: it tests what that is made of.
#[path = "../../fanfare/src/testing/seed.rs"]
mod seed;
mod sentinel;
mod server;
mod text;
mod tls;
pub mod transcript;

pub use client::RawClient;
pub use cluster::ClusterGroup;
pub use frame::{frame_len, split_frames};
pub use installed::{install, install_node, installed_once};
pub use port::free_port;
pub use postgres::Postgres;
pub use process::{ServerProcess, TempDir};
pub use seed::{Rng, seed};
pub use sentinel::SentinelGroup;
pub use server::{FanfareServer, RedisServer, fanfare_binary};
pub use text::escape;
pub use tls::TlsFiles;
