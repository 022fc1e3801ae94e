//! RESP2 and RESP3, the Redis wire protocol: incremental decoding and encoding, no I/O.
//!
//! RESP is what Redis clients and servers say to each other over a byte stream. A request is an
//! array of byte strings, `*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n`; a reply is a value whose first byte
//! names its type: `+OK\r\n`, `:1\r\n`, `$2\r\nhi\r\n`. RESP3 adds types such as maps (`%`), sets
//! (`~`) and pushes (`>`), which come without being asked for.
//!
//! This crate turns bytes into requests and values and back. It opens no socket, reads no clock and
//! spawns nothing: the caller reads into a buffer and hands it over.
//!
//! | you are | bytes to values | values to bytes |
//! |---|---|---|
//! | a server | [`RequestDecoder`] → [`Request`] | [`Writer`], which knows the version |
//! | a client | [`Decoder`] → [`Value`] | [`command()`], [`value()`] |
//!
//! # Example: both ends of an `ECHO`
//! ```
//! use bytes::BytesMut;
//! use fanfare_resp::{Decoder, Limits, Progress, RequestDecoder, Value, Version, Writer};
//!
//! // The client asks.
//! let mut wire = Vec::new();
//! fanfare_resp::command(&mut wire, [&b"ECHO"[..], b"hi"].into_iter());
//!
//! // The server finds the request in what it has read, and answers.
//! let mut requests = RequestDecoder::new(Limits::default());
//! let Progress::Complete { consumed } = requests.decode(&wire)? else { panic!("it is whole") };
//! let request = requests.request(&wire);
//! let mut reply = Vec::new();
//! match request.get(0) {
//!     Some(name) if name.eq_ignore_ascii_case(b"echo") => {
//!         Writer::new(&mut reply, Version::Resp2).bulk(request.get(1).unwrap_or_default());
//!     }
//!     _ => Writer::new(&mut reply, Version::Resp2).error(b"ERR unknown command"),
//! }
//! assert_eq!(consumed, wire.len());
//!
//! // The client reads the reply, however the network cuts it.
//! let mut replies = Decoder::new(Limits::default());
//! let mut buf = BytesMut::new();
//! let mut got = None;
//! for byte in reply {
//!     buf.extend_from_slice(&[byte]);
//!     got = got.or(replies.decode(&mut buf)?);
//! }
//! assert_eq!(got, Some(Value::bulk("hi")));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//! - *Incremental*: both decoders may stop at any byte, go on there, and give the same result
//!   however the input was cut. No byte is parsed twice.
//! - *Bounded*: a length from the wire is checked against [`Limits`] and never used to allocate;
//!   memory grows with the bytes that arrived. Nesting is bounded and decoding does not recurse.
//! - *No panic* on any input; no `unsafe`.
//! - *Cheap*: a request costs no allocation and no copy, a large string in a reply is a slice of
//!   the read buffer.
//! - *Redis's own words*: [`RequestError`] says what redis-server 7.0 says, at the same byte.
//!
//! # Limits
//! [`Limits::default`] holds redis-server's: 512 MiB per string, 64 KiB per line, 1 GiB in total;
//! one million elements per aggregate, 32 levels. Before authentication a request may have 10
//! arguments of 16 KiB, see [`RequestDecoder::set_authenticated`].
//!
//! Not done here: what commands mean, `HELLO`, and which reply belongs to which request.

mod aggregate;
mod cursor;
mod decode;
mod encode;
mod error;
mod header;
mod inline;
mod limits;
mod number;
mod request;
mod value;

pub use decode::Decoder;
pub use encode::{Version, Writer, bulk_header, bulk_header_len, bulk_len, command, value};
pub use error::{DecodeError, DecodeErrorKind, RequestError};
pub use inline::split_args;
pub use limits::Limits;
pub use number::DoubleText;
pub use request::{Progress, Request, RequestDecoder, Span};
pub use value::Value;
