//! `null`: the least that a server can do, on one thread or on several.
//!
//! It reads, finds the frames and writes ready-made bytes: no keyspace, no limits, channels that the
//! last digit of their names tells apart, one list (what is pushed goes to whoever has waited
//! longest). Several threads share the connections evenly and hand each other what their subscribers
//! get, once per turn. What a broker costs above this is the broker's own doing.

use std::collections::{HashMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

/// Serves with `n_threads` threads until it is killed.
pub(super) fn serve(port: u16, n_threads: usize) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let peers = (0..n_threads).map(|_| Peer::new()).collect::<Result<Vec<_>>>()?;
    let shared = Shared { peers, n_subscribers: Default::default(), waiting: Mutex::default() };
    let shared = Arc::new(shared);
    for index in 1..n_threads {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            if let Err(error) = run(&shared, index, None) {
                eprintln!("thread {index}: {error:#}");
                std::process::exit(1);
            }
        });
    }
    run(&shared, 0, Some(&listener))
}

/// What the threads know of each other.
struct Shared {
    peers: Vec<Peer>,
    n_subscribers: [AtomicUsize; N_CHANNELS],
    /// Threads and tokens of the clients in BLPOP, longest first.
    waiting: Mutex<VecDeque<(usize, u64)>>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(usize, u64)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const N_CHANNELS: usize = 10;

/// Messages for the subscribers of each channel.
type Messages = [Vec<u8>; N_CHANNELS];

/// What one thread is handed by the others.
struct Peer {
    inbox: Mutex<Inbox>,
    /// It was woken and has not looked yet.
    awake: AtomicBool,
    event: OwnedFd,
}

#[derive(Default)]
struct Inbox {
    connections: Vec<TcpStream>,
    messages: Messages,
    served: Vec<(u64, Vec<u8>)>,
}

impl Peer {
    fn new() -> Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { inbox: Mutex::default(), awake: AtomicBool::new(false), event })
    }

    fn post(&self, post: impl FnOnce(&mut Inbox)) -> Result<()> {
        post(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        if !self.awake.swap(true, Ordering::AcqRel) {
            rustix::io::write(&self.event, &1_u64.to_ne_bytes())?;
        }
        Ok(())
    }

    fn take(&self) -> Inbox {
        self.awake.store(false, Ordering::Release);
        std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn run(shared: &Shared, index: usize, listener: Option<&TcpListener>) -> Result<()> {
    let me = shared.peers.get(index).context("no such thread")?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    // Edge by edge, so that the counter need not be read.
    epoll::add(&epoll, &me.event, EventData::new_u64(EVENT), EventFlags::IN | EventFlags::ET)?;
    if let Some(listener) = listener {
        epoll::add(&epoll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    }
    let mut server = Server::new(shared, index);
    let mut scratch = vec![0; 256 * 1024];
    let mut events = Vec::with_capacity(1024);
    let mut next_token = EVENT + 1;
    let mut n_accepted = 0;
    loop {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            match (event.data.u64(), listener) {
                (LISTENER, Some(listener)) => {
                    let (stream, _) = listener.accept()?;
                    stream.set_nodelay(true)?;
                    let peer = shared.peers.get(n_accepted % shared.peers.len());
                    peer.context("no thread")?.post(|it| it.connections.push(stream))?;
                    n_accepted += 1;
                }
                (LISTENER | EVENT, _) => {}
                (token, _) => server.read(token, &mut scratch)?,
            }
        }
        let posted = if me.awake.load(Ordering::Acquire) { me.take() } else { Inbox::default() };
        for stream in posted.connections {
            epoll::add(&epoll, &stream, EventData::new_u64(next_token), EventFlags::IN)?;
            server.clients.insert(next_token, Client::new(stream));
            next_token += 1;
        }
        server.served.extend(posted.served);
        server.flush(posted.messages)?;
    }
}

const LISTENER: u64 = 0;
const EVENT: u64 = 1;

struct Server<'a> {
    shared: &'a Shared,
    index: usize,
    clients: HashMap<u64, Client>,
    subscribers: [Vec<u64>; N_CHANNELS],
    /// What subscribers get at the end of the turn.
    messages: Messages,
    /// Clients that have waited, and what they get at the end of the turn.
    served: Vec<(u64, Vec<u8>)>,
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

impl<'a> Server<'a> {
    fn new(shared: &'a Shared, index: usize) -> Self {
        Self {
            shared,
            index,
            clients: HashMap::new(),
            subscribers: Default::default(),
            messages: Messages::default(),
            served: Vec::new(),
            dirty: Vec::new(),
        }
    }

    fn read(&mut self, token: u64, scratch: &mut [u8]) -> Result<()> {
        let client = self.clients.get_mut(&token).context("unknown client")?;
        let n_read = client.stream.read(scratch).unwrap_or(0);
        if n_read == 0 {
            self.clients.remove(&token);
            for subscribers in &mut self.subscribers {
                subscribers.retain(|subscriber| *subscriber != token);
            }
            return Ok(());
        }
        client.input.extend_from_slice(scratch.get(..n_read).unwrap_or_default());
        let mut n_used = 0;
        while let Some(Frame { bytes: frame, verb, name }) =
            Frame::first(client.input.get(n_used..).unwrap_or_default())
        {
            n_used += frame.len();
            let channel = usize::from(name.last().map_or(0, |it| it.wrapping_sub(b'0')));
            match verb {
                b"PUBLISH" => {
                    let messages = self.messages.get_mut(channel).context("no such channel")?;
                    messages.extend_from_slice(b"*3\r\n$7\r\nmessage\r\n");
                    // The channel and the payload are on the wire already as they will be sent.
                    messages.extend_from_slice(frame.get(PUBLISH_HEAD..).unwrap_or_default());
                    let n_subscribers = self.shared.n_subscribers.get(channel);
                    let n = n_subscribers.map_or(0, |it| it.load(Ordering::Relaxed));
                    write!(client.replies, ":{n}\r\n")?;
                }
                b"SUBSCRIBE" => {
                    self.subscribers.get_mut(channel).context("no such channel")?.push(token);
                    if let Some(n_subscribers) = self.shared.n_subscribers.get(channel) {
                        n_subscribers.fetch_add(1, Ordering::Relaxed);
                    }
                    client.replies.extend_from_slice(b"*3\r\n$9\r\nsubscribe\r\n");
                    client.replies.extend_from_slice(frame.get(SUBSCRIBE_HEAD..).unwrap_or(b""));
                    client.replies.extend_from_slice(b":1\r\n");
                }
                b"BLPOP" => self.shared.waiting().push_back((self.index, token)),
                b"RPUSH" => {
                    client.replies.extend_from_slice(b":1\r\n");
                    let Some((index, waiter)) = self.shared.waiting().pop_front() else { continue };
                    let popped = [b"*2\r\n", frame.get(RPUSH_HEAD..).unwrap_or_default()].concat();
                    if index == self.index {
                        self.served.push((waiter, popped));
                    } else if let Some(peer) = self.shared.peers.get(index) {
                        peer.post(|it| it.served.push((waiter, popped)))?;
                    }
                }
                b"INFO" => {
                    let n = self.shared.waiting().len();
                    let text = format!("# Clients\r\nblocked_clients:{n}\r\n");
                    write!(client.replies, "${}\r\n{text}\r\n", text.len())?;
                }
                _ => client.replies.extend_from_slice(ready_made(verb)),
            }
        }
        client.input.drain(..n_used);
        if !client.replies.is_empty() {
            self.dirty.push(token);
        }
        Ok(())
    }

    /// Sends what this turn brought and what the other threads posted.
    fn flush(&mut self, posted: Messages) -> Result<()> {
        if self.messages.iter().any(|it| !it.is_empty()) {
            for (index, peer) in self.shared.peers.iter().enumerate() {
                if index != self.index {
                    peer.post(|it| append(&mut it.messages, &self.messages))?;
                }
            }
        }
        append(&mut self.messages, &posted);
        for (subscribers, messages) in self.subscribers.iter().zip(&mut self.messages) {
            for token in subscribers.iter().filter(|_| !messages.is_empty()) {
                if let Some(client) = self.clients.get_mut(token) {
                    client.stream.write_all(messages)?;
                }
            }
            messages.clear();
        }
        for (token, popped) in self.served.drain(..) {
            if let Some(client) = self.clients.get_mut(&token) {
                client.stream.write_all(&popped)?;
            }
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

fn append(messages: &mut Messages, more: &Messages) {
    for (messages, more) in messages.iter_mut().zip(more) {
        messages.extend_from_slice(more);
    }
}

/// What the server answers to one or several commands of a client that does not subscribe.
pub(super) fn replies(request: &[u8]) -> Vec<u8> {
    let mut rest = request;
    let mut replies = Vec::new();
    while let Some(Frame { bytes, verb, .. }) = Frame::first(rest) {
        replies.extend_from_slice(ready_made(verb));
        rest = rest.get(bytes.len()..).unwrap_or_default();
    }
    replies
}

/// An answer that looks like a real one.
fn ready_made(verb: &[u8]) -> &'static [u8] {
    match verb {
        b"SET" => b"+OK\r\n",
        b"GET" | b"RPOP" => PAYLOAD,
        // Where nobody subscribes.
        b"PUBLISH" => b":0\r\n",
        b"XADD" => b"$15\r\n1700000000000-0\r\n",
        b"DEL" | b"LPUSH" | b"HSET" | b"ZADD" => b":1\r\n",
        _ => b"+PONG\r\n",
    }
}

const PAYLOAD: &[u8] =
    b"$64\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
const PUBLISH_HEAD: usize = "*3\r\n$7\r\nPUBLISH\r\n".len();
const RPUSH_HEAD: usize = "*3\r\n$5\r\nRPUSH\r\n".len();
const SUBSCRIBE_HEAD: usize = "*2\r\n$9\r\nSUBSCRIBE\r\n".len();

/// A complete command.
#[derive(PartialEq, Eq, Debug)]
struct Frame<'a> {
    bytes: &'a [u8],
    /// Its first word.
    verb: &'a [u8],
    /// Its second word: mostly that of a key or a channel.
    name: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first one of `input`, if all of it is there.
    fn first(input: &'a [u8]) -> Option<Self> {
        let (n_words, mut at) = number(input, 0)?;
        let (mut verb, mut name): (&[u8], &[u8]) = (b"", b"");
        for n in 0..n_words {
            let (len, start) = number(input, at)?;
            let word = input.get(start..start + len)?;
            match n {
                0 => verb = word,
                1 => name = word,
                _ => {}
            }
            at = start + len + 2;
        }
        Some(Self { bytes: input.get(..at)?, verb, name })
    }
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
    use super::Frame;
    use crate::bench::wire;

    #[test]
    fn a_frame_is_found_once_it_is_complete() {
        let mut input = wire::command(&[b"PUBLISH", b"bench:00", &[b'x'; 64]]);
        let len = input.len();
        assert!((0..len).all(|end| Frame::first(&input[..end]).is_none()));
        input.extend_from_slice(b"*1\r\n");
        let frame = Frame { bytes: &input[..len], verb: b"PUBLISH", name: b"bench:00" };
        assert_eq!(Frame::first(&input), Some(frame));
    }
}
