//! Hashes.

mod fields;
pub(crate) mod hdel;
pub(crate) mod hexists;
pub(crate) mod hexpire;
pub(crate) mod hget;
pub(crate) mod hgetall;
pub(crate) mod hgetdel;
pub(crate) mod hgetex;
pub(crate) mod hincrby;
pub(crate) mod hlen;
pub(crate) mod hpersist;
pub(crate) mod hrandfield;
pub(crate) mod hscan;
pub(crate) mod hset;
pub(crate) mod hsetex;
pub(crate) mod hsetnx;
pub(crate) mod httl;
