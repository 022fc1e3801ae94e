//! What both kinds of connection share: connecting, moving bytes, and the alarm clock.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context as TaskContext, Poll},
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    sync::watch,
    time::Sleep,
};

use crate::{
    Error, ErrorKind, Event, Pipeline,
    backoff::Pauses,
    connection::{
        core::{Core, Output, Replies, Request},
        dial::Dialer,
    },
    event::Announcer,
    net::Transport,
    topology::locator::Moved,
};

/// Reads before requests expire whose time is over: enough for all that a socket keeps, and an end
/// if the server never stops sending.
pub(crate) const CATCH_UPS_MAX: usize = 128;

/// What a driver knows of its link.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) dialer: Dialer,
    pub(crate) announcer: Announcer,
    pub(crate) closed: watch::Receiver<bool>,
}

/// How a connection is, for whoever asks.
#[derive(Debug)]
pub(crate) struct Status {
    is_up: AtomicBool,
    n_disconnects: AtomicU64,
    life: Mutex<Life>,
}

/// When a connection last said something.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// A whole value.
    value_at: Instant,
    /// That, or enough of one that is under way.
    alive_at: Instant,
}

impl Status {
    pub(crate) fn new() -> Self {
        let now = now();
        Self {
            is_up: AtomicBool::new(false),
            n_disconnects: AtomicU64::new(0),
            life: Mutex::new(Life { value_at: now, alive_at: now }),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    pub(crate) fn n_disconnects(&self) -> u64 {
        self.n_disconnects.load(Ordering::Relaxed)
    }

    /// When something was last read as a whole: what came later may have been lost.
    pub(crate) fn last_read(&self) -> Instant {
        self.life().value_at
    }

    /// Time since there was a sign of life.
    pub(crate) fn last_read_age(&self) -> Duration {
        now().saturating_duration_since(self.life().alive_at)
    }

    pub(crate) fn handle_life(&self, value_at: Instant, alive_at: Instant) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = Life { value_at, alive_at };
    }

    fn life(&self) -> Life {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_up(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::Relaxed);
    }
}

impl Context {
    pub(crate) fn announce_up(&self) {
        self.dialer.status.set_up(true);
        self.announcer.announce(Event::Up { role: self.dialer.role });
    }

    pub(crate) fn announce_down(&self, error: Error) {
        self.dialer.status.set_up(false);
        self.dialer.status.n_disconnects.fetch_add(1, Ordering::Relaxed);
        self.dialer.locator.handle_lost(&error);
        self.announcer.announce(Event::Down { role: self.dialer.role, error });
    }

    /// Counts a failed attempt and says how long to wait before the next.
    pub(crate) fn connect_failed(&self, n_failed: u32, error: Error) -> Duration {
        let retry_in =
            self.dialer.options.backoff.delay(n_failed.saturating_add(1), rand::random());
        self.announcer.announce(Event::ConnectFailed {
            role: self.dialer.role,
            n_failed,
            error,
            retry_in,
        });
        retry_in
    }

    /// What a request gets that was never sent.
    pub(crate) fn not_connected(&self, cause: Option<&Error>) -> Error {
        let message = format!("no connection to {}", self.dialer.options.url.topology);
        let error = Error::new(ErrorKind::NotConnected, message);
        match cause {
            Some(cause) => error.with_source(cause.clone()),
            None => error,
        }
    }

    /// How long to wait before a lost connection is made again, which has been up since then.
    pub(crate) fn pause(&self, pauses: &mut Pauses, up_since: Instant) -> Duration {
        let is_silent = self.dialer.status.last_read() < up_since;
        let silent = is_silent.then(|| now().saturating_duration_since(up_since));
        pauses.next(&self.dialer.options.backoff, silent, rand::random())
    }

    /// Whether the link is closed, or its last handle dropped.
    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow() || self.closed.has_changed().is_err()
    }

    /// Waits until the link is closed or its last handle dropped.
    pub(crate) async fn closed(mut self) {
        // An error means that the sender is gone: closed all the same.
        let _ = self.closed.wait_for(|closed| *closed).await;
    }
}

/// A socket and the protocol on it.
pub(crate) struct Connection<T> {
    pub(super) transport: Transport,
    pub(crate) core: Core<T>,
    /// The last sign of life that the status knows of.
    pub(super) noted_at: Instant,
    /// Whether the server may push beside its answers.
    pub(crate) can_push: bool,
    pub(super) needs_flush: bool,
    pub(super) status: Arc<Status>,
    /// Ready when this is no longer the server to be connected to.
    pub(super) moved: Option<Moved>,
}

