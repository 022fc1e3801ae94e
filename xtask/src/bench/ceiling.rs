//! `ceiling`: a bare sender. Told by one byte, it writes a ready-made batch to each subscriber.
//!
//! No server can deliver for less than one write per subscriber and batch; and what the load
//! generator takes from it is what the load generator can take.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::Result;

use super::client;
use super::wire;

/// The byte that asks for one batch.
pub(super) const TRIGGER: &[u8] = b".";

/// Waits for the subscribers, then for the connection that triggers, and serves until that closes.
pub(super) fn serve(
    port: u16,
    n_subscribers: usize,
    in_flight: usize,
    payload_len: usize,
) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let batch = wire::message(wire::CHANNEL, &wire::payload(payload_len)).repeat(in_flight);
    let mut subscribers = Vec::with_capacity(n_subscribers);
    while subscribers.len() < n_subscribers {
        let (stream, _) = listener.accept()?;
        subscribers.extend(admit(stream)?);
    }
    let (mut trigger, _) = listener.accept()?;
    let mut byte = [0; 1];
    while trigger.read(&mut byte)? != 0 {
        for subscriber in &mut subscribers {
            subscriber.write_all(&batch)?;
        }
    }
    Ok(())
}

/// Answers the handshake of a subscriber, or the PING that asks whether the server is up.
fn admit(mut stream: TcpStream) -> Result<Option<TcpStream>> {
    stream.set_nodelay(true)?;
    let ping = wire::command(&[b"PING"]);
    let mut start = vec![0; ping.len()];
    stream.read_exact(&mut start)?;
    if start == ping {
        stream.write_all(b"+PONG\r\n")?;
        return Ok(None);
    }
    let subscribe = wire::command(&[b"SUBSCRIBE", wire::CHANNEL]);
    client::expect(&mut stream, subscribe.get(start.len()..).unwrap_or_default())?;
    let mut confirmation = wire::command(&[b"subscribe", wire::CHANNEL]);
    confirmation.splice(..2, *b"*3");
    confirmation.extend_from_slice(b":1\r\n");
    stream.write_all(&confirmation)?;
    Ok(Some(stream))
}
