//! A plain blocking connection: handshakes and set-up, nothing that is measured.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use socket2::{Domain, Socket, Type};

use super::wire;

/// A server that is silent for this long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Opens a connection to the server on this machine.
pub(super) fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("failed to connect to port {port}"))?;
    prepare(stream)
}

/// Opens a connection whose kernel buffers, at both ends, are so small that the server has to hold
/// the rest: the sender's buffer follows the segment size, which on the loopback is 64 KiB.
pub(super) fn connect_small(port: u16) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(4096)?;
    socket.set_tcp_mss(536)?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    prepare(socket.into())
}

fn prepare(stream: TcpStream) -> Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends `request` and fails unless the answer is `expected`, byte for byte.
pub(super) fn exchange(stream: &mut TcpStream, request: &[u8], expected: &[u8]) -> Result<()> {
    stream.write_all(request)?;
    expect(stream, expected)
}

/// Reads `expected`, byte for byte.
pub(super) fn expect(stream: &mut TcpStream, expected: &[u8]) -> Result<()> {
    let mut rest = expected;
    let mut chunk = vec![0; 64 * 1024];
    while !rest.is_empty() {
        let room = rest.len().min(chunk.len());
        let n_read = stream
            .read(chunk.get_mut(..room).unwrap_or_default())
            .context("the server did not answer")?;
        let got = chunk.get(..n_read).unwrap_or_default();
        if got.is_empty() {
            bail!("the server closed the connection");
        }
        if !rest.starts_with(got) {
            bail!(
                "the server answered {:?} instead of {:?}",
                String::from_utf8_lossy(got),
                String::from_utf8_lossy(rest.get(..got.len()).unwrap_or_default())
            );
        }
        rest = rest.get(got.len()..).unwrap_or_default();
    }
    Ok(())
}

/// By what a reply is known to be complete, and to be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Measure {
    /// Every byte is known beforehand.
    Bytes,
    /// The clock has a part in it: lines are known by how many they are and how they begin.
    Lines,
}

impl Measure {
    /// How much `received` is.
    pub(super) fn of(self, received: &[u8]) -> u64 {
        match self {
            Self::Bytes => received.len() as u64,
            // Quick: whoever receives must not be slower here than where bytes are counted.
            Self::Lines => memchr::memchr_iter(b'\n', received).count() as u64,
        }
    }

    /// Reads what is as long as `expected`, and fails unless it is as expected.
    pub(super) fn expect(self, stream: &mut TcpStream, expected: &[u8]) -> Result<()> {
        match self {
            Self::Bytes => expect(stream, expected),
            Self::Lines => expect_lines(stream, expected),
        }
    }
}

fn expect_lines(stream: &mut TcpStream, expected: &[u8]) -> Result<()> {
    let mut received = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    while Measure::Lines.of(&received) < Measure::Lines.of(expected) {
        let n_read = stream.read(&mut chunk).context("the server did not answer")?;
        if n_read == 0 {
            bail!("the server closed the connection");
        }
        received.extend_from_slice(chunk.get(..n_read).unwrap_or_default());
    }
    let firsts = |text: &[u8]| -> Vec<Option<u8>> {
        text.split(|byte| *byte == b'\n').map(|line| line.first().copied()).collect()
    };
    if firsts(&received) != firsts(expected) {
        let [received, expected] = [&received, expected].map(String::from_utf8_lossy);
        bail!("the server answered {received:?} where something like {expected:?} was expected");
    }
    Ok(())
}

/// `SUBSCRIBE`, `PSUBSCRIBE` or `XSUBSCRIBE`.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// By name.
    Channel,
    /// By glob pattern.
    Pattern,
    /// Entries of a stream from now on.
    Stream,
}

/// Subscribes to all `names`, a hundred per command, and waits for every confirmation.
pub(super) fn subscribe(stream: &mut TcpStream, kind: Kind, names: &[Vec<u8>]) -> Result<()> {
    let (verb, confirmation): (&[u8], &[u8]) = match kind {
        Kind::Channel => (b"SUBSCRIBE", b"subscribe"),
        Kind::Pattern => (b"PSUBSCRIBE", b"psubscribe"),
        Kind::Stream => (b"XSUBSCRIBE", b"xsubscribe"),
    };
    let mut n_subscribed = 0;
    for chunk in names.chunks(100) {
        let mut words: Vec<&[u8]> = vec![verb];
        let mut expected = Vec::new();
        for name in chunk {
            n_subscribed += 1;
            words.push(name);
            expected.extend_from_slice(b"*3\r\n");
            wire::push_bulk(&mut expected, confirmation);
            wire::push_bulk(&mut expected, name);
            expected.extend_from_slice(format!(":{n_subscribed}\r\n").as_bytes());
        }
        exchange(stream, &wire::command(&words), &expected)?;
    }
    Ok(())
}

/// Opens `count` connections that subscribe to `name`.
pub(super) fn subscribers(
    port: u16,
    count: usize,
    kind: Kind,
    name: &[u8],
) -> Result<Vec<TcpStream>> {
    (0..count)
        .map(|_| {
            let mut stream = connect(port)?;
            subscribe(&mut stream, kind, &[name.to_vec()])?;
            Ok(stream)
        })
        .collect()
}

/// A command and what must come back.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) request: Vec<u8>,
    pub(super) reply: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(words: &[&[u8]], reply: impl Into<Vec<u8>>) -> Self {
        Self { request: wire::command(words), reply: reply.into() }
    }

    /// Both at once.
    pub(super) fn and(mut self, next: &Self) -> Self {
        self.request.extend_from_slice(&next.request);
        self.reply.extend_from_slice(&next.reply);
        self
    }
}

/// Sends commands whose replies are short, many at once, and compares the replies.
pub(super) fn pipeline(
    stream: &mut TcpStream,
    exchanges: impl IntoIterator<Item = Exchange>,
) -> Result<()> {
    const LEN_AT_ONCE: usize = 128 * 1024;
    let (mut requests, mut replies) = (Vec::new(), Vec::new());
    for it in exchanges {
        requests.extend_from_slice(&it.request);
        replies.extend_from_slice(&it.reply);
        if requests.len() > LEN_AT_ONCE {
            exchange(stream, &requests, &replies)?;
            requests.clear();
            replies.clear();
        }
    }
    exchange(stream, &requests, &replies)
}
