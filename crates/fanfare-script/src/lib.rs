//! Redis's Lua 5.1 scripting as a library: all of `EVAL` and `FUNCTION` that is not the keyspace.
//!
//! A [`Runtime`] is one Lua state, on one thread. It compiles and keeps scripts ([`Runtime::load`])
//! and libraries of functions ([`Runtime::load_library`]), and runs them ([`Runtime::eval`],
//! [`Runtime::call_function`]). What a script asks of the server goes through the [`Caller`] that is
//! handed to the run and back from it: commands, log lines, and whether it may go on.
//!
//! A script sees what Redis 7.0 shows: protected globals, `redis`, `cjson`, `cmsgpack`, `bit`,
//! `struct`, and the errors in Redis's words. This crate has no clock, no sockets and no keys.
//!
//! ```
//! use fanfare_resp::{Request, Value, Version};
//! use fanfare_script::{Caller, Runtime, Verdict};
//!
//! struct Echo;
//!
//! impl Caller for Echo {
//!     fn call(&mut self, request: Request<'_>, _: Version) -> Value {
//!         Value::bulk(request.iter().collect::<Vec<_>>().concat())
//!     }
//!     fn poll(&mut self) -> Verdict {
//!         Verdict::GoOn
//!     }
//! }
//!
//! let mut runtime = Runtime::new(fanfare_script::Settings::default())?;
//! let script = runtime.load(b"return redis.call('GET', KEYS[1])")?;
//! let (_, answer) = runtime.eval(&script, &[b"k"], &[], Echo);
//! assert_eq!(answer.reply.as_bytes(), Some(&b"GETk"[..]));
//! # Ok::<_, fanfare_script::ScriptError>(())
//! ```

mod api;
mod bit;
mod caller;
mod cjson;
mod cmsgpack;
mod error;
mod library;
mod number;
mod pattern;
mod raise;
mod random;
mod reply;
mod runtime;
mod sandbox;
mod script;
mod sha1;
mod structure;

pub use caller::{Caller, LogLevel, Replication, Verdict};
pub use error::ScriptError;
pub use library::{Function, Library};
pub use runtime::{Answer, Runtime, STACK_BYTES_MIN, Script, Settings};
pub use script::{Flags, Sha1};
