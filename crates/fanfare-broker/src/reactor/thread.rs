//! The threads: one per reactor, each with a tokio `LocalRuntime`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use fanfare_engine::pubsub::ReactorId;
use fanfare_engine::scripting;
use tokio::runtime::LocalRuntime;

use super::balance::for_connection;
use super::mailbox::Item;
use super::state::Reactor;
use crate::net::{Bound, Failure, Incoming, Outage};
use crate::shared::Shared;

/// How often limits that depend on time are looked at.
const TICK: Duration = Duration::from_millis(100);
/// A stopping reactor tries for a second to send what waits.
const FAREWELL_STEP: Duration = Duration::from_millis(10);
const FAREWELL_STEPS: u32 = 100;

/// The running threads.
#[derive(Debug, Default)]
pub(crate) struct Handles(Vec<JoinHandle<()>>);

impl Handles {
    /// Waits until all have ended. A reactor that panicked is logged.
    pub(crate) fn join(self) {
        for (index, handle) in self.0.into_iter().enumerate() {
            if handle.join().is_err() {
                tracing::error!(reactor = index, "a reactor thread panicked");
            }
        }
    }
}

/// Starts the reactors; the first one also accepts connections.
///
/// # Errors
/// The operating system's; then no thread is left running.
pub(crate) fn spawn_all(shared: &Arc<Shared>, bound: Bound) -> io::Result<Handles> {
    let mut handles = Handles::default();
    let mut bound = Some(bound);
    for index in 0..shared.mailboxes.len() {
        match spawn(shared, index, bound.take()) {
            Ok(handle) => handles.0.push(handle),
            Err(error) => {
                shared.stop.ask();
                handles.join();
                return Err(error);
            }
        }
    }
    Ok(handles)
}

fn spawn(shared: &Arc<Shared>, index: usize, bound: Option<Bound>) -> io::Result<JoinHandle<()>> {
    let id = ReactorId(u8::try_from(index).map_err(|_| io::Error::other("at most 256 reactors"))?);
    let shared = Arc::clone(shared);
    let (ready, is_ready) = std::sync::mpsc::sync_channel::<io::Result<()>>(1);
    let thread = std::thread::Builder::new().name(format!("reactor-{index}"));
    let handle = thread.stack_size(scripting::THREAD_STACK_BYTES).spawn(move || {
        let made = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build_local(tokio::runtime::LocalOptions::default());
        match made {
            Ok(runtime) => {
                // The starter may have given up meanwhile; then `stop` is asked and we end at once.
                let _ = ready.send(Ok(()));
                serve(&runtime, id, &shared, bound);
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
    })?;
    is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended")))?;
    Ok(handle)
}

fn serve(runtime: &LocalRuntime, id: ReactorId, shared: &Arc<Shared>, bound: Option<Bound>) {
    let reactor = Rc::new(RefCell::new(Reactor::new(id, Arc::clone(shared))));
    runtime.block_on(async {
        spawn_essential(shared, turns(Rc::clone(&reactor)));
        spawn_essential(shared, ticks(Rc::clone(&reactor)));
        spawn_essential(shared, deadlines(Rc::clone(&reactor)));
        if let Some(bound) = bound {
            spawn_essential(shared, accept(Rc::clone(&reactor), bound));
        }
        shared.stop.asked().await;
        // Nothing is read any more; what was answered or posted so far leaves before the sockets close.
        reactor.borrow_mut().is_stopping = true;
        for _ in 0..FAREWELL_STEPS {
            tokio::task::yield_now().await;
            let all_sent = {
                let mut this = reactor.borrow_mut();
                this.end_turn();
                this.flush_all()
            };
            if all_sent {
                break;
            }
            tokio::time::sleep(FAREWELL_STEP).await;
        }
        reactor.borrow_mut().close_all();
    });
}

/// Spawns a task without which a reactor is none: if it ends, by a panic, the broker stops instead of limping on.
fn spawn_essential(shared: &Arc<Shared>, task: impl Future<Output = ()> + 'static) {
    let shared = Arc::clone(shared);
    let task = tokio::task::spawn_local(task);
    tokio::task::spawn_local(async move {
        if task.await.is_err() {
            tracing::error!("a reactor panicked; the broker stops");
            shared.stop.ask();
        }
    });
}

/// Ends turns whenever something was done or posted.
async fn turns(reactor: Rc<RefCell<Reactor>>) {
    poll_fn(|cx| {
        let mut this = reactor.borrow_mut();
        this.set_turn_waker(cx.waker());
        this.end_turn();
        let adopted = this.take_adopted();
        drop(this);
        spawn_conns(&reactor, adopted);
        Poll::<()>::Pending
    })
    .await;
}

async fn ticks(reactor: Rc<RefCell<Reactor>>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut this = reactor.borrow_mut();
        this.tick();
        this.end_turn();
        this.hand_over();
    }
}

/// Ends the waits of blocked clients when their time comes.
async fn deadlines(reactor: Rc<RefCell<Reactor>>) {
    let mut sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            let Some(left) = reactor.borrow_mut().poll_deadlines(cx.waker()) else {
                return Poll::<()>::Pending;
            };
            sleep.as_mut().reset(tokio::time::Instant::now() + left);
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

fn spawn_conns(reactor: &Rc<RefCell<Reactor>>, slots: Vec<u32>) {
    for slot in slots {
        let Some(client_id) = reactor.borrow_mut().conn(slot).map(|it| it.facts.id) else {
            continue;
        };
        tokio::task::spawn_local(Serve { reactor: Rc::clone(reactor), client_id, slot });
    }
}

/// Serves one connection. There may be very many, so it is no larger than it must be.
struct Serve {
    reactor: Rc<RefCell<Reactor>>,
    client_id: u64,
    slot: u32,
}

impl Future for Serve {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let poll = || self.reactor.borrow_mut().poll_conn(self.slot, self.client_id, cx);
        // One client's command must not take the others of its reactor along.
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(polled) => polled,
            Err(panic) => {
                self.reactor.borrow_mut().recover(self.slot, self.client_id, &*panic);
                Poll::Ready(())
            }
        }
    }
}

