//! How to connect, as a configuration file, environment variables or a program says it.

mod deserialize;
mod env;
mod fields;
mod foreign;
mod names;
mod options;
mod setting;

pub use fields::Config;
pub use setting::{Hosts, Keepalive, Setting, Url};

#[cfg(test)]
mod tests;
