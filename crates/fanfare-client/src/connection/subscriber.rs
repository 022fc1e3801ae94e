//! The task that owns a subscription connection.
//!
//! It turns the members' wishes into desired state, keeps the server's state equal to it, and
//! hands out messages. When a queue blocks, it holds the message and stops reading the socket; TCP
//! then holds back the server.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{Notify, mpsc};

use crate::{
    Error, Event, Gap, WhileDown,
    backoff::Pauses,
    connection::{
        core::Output,
        driver::{Alarm, CATCH_UPS_MAX, Connection, Context, now, wall_clock},
    },
    message::Outage,
    queue::{Pushed, Queue},
    registry::{Held, Registry},
    subscriptions::{Batch, Target},
    waiting::Ready,
};

/// What a subscription asks of the connection's task.
pub(crate) enum Wish {
    Join {
        id: u64,
        queue: Arc<Queue>,
        targets: Vec<Target>,
        ready: Ready,
    },
    Part {
        id: u64,
        targets: Vec<Target>,
    },
    /// A call to join is not waited for any more: what it has added is not wanted.
    TakeBack {
        id: u64,
    },
}

/// Subscriptions that were dropped. Dropping must not block, so they leave their number here.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    leaving: Mutex<Vec<u64>>,
    pub(crate) notify: Arc<Notify>,
}

impl Doorbell {
    pub(crate) fn leave(&self, id: u64) {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        self.notify.notify_one();
    }

    pub(crate) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.leaving.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// See the module.
pub(crate) struct Subscriber {
    context: Context,
    wishes: mpsc::Receiver<Wish>,
    doorbell: Arc<Doorbell>,
    registry: Registry,
    /// Messages that wait for room. While there are any, nothing is read.
    held: Vec<Held>,
    /// Since when messages may have been lost.
    down_since: Option<Instant>,
    last_error: Option<Error>,
    /// Whether `Up` was announced for the present connection.
    is_up: bool,
}

/// Why a phase ended.
enum End {
    Closed,
    Lost(Error),
}

impl Subscriber {
    pub(crate) fn new(
        context: Context,
        wishes: mpsc::Receiver<Wish>,
        doorbell: Arc<Doorbell>,
    ) -> Self {
        Self {
            context,
            wishes,
            doorbell,
            registry: Registry::default(),
            held: Vec::new(),
            down_since: None,
            last_error: None,
            is_up: false,
        }
    }

    /// Runs until the link is closed or nobody can wish for anything any more.
    pub(crate) async fn run(mut self) {
        let (mut pauses, mut up_since) = (Pauses::default(), now());
        while let Some(connection) = self.connect(self.context.pause(&mut pauses, up_since)).await {
            up_since = now();
            match self.serve(connection).await {
                End::Closed => break,
                End::Lost(error) => self.handle_lost(error),
            }
        }
        self.wishes.close();
        while let Ok(wish) = self.wishes.try_recv() {
            self.handle_wish(wish, true);
        }
        // What waits for room has been received; who has left before the end goes on elsewhere.
        for (queue, message) in self.held.drain(..) {
            queue.push_over(message);
        }
        self.handle_leaving();
        self.registry.close(&Error::closed());
    }

    /// Tries, after a pause, until there is a connection, but only while somebody is subscribed.
    /// `None`: closed.
    async fn connect(&mut self, mut delay: Duration) -> Option<Connection<()>> {
        let context = self.context.clone();
        let mut closed = pin!(self.context.clone().closed());
        let mut n_failed = 0;
        loop {
            while self.registry.is_empty() {
                tokio::select! {
                    wish = self.wishes.recv() => self.handle_wish(wish?, true),
                    () = &mut closed => return None,
                }
                // The first subscription of a link need not wait: nothing has failed yet.
                delay = Duration::ZERO;
                self.down_since = None;
            }
            let mut attempt = pin!(context.dialer.establish_after(delay));
            let result = loop {
                tokio::select! {
                    result = &mut attempt => break Some(result),
                    wish = self.wishes.recv() => {
                        let may_wait = context.dialer.options.while_down == WhileDown::Wait || n_failed == 0;
                        self.handle_wish(wish?, may_wait);
                    }
                    () = self.doorbell.notify.notified() => self.handle_leaving(),
                    () = &mut closed => return None,
                }
                if self.registry.is_empty() {
                    break None;
                }
            };
            match result {
                None => {}
                Some(Ok(connection)) => return Some(connection),
                Some(Err(error)) => {
                    n_failed += 1;
                    delay = context.connect_failed(n_failed, error.clone());
                    if n_failed == 1 && context.dialer.options.while_down == WhileDown::FailFast {
                        self.registry.fail_waiting(&context.not_connected(Some(&error)));
                    }
                    self.last_error = Some(error);
                }
            }
        }
    }

