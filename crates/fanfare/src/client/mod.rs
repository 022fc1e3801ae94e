//! Commands with typed answers: the [`Client`], pipelines, transactions, scripts.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use std::collections::HashMap;
//! use fanfare::{Fanfare, commands::*};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let client = Fanfare::connect("embedded:").await?.client();
//! client.hset("user:7", [("name", "anna"), ("visits", "0")]).await?;
//! client.hincr_by("user:7", "visits", 1).await?;
//! let user: HashMap<String, String> = client.hgetall("user:7").await?;
//! assert_eq!(user["visits"], "1");
//! # Ok(()) }
//! ```
//!
//! # How it is made
//! A family of commands is a trait with one method for each command, written once over [`Run`]:
//! whoever runs commands has them all. A [`Client`] gives a future, a [`Pipeline`] and a
//! [`Transaction`] give a [`Ticket`] for the answer, the client of [`blocking`](crate::blocking)
//! gives the answer itself. Arguments are [`ToArg`], answers [`FromValue`]; [`Json`](crate::Json) is both, for
//! whatever `serde` knows.

mod arg;
mod command;
mod handle;
mod hashes;
mod keys;
mod lists;
mod pipeline;
mod scan;
mod scripts;
mod sets;
mod since;
mod sorted;
mod strings;
mod transaction;
mod value;
mod waiting;

pub use arg::ToArg;
pub use command::{Command, Run};
pub use handle::{Call, Client};
pub use hashes::Hashes;
pub use keys::{ExpireIf, Keys, Ttl};
pub use lists::{End, Lists};
pub use pipeline::{Answers, Pipeline, Ticket};
pub use scan::{Scan, ScanItem};
pub use scripts::{Script, Scripts};
pub use sets::Sets;
pub use sorted::{SortedSets, ZaddOptions};
pub use strings::{Expiry, SetOptions, Strings};
pub(crate) use transaction::outrun;
pub use transaction::{Transaction, Watch};
pub use value::FromValue;

/// The families of commands, to be imported all together: `use fanfare::commands::*`.
pub mod commands {
    pub use super::{Hashes, Keys, Lists, Run, Scripts, Sets, SortedSets, Strings};
}
