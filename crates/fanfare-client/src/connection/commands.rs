//! The task that owns the command connection: many callers, one pipeline.
//!
//! A request is sent once. If the connection breaks, what was not sent at all waits for the next
//! one; everything else fails with `Disconnected`, since the server may have acted on it.

use std::{
    collections::VecDeque,
    pin::pin,
    time::{Duration, Instant},
};

use fanfare_resp::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::{
    Error, ErrorKind, WhileDown,
    backoff::Pauses,
    connection::{
        core::{Output, Replies, Request},
        driver::{Alarm, CATCH_UPS_MAX, Connection, Context, now},
    },
    topology::locator::Locator,
};

/// A caller: where the answer goes, and its share of what may be in flight.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) reply: oneshot::Sender<Replies>,
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

pub(crate) type Call = Request<Caller>;

/// Requests taken from the callers at once.
const TAKE_MAX: usize = 256;

/// See the module.
pub(crate) struct Commands {
    context: Context,
    calls: mpsc::Receiver<Call>,
    /// Requests that have not been sent.
    backlog: VecDeque<Call>,
    /// A time before which no request of the backlog expires.
    no_deadline_before: Option<Instant>,
}

/// Why a phase ended.
enum End {
    Closed,
    Lost(Error),
}

impl Commands {
    pub(crate) fn new(context: Context, calls: mpsc::Receiver<Call>) -> Self {
        Self { context, calls, backlog: VecDeque::new(), no_deadline_before: None }
    }

    /// Runs until the link is closed. Without a connection to begin with, it makes one.
    pub(crate) async fn run(mut self, first: Option<Connection<Caller>>) {
        let mut next = first;
        let (mut pauses, mut up_since) = (Pauses::default(), now());
        loop {
            let connection = match next.take() {
                Some(connection) => connection,
                None => match self.reconnect(self.context.pause(&mut pauses, up_since)).await {
                    Some(connection) => {
                        self.context.announce_up();
                        connection
                    }
                    None => break,
                },
            };
            up_since = now();
            match self.serve(connection).await {
                End::Closed => break,
                End::Lost(error) => self.context.announce_down(error),
            }
        }
        self.calls.close();
        let error = match self.context.is_closed() {
            true => Error::closed(),
            false => self.context.not_connected(None),
        };
        while let Some(call) = self.backlog.pop_front().or_else(|| self.calls.try_recv().ok()) {
            refuse(call, &error);
        }
    }

    async fn serve(&mut self, mut connection: Connection<Caller>) -> End {
        let mut closed = pin!(self.context.clone().closed());
        let mut alarm = Alarm::new();
        let mut taken = Vec::new();
        let end = loop {
            while connection.core.has_room()
                && let Some(call) = self.backlog.pop_front()
            {
                connection.core.submit(call);
            }
            let timeouts = [connection.core.poll_timeout(), self.no_deadline_before];
            alarm.arm(timeouts.into_iter().flatten().min());
            tokio::select! {
                moved = connection.turn(true) => if let Err(error) = moved { break End::Lost(error) },
                n = self.calls.recv_many(&mut taken, TAKE_MAX) => match n {
                    0 => break End::Closed,
                    _ => taken.drain(..).for_each(|call| self.wait(call)),
                },
                () = alarm.ring() => {}
                () = &mut closed => break End::Closed,
            }
            if let Err(error) = self.settle(&mut connection).await {
                break End::Lost(error);
            }
            self.expire_backlog(now(), || {
                Error::new(ErrorKind::Timeout, "the request could not be sent in time")
            });
        };
        let error = match &end {
            End::Lost(error) => error.clone().sent(),
            End::Closed if self.context.is_closed() => Error::closed().sent(),
            // The link goes on, such as when a node of a cluster is gone.
            End::Closed => Error::new(
                ErrorKind::Disconnected,
                "the connection was closed because nobody else needs it: its node has left the \
                 cluster, or its owner was dropped",
            ),
        };
        let (failed, unsent) = connection.core.give_up(&error);
        for (caller, replies) in failed {
            // Whoever asked may have gone.
            let _ = caller.reply.send(replies);
        }
        for call in unsent.into_iter().rev() {
            self.backlog.push_front(call);
        }
        self.no_deadline_before = self.backlog.iter().map(|call| call.deadline).min();
        end
    }

