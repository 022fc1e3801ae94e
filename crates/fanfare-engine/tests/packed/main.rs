//! Packed collections and RDB: beside plain models, beside redis-server, and with bytes that are wrong.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that fails here says enough"
)]

mod chunk;
mod hostile;
mod intset;
mod listpack;
mod lzf;
mod redis;
mod refuse;
mod sample;
mod stream;
mod value;
mod written;
