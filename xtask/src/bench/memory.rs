//! What a server holds: per idle connection, per subscription, and for readers that do not read.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::client::{self, Kind};
use super::server::Server;
use super::wire;

/// What a server holds, read while it holds it.
pub(super) struct Held {
    /// Growth, per thing where things were counted.
    pub(super) bytes: f64,
    /// The whole server.
    pub(super) resident_bytes: f64,
}

impl Held {
    /// Growth since the server had `before` resident bytes, per thing.
    pub(super) fn since(server: &Server, before: u64, n_things: usize) -> Result<Self> {
        let resident = server.resident_bytes()?;
        let bytes = resident.saturating_sub(before) as f64 / n_things as f64;
        Ok(Self { bytes, resident_bytes: resident as f64 })
    }
}

/// Resident bytes per connection that has sent one PING.
pub(super) fn idle_connections(server: &Server, quiet: bool) -> Result<Held> {
    let before = server.resident_bytes()?;
    let connections = connect(server, N_IDLE)?;
    held_since(server, before, connections.len(), quiet)
}

/// Resident bytes per channel subscription, names all different.
pub(super) fn subscriptions(server: &Server) -> Result<Held> {
    let mut connections = connect(server, N_SUBSCRIBERS)?;
    settle(server)?;
    let before = server.resident_bytes()?;
    let mut n_names = 0;
    for connection in &mut connections {
        let names: Vec<Vec<u8>> = (n_names..n_names + CHANNELS_EACH)
            .map(|n| format!("channel:{n:06}").into_bytes())
            .collect();
        n_names += names.len();
        client::subscribe(connection, Kind::Channel, &names)?;
    }
    held_since(server, before, n_names, true)
}

/// Growth of resident bytes when nobody reads what is published.
pub(super) fn slow_readers(server: &Server) -> Result<Held> {
    let mut publisher = client::connect(server.port())?;
    let unlimited = [&b"CONFIG"[..], b"SET", b"client-output-buffer-limit", b"pubsub 0 0 0"];
    client::exchange(&mut publisher, &wire::command(&unlimited), b"+OK\r\n")?;
    let mut readers = Vec::with_capacity(N_SLOW);
    for _ in 0..N_SLOW {
        let mut reader = client::connect_small(server.port())?;
        client::subscribe(&mut reader, Kind::Channel, &[wire::CHANNEL.to_vec()])?;
        readers.push(reader);
    }
    let before = server.resident_bytes()?;
    let publish = wire::command(&[b"PUBLISH", wire::CHANNEL, &wire::payload(16 * 1024)]);
    let reply = format!(":{N_SLOW}\r\n");
    for _ in 0..100 {
        client::exchange(&mut publisher, &publish, reply.as_bytes())?;
    }
    held_since(server, before, 1, false)
}

const N_IDLE: usize = 10_000;
const N_SUBSCRIBERS: usize = 1_000;
const CHANNELS_EACH: usize = 200;
const N_SLOW: usize = 100;

fn connect(server: &Server, count: usize) -> Result<Vec<TcpStream>> {
    let ping = wire::command(&[b"PING"]);
    (0..count)
        .map(|_| {
            let mut stream = client::connect(server.port())?;
            client::exchange(&mut stream, &ping, b"+PONG\r\n")?;
            Ok(stream)
        })
        .collect()
}

fn held_since(server: &Server, before: u64, n_things: usize, quiet: bool) -> Result<Held> {
    if quiet {
        settle(server)?;
    } else {
        thread::sleep(Duration::from_millis(300));
    }
    Held::since(server, before, n_things)
}

/// Gives the server the time and the commands that let it return what it does not need.
///
/// Redis shrinks reply buffers after five quiet seconds and its allocator returns pages after ten:
/// these commands bring that forward. A server that does not know them answers with an error.
fn settle(server: &Server) -> Result<()> {
    let mut connection = client::connect(server.port())?;
    let shrink = [&b"DEBUG"[..], b"REPLYBUFFER", b"PEAK-RESET-TIME", b"100"];
    connection.write_all(&wire::command(&shrink))?;
    thread::sleep(Duration::from_millis(2_000));
    purge(server)
}

/// Lets the server's allocator return what is free, until no more comes back.
pub(super) fn purge(server: &Server) -> Result<()> {
    let mut connection = client::connect(server.port())?;
    let mut last = server.resident_bytes()?;
    for _ in 0..20 {
        connection.write_all(&wire::command(&[b"MEMORY", b"PURGE"]))?;
        thread::sleep(Duration::from_millis(600));
        let now = server.resident_bytes()?;
        if now.abs_diff(last) < last / 200 {
            break;
        }
        last = now;
    }
    Ok(())
}
