//! The handle of a running broker.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::Instant;

use fanfare_engine::pubsub::Registry;
use fanfare_engine::{CommandTable, Keyspace};
use parking_lot::{Mutex, RwLock};

use crate::client::Clients;
use crate::config::{Config, LogLevel};
use crate::error::StartError;
use crate::net;
use crate::observe::{Latency, Monitors, Sampler, SlowLog, Stats};
use crate::reactor::{self, Handles, Lazyfree, Load, Mailbox, Prefixes};
use crate::shared::{Hooks, Identity, Live, Pause, Shared, Stop, tune, unix_us};

/// A running broker. Dropping the handle stops it and waits for its threads.
#[derive(Debug)]
pub struct Broker {
    pub(crate) shared: Arc<Shared>,
    handles: Option<Handles>,
    addresses: Vec<SocketAddr>,
    unix_path: Option<PathBuf>,
}

/// How to start a broker; see [`Broker::builder`].
#[derive(Default)]
pub struct Builder {
    config: Config,
    any_port: bool,
    hooks: Hooks,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("any_port", &self.any_port)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Uses this configuration.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Listens on a free TCP port of the configured addresses, whatever `port` says; [`Broker::addr`] tells which.
    #[must_use]
    pub fn any_port(mut self) -> Self {
        self.any_port = true;
        self
    }

    /// Calls `hook` when a client changes `loglevel` by `CONFIG SET`. The broker only traces; how much of it is kept
    /// is the program's.
    #[must_use]
    pub fn on_log_level(mut self, hook: impl Fn(LogLevel) + Send + Sync + 'static) -> Self {
        self.hooks.log_level = Some(Box::new(hook));
        self
    }

    /// Calls `hook` on a reactor's thread when that reactor, after having served somebody, has had nothing to do for
    /// about a second: a moment to give freed memory back to the system, for instance. Clients of that reactor wait for
    /// it to return.
    #[must_use]
    pub fn on_idle(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.idle = Some(Box::new(hook));
        self
    }

    /// Binds the sockets and starts the reactors. When it returns, clients can connect.
    ///
    /// # Errors
    /// [`StartError`]: nothing runs then.
    pub fn start(self) -> Result<Broker, StartError> {
        let Self { mut config, any_port, hooks } = self;
        let with_tcp = config.port != 0 || any_port;
        if any_port {
            config.port = 0;
        }
        if (config.bind.is_empty() || !with_tcp) && config.unixsocket.is_none() {
            return Err(StartError::NoListener);
        }
        let renames: Vec<_> =
            config.rename_commands.iter().map(|it| (it.from.clone(), it.to.clone())).collect();
        let table = CommandTable::new(&renames).map_err(StartError::Rename)?;
        let bound = net::bind_all(&config, with_tcp)?;
        let addresses = bound.addresses();
        let unix_path = bound.unix_path();
        if let Some(first) = addresses.first() {
            config.port = first.port();
        }
        let identity = Identity {
            run_id: run_id(),
            replication_id: run_id(),
            started: Instant::now(),
            started_unix_us: unix_us(),
            port: addresses.first().map_or(0, SocketAddr::port),
            unix_path: unix_path.as_ref().map(|it| it.display().to_string()).unwrap_or_default(),
        };
        let shared = Arc::new(share(config, table, identity, hooks));
        let handles = reactor::spawn_all(&shared, bound).map_err(StartError::Thread)?;
        Ok(Broker { shared, handles: Some(handles), addresses, unix_path })
    }
}

/// What the reactors of a broker share, before they run.
pub(crate) fn share(
    config: Config,
    table: CommandTable,
    identity: Identity,
    hooks: Hooks,
) -> Shared {
    let n_reactors = config.n_reactors();
    // Elsewhere nobody tells how busy a thread is.
    let is_elastic = config.reactors == 0 && cfg!(target_os = "linux");
    let n_commands = table.specs().len();
    let mailbox_max = usize::try_from(config.mailbox_bytes_max).unwrap_or(usize::MAX);
    let databases = u16::try_from(config.databases).unwrap_or(u16::MAX);
    let keyspace = Keyspace::for_threads(databases, rand::random(), n_reactors);
    tune(keyspace.tuning(), &config);
    Shared {
        keyspace,
        table,
        registry: Registry::new(rand::random()),
        mailboxes: (0..n_reactors).map(|_| Mailbox::new(mailbox_max)).collect(),
        clients: Clients::default(),
        loads: (0..n_reactors).map(|_| Load::default()).collect(),
        n_active: AtomicUsize::new(if is_elastic { 1 } else { n_reactors }),
        is_elastic,
        shuffles: AtomicBool::new(false),
        carrying: Mutex::default(),
        next_client_id: AtomicU64::new(1),
        n_reading: AtomicUsize::new(0),
        live: RwLock::new(Arc::new(Live::new(&config))),
        config: RwLock::new(config),
        live_version: AtomicU64::new(0),
        stats: (0..n_reactors).map(|_| Stats::new(n_commands)).collect(),
        sampler: Sampler::new(),
        slowlog: Mutex::new(SlowLog::default()),
        latency: Mutex::new(Latency::default()),
        monitors: Monitors::default(),
        prefixes: Prefixes::default(),
        pause: Pause::default(),
        active_expire: AtomicBool::new(true),
        lazyfree: Lazyfree::default(),
        identity,
        hooks,
        stop: Stop::default(),
    }
}

/// 40 hexadecimal digits, another one with each start, as in Redis.
fn run_id() -> String {
    (0..5).map(|_| format!("{:08x}", rand::random::<u32>())).collect()
}

impl Broker {
    /// Begins to describe a broker.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The first TCP address it listens on.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addresses.first().copied()
    }

    /// Every TCP address it listens on.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The Unix socket it listens on.
    #[must_use]
    pub fn unix_path(&self) -> Option<&std::path::Path> {
        self.unix_path.as_deref()
    }

    /// Number of reactor threads.
    #[must_use]
    pub fn n_reactors(&self) -> usize {
        self.shared.mailboxes.len()
    }

    /// Asks it to stop; returns at once.
    pub fn stop(&self) {
        self.shared.stop.ask();
    }

    /// Whether it was asked to stop, by [`Self::stop`] or by a client's `SHUTDOWN`.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.is_asked()
    }

    /// Waits until it is asked to stop, by [`Self::stop`] or by a client's `SHUTDOWN`.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn stopping(&self) {
        self.shared.stop.asked().await;
    }

    /// Stops it and waits until its threads have ended: nothing is read any more, what is ready is sent (each reactor tries
    /// for a second), connections are closed. A message that is published while reactors end may find its subscribers'
    /// reactor gone; delivery is at most once.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop.ask();
        if let Some(handles) = self.handles.take() {
            handles.join();
            self.shared.lazyfree.end();
        }
        if let Some(path) = self.unix_path.take() {
            // Somebody may have removed or replaced it; that is theirs.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end();
    }
}
