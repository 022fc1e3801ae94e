//! The program as the shell sees it: help, exit codes, hints, and each command against a broker of
//! its own.
#![expect(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod demo;
mod groups;
mod pubsub;
mod serve;
mod streams;
mod support;
mod topologies;
mod usage;
mod watching;
