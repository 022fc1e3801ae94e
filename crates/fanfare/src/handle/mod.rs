//! Functions that handle what comes: from channels, from streams, from queues.
//!
//! A handler is an asynchronous function whose arguments are [extracted](Extract) from what it is
//! called for. Underneath it is a [`tower`](https://docs.rs/tower) service, so that layers fit around
//! it.

mod extract;
mod function;
mod outcome;

pub use extract::{Extract, State};
pub(crate) use function::{Endpoint, Undecodable, endpoint, endpoint_of_service};
pub use function::{Handle, HandlerService, service};
pub(crate) use outcome::panic_text;
pub use outcome::{BoxError, Outcome, Permanent};
