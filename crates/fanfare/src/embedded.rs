//! `embedded:`: a broker inside this program, reached like any other by its address.

use std::{
    collections::HashMap,
    fmt,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use fanfare_broker::{
    Broker,
    config::{BindAddress, BindHost, Config},
};
use fanfare_client::{Address, Error, ErrorKind};

/// A broker of this process. It stops when the last handle on it is gone.
pub(crate) struct Embedded {
    broker: Broker,
    address: Address,
}

/// The running brokers by name.
static BROKERS: Mutex<Option<HashMap<String, Weak<Embedded>>>> = Mutex::new(None);

impl Embedded {
    /// The broker of this name, started if it does not run yet.
    pub(crate) fn named(name: &str) -> Result<Arc<Self>, Error> {
        let mut brokers = BROKERS.lock().unwrap_or_else(PoisonError::into_inner);
        let brokers = brokers.get_or_insert_default();
        brokers.retain(|_, broker| 0 < broker.strong_count());
        let running = brokers.get(name).and_then(Weak::upgrade);
        // One that a client has shut down is of no use to anybody new.
        if let Some(running) = running.filter(|it| !it.broker.is_stopping()) {
            return Ok(running);
        }
        let started = Arc::new(Self::start()?);
        brokers.insert(name.to_owned(), Arc::downgrade(&started));
        Ok(started)
    }

    /// A broker that has no name, on a free port.
    pub(crate) fn start() -> Result<Self, Error> {
        Self::start_with(|builder| builder.any_port(), Config::default())
    }

    /// The same on this port.
    #[cfg(feature = "testing")]
    pub(crate) fn start_on(port: u16) -> Result<Self, Error> {
        let mut config = Config::default();
        config.port = port;
        Self::start_with(|builder| builder, config)
    }

    fn start_with(
        choose: impl FnOnce(fanfare_broker::Builder) -> fanfare_broker::Builder,
        mut config: Config,
    ) -> Result<Self, Error> {
        let failed = || Error::new(ErrorKind::Embedded, "the embedded broker did not start");
        let host = BindHost::Ip(Ipv4Addr::LOCALHOST.into());
        config.bind = vec![BindAddress { optional: false, host }];
        let broker = choose(Broker::builder().config(config))
            .start()
            .map_err(|source| failed().with_source(source))?;
        let address = broker.addr().ok_or_else(failed)?;
        let address = Address::Tcp { host: address.ip().to_string(), port: address.port() };
        Ok(Self { broker, address })
    }

    /// Where it listens: a free port of the loopback interface.
    pub(crate) fn address(&self) -> Address {
        self.address.clone()
    }
}

#[cfg(feature = "testing")]
impl Embedded {
    /// The port of its address.
    pub(crate) fn port(&self) -> u16 {
        match self.address {
            Address::Tcp { port, .. } => port,
            Address::Unix { .. } => 0,
        }
    }
}

impl Drop for Embedded {
    /// Tells the broker to stop. Its own drop, right after this, waits for its threads: milliseconds, unless a client
    /// does not read what is ready for it (then a second).
    fn drop(&mut self) {
        self.broker.stop();
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("address", &self.address).finish_non_exhaustive()
    }
}