/// Accepts connections and gives each to the active reactor that has the fewest.
async fn accept(reactor: Rc<RefCell<Reactor>>, bound: Bound) {
    match bound.twin() {
        Ok(twin) => reactor.borrow_mut().twin = Some(twin),
        Err(error) => {
            tracing::warn!(%error, "nobody can connect while a script runs for too long");
        }
    }
    let mut acceptor = match bound.register() {
        Ok(acceptor) => acceptor,
        Err(error) => {
            tracing::error!(%error, "failed to listen; the broker ends");
            reactor.borrow().shared.stop.ask();
            return;
        }
    };
    let mut outage = Outage::default();
    loop {
        match poll_fn(|cx| acceptor.poll_accept(cx)).await {
            Ok(incoming) => {
                outage.end();
                let adopted = {
                    let mut this = reactor.borrow_mut();
                    place(&mut this, incoming);
                    this.take_adopted()
                };
                spawn_conns(&reactor, adopted);
            }
            Err(error) if Failure::of(&error) == Failure::Passing => {
                tracing::debug!(%error, "a connection was gone before it was accepted");
            }
            Err(error) => {
                let now_ms = reactor.borrow().shared.uptime_ms();
                if outage.begin(now_ms) {
                    tell_outage(&error);
                }
                tokio::time::sleep(TICK).await;
            }
        }
    }
}

fn tell_outage(error: &io::Error) {
    match Failure::of(error) {
        Failure::Exhausted { what, cure } => tracing::error!(
            %error,
            "no connections are accepted, {what} is used up: {cure}. Who is connected is served"
        ),
        Failure::Passing | Failure::Unknown => {
            tracing::error!(%error, "failed to accept a connection; trying again");
        }
    }
}

pub(super) fn place(reactor: &mut Reactor, incoming: Incoming) {
    let shared = Arc::clone(&reactor.shared);
    let live = Arc::clone(&*shared.live.read());
    if live.maxclients <= shared.n_clients() {
        refuse(reactor, incoming, b"-ERR max number of clients reached\r\n");
        return;
    }
    if live.refuse_remote && !incoming.is_local() {
        refuse(reactor, incoming, PROTECTED);
        return;
    }
    let index = for_connection(&shared.loads, shared.n_active.load(Ordering::Relaxed));
    if let Some(load) = shared.loads.get(index) {
        load.n_connections.fetch_add(1, Ordering::Relaxed);
    }
    if index == usize::from(reactor.id.0) {
        reactor.adopt(incoming);
    } else if let Some(mailbox) = shared.mailboxes.get(index) {
        mailbox.post(Item::Adopt(Box::new(incoming)));
        mailbox.wake();
    }
}

fn refuse(reactor: &Reactor, incoming: Incoming, line: &[u8]) {
    if let Some(stats) = reactor.stats() {
        stats.n_connections_refused.add(1);
    }
    incoming.refuse(line);
}

/// Redis's words, since its users search for them.
const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no \
password is set for the default user. In this mode connections are only accepted from the loopback interface. If you \
want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable \
protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis \
from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do \
so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by \
editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. \
3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup an \
authentication password for the default user. NOTE: You only need to do one of the above things in order for the \
server to start accepting connections from the outside.\r\n";
