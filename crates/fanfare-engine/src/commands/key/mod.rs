//! Commands on keys of any type, and on whole databases.

pub(super) mod dbsize;
pub(super) mod del;
pub(super) mod exists;
pub(super) mod expire;
pub(super) mod flush;
pub(super) mod persist;
pub(super) mod ttl;
pub(super) mod r#type;