    async fn serve(&mut self, mut connection: Connection<()>) -> End {
        let mut closed = pin!(self.context.clone().closed());
        let mut alarm = Alarm::new();
        self.push_outage();
        self.is_up = false;
        loop {
            while connection.core.has_room()
                && let Some(batch) = self.registry.poll_batch()
            {
                connection.core.ask(batch);
            }
            let timeouts = [connection.core.poll_timeout(), self.registry.poll_timeout()];
            alarm.arm(timeouts.into_iter().flatten().min());
            let may_read = self.held.is_empty();
            tokio::select! {
                moved = connection.turn(may_read) => if let Err(error) = moved {
                    return End::Lost(error);
                },
                wish = self.wishes.recv() => match wish {
                    Some(wish) => self.handle_wish(wish, true),
                    None => return End::Closed,
                },
                () = self.doorbell.notify.notified() => self.handle_leaving(),
                () = alarm.ring() => {}
                () = &mut closed => return End::Closed,
            }
            match self.settle(&mut connection).await {
                Ok(0) => {}
                // On a runtime of one thread the subscribers get their turn only now.
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => return End::Lost(error),
            }
        }
    }

    /// Hands out what has come, and keeps all timeouts. Returns how many messages there were.
    async fn settle(&mut self, connection: &mut Connection<()>) -> Result<usize, Error> {
        let mut n_messages = self.hand_out(connection)?;
        // Judged as of a time before the last look at the socket.
        let mut at = now();
        for _ in 0..CATCH_UPS_MAX {
            if !connection.core.is_overdue(at) || !connection.catch_up().await? {
                break;
            }
            n_messages += self.hand_out(connection)?;
            at = now();
        }
        connection.core.handle_timeout(at)?;
        for event in self.registry.handle_timeout(at) {
            self.context.announcer.announce(event);
        }
        // Before anybody learns that it is subscribed.
        if !self.is_up && self.registry.is_settled() {
            self.is_up = true;
            self.announce_restored();
        }
        self.registry.wake();
        Ok(n_messages)
    }

    fn hand_out(&mut self, connection: &mut Connection<()>) -> Result<usize, Error> {
        let now = now();
        self.retry_held();
        connection.core.handle_pause(!self.held.is_empty(), now);
        let received_at = SystemTime::now();
        let mut n_messages = 0;
        while self.held.is_empty()
            && let Some(output) = connection.poll_output()?
        {
            match output {
                Output::Message(incoming) => {
                    n_messages += 1;
                    self.held = self.registry.deliver(now, received_at, incoming);
                }
                Output::Confirmed { ask, target } => self.registry.handle_confirmed(ask, &target),
                Output::Refused { batch, error } => self.handle_refused(now, batch, &error),
                // Only heartbeats are asked here, and the core keeps their answers.
                Output::Replies { .. } | Output::StreamPush(_) => {}
            }
        }
        connection.core.handle_pause(!self.held.is_empty(), now);
        Ok(n_messages)
    }

    fn handle_refused(&mut self, now: Instant, batch: Batch, error: &Error) {
        let is_elsewhere = error.server_code() == Some("MOVED");
        if is_elsewhere {
            self.context.dialer.locator.look_again();
        }
        if let Some(mut event) = self.registry.handle_refused(now, batch, error)
            && !is_elsewhere
        {
            if let Event::Refused { channel, .. } = &mut event {
                self.context.dialer.options.names().strip(channel);
            }
            self.context.announcer.announce(event);
        }
    }

    fn retry_held(&mut self) {
        for (queue, message) in std::mem::take(&mut self.held) {
            if queue.is_full() {
                self.held.push((queue, message));
                continue;
            }
            match queue.push(message) {
                Pushed::Full(message) => self.held.push((queue, message)),
                Pushed::Queued | Pushed::Dropped | Pushed::Ended => queue.wake(),
            }
        }
    }

    fn handle_wish(&mut self, wish: Wish, may_wait: bool) {
        match wish {
            Wish::Join { ready, .. } if !may_wait => {
                let error = self.context.not_connected(self.last_error.as_ref());
                // Whoever asked may have gone.
                let _ = ready.send(Err(error));
            }
            Wish::Join { id, queue, targets, ready } => {
                // Dropped before it was even seen here: its number is on the doorbell already.
                if !queue.has_ended() {
                    self.registry.join(id, &queue, targets, ready);
                }
            }
            Wish::Part { id, targets } => self.registry.part(id, &targets),
            Wish::TakeBack { id } => self.registry.take_back(id),
        }
    }

    fn handle_leaving(&mut self) {
        for id in self.doorbell.take() {
            self.registry.leave(id);
        }
    }

    fn handle_lost(&mut self, error: Error) {
        self.down_since.get_or_insert(self.context.dialer.status.last_read());
        // The gap must come after what was read before it.
        for (queue, message) in self.held.drain(..) {
            queue.push_over(message);
        }
        self.registry.handle_disconnected();
        self.last_error = Some(error.clone());
        self.context.announce_down(error);
    }

    /// Marks the place of the outage in every stream, before anything new arrives.
    fn push_outage(&mut self) {
        if let Some(since) = self.down_since {
            let outage = Outage::new(wall_clock(since), now().saturating_duration_since(since));
            self.registry.push_outage(&Gap { n_dropped: 0, outage: Some(outage) });
        }
    }

    fn announce_restored(&mut self) {
        if let Some(since) = self.down_since.take() {
            self.context.announcer.announce(Event::Resubscribed {
                since: wall_clock(since),
                gap: now().saturating_duration_since(since),
                may_have_lost: true,
            });
        }
        self.context.announce_up();
    }
}