impl<T> Connection<T> {
    /// Moves bytes, out of and (if `read`) into the core, until some have moved.
    ///
    /// # Cancel safety
    /// No byte is lost if the future is dropped.
    pub(crate) async fn turn(&mut self, read: bool) -> Result<(), Error> {
        poll_fn(|cx| {
            if let Some(moved) = &mut self.moved
                && let Poll::Ready(error) = moved.as_mut().poll(cx)
            {
                return Poll::Ready(Err(error));
            }
            self.poll_turn(cx, read).map_err(lost)
        })
        .await
    }

    /// As [`Core::poll_output`], and notes signs of life where others see them.
    ///
    /// # Errors
    /// As [`Core::poll_output`].
    pub(crate) fn poll_output(&mut self) -> Result<Option<Output<T>>, Error> {
        let output = self.core.poll_output();
        let alive_at = self.core.alive_at();
        if self.noted_at != alive_at {
            self.noted_at = alive_at;
            self.status.handle_life(self.core.value_at(), alive_at);
        }
        output
    }

    /// Sends commands and waits for their answers, on a connection that does nothing else.
    pub(crate) async fn exchange(
        &mut self,
        pipeline: Pipeline,
        deadline: Instant,
    ) -> Result<Replies, Error>
    where
        T: Default,
    {
        let n_commands = pipeline.len();
        let bytes = pipeline.into_bytes().into();
        self.core.submit(Request { bytes, n_commands, deadline, token: T::default() });
        let answered = async {
            loop {
                while let Some(output) = self.poll_output()? {
                    if let Output::Replies { replies, .. } = output {
                        return Ok(replies);
                    }
                }
                self.turn(true).await?;
            }
        };
        match until(deadline, answered).await {
            Some(replies) => replies,
            None => Err(Error::new(ErrorKind::Timeout, "the server did not answer in time").sent()),
        }
    }

    /// Moves the bytes that can be moved at once, and returns whether there were any.
    ///
    /// A program may block the thread that this runs on. Then time limits pass while answers wait
    /// in the socket, so nobody is given up before this was called.
    pub(crate) async fn catch_up(&mut self) -> Result<bool, Error> {
        // The runtime looks at its sockets only between tasks.
        tokio::task::yield_now().await;
        match poll_fn(|cx| Poll::Ready(self.poll_turn(cx, true))).await {
            Poll::Ready(moved) => moved.map(|()| true).map_err(lost),
            Poll::Pending => Ok(false),
        }
    }

    fn poll_turn(&mut self, cx: &mut TaskContext<'_>, read: bool) -> Poll<io::Result<()>> {
        let mut moved = false;
        while !self.core.output().is_empty() {
            let transport = Pin::new(&mut self.transport);
            let Poll::Ready(n) = transport.poll_write(cx, self.core.output())? else { break };
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.core.handle_written(n);
            self.needs_flush = true;
            moved = true;
        }
        // TLS keeps bytes back until it is flushed.
        if self.needs_flush && Pin::new(&mut self.transport).poll_flush(cx)?.is_ready() {
            self.needs_flush = false;
        }
        if read && let Poll::Ready(n) = self.poll_read(cx)? {
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.core.handle_read(n, now());
            moved = true;
        }
        if moved { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        // The future holds no state between polls, so a new one each time is the same.
        pin!(self.transport.read_buf(self.core.input())).poll(cx)
    }
}

fn lost(source: io::Error) -> Error {
    let message = match source.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed the connection",
        _ => "the connection was lost",
    };
    Error::new(ErrorKind::Disconnected, message).with_source(source)
}

/// A timer that is moved only when it has to ring earlier, or has rung: timeouts move later with
/// almost every byte, and each move would cost a lock.
pub(crate) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(crate) fn new() -> Self {
        Self(Box::pin(tokio::time::sleep(Duration::ZERO)))
    }

    /// Rings at `at` or earlier; without a time, not for long.
    pub(crate) fn arm(&mut self, at: Option<Instant>) {
        let at = at.unwrap_or_else(|| now() + Duration::from_secs(3600));
        let at = tokio::time::Instant::from_std(at);
        if self.0.is_elapsed() || at < self.0.deadline() {
            self.0.as_mut().reset(at);
        }
    }

    pub(crate) async fn ring(&mut self) {
        self.0.as_mut().await;
    }
}

/// Waits for `future` until `deadline`; `None`: it was not ready by then.
///
/// If the alarm rings late, the program has blocked the runtime and with it the tasks that were to
/// bring the future about: they get that time back.
pub(crate) async fn until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let in_time = tokio::time::timeout_at(deadline.into(), &mut future).await;
    match in_time {
        Ok(output) => Some(output),
        Err(_) => {
            let late = now().saturating_duration_since(deadline);
            tokio::time::timeout(late, future).await.ok()
        }
    }
}

/// The runtime's clock, which tests can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The time of day at an instant that has passed.
pub(crate) fn wall_clock(at: Instant) -> SystemTime {
    let wall = SystemTime::now();
    wall.checked_sub(now().saturating_duration_since(at)).unwrap_or(wall)
}
