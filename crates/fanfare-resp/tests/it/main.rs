//! Tests of the crate through its public API.

mod encode;
mod limits;
mod redis_server;
mod replies;
mod requests;
mod roundtrip;
mod seed;
mod support;
