//! The task that owns a tail's connection.
//!
//! It asks what the [`Reader`] says and queues what comes of it. It asks, or where the server
//! pushes reads from the socket, only while the queue has room.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::oneshot;

use crate::{
    Error, Outage, WhileDown,
    connection::{
        core::{Output, Request},
        driver::{Alarm, CATCH_UPS_MAX, Connection, Context, now, wall_clock},
    },
    stream::{queue::Queue, reader::Reader},
};

/// Whether a tail's server pushes, for whoever asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushing(Arc<AtomicBool>);

impl Pushing {
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// See the module.
pub(crate) struct Tailing {
    context: Context,
    reader: Reader,
    queue: Arc<Queue>,
    pushing: Pushing,
    /// Told once that entries can come, or why not.
    ready: Option<oneshot::Sender<Result<(), Error>>>,
    /// Failures since entries could last come.
    n_failed: u32,
    down: Option<Down>,
    /// The last time without a connection: the next one prolongs it if nobody has seen its end.
    outage: Option<Down>,
}

/// A time without a connection.
#[derive(Clone, Copy, Debug)]
struct Down {
    /// When the first connection that was lost last delivered anything.
    since: Instant,
    n_disconnects: u32,
}

/// Why a phase ended.
enum End {
    Closed,
    Lost(Error),
}

/// How long the server is to wait for an entry: so that its answers come before it would be asked
/// for a sign of life, and that a stream which is gone is noticed.
pub(crate) fn block(options: &crate::Options) -> Duration {
    options.heartbeat_interval.min(options.heartbeat_deadline).min(BLOCK_MAX) / 2
}

/// Twice the longest wait.
const BLOCK_MAX: Duration = Duration::from_secs(10);

impl Tailing {
    pub(crate) fn new(
        context: Context,
        reader: Reader,
        queue: Arc<Queue>,
        pushing: Pushing,
        ready: oneshot::Sender<Result<(), Error>>,
    ) -> Self {
        let ready = Some(ready);
        Self { context, reader, queue, pushing, ready, n_failed: 0, down: None, outage: None }
    }

    /// Runs until the link is closed or the tail dropped.
    pub(crate) async fn run(mut self) {
        let producer = self.queue.producer();
        let mut delay = Duration::ZERO;
        while !self.queue.has_ended() {
            let attempt = self.context.clone();
            let mut closed = pin!(self.context.clone().closed());
            let connecting = async {
                let mut attempt = pin!(attempt.dialer.establish_after(delay));
                loop {
                    tokio::select! {
                        result = &mut attempt => return Some(result),
                        () = producer.notified() => if self.queue.has_ended() { return None },
                        () = &mut closed => return None,
                    }
                }
            };
            let error = match connecting.await {
                None => break,
                Some(Err(error)) => error,
                Some(Ok(connection)) => match self.serve(connection).await {
                    End::Closed => break,
                    End::Lost(error) => error,
                },
            };
            delay = self.handle_lost(error);
        }
        self.context.dialer.status.set_up(false);
        self.queue.end(Error::closed());
    }

    async fn serve(&mut self, mut connection: Connection<()>) -> End {
        let mut closed = pin!(self.context.clone().closed());
        let producer = self.queue.producer();
        let mut alarm = Alarm::new();
        self.reader.handle_connected(connection.can_push);
        loop {
            let room = self.queue.room();
            let was_settled = self.reader.is_settled();
            if let Some(question) = self.reader.poll_question(room) {
                let options = &self.context.dialer.options;
                connection.core.submit(Request {
                    bytes: question.bytes,
                    n_commands: question.n_replies,
                    deadline: now() + block(options) + options.request_timeout,
                    token: (),
                });
            }
            self.note_settled(was_settled);
            let may_read = room.is_some() || !self.reader.is_live();
            connection.core.handle_pause(!may_read, now());
            alarm.arm(connection.core.poll_timeout());
            tokio::select! {
                moved = connection.turn(may_read) => if let Err(error) = moved {
                    return End::Lost(error);
                },
                () = producer.notified() => {}
                () = alarm.ring() => {}
                () = &mut closed => return End::Closed,
            }
            if self.queue.has_ended() {
                return End::Closed;
            }
            let settled = self.settle(&mut connection).await;
            self.queue.wake();
            match settled {
                Ok(0) => {}
                // On a runtime of one thread the program gets its turn only now.
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => return End::Lost(error),
            }
        }
    }