    /// Tries, after a pause, until there is a connection. `None`: the link was closed.
    async fn reconnect(&mut self, mut delay: Duration) -> Option<Connection<Caller>> {
        let context = self.context.clone();
        let mut closed = pin!(self.context.clone().closed());
        let mut last_error = None;
        let mut alarm = Alarm::new();
        for n_failed in 1.. {
            let mut attempt = pin!(context.dialer.establish_after(delay));
            let result = loop {
                let not_connected = || context.not_connected(last_error.as_ref());
                match context.dialer.options.while_down {
                    WhileDown::Wait => self.expire_backlog(now(), not_connected),
                    WhileDown::FailFast => self.refuse_backlog(&not_connected()),
                }
                alarm.arm(self.no_deadline_before);
                let mut taken = Vec::new();
                tokio::select! {
                    result = &mut attempt => break result,
                    n = self.calls.recv_many(&mut taken, TAKE_MAX) => {
                        if n == 0 {
                            return None;
                        }
                        for call in taken {
                            self.wait(call);
                        }
                    }
                    () = alarm.ring() => {}
                    () = &mut closed => return None,
                }
            };
            match result {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    delay = context.connect_failed(n_failed, error.clone());
                    last_error = Some(error);
                }
            }
        }
        None
    }

    /// Hands out what has come, and keeps deadlines and heartbeat.
    async fn settle(&self, connection: &mut Connection<Caller>) -> Result<(), Error> {
        self.hand_out(connection)?;
        // Judged as of a time before the last look at the socket.
        let mut at = now();
        for _ in 0..CATCH_UPS_MAX {
            if !connection.core.is_overdue(at) || !connection.catch_up().await? {
                break;
            }
            self.hand_out(connection)?;
            at = now();
        }
        connection.core.handle_timeout(at)?;
        self.hand_out(connection)
    }

    fn hand_out(&self, connection: &mut Connection<Caller>) -> Result<(), Error> {
        while let Some(output) = connection.poll_output()? {
            match output {
                Output::Replies { token, replies } => {
                    let locator = &self.context.dialer.locator;
                    if replies.iter().any(|it| says_elsewhere(locator, it)) {
                        locator.look_again();
                    }
                    // Whoever asked may have gone.
                    let _ = token.reply.send(replies);
                }
                // Nothing subscribes on this connection: the commands that would are refused.
                Output::Message(_)
                | Output::Confirmed { .. }
                | Output::Refused { .. }
                | Output::StreamPush(_) => {}
            }
        }
        Ok(())
    }

    fn wait(&mut self, call: Call) {
        let deadline = call.deadline;
        self.no_deadline_before =
            Some(self.no_deadline_before.map_or(deadline, |earliest| earliest.min(deadline)));
        self.backlog.push_back(call);
    }

    /// Fails what has waited too long.
    fn expire_backlog(&mut self, now: Instant, error: impl FnOnce() -> Error) {
        if self.no_deadline_before.is_none_or(|at| now < at) {
            return;
        }
        let error = error();
        for call in std::mem::take(&mut self.backlog) {
            if call.deadline <= now {
                refuse(call, &error);
            } else {
                self.backlog.push_back(call);
            }
        }
        self.no_deadline_before = self.backlog.iter().map(|call| call.deadline).min();
    }

    fn refuse_backlog(&mut self, error: &Error) {
        for call in self.backlog.drain(..) {
            refuse(call, error);
        }
        self.no_deadline_before = None;
    }
}

/// Whether the server says that it is not, or not any more, the one for what is asked here.
fn says_elsewhere(locator: &Locator, reply: &Result<Value, Error>) -> bool {
    let Err(error) = reply else { return false };
    match error.server_code() {
        Some("READONLY") => locator.needs_master(),
        // In a transaction, it is EXEC that refuses.
        Some("MOVED" | "CLUSTERDOWN" | "EXECABORT") => locator.needs_owner(),
        _ => false,
    }
}

fn refuse(call: Call, error: &Error) {
    let replies = (0..call.n_commands).map(|_| Err(error.clone())).collect();
    let _ = call.token.reply.send(replies);
}
