//! The connections of a proxy.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    Chunk, Cut, Queues, Refusal, Shared, State,
    fault::{Garble, Weather},
};
use crate::testing::Rng;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Chunks on their way in one direction of a connection; beyond that nothing is read.
const CHUNKS_MAX: usize = 64;

/// Into how many parts a second of throttled reading is cut.
const TICKS_PER_S: u32 = 50;

/// Serves connections until the proxy is dropped.
pub(super) async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut state = shared.state.subscribe();
    for id in 0.. {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = state.wait_for(|it| it.is_closed) => return,
        };
        let Ok((client, _)) = accepted else {
            // Out of file handles, most likely: somebody must close some first.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let refusal = state.borrow().refusal;
        match refusal {
            Some(Refusal::Close) => add(&shared.counts.refused, 1),
            Some(Refusal::Reset) => {
                add(&shared.counts.refused, 1);
                reset(&client);
            }
            Some(Refusal::Silence) | None => {
                add(&shared.counts.accepted, 1);
                tokio::spawn(serve(id, client, shared.clone()));
            }
        }
    }
}

/// One connection, from its beginning to its end.
async fn serve(id: u64, mut client: TcpStream, shared: Arc<Shared>) {
    let mut state = shared.state.subscribe();
    let n_cuts = state.borrow().n_cuts;
    let mut cut_state = state.clone();
    let cut = async {
        let cut = cut_state.wait_for(|it| it.n_cuts != n_cuts).await.map(|it| it.cut);
        cut.unwrap_or(Cut::Close)
    };
    tokio::pin!(cut);
    let connecting = async {
        let heard = state.wait_for(|it| it.refusal != Some(Refusal::Silence)).await;
        let target = heard.map_err(io::Error::other)?.target.clone();
        let server = TcpStream::connect(target).await?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        io::Result::Ok(server)
    };
    let connected = tokio::select! {
        server = connecting => server.map_err(|_| Cut::Reset),
        cut = &mut cut => Err(cut),
    };
    let mut server = match connected {
        Ok(server) => server,
        Err(cut) => {
            if cut == Cut::Reset {
                reset(&client);
            }
            return;
        }
    };
    let end = tokio::select! {
        carried = carry(id, &mut client, &mut server, &shared) => match carried {
            Ok(()) => Cut::Close,
            Err(_) => Cut::Reset,
        },
        cut = &mut cut => cut,
    };
    shared.open().remove(&id);
    if end == Cut::Reset {
        reset(&client);
        reset(&server);
    }
}

/// The end of this connection will be a reset.
fn reset(stream: &TcpStream) {
    // It can fail only because the connection is gone already.
    let _ = stream.set_zero_linger();
}

/// Passes everything on, in both directions, until both have ended.
async fn carry(
    id: u64,
    client: &mut TcpStream,
    server: &mut TcpStream,
    shared: &Shared,
) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let (server_sender, server_queue) = mpsc::channel(CHUNKS_MAX);
    let (client_sender, client_queue) = mpsc::channel(CHUNKS_MAX);
    let queues =
        Queues { to_server: server_sender.downgrade(), to_client: client_sender.downgrade() };
    shared.open().insert(id, queues);
    let lane =
        |weather, n_bytes| Lane { shared, state: shared.state.subscribe(), weather, n_bytes };
    let to_server_lane = || lane(|it| it.to_server, &shared.counts.bytes_to_server);
    let to_client_lane = || lane(|it| it.to_client, &shared.counts.bytes_to_client);
    tokio::try_join!(
        to_server_lane().take(from_client, server_sender),
        to_server_lane().give(server_queue, to_server),
        to_client_lane().take(from_server, client_sender),
        to_client_lane().give(client_queue, to_client),
    )?;
    Ok(())
}

/// One direction of a connection.
struct Lane<'a> {
    shared: &'a Shared,
    state: watch::Receiver<State>,
    weather: fn(&State) -> Weather,
    n_bytes: &'a AtomicU64,
}

