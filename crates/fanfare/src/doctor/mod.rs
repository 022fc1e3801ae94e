//! What is wrong with a broker, what comes of it, and the command that mends it.
//!
//! A [`Doctor`] looks at every node: whether it can be reached and lets us in, its configuration,
//! memory, clients, slow commands, persistence, streams and groups, channels, and, if asked, at
//! what is published for a while. It changes nothing; it publishes one message on a private
//! channel, to see it come back.
//!
//! # Example: findings
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use fanfare::doctor::Doctor;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let diagnosis = Doctor::new("embedded:").examine().await?;
//! for finding in &diagnosis.findings {
//!     println!("{}: {}", finding.severity, finding.evidence);
//!     println!("  {}", finding.consequence);
//!     println!("  {}", finding.command.as_deref().unwrap_or(&finding.cure));
//! }
//! assert!(diagnosis.findings.iter().any(|it| it.name == "no-maxmemory"));
//! # Ok(()) }
//! ```
//!
//! # What it knows
//! [`AILMENTS`] lists it. What a user may not see (`CONFIG`, `CLIENT LIST`, `SLOWLOG`) is told as
//! [`blind`](Diagnosis::blind), and what hangs on it is then not judged.

mod ailment;
mod clients;
mod evidence;
mod examine;
mod heard;
mod host;
mod memory;
mod messages;
mod options;
mod reach;
mod safety;
mod sentinels;
mod slow;
mod streams;

pub use self::ailment::{AILMENTS, Ailment, Diagnosis, Finding};
pub use self::options::Doctor;
