//! Sending numbered messages to streams and channels, each once however often it is tried.
//!
//! Who sends numbers its messages within a *generation*, a random number of its own, and a script on the
//! broker remembers beside each stream up to which number it has them. The spool keeps what is to be sent
//! in files, the outbox in a database.

mod destination;
mod parcel;
mod send;
pub(crate) mod words;

pub use destination::Destination;
pub(crate) use destination::{Place, PlaceKind};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use parcel::WORDS_MAX;
pub(crate) use parcel::{Parcel, fields_of};
pub(crate) use send::{BATCH_BYTES_MAX, BATCH_MAX, Fate, Numbered, Sender};
