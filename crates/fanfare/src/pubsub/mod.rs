//! Publish and subscribe.

mod active;
mod handler;
mod linger;
mod publish;
mod publisher;
mod router;
mod subscriber;

pub(crate) use active::Active;
pub use active::ActiveChannel;
pub use linger::{Linger, LingerStats, Lingering, Receipt, WhenFull};
pub use publisher::Publisher;
pub use router::{Failed, FailedReason, RouteId, RouteStats, Router, RouterStats, RunningRouter};

pub use handler::{Handler, HandlerStats};
pub(crate) use publish::receivers;
pub use subscriber::Subscriber;
