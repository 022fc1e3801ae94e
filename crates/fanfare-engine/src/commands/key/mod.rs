//! Commands on keys of any type, and on whole databases.

pub(super) mod copy;
pub(super) mod dbsize;
pub(super) mod del;
pub(super) mod dump;
pub(super) mod exists;
pub(super) mod expire;
pub(super) mod flush;
pub(super) mod keys;
pub(super) mod r#move;
pub(super) mod object;
pub(super) mod persist;
pub(super) mod randomkey;
pub(super) mod rename;
pub(super) mod restore;
pub(super) mod scan;
pub(super) mod sort;
pub(super) mod swapdb;
pub(super) mod touch;
pub(super) mod ttl;
pub(super) mod r#type;
pub(super) mod wait;
