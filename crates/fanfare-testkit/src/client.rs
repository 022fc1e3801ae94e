//! A client that sends and receives raw bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::frame::split_frames;

/// How long [`RawClient::call`] waits for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection on which a test sees every byte, and whether the server closed it.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    received: Vec<u8>,
    closed: bool,
}

impl RawClient {
    /// Connects to a server.
    ///
    /// # Errors
    /// If the connection can not be made.
    pub fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new(), closed: false })
    }

    /// The address from which this client is connected.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Sends bytes as they are. A server that has hung up shows in [`Self::is_closed`].
    pub fn send(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).is_err() {
            // What the server said before it hung up is still to be read.
            self.drain();
            self.closed = true;
        }
    }

    /// Sends a command as an array of bulk strings.
    pub fn send_command<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        self.send(&command(args));
    }

    /// Sends a command and returns the next frame that arrives, or what arrived before the
    /// connection was closed or ten seconds were over.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Vec<u8> {
        self.send_command(args);
        self.read_frames(1, CALL_TIMEOUT)
    }

    /// Waits until `n_frames` frames have arrived and returns their bytes. Returns everything
    /// received if the connection is closed or `timeout` passes first.
    pub fn read_frames(&mut self, n_frames: usize, timeout: Duration) -> Vec<u8> {
        if !self.wait_for_frames(n_frames, timeout) {
            return self.take_received();
        }
        let (frames, _) = split_frames(&self.received);
        let len: usize = frames.iter().take(n_frames).map(|it| it.len()).sum();
        let rest = self.received.split_off(len);
        std::mem::replace(&mut self.received, rest)
    }

    /// Waits until `n_frames` whole frames are buffered; false if that did not happen.
    pub fn wait_for_frames(&mut self, n_frames: usize, timeout: Duration) -> bool {
        self.wait_until(timeout, |it| n_frames <= split_frames(&it.received).0.len())
    }

    /// Waits until the server closes the connection; false if it did not within `timeout`.
    pub fn wait_closed(&mut self, timeout: Duration) -> bool {
        self.wait_until(timeout, |it| it.closed)
    }

    /// Reads until nothing has arrived for the length of `quiet`, and returns everything received.
    pub fn read_until_quiet(&mut self, quiet: Duration) -> Vec<u8> {
        while !self.closed {
            let before = self.received.len();
            self.read_some(quiet);
            if before == self.received.len() {
                break;
            }
        }
        self.take_received()
    }

    /// Takes what has arrived by now without waiting.
    pub fn drain(&mut self) {
        if self.closed || self.stream.set_nonblocking(true).is_err() {
            return;
        }
        while self.read_once() {}
        if self.stream.set_nonblocking(false).is_err() {
            self.closed = true;
        }
    }

    /// The bytes that were received and not taken yet.
    #[must_use]
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// Takes all bytes that were received.
    pub fn take_received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// Whether the server has closed the connection, as far as reads and writes have shown.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn wait_until(&mut self, timeout: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            if done(self) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.closed || left.is_zero() {
                return false;
            }
            self.read_some(left);
        }
    }

    fn read_some(&mut self, timeout: Duration) {
        let timeout = timeout.max(Duration::from_millis(1));
        if self.stream.set_read_timeout(Some(timeout)).is_ok() {
            self.read_once();
        }
    }

    /// Reads once; false if nothing came.
    fn read_once(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => {
                self.closed = true;
                false
            }
            Ok(len) => {
                self.received.extend_from_slice(chunk.get(..len).unwrap_or_default());
                true
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => false,
                ErrorKind::Interrupted => true,
                _ => {
                    self.closed = true;
                    false
                }
            },
        }
    }
}

/// Encodes a command as an array of bulk strings.
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