    /// Queues what has come, and keeps all timeouts. Returns how many items there were.
    async fn settle(&mut self, connection: &mut Connection<()>) -> Result<usize, Error> {
        let mut n_items = self.hand_out(connection)?;
        // Judged as of a time before the last look at the socket.
        let mut at = now();
        for _ in 0..CATCH_UPS_MAX {
            if !connection.core.is_overdue(at) || !connection.catch_up().await? {
                break;
            }
            n_items += self.hand_out(connection)?;
            at = now();
        }
        connection.core.handle_timeout(at)?;
        Ok(n_items + self.hand_out(connection)?)
    }

    fn hand_out(&mut self, connection: &mut Connection<()>) -> Result<usize, Error> {
        let received_at = SystemTime::now();
        let mut n_items = 0;
        // Of pushes, what there is no room for stays where it is.
        while !self.reader.is_live() || self.queue.room().is_some() {
            let Some(output) = connection.poll_output()? else { break };
            let was_settled = self.reader.is_settled();
            let found = match output {
                Output::Replies { replies, .. } => {
                    self.reader.handle_replies(replies, received_at)?
                }
                Output::StreamPush(items) => {
                    self.reader.handle_push(items, received_at)?.into_iter().collect()
                }
                // Nothing else is asked for on this connection.
                Output::Message(_) | Output::Confirmed { .. } | Output::Refused { .. } => continue,
            };
            self.note_settled(was_settled);
            n_items += found.len();
            found.into_iter().for_each(|item| self.queue.push(item));
        }
        Ok(n_items)
    }

    /// If it was not so before: entries can come, for the first time or again.
    fn note_settled(&mut self, was_settled: bool) {
        if was_settled || !self.reader.is_settled() {
            return;
        }
        self.n_failed = 0;
        self.pushing.0.store(self.reader.is_pushed(), Ordering::Relaxed);
        if let Some(Down { since, n_disconnects }) = self.down.take() {
            let lasted = now().saturating_duration_since(since);
            let outage = Outage { n_disconnects, ..Outage::new(wall_clock(since), lasted) };
            self.queue.push_resumed(outage);
        }
        self.context.announce_up();
        if let Some(ready) = self.ready.take() {
            // Whoever asked may have gone.
            let _ = ready.send(Ok(()));
        }
    }

    /// The connection could not be made, or was lost. Returns how long to wait before the next.
    fn handle_lost(&mut self, error: Error) -> Duration {
        let context = &self.context;
        if context.dialer.status.is_up() {
            let since = context.dialer.status.last_read();
            context.announce_down(error.clone());
            let is_new = self.queue.push_down(error);
            self.down = Some(match self.outage.filter(|_| !is_new) {
                Some(Down { since, n_disconnects }) => {
                    Down { since, n_disconnects: n_disconnects.saturating_add(1) }
                }
                None => Down { since, n_disconnects: 1 },
            });
            self.outage = self.down;
            self.queue.wake();
            return context.dialer.options.backoff.delay(1, rand::random());
        }
        // A node that does not serve the key says so by an error.
        context.dialer.locator.look_again();
        let has_failed_fast = context.dialer.options.while_down == WhileDown::FailFast;
        if (has_failed_fast || !error.is_retryable())
            && let Some(ready) = self.ready.take()
        {
            let told = match error.is_retryable() {
                true => context.not_connected(Some(&error)),
                false => error.clone(),
            };
            // Whoever asked gives the tail up, or has done so.
            let _ = ready.send(Err(told));
        }
        self.n_failed = self.n_failed.saturating_add(1);
        context.connect_failed(self.n_failed, error)
    }
}
