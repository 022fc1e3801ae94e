//! A connected socket, TCP or Unix.

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::client::WriteNow;

/// A connection that belongs to no reactor: it was just accepted, or is on its way from one to another.
#[derive(Debug)]
pub(crate) enum Incoming {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// A connection that one reactor reads and writes.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Incoming {
    /// Registers the connection with the present reactor.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn adopt(self, keepalive: Option<Duration>) -> io::Result<Socket> {
        match self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                if let Some(time) = keepalive {
                    let interval = (time / 3).max(Duration::from_secs(1));
                    let keepalive =
                        TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(3);
                    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                }
                Self::Tcp(stream).register()
            }
            Self::Unix(_) => self.register(),
        }
    }

    /// The same for one that another reactor has served.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn register(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(stream) => Socket::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Socket::Unix(UnixStream::from_std(stream)?),
        })
    }
}

impl Socket {
    /// Takes the connection away from the present reactor. What has arrived and was not read stays in it.
    ///
    /// # Errors
    /// The operating system's; then the connection is closed.
    pub(crate) fn leave(self) -> io::Result<Incoming> {
        Ok(match self {
            Self::Tcp(stream) => Incoming::Tcp(stream.into_std()?),
            Self::Unix(stream) => Incoming::Unix(stream.into_std()?),
        })
    }

    /// Reads what has arrived; `Ready(Ok(0))` is the end.
    #[inline]
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut into = ReadBuf::new(into);
        let polled = match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut into),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, &mut into),
        };
        polled.map_ok(|()| into.filled().len())
    }

    /// Reads what has arrived without asking the event loop; `WouldBlock` if that is nothing.
    pub(crate) fn read_now(&mut self, into: &mut [u8]) -> io::Result<usize> {
        use std::io::Read as _;
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(&*stream),
            Self::Unix(stream) => SockRef::from(&*stream),
        };
        (&*socket).read(into)
    }

    /// Whether it would take bytes again.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Unix(stream) => stream.poll_write_ready(cx),
        }
    }

    pub(crate) fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    pub(crate) fn fd(&self) -> i32 {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }

    /// The peer's address and our own, as `CLIENT LIST` shows them.
    pub(crate) fn addresses(&self, unix_path: &str) -> (Box<str>, Box<str>) {
        match self {
            Self::Tcp(stream) => {
                let text = |it: io::Result<std::net::SocketAddr>| match it {
                    Ok(addr) => addr.to_string().into_boxed_str(),
                    Err(_) => "?:0".into(),
                };
                (text(stream.peer_addr()), text(stream.local_addr()))
            }
            Self::Unix(_) => {
                let text = format!("{unix_path}:0").into_boxed_str();
                (text.clone(), text)
            }
        }
    }
}

impl WriteNow for Socket {
    #[inline]
    fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    fn write_vectored_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Unix(stream) => stream.try_write_vectored(slices),
        }
    }
}
