//! What the broker is told: `redis.conf` files, environment variables, flags, `CONFIG SET`.
//!
//! Everything derives from one slice of data, [`DIRECTIVES`](reference()): the file parser, the flags
//! (`--maxmemory 2gb`), the environment (`FANFARE_MAXMEMORY`), `CONFIG GET`, `CONFIG SET`,
//! `CONFIG REWRITE` and the printed reference. A configuration is made in two stages: *raw* (what
//! was written, and where) and *checked* ([`Config`]: what holds).
//!
//! Code map: `directives` the slice · `directive` what its items are · `known` what Redis has
//! beyond it · `special` directives of more than one word · `values` the types of the fields ·
//! `file` the syntax and `include` · `flags` the command line · `raw` file, environment and flags
//! in one list · `checked` the [`Config`] · `live` `CONFIG GET` and `CONFIG SET` · `rewrite`
//! `CONFIG REWRITE` · `error` what is reported.
//!
//! ```
//! use fanfare_broker::config::{Config, get};
//!
//! let flags = ["--port".to_owned(), "0".to_owned(), "--maxmemory".to_owned(), "2gb".to_owned()];
//! let (config, warnings) = Config::load(None, std::iter::empty(), &flags)?;
//! assert_eq!(config.port, 0);
//! assert_eq!(get(&config, "maxmemory").as_deref(), Some("2147483648"));
//! assert!(warnings.is_empty());
//! # Ok::<_, fanfare_broker::config::ConfigError>(())
//! ```

mod checked;
mod directive;
mod directives;
mod error;
mod file;
mod flags;
mod known;
mod live;
mod raw;
mod rewrite;
mod special;
mod values;

#[cfg(test)]
#[cfg(unix)]
mod oracle_tests;
#[cfg(test)]
mod tests;

pub use checked::Config;
pub use directive::{Change, Directive, Field, Kind};
pub use directives::reference;
pub use error::{ConfigError, ConfigErrorKind, SetError, Warning};
pub use known::KNOWN_REDIS;
pub use live::{Changed, Peer, get, get_matching, names, set};
pub use raw::Origin;
pub use rewrite::rewrite;
pub use special::Special;
pub use values::{
    Allow, AppendFsync, BindAddress, BindHost, BufferLimit, LogFormat, LogLevel, MaxmemoryPolicy,
    OutputLimits, RenamedCommand, SavePoint, Secret, Supervised,
};
