//! Publish and subscribe.

pub(super) mod publish;
#[expect(clippy::module_inception, reason = "the file is named after its command")]
pub(super) mod pubsub;
pub(super) mod subscribe;
