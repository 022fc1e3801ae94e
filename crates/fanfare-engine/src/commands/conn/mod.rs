//! Commands on the connection itself.

pub(super) mod auth;
pub(super) mod client;
pub(super) mod command;
pub(super) mod echo;
pub(super) mod hello;
pub(super) mod ping;
pub(super) mod quit;
pub(super) mod reset;
pub(super) mod select;
