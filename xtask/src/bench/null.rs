//! `null`: the least that a single-threaded server can do.
//!
//! It reads, finds the frames and writes ready-made bytes: no keyspace, no limits, no channels (all
//! subscribers get all messages). What a broker costs above this is the broker's own doing.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::{Context as _, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::wire;

/// Serves until it is killed.
pub(super) fn serve(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut server = Server::default();
    let mut scratch = vec![0; 256 * 1024];
    let mut events = Vec::with_capacity(1024);
    let mut next_token = LISTENER + 1;
    loop {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                epoll::add(&epoll, &stream, EventData::new_u64(next_token), EventFlags::IN)?;
                server.clients.insert(next_token, Client::new(stream));
                next_token += 1;
            } else {
                server.read(token, &mut scratch)?;
            }
        }
        server.flush()?;
    }
}

const LISTENER: u64 = 0;

#[derive(Default)]
struct Server {
    clients: HashMap<u64, Client>,
    subscribers: Vec<u64>,
    /// What all subscribers get at the end of the turn.
    messages: Vec<u8>,
    dirty: Vec<u64>,
}

struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    replies: Vec<u8>,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        Self { stream, input: Vec::new(), replies: Vec::new() }
    }
}

impl Server {
    fn read(&mut self, token: u64, scratch: &mut [u8]) -> Result<()> {
        let client = self.clients.get_mut(&token).context("unknown client")?;
        let n_read = client.stream.read(scratch).unwrap_or(0);
        if n_read == 0 {
            self.clients.remove(&token);
            self.subscribers.retain(|subscriber| *subscriber != token);
            return Ok(());
        }
        client.input.extend_from_slice(scratch.get(..n_read).unwrap_or_default());
        let mut n_used = 0;
        while let Some((frame, verb)) = first_frame(client.input.get(n_used..).unwrap_or_default())
        {
            n_used += frame.len();
            match verb {
                b"PUBLISH" => {
                    self.messages.extend_from_slice(b"*3\r\n$7\r\nmessage\r\n");
                    // The channel and the payload are on the wire already as they will be sent.
                    self.messages.extend_from_slice(frame.get(PUBLISH_HEAD..).unwrap_or_default());
                    write!(client.replies, ":{}\r\n", self.subscribers.len())?;
                }
                b"SUBSCRIBE" => {
                    self.subscribers.push(token);
                    client.replies.extend_from_slice(b"*3\r\n$9\r\nsubscribe\r\n");
                    client.replies.extend_from_slice(frame.get(SUBSCRIBE_HEAD..).unwrap_or(b""));
                    client.replies.extend_from_slice(b":1\r\n");
                }
                b"SET" => client.replies.extend_from_slice(b"+OK\r\n"),
                b"GET" => wire::push_bulk(&mut client.replies, &[b'x'; 64]),
                _ => client.replies.extend_from_slice(b"+PONG\r\n"),
            }
        }
        client.input.drain(..n_used);
        if !client.replies.is_empty() {
            self.dirty.push(token);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.messages.is_empty() {
            for token in &self.subscribers {
                if let Some(client) = self.clients.get_mut(token) {
                    client.stream.write_all(&self.messages)?;
                }
            }
            self.messages.clear();
        }
        for token in self.dirty.drain(..) {
            if let Some(client) = self.clients.get_mut(&token) {
                client.stream.write_all(&client.replies)?;
                client.replies.clear();
            }
        }
        Ok(())
    }
}

const PUBLISH_HEAD: usize = "*3\r\n$7\r\nPUBLISH\r\n".len();
const SUBSCRIBE_HEAD: usize = "*2\r\n$9\r\nSUBSCRIBE\r\n".len();

/// The first complete command and its first word.
fn first_frame(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (n_words, mut at) = number(input, 0)?;
    let mut verb: &[u8] = b"";
    for n in 0..n_words {
        let (len, start) = number(input, at)?;
        let word = input.get(start..start + len)?;
        if n == 0 {
            verb = word;
        }
        at = start + len + 2;
    }
    Some((input.get(..at)?, verb))
}

/// The number after the type byte at `at`, and where its line ends.
fn number(input: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    for (offset, byte) in input.get(at + 1..)?.iter().enumerate() {
        if *byte == b'\r' {
            let end = at + 1 + offset + 2;
            return (end <= input.len()).then_some((value, end));
        }
        value = value * 10 + usize::from(byte.wrapping_sub(b'0'));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::first_frame;
    use crate::bench::wire;

    #[test]
    fn a_frame_is_found_once_it_is_complete() {
        let mut input = wire::command(&[b"PUBLISH", b"bench:00", &[b'x'; 64]]);
        let len = input.len();
        assert!((0..len).all(|end| first_frame(&input[..end]).is_none()));
        input.extend_from_slice(b"*1\r\n");
        assert_eq!(first_frame(&input), Some((&input[..len], &b"PUBLISH"[..])));
    }
}
