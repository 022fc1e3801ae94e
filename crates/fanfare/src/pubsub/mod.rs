//! Publish and subscribe.

mod active;
mod codec;
mod handler;
mod linger;
mod publish;
mod publisher;
mod router;
mod subscriber;

pub use active::ActiveChannel;
pub use codec::{Codec, Raw, Text};
pub use linger::{Linger, LingerStats, Lingering, Receipt, WhenFull};
pub use publisher::Publisher;
pub use router::{
    BoxError, Channel, Extract, Failed, FailedReason, Handle, HandlerService, RouteId, RouteStats,
    Router, RouterStats, RunningRouter, State, service,
};

pub(crate) use handler::panic_text;
pub use handler::{Handler, HandlerStats, Outcome};
pub(crate) use router::Undecodable;
pub use subscriber::Subscriber;
