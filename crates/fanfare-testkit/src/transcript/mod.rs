//! Transcripts: scripts whose answers from two servers must be equal byte for byte.
//!
//! A script is a text file. Each step is one line; the lines below it say how to look at the
//! answers. Every script runs twice, in RESP2 and in RESP3 (each client sends `HELLO 3` first).
//!
//! ```text
//! # a comment
//! > SET k "a\x00b"*3          a command, quoted as in redis-cli; "..."*N repeats
//! a> SUBSCRIBE x              the same from a second client named `a`
//! b>> "*1\r\n" "$4\r\nPI"      raw bytes
//! connect c                   connect without sending a command
//! close a                     hang up
//! sleep 20                    milliseconds
//! ```
//!
//! After each step, what every client received and whether its connection was closed is compared.
//! Words may hold `${a.id}` and `${a.addr}` (client `a`), `${server.addr}` and `${server.port}`.
//!
//! Below a step:
//!
//! ```text
//! mask: /id=\d+/              what matches is not compared; above the first step: in every step
//! drop: /x-\d+/               the same, and it may be missing
//! unordered                   the order within the answers is not defined
//! unordered deep              ... nor within their parts
//! match keys                  compare only the names in `name:value` lines (INFO)
//! match keys: role run_id     both answers hold at least these
//! match fields                compare only the names in `name=value` words (CLIENT LIST)
//! late                        the answer may come after other things have happened
//! < "+OK\r\n"                  both servers answer this; `a<` for client `a`, `<3` in RESP3 only
//! differs: D7                 Fanfare deviates as docs/differences.md says under D7 and answers
//! < "+FINE\r\n"                what stands here; `differs: D7 resp3` in RESP3 only
//! ```
//!
//! Above the first step:
//!
//! ```text
//! server: --requirepass x     arguments of both servers
//! resp: 2                     only in this version
//! quiet                       a short silence ends a step; otherwise a second connection asks
//!                             for an echo, which MONITOR and SLOWLOG would see
//! ```

mod arity;
mod compare;
mod differences;
mod run;
mod script;
mod side;

pub use arity::arity_scripts;
pub use differences::Differences;
pub use run::{Outcome, Runner, StartServer};
pub use script::{RespVersion, Script};
