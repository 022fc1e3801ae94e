//! Sockets: the only module that knows which kind of them there is, so that another kind of I/O can be tried.

mod failure;
mod listener;
mod socket;

pub(crate) use failure::{Failure, Outage};
pub(crate) use listener::{Bound, Twin, bind_all};
pub(crate) use socket::{Incoming, Socket};
