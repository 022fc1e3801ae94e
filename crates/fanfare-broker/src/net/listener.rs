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
    tcp: Vec<TcpListener>,
    unix: Option<UnixListener>,
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

    /// Registers the sockets with the present reactor.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn register(self) -> io::Result<Acceptor> {
        let tcp = self.tcp.into_iter().map(TcpListener::from_std).collect::<io::Result<_>>()?;
        let unix = self.unix.map(|(it, _)| UnixListener::from_std(it)).transpose()?;
        Ok(Acceptor { tcp, unix })
    }
}

impl Acceptor {
    /// The next connection of any socket.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Incoming>> {
        for listener in &self.tcp {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(
                    accepted.and_then(|(stream, _)| stream.into_std().map(Incoming::Tcp)),
                );
            }
        }
        if let Some(listener) = &self.unix
            && let Poll::Ready(accepted) = listener.poll_accept(cx)
        {
            return Poll::Ready(
                accepted.and_then(|(stream, _)| stream.into_std().map(Incoming::Unix)),
            );
        }
        Poll::Pending
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
