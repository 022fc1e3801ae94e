//! Publish and subscribe.

mod handler;
mod publish;
mod subscriber;

pub use handler::{Handler, HandlerStats, Outcome};
pub use subscriber::Subscriber;
