//! Listening sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::task::{Context, Poll};

use socket2::{Domain, Socket as RawSocket, Type};
use tokio::net::{TcpListener, UnixListener};

use super::Incoming;
use crate::config::{BindAddress, BindHost, Config};
use crate::error::StartError;

/// Sockets that were bound and are not listened on by any reactor yet.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    tcp: Vec<std::net::TcpListener>,
    unix: Option<(std::os::unix::net::UnixListener, PathBuf)>,
}

/// Accepts connections of all listening sockets.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listeners: Vec<Listener>,
    /// The one that is asked first the next time.
    next: usize,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Binds all that the configuration names, before anything runs.
///
/// # Errors
/// The address and what the system said about it.
pub(crate) fn bind_all(config: &Config, with_tcp: bool) -> Result<Bound, StartError> {
    let mut bound = Bound::default();
    if with_tcp {
        for bind in &config.bind {
            match bind_tcp(bind, config) {
                Ok(listeners) => bound.tcp.extend(listeners),
                Err(_) if bind.optional => {}
                Err(source) => {
                    let address = format!("{bind}:{}", config.port);
                    return Err(StartError::Bind { address, source });
                }
            }
        }
    }
    if let Some(path) = &config.unixsocket {
        let listen = || -> io::Result<_> {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let listener = std::os::unix::net::UnixListener::bind(path)?;
            if config.unixsocketperm != 0 {
                std::fs::set_permissions(
                    path,
                    std::fs::Permissions::from_mode(config.unixsocketperm),
                )?;
            }
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = listen()
            .map_err(|source| StartError::Bind { address: path.display().to_string(), source })?;
        bound.unix = Some((listener, path.clone()));
    }
    Ok(bound)
}

fn bind_tcp(bind: &BindAddress, config: &Config) -> io::Result<Vec<std::net::TcpListener>> {
    let addresses: Vec<SocketAddr> = match &bind.host {
        BindHost::AnyIpv4 => vec![(IpAddr::V4(Ipv4Addr::UNSPECIFIED), config.port).into()],
        BindHost::AnyIpv6 => vec![(IpAddr::V6(Ipv6Addr::UNSPECIFIED), config.port).into()],
        BindHost::Ip(ip) => vec![(*ip, config.port).into()],
        BindHost::Name(name) => (name.as_str(), config.port).to_socket_addrs()?.collect(),
    };
    addresses.into_iter().map(|address| listen(address, config.tcp_backlog)).collect()
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<std::net::TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

impl Bound {
    /// Addresses that are listened on; the port is the real one where port 0 was asked for.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().filter_map(|it| it.local_addr().ok()).collect()
    }

    /// Path of the Unix socket.
    pub(crate) fn unix_path(&self) -> Option<PathBuf> {
        self.unix.as_ref().map(|it| it.1.clone())
    }

    /// The same sockets once more, to be accepted from without the event loop.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn twin(&self) -> io::Result<Twin> {
        let tcp = self.tcp.iter().map(std::net::TcpListener::try_clone);
        let unix = self.unix.as_ref().map(|it| it.0.try_clone()).transpose()?;
        Ok(Twin { tcp: tcp.collect::<io::Result<_>>()?, unix })
    }

    /// Registers the sockets with the present reactor.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn register(self) -> io::Result<Acceptor> {
        let tcp = self.tcp.into_iter().map(|it| TcpListener::from_std(it).map(Listener::Tcp));
        let unix = self.unix.map(|(it, _)| UnixListener::from_std(it).map(Listener::Unix));
        Ok(Acceptor { listeners: tcp.chain(unix).collect::<io::Result<_>>()?, next: 0 })
    }
}

/// Listening sockets outside the event loop.
#[derive(Debug)]
pub(crate) struct Twin {
    tcp: Vec<std::net::TcpListener>,
    unix: Option<std::os::unix::net::UnixListener>,
}

impl Twin {
    /// The next connection that is waiting; a failure is left to the event loop.
    pub(crate) fn accept_now(&self) -> Option<Incoming> {
        let tcp = self.tcp.iter().find_map(|it| it.accept().ok()).map(|it| it.0);
        let incoming = match tcp {
            Some(stream) => {
                stream.set_nonblocking(true).ok()?;
                Incoming::Tcp(stream)
            }
            None => {
                let (stream, _) = self.unix.as_ref()?.accept().ok()?;
                stream.set_nonblocking(true).ok()?;
                Incoming::Unix(stream)
            }
        };
        Some(incoming)
    }
}

impl Acceptor {
    /// The next connection of any socket. They take turns: many who come to one do not keep those of another waiting.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Incoming>> {
        let n_listeners = self.listeners.len();
        for index in (self.next..n_listeners).chain(0..self.next) {
            let Some(listener) = self.listeners.get(index) else { continue };
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                self.next = (index + 1) % n_listeners;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

impl Listener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Incoming>> {
        match self {
            Self::Tcp(listener) => listener.poll_accept(cx).map(|accepted| {
                accepted.and_then(|(stream, _)| stream.into_std().map(Incoming::Tcp))
            }),
            Self::Unix(listener) => listener.poll_accept(cx).map(|accepted| {
                accepted.and_then(|(stream, _)| stream.into_std().map(Incoming::Unix))
            }),
        }
    }
}

impl Incoming {
    /// Whether the peer is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(stream) => {
                stream.peer_addr().is_ok_and(|it| it.ip().to_canonical().is_loopback())
            }
            Self::Unix(_) => true,
        }
    }

    /// Says why the connection is not taken, and closes it.
    pub(crate) fn refuse(self, line: &[u8]) {
        use std::io::Write as _;
        // The line fits any socket buffer; if the peer is gone already, nobody misses it.
        let _ = match self {
            Self::Tcp(mut stream) => stream.write(line),
            Self::Unix(mut stream) => stream.write(line),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn listeners_take_turns() {
        let bind =
            |text: &str| BindAddress { host: BindHost::Ip(text.parse().unwrap()), optional: false };
        let config = Config {
            port: 0,
            bind: vec![bind("127.0.0.1"), bind("127.0.0.2")],
            ..Config::default()
        };
        let bound = bind_all(&config, true).unwrap();
        let addresses = bound.addresses();
        let connect = |address: &SocketAddr| TcpStream::connect(address).unwrap();
        // Six are waiting for the first listener and three for the second when it begins to accept.
        let first: Vec<_> = (0..6).map(|_| connect(&addresses[0])).collect();
        let second: Vec<_> = (0..3).map(|_| connect(&addresses[1])).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let accepted: Vec<usize> = runtime.block_on(async {
            let mut acceptor = bound.register().unwrap();
            let mut accepted = Vec::new();
            for _ in 0..first.len() + second.len() {
                let incoming = poll_fn(|cx| acceptor.poll_accept(cx)).await.unwrap();
                let Incoming::Tcp(stream) = incoming else { panic!("there is no Unix socket") };
                let address = stream.local_addr().unwrap();
                accepted.push(addresses.iter().position(|it| *it == address).unwrap());
            }
            accepted
        });
        let (turns, rest) = accepted.split_at(6);
        assert!(turns.windows(2).all(|it| it[0] != it[1]), "{accepted:?}");
        assert_eq!(rest, [0; 3]);
    }
}
