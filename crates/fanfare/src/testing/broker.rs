//! A broker for one test.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use crate::{Error, Fanfare, embedded::Embedded};

/// How long another program may sit on the port of a broker that is to come back.
const PORT_PATIENCE: Duration = Duration::from_secs(20);

/// An embedded broker that nobody else uses, on a free port of 127.0.0.1. Stopped when dropped.
///
/// Starting one takes milliseconds, so each test has its own, and no test sees another's keys or
/// channels. It is reached by TCP like any server: by this crate, by any other client, and through a
/// [`Proxy`](crate::testing::Proxy).
///
/// Starting and stopping block for a moment, so that they work without a runtime too.
///
/// # Example: a fresh broker
/// ```
/// use fanfare::testing::TestBroker;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let broker = TestBroker::start()?;
/// let fanfare = broker.connect().await?;
/// assert_eq!(fanfare.command(["DBSIZE"]).await?.as_int(), Some(0));
/// # Ok(()) }
/// ```
pub struct TestBroker {
    running: Option<Embedded>,
    port: u16,
}

impl TestBroker {
    /// Starts a broker. When this returns, clients can connect.
    ///
    /// # Errors
    /// [`ErrorKind::Embedded`](crate::ErrorKind::Embedded): no free port, or no thread.
    pub fn start() -> Result<Self, Error> {
        let running = Embedded::start()?;
        let port = running.port();
        Ok(Self { running: Some(running), port })
    }

    /// Where it listens. The same for its whole life.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// `redis://127.0.0.1:PORT`. The same for its whole life.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr())
    }

    /// Connects to it.
    ///
    /// # Errors
    /// As [`Fanfare::connect`].
    pub async fn connect(&self) -> Result<Fanfare, Error> {
        Fanfare::connect(&self.url()).await
    }

    /// Stops it: connections are closed, new ones are refused, and everything is forgotten.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it again on the same port. It is empty: the embedded broker keeps nothing on disk.
    ///
    /// # Errors
    /// As [`start`](Self::start); also if another program has taken the port meanwhile and keeps it.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop();
        let patient_until = Instant::now() + PORT_PATIENCE;
        loop {
            match Embedded::start_on(self.port) {
                Ok(running) => {
                    self.running = Some(running);
                    return Ok(());
                }
                // A connection that somebody else makes may have got this port for its own end.
                Err(_) if Instant::now() < patient_until => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl fmt::Debug for TestBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBroker")
            .field("addr", &self.addr())
            .field("is_running", &self.running.is_some())
            .finish()
    }
}
