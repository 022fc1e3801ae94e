//! A TCP proxy that does harm.

use std::{
    collections::HashMap,
    fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use self::fault::{Garble, Weather};

mod carry;
mod fault;

pub use fault::{Cut, Fault, Refusal, Way};

/// Stands between clients and a server, passes on what they say, and does harm when told to.
///
/// It listens on a free port of 127.0.0.1 and runs on a thread of its own with a clock of its own,
/// so it works for blocking programs, and for asynchronous ones whatever they do to their runtime's
/// time. What passes is not looked at: TLS goes through, and so does any other protocol. When it is
/// dropped, its connections are closed.
///
/// In front of the nodes of a cluster it works if each announces its proxy's port
/// (`cluster-announce-port`), in front of a master with sentinels if they monitor the proxy's port.
/// Otherwise clients are told the server's own address and go past the proxy.
///
/// # Example: a server that stops answering
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{ErrorKind, Fanfare, testing::{Fault, Proxy, TestBroker, Way}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = TestBroker::start()?;
/// let proxy = Proxy::start(broker.addr())?;
/// let fanfare = Fanfare::builder(&proxy.url())
///     .options(|options| options.request_timeout(Duration::from_millis(50)))
///     .connect()
///     .await?;
/// proxy.inject(Fault::Swallow(Way::ToClient));
/// let error = fanfare.publish("news", "x").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Timeout);
/// assert!(error.may_have_been_delivered());
/// # Ok(()) }
/// ```
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

/// What has passed through a [`Proxy`] since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStats {
    /// Connections that were made to it and not refused.
    pub accepted: u64,
    /// Connections that it refused.
    pub refused: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Bytes that the server was sent.
    pub bytes_to_server: u64,
    /// Bytes that clients were sent.
    pub bytes_to_client: u64,
    /// Bytes that were lost on purpose.
    pub bytes_swallowed: u64,
    /// Bytes that had a bit flipped.
    pub bytes_garbled: u64,
}

/// What the connections look at.
struct Shared {
    state: watch::Sender<State>,
    counts: Counts,
    /// The queues of the open connections, for what is to be inserted.
    open: Mutex<HashMap<u64, Queues>>,
}

#[derive(Clone, Debug)]
struct State {
    target: String,
    refusal: Option<Refusal>,
    to_server: Weather,
    to_client: Weather,
    /// Connections that were there before the last cut end.
    n_cuts: u64,
    cut: Cut,
    is_closed: bool,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    refused: AtomicU64,
    bytes_to_server: AtomicU64,
    bytes_to_client: AtomicU64,
    bytes_swallowed: AtomicU64,
    bytes_garbled: AtomicU64,
}

struct Queues {
    to_server: mpsc::WeakSender<Chunk>,
    to_client: mpsc::WeakSender<Chunk>,
}

/// Bytes on their way.
struct Chunk {
    /// Not to be sent before this, as long as there is a delay at all.
    due: Option<tokio::time::Instant>,
    bytes: Bytes,
}

impl Proxy {
    /// Starts a proxy in front of `target`, a host and port such as `127.0.0.1:6379` or
    /// `localhost:6379`. The server need not be there yet: as long as it is not, clients are reset.
    ///
    /// # Errors
    /// No port or no thread could be had.
    pub fn start(target: impl fmt::Display) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let state = State {
            target: target.to_string(),
            refusal: None,
            to_server: Weather::default(),
            to_client: Weather::default(),
            n_cuts: 0,
            cut: Cut::Close,
            is_closed: false,
        };
        let shared = Arc::new(Shared {
            state: watch::Sender::new(state),
            counts: Counts::default(),
            open: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let for_thread = shared.clone();
        thread::Builder::new().name("fanfare-proxy".to_owned()).spawn(move || {
            runtime.block_on(carry::accept(listener, for_thread));
        })?;
        Ok(Self { addr, shared })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `redis://127.0.0.1:PORT`, for a server without a password.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Leads connections that are made from now on to another server.
    pub fn retarget(&self, target: impl fmt::Display) {
        self.shared.state.send_modify(|it| it.target = target.to_string());
    }

    /// Lets this happen from now on: to what has not been read yet, and to what follows.
    pub fn inject(&self, fault: Fault) {
        let change = |way: Way, change: &dyn Fn(&mut Weather)| {
            self.shared.state.send_modify(|state| {
                if way != Way::ToClient {
                    change(&mut state.to_server);
                }
                if way != Way::ToServer {
                    change(&mut state.to_client);
                }
            });
        };
        match fault {
            Fault::Cut(cut) => self.shared.state.send_modify(|state| {
                state.n_cuts += 1;
                state.cut = cut;
            }),
            Fault::Refuse(refusal) => {
                self.shared.state.send_modify(|state| state.refusal = Some(refusal));
            }
            Fault::Delay { way, latency, jitter } => {
                change(way, &|it| it.delay = Some((latency, jitter)));
            }
            Fault::Swallow(way) => change(way, &|it| it.is_swallowed = true),
            Fault::Throttle { way, bytes_per_second } => {
                change(way, &|it| it.bytes_per_second = Some(bytes_per_second));
            }
            Fault::Garble { way, one_in, seed } => {
                change(way, &|it| it.garble = Some(Garble { one_in: one_in.max(1), seed }));
            }
            Fault::Insert { way, bytes } => self.shared.insert(way, &Bytes::from(bytes)),
        }
    }

    /// Ends all faults. Bytes that were delayed go on at once; what was lost stays lost.
    pub fn heal(&self) {
        self.shared.state.send_modify(|state| {
            state.refusal = None;
            state.to_server = Weather::default();
            state.to_client = Weather::default();
        });
    }

    /// What has passed.
    pub fn stats(&self) -> ProxyStats {
        let counts = &self.shared.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ProxyStats {
            accepted: read(&counts.accepted),
            refused: read(&counts.refused),
            open: u64::try_from(self.shared.open().len()).unwrap_or(u64::MAX),
            bytes_to_server: read(&counts.bytes_to_server),
            bytes_to_client: read(&counts.bytes_to_client),
            bytes_swallowed: read(&counts.bytes_swallowed),
            bytes_garbled: read(&counts.bytes_garbled),
        }
    }
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Queues>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection whose queue is full is so slow that it would not notice.
    fn insert(&self, way: Way, bytes: &Bytes) {
        for Queues { to_server, to_client } in self.open().values() {
            let queues = [(to_server, way != Way::ToClient), (to_client, way != Way::ToServer)];
            for (queue, _) in queues.into_iter().filter(|(_, is_meant)| *is_meant) {
                if let Some(queue) = queue.upgrade() {
                    let _ = queue.try_send(Chunk { due: None, bytes: bytes.clone() });
                }
            }
        }
    }
}

impl Drop for Proxy {
    /// Its thread ends by itself.
    fn drop(&mut self) {
        self.shared.state.send_modify(|state| state.is_closed = true);
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("addr", &self.addr)
            .field("state", &*self.shared.state.borrow())
            .field("stats", &self.stats())
            .finish()
    }
}