impl Lane<'_> {
    /// The faults of this moment.
    fn weather(&mut self) -> Weather {
        (self.weather)(&self.state.borrow_and_update())
    }

    /// Ready when the faults may have changed.
    async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Reads until the sender has ended.
    async fn take(
        mut self,
        mut from: impl AsyncRead + Unpin,
        queue: mpsc::Sender<Chunk>,
    ) -> io::Result<()> {
        let mut last_due = Instant::now();
        let mut garbler: Option<Garbler> = None;
        // Jitter need not be the same every time.
        let mut rng = Rng::new(0);
        let mut has_lost = false;
        loop {
            let weather = self.weather();
            if has_lost && !weather.is_swallowed {
                // TCP loses nothing in the middle: after a loss there can be no more of this.
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let len = match weather.bytes_per_second {
                None => CHUNK_BYTES,
                Some(0) => {
                    self.changed().await;
                    continue;
                }
                Some(n) => {
                    usize::try_from(n / TICKS_PER_S).map_or(1, |it| it.clamp(1, CHUNK_BYTES))
                }
            };
            let mut chunk = BytesMut::with_capacity(len).limit(len);
            let n = tokio::select! {
                n = from.read_buf(&mut chunk) => n?,
                () = self.changed() => continue,
            };
            if n == 0 {
                return Ok(());
            }
            let mut chunk = chunk.into_inner();
            // It may have changed while nothing came.
            let weather = self.weather();
            if has_lost && !weather.is_swallowed {
                continue;
            }
            if weather.is_swallowed {
                has_lost = true;
                add(&self.shared.counts.bytes_swallowed, n);
            } else {
                garbler = Garbler::of(weather.garble, garbler);
                if let Some(garbler) = &mut garbler {
                    add(&self.shared.counts.bytes_garbled, garbler.garble(&mut chunk));
                }
                let due = weather.delay.map(|(latency, jitter)| {
                    let more = jitter
                        .mul_f64(f64::from(u32::try_from(rng.below(101)).unwrap_or(0)) / 100.0);
                    last_due = last_due.max(Instant::now() + latency + more);
                    last_due
                });
                if queue.send(Chunk { due, bytes: chunk.freeze() }).await.is_err() {
                    return Ok(());
                }
            }
            if let Some(rate) = weather.bytes_per_second.filter(|it| 0 < *it) {
                let n = u32::try_from(n).unwrap_or(u32::MAX);
                tokio::select! {
                    () = sleep(Duration::from_secs(1).mul_f64(f64::from(n) / f64::from(rate))) => {}
                    () = self.changed() => {}
                }
            }
        }
    }

    /// Writes until there is nothing more to come.
    async fn give(
        mut self,
        mut queue: mpsc::Receiver<Chunk>,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        while let Some(Chunk { due, bytes }) = queue.recv().await {
            while let Some(due) = due
                && self.weather().delay.is_some()
                && Instant::now() < due
            {
                tokio::select! {
                    () = sleep_until(due) => {}
                    () = self.changed() => {}
                }
            }
            to.write_all(&bytes).await?;
            add(self.n_bytes, bytes.len());
        }
        to.shutdown().await
    }
}

/// Flips bits.
struct Garbler {
    options: Garble,
    rng: Rng,
    /// Bytes that stay as they are before the next one does not.
    n_left: u64,
}

impl Garbler {
    /// The one that is at work, if it is still wanted.
    fn of(options: Option<Garble>, old: Option<Self>) -> Option<Self> {
        let options = options?;
        if let Some(old) = old.filter(|it| it.options == options) {
            return Some(old);
        }
        let mut rng = Rng::new(options.seed);
        let n_left = rng.below(2 * u64::from(options.one_in) - 1);
        Some(Self { options, rng, n_left })
    }

    /// How many bytes it changed.
    fn garble(&mut self, bytes: &mut [u8]) -> usize {
        let mut n = 0;
        for byte in bytes {
            if 0 < self.n_left {
                self.n_left -= 1;
                continue;
            }
            *byte ^= 1 << self.rng.below(8);
            n += 1;
            // On average every `one_in`th.
            self.n_left = self.rng.below(2 * u64::from(self.options.one_in) - 1);
        }
        n
    }
}

fn add(count: &AtomicU64, n: usize) {
    count.fetch_add(u64::try_from(n).unwrap_or(0), Ordering::Relaxed);
}
