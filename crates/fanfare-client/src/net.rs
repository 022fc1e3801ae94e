//! Sockets: TCP, Unix, and TLS over TCP.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use crate::{Address, Error, ErrorKind, Options};

/// A connected byte stream.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Transport {
    pub(crate) fn is_tls(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            #[cfg(unix)]
            Self::Unix(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
        }
    }
}

impl Transport {
    /// What may have ended it before the server said anything.
    #[cfg_attr(
        not(feature = "tls"),
        expect(unused_variables, reason = "only a TLS session ends with reasons")
    )]
    pub(crate) fn hint(&self, source: &io::Error) -> &'static str {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(_) => crate::tls::hint(source),
            Self::Tcp(_) => PLAIN_HINT,
            #[cfg(unix)]
            Self::Unix(_) => PLAIN_HINT,
        }
    }
}

const PLAIN_HINT: &str = "does it need TLS (`rediss://`), or is its protected mode on?";

/// What is worked out once for all connections of a link.
#[derive(Clone)]
pub(crate) struct Connector {
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::Tls>,
}

impl Connector {
    /// Reads certificates, if the options name any.
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        #[cfg(feature = "tls")]
        {
            use crate::Topology;
            let tls = options.url.tls.as_ref().map(crate::tls::Tls::new).transpose()?;
            match (&tls, &options.url.topology) {
                (Some(_), Topology::Standalone(Address::Unix { .. })) => {
                    return Err(Error::new(ErrorKind::InvalidOption, "a Unix socket has no TLS"));
                }
                (Some(tls), Topology::Standalone(Address::Tcp { host, .. })) => {
                    tls.server_name(host)?;
                }
                (Some(_), Topology::Sentinel(_) | Topology::Cluster(_)) | (None, _) => {}
            }
            Ok(Self { tls })
        }
        #[cfg(not(feature = "tls"))]
        match options.url.tls {
            Some(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "`rediss://` needs the feature `tls` of the crate",
            )),
            None => Ok(Self {}),
        }
    }

    /// Connects once.
    pub(crate) async fn connect(
        &self,
        options: &Options,
        address: &Address,
        deadline: Instant,
    ) -> Result<Transport, Error> {
        match address {
            Address::Tcp { host, port } => {
                let connecting = TcpStream::connect((host.as_str(), *port));
                let stream = in_time(address, deadline, connecting).await?;
                tune(&stream, options).map_err(|source| could_not_connect(address, source))?;
                #[cfg(feature = "tls")]
                if let Some(tls) = &self.tls {
                    let stream = tls.connect(stream, host, deadline).await?;
                    return Ok(Transport::Tls(Box::new(stream)));
                }
                Ok(Transport::Tcp(stream))
            }
            #[cfg(unix)]
            Address::Unix { path } => {
                let connecting = tokio::net::UnixStream::connect(path);
                Ok(Transport::Unix(in_time(address, deadline, connecting).await?))
            }
            #[cfg(not(unix))]
            Address::Unix { .. } => {
                Err(Error::new(ErrorKind::Unsupported, "this system has no Unix sockets"))
            }
        }
    }
}

async fn in_time<S>(
    address: &Address,
    deadline: Instant,
    connecting: impl Future<Output = io::Result<S>>,
) -> Result<S, Error> {
    match tokio::time::timeout_at(deadline, connecting).await {
        Ok(result) => result.map_err(|source| could_not_connect(address, source)),
        Err(_) => Err(could_not_connect(address, io::ErrorKind::TimedOut.into())),
    }
}

/// Small requests must not wait for larger ones, and a vanished peer must be noticed by the kernel.
fn tune(stream: &TcpStream, options: &Options) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if let Some(idle) = options.tcp_keepalive {
        // The kernel counts in whole seconds.
        let idle = idle.max(Duration::from_secs(1));
        let interval = (idle / 3).max(Duration::from_secs(1));
        let keepalive = socket2::TcpKeepalive::new().with_time(idle).with_interval(interval);
        socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

fn could_not_connect(address: &Address, source: io::Error) -> Error {
    let hint = match source.kind() {
        io::ErrorKind::ConnectionRefused => ": nothing listens there",
        io::ErrorKind::NotFound => ": there is no such socket",
        io::ErrorKind::PermissionDenied => ": permission denied",
        io::ErrorKind::TimedOut => ": no answer in time",
        _ => "",
    };
    Error::new(ErrorKind::Connect, format!("could not connect to {address}{hint}"))
        .with_source(source)
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
