//! A blocking client that takes frames apart.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fanfare_broker::Broker;
use fanfare_broker::config::Config;

/// What a test waits for at most before it says that nothing comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A frame that was received.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    Simple(Vec<u8>),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Frame>),
    /// RESP3: out of band.
    Push(Vec<Frame>),
}

impl Frame {
    pub(crate) fn int(&self) -> i64 {
        match self {
            Self::Int(int) => *int,
            other => panic!("an integer was expected, not {other:?}"),
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Simple(bytes) | Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("a string was expected, not {other:?}"),
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) | Self::Push(items) => items,
            other => panic!("an array was expected, not {other:?}"),
        }
    }

    /// The first word of a message or confirmation.
    pub(crate) fn kind(&self) -> Option<&[u8]> {
        match self {
            Self::Array(items) | Self::Push(items) => match items.first() {
                Some(Self::Bulk(bytes)) => Some(bytes),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A connection.
pub(crate) struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
    at: usize,
}

impl Peer {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = match TcpStream::connect_timeout(&addr, PATIENCE) {
            Ok(stream) => stream,
            Err(error) => panic!("cannot connect to {addr}: {error}"),
        };
        assert!(stream.set_nodelay(true).is_ok());
        Self { stream, received: Vec::new(), at: 0 }
    }

    pub(crate) fn of(broker: &Broker) -> Self {
        Self::connect(addr_of(broker))
    }

    /// Another handle of the same connection, to read while this one writes.
    pub(crate) fn split(&self) -> Self {
        match self.stream.try_clone() {
            Ok(stream) => Self { stream, received: Vec::new(), at: 0 },
            Err(error) => panic!("no second handle: {error}"),
        }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are; whether the server took them.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            panic!("the server does not take what is sent: {error}");
        }
    }

    pub(crate) fn send(&mut self, args: &[&str]) {
        self.write(&command(args));
    }

    /// Sends a command and returns its reply; what is pushed meanwhile is lost.
    pub(crate) fn call(&mut self, args: &[&str]) -> Frame {
        self.send(args);
        loop {
            match self.read() {
                Frame::Push(_) => {}
                reply => return reply,
            }
        }
    }

    /// The next frame.
    pub(crate) fn read(&mut self) -> Frame {
        match self.poll(PATIENCE) {
            Poll::Frame(frame) => frame,
            Poll::Nothing => panic!("nothing came for {PATIENCE:?}"),
            Poll::Closed => panic!("the server closed the connection"),
        }
    }

    /// The next frame, if one comes in time.
    pub(crate) fn poll(&mut self, timeout: Duration) -> Poll {
        let deadline = Instant::now() + timeout;
        loop {
            let rest = self.received.get(self.at..).unwrap_or_default();
            if let Some((frame, len)) = parse(rest) {
                self.at += len;
                return Poll::Frame(frame);
            }
            self.received.drain(..self.at);
            self.at = 0;
            let left = deadline.saturating_duration_since(Instant::now());
            if self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).is_err() {
                return Poll::Closed;
            }
            let mut chunk = [0; 32 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Poll::Closed,
                Ok(n) => self.received.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if left.is_zero() {
                        return Poll::Nothing;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Poll::Closed,
            }
        }
    }

    /// Reads frames until the server closes.
    pub(crate) fn read_to_end(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            match self.poll(PATIENCE) {
                Poll::Frame(frame) => frames.push(frame),
                Poll::Nothing => panic!("the connection stays open"),
                Poll::Closed => return frames,
            }
        }
    }
}

/// What [`Peer::poll`] found.
pub(crate) enum Poll {
    Frame(Frame),
    Nothing,
    Closed,
}

/// A broker with this configuration on a free port.
pub(crate) fn broker(configure: impl FnOnce(&mut Config)) -> Broker {
    let mut config = Config::default();
    configure(&mut config);
    match Broker::builder().config(config).any_port().start() {
        Ok(broker) => broker,
        Err(error) => panic!("the broker does not start: {error}"),
    }
}

pub(crate) fn addr_of(broker: &Broker) -> SocketAddr {
    broker.addr().unwrap_or_else(|| panic!("the broker does not listen on TCP"))
}

/// A command as an array of bulk strings.
pub(crate) fn command<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Waits until `done`, looking again and again.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "did not happen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The value of a field of `INFO`.
pub(crate) fn info(peer: &mut Peer, field: &str) -> u64 {
    let text = peer.call(&["INFO", "everything"]).text();
    let found = text.split("\r\n").find_map(|it| it.strip_prefix(field)?.strip_prefix(':'));
    match found.map(str::parse) {
        Some(Ok(value)) => value,
        _ => panic!("there is no number {field}:\n{text}"),
    }
}

/// The frame at the start of `bytes`, and its length.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let line_end = bytes.windows(2).position(|it| it == b"\r\n")?;
    let line = bytes.get(1..line_end)?;
    let text = String::from_utf8_lossy(line);
    let number = || text.parse::<i64>().unwrap_or_else(|_| panic!("no number: {text:?}"));
    let head = line_end + 2;
    let frame = match bytes.first()? {
        b'+' => Frame::Simple(line.to_vec()),
        b'-' => Frame::Error(text.into_owned()),
        b':' => Frame::Int(number()),
        b'_' => Frame::Null,
        b'$' | b'=' => {
            let Ok(len) = usize::try_from(number()) else { return Some((Frame::Null, head)) };
            let payload = bytes.get(head..head + len)?.to_vec();
            bytes.get(head + len..head + len + 2)?;
            return Some((Frame::Bulk(payload), head + len + 2));
        }
        kind @ (b'*' | b'>' | b'%' | b'~') => {
            let Ok(n) = usize::try_from(number()) else { return Some((Frame::Null, head)) };
            let (mut items, mut at) = (Vec::new(), head);
            for _ in 0..if *kind == b'%' { n * 2 } else { n } {
                let (item, len) = parse(bytes.get(at..)?)?;
                items.push(item);
                at += len;
            }
            let frame = if *kind == b'>' { Frame::Push(items) } else { Frame::Array(items) };
            return Some((frame, at));
        }
        other => panic!("no RESP: {:?}", char::from(*other)),
    };
    Some((frame, head))
}
