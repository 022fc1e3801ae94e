//! Publish and subscribe.

mod handler;
mod publish;
mod subscriber;

pub(crate) use handler::panic_text;
pub use handler::{Handler, HandlerStats, Outcome};
pub use subscriber::Subscriber;
