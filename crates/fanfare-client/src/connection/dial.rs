//! Making a connection: where to, the socket, the first words.

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use fanfare_resp::Decoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    Address, Error, ErrorKind, Options, Role,
    connection::{
        core::Core,
        driver::{Connection, Status, now},
        handshake::Handshake,
    },
    heartbeat::Heartbeat,
    net::{Connector, Transport},
    topology::locator::Locator,
};

/// Makes connections of one kind.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) role: Role,
    pub(crate) options: Arc<Options>,
    pub(crate) connector: Connector,
    pub(crate) locator: Locator,
    pub(crate) status: Arc<Status>,
}

impl Dialer {
    /// Connects and shakes hands, once.
    pub(crate) async fn establish<T>(&self) -> Result<Connection<T>, Error> {
        self.establish_by(tokio::time::Instant::now() + self.options.connect_timeout).await
    }

    /// The same by a given time, which is not later than `establish` would have set.
    pub(crate) async fn establish_by<T>(
        &self,
        deadline: tokio::time::Instant,
    ) -> Result<Connection<T>, Error> {
        let place = self.locator.locate(deadline).await?;
        let connected = self.connect_to(place.address(), deadline).await;
        match connected {
            Ok(connection) => {
                let moved = self.locator.follow(place);
                Ok(Connection { moved, ..connection })
            }
            Err(error) => {
                self.locator.handle_failed(&place);
                Err(error)
            }
        }
    }

    async fn connect_to<T>(
        &self,
        address: &Address,
        deadline: tokio::time::Instant,
    ) -> Result<Connection<T>, Error> {
        let transport = self.connector.connect(&self.options, address, deadline).await?;
        match tokio::time::timeout_at(deadline, self.shake_hands(transport, address)).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(
                ErrorKind::Connect,
                format!(
                    "{address} accepts connections but does not answer within {:?}: it hangs, or \
                     needs TLS (`rediss://`)",
                    self.options.connect_timeout
                ),
            )),
        }
    }

    pub(crate) async fn establish_after<T>(&self, delay: Duration) -> Result<Connection<T>, Error> {
        tokio::time::sleep(delay).await;
        self.establish().await
    }

    async fn shake_hands<T>(
        &self,
        mut transport: Transport,
        address: &Address,
    ) -> Result<Connection<T>, Error> {
        let options = &self.options;
        let mut handshake = Handshake::new(&options.url, self.locator.needs_master());
        let mut decoder = Decoder::new(options.limits);
        let mut input = BytesMut::new();
        let (mut unsent, mut has_spoken) = (None, false);
        while !handshake.is_done() {
            // A server that refuses us may close before we have sent anything. It says why first,
            // so what it said is read all the same.
            if let Err(error) = send(&mut transport, &handshake.poll_transmit()).await {
                unsent = Some(error);
            }
            let reply = decoder.decode(&mut input).map_err(|source| {
                Error::new(ErrorKind::Protocol, format!("{address} does not speak RESP"))
                    .with_source(source)
            })?;
            match reply {
                Some(reply) => handshake.handle_reply(reply)?,
                None => match transport.read_buf(&mut input).await {
                    Ok(1..) => has_spoken = true,
                    Ok(0) => {
                        let source = unsent.unwrap_or(io::ErrorKind::UnexpectedEof.into());
                        return Err(lost_in_handshake(&transport, has_spoken, &input, source));
                    }
                    Err(source) => {
                        return Err(lost_in_handshake(&transport, has_spoken, &input, source));
                    }
                },
            }
        }
        let now = now();
        self.status.handle_life(now, now);
        tracing::debug!(role = %self.role, %address, version = ?handshake.version(), "connected");
        let heartbeat = Heartbeat::new(options.heartbeat_interval, options.heartbeat_deadline, now);
        let core = Core::new(self.role, options.limits, heartbeat, input, rand::random());
        let status = self.status.clone();
        let can_push = handshake.can_push();
        Ok(Connection {
            transport,
            core,
            noted_at: now,
            can_push,
            needs_flush: false,
            status,
            moved: None,
        })
    }
}

async fn send(transport: &mut Transport, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    transport.write_all(bytes).await?;
    transport.flush().await
}

/// What a TLS session says that can not begin: an alert, of any version of TLS.
const TLS_ALERT: &[u8] = &[0x15, 0x03];

/// `rest` has arrived and is no whole reply.
fn lost_in_handshake(
    transport: &Transport,
    has_spoken: bool,
    rest: &[u8],
    source: io::Error,
) -> Error {
    // With TLS 1.3 the server judges our certificate only after we think that the session is set
    // up: it is not before the server has used it. An alert that tells more may be lost on the way.
    let hint = transport.hint(&source);
    let (kind, message) = match (transport.is_tls(), has_spoken) {
        (true, false) => (ErrorKind::Tls, format!("the server ended the TLS session: {hint}")),
        (false, false) => (
            ErrorKind::Connect,
            format!("the server closed the connection during the handshake: {hint}"),
        ),
        (false, true) if rest.starts_with(TLS_ALERT) => {
            (ErrorKind::Protocol, "the server speaks TLS and no RESP: write `rediss://`".to_owned())
        }
        (_, true) => {
            (ErrorKind::Connect, "the server closed the connection during the handshake".to_owned())
        }
    };
    Error::new(kind, message).with_source(source)
}
