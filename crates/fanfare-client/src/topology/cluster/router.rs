//! Commands of a cluster: each goes to the node that serves its slot.
//!
//! There is one connection for each node (or `pool_size`), made when it is first needed. What a node says it does
//! not serve (`MOVED`, `ASK`), can not serve now (`TRYAGAIN`, `CLUSTERDOWN`), or was never sent
//! because there was no connection, is sent again, to whoever serves it then, until the deadline.
//! Nothing is ever sent again that may have taken effect.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare_resp::Value;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, mpsc, oneshot, watch};

use crate::{
    Address, Error, ErrorKind, Role, WhileDown,
    connection::{
        commands::{Call, Caller, Commands},
        core::{Replies, Request},
        driver::{Status, now},
    },
    topology::{
        cluster::{
            Cluster, Wanted, nobody_knows, nobody_serves,
            scope::{Scope, combine, scope},
        },
        connections::{Lane, Wiring},
        locator::Locator,
    },
};

/// The first pause before something is tried again; each next one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(10);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// When another node is tried, too, because the one that is being connected to lets wait.
const HEDGE_AFTER: Duration = Duration::from_millis(250);

/// How often a command may be sent on without a pause: a slot moves from one node to another, not
/// in circles.
const HOPS_MAX: u32 = 3;

/// The connections to the nodes.
pub(crate) struct Router {
    pub(crate) cluster: Arc<Cluster>,
    wiring: Wiring,
    nodes: Mutex<Nodes>,
}

/// By address and lane.
type Nodes = HashMap<(Address, usize), Arc<Node>>;

/// A connection to a node, made when it is first needed.
#[derive(Default)]
struct Node {
    lane: OnceCell<Lane>,
    /// In this order commands are sent. It is fair: who waits for the connection is sent before who
    /// comes when it has just been made.
    turns: tokio::sync::Mutex<()>,
}

/// One command and where it goes.
struct Job {
    bytes: Bytes,
    scope: Scope,
    /// The node to which it was sent on, and whether that has to be told (`ASKING`).
    sent_on: Option<(Address, bool)>,
    outcome: Option<Result<Value, Error>>,
}

/// Commands on their way to one node.
struct Flight {
    jobs: Vec<usize>,
    /// Answers before the first job's, which are of no interest.
    n_ahead: usize,
    replies: oneshot::Receiver<Replies>,
}

impl Router {
    pub(crate) fn new(cluster: Arc<Cluster>, wiring: Wiring) -> Self {
        Self { cluster, wiring, nodes: Mutex::default() }
    }

    /// Reads the slots, and connects to one node: to the first that answers, if one lets wait.
    ///
    /// # Errors
    /// Whatever keeps it from that.
    pub(crate) async fn connect(&self, deadline: tokio::time::Instant) -> Result<(), Error> {
        self.cluster.refresh(deadline).await?;
        let map = self.cluster.map();
        let mut nodes = self.cluster.in_any_order(&map).into_iter();
        let mut attempts = FuturesUnordered::new();
        let mut last = None;
        loop {
            match nodes.next() {
                Some(node) => attempts.push(async move {
                    let lane = self.node(node, 0);
                    self.lane(&lane, node).await.map(drop)
                }),
                None if attempts.is_empty() => {
                    return Err(last.unwrap_or_else(|| nobody_knows(&[])));
                }
                None => {}
            }
            let has_more = 0 < nodes.len();
            tokio::select! {
                Some(result) = attempts.next(), if !attempts.is_empty() => match result {
                    Ok(()) => return Ok(()),
                    Err(error) => last = Some(error),
                },
                () = tokio::time::sleep(HEDGE_AFTER), if has_more => {}
            }
        }
    }

    /// Sends what can be sent now. The returned future waits for the answers, and sends again what
    /// has to be sent again.
    pub(crate) async fn send(
        self: &Arc<Self>,
        bytes: Bytes,
        deadline: Instant,
        permit: OwnedSemaphorePermit,
        lane: usize,
    ) -> impl Future<Output = Replies> + Send + use<> {
        let mut jobs = split(&bytes);
        let lane = lane % self.wiring.options.pool_size.max(1);
        let flights = self.dispatch(&mut jobs, deadline, Some(permit), lane).await;
        self.clone().finish(jobs, flights, deadline, lane)
    }

    /// How the connections to the cluster's nodes are. One that is gone says nothing any more.
    pub(crate) fn statuses(&self) -> Vec<Arc<Status>> {
        let map = self.cluster.map();
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let present = nodes.iter().filter(|((address, _), _)| map.nodes().contains(address));
        present.filter_map(|(_, node)| node.lane.get()).map(|node| node.status.clone()).collect()
    }

    /// Keeps a connection to some node, so that a link that sends no commands knows how it is, when
    /// the only node that it had one to is gone.
    pub(crate) async fn keep_one(
        router: Weak<Self>,
        cluster: Arc<Cluster>,
        mut closed: watch::Receiver<bool>,
    ) {
        let mut changes = cluster.changes();
        loop {
            tokio::select! {
                Ok(()) = changes.changed() => {}
                // An error means that the sender is gone: closed all the same.
                _ = closed.wait_for(|closed| *closed) => return,
            }
            while let Some(router) = router.upgrade()
                && router.statuses().is_empty()
                && !*closed.borrow()
            {
                let node = cluster.any(&cluster.map());
                let is_connected = match node {
                    Ok(node) => router.lane(&router.node(&node, 0), &node).await.is_ok(),
                    Err(_) => false,
                };
                drop(router);
                if !is_connected {
                    tokio::time::sleep(PAUSE_MAX).await;
                }
            }
        }
    }

    async fn finish(
        self: Arc<Self>,
        mut jobs: Vec<Job>,
        mut flights: Vec<Flight>,
        deadline: Instant,
        lane: usize,
    ) -> Replies {
        let (mut pause, mut n_hops) = (PAUSE_FIRST, 0);
        loop {
            for flight in flights {
                flight.land(&mut jobs).await;
            }
            let left = deadline.saturating_duration_since(now());
            let Some(must_pause) = self.pick_again(&mut jobs, !left.is_zero()) else { break };
            n_hops += 1;
            if must_pause || HOPS_MAX < n_hops {
                tokio::time::sleep(pause.min(left)).await;
                pause = PAUSE_MAX.min(pause * 2);
            }
            flights = self.dispatch(&mut jobs, deadline, None, lane).await;
        }
        let unanswered = || Err(Error::closed());
        jobs.into_iter().map(|job| job.outcome.unwrap_or_else(unanswered)).collect()
    }

    /// Forgets the outcome of what has to be sent again. `None`: nothing has to, or `may` not; else
    /// whether that should wait a little.
    fn pick_again(&self, jobs: &mut [Job], may: bool) -> Option<bool> {
        let mut again = None;
        for job in jobs {
            let Some(Err(error)) = &job.outcome else { continue };
            let sent_on = match (job.scope, error.server_code(), error.kind()) {
                // What some nodes have done is not to be done again.
                (Scope::All(_) | Scope::One, ..) => continue,
                (_, Some("MOVED"), _) => redirection(error).map(|node| (node, false)),
                (_, Some("ASK"), _) => redirection(error).map(|node| (node, true)),
                (_, Some("TRYAGAIN" | "CLUSTERDOWN"), _) => None,
                (_, None, ErrorKind::NotConnected) if self.may_wait() => None,
                _ => continue,
            };
            if !matches!(error.server_code(), Some("ASK" | "TRYAGAIN")) {
                self.cluster.look_again();
            }
            if may {
                let must_pause = again.unwrap_or(false) || sent_on.is_none();
                again = Some(must_pause);
                job.sent_on = sent_on;
                job.outcome = None;
            }
        }
        again
    }

    fn may_wait(&self) -> bool {
        self.wiring.options.while_down == WhileDown::Wait
    }

    /// Sends every job without an outcome.
    async fn dispatch(
        &self,
        jobs: &mut [Job],
        deadline: Instant,
        mut permit: Option<OwnedSemaphorePermit>,
        lane: usize,
    ) -> Vec<Flight> {
        if self.cluster.map().masters().is_empty() {
            // If it fails, each job is told that nobody serves its slot.
            let _ = self.cluster.refresh(deadline.into()).await;
        }
        let groups = self.group(jobs);
        let n_groups = groups.len();
        let mut handed = Vec::with_capacity(n_groups);
        for (n, ((address, asking), members)) in groups.into_iter().enumerate() {
            let share = match &mut permit {
                Some(all) if n + 1 < n_groups => all.split(all.num_permits() / (n_groups - n)),
                _ => permit.take(),
            };
            let (reply, replies) = oneshot::channel();
            let (bytes, n_commands) = joined(jobs, &members, asking);
            let n_ahead = n_commands - members.len();
            let token = Caller { reply, _permit: share };
            let request = Request { bytes, n_commands, deadline, token };
            let flight = Flight { jobs: members, n_ahead, replies };
            handed.push(async move { (flight, self.hand_over(&address, lane, request).await) });
        }
        let mut flights = Vec::with_capacity(n_groups);
        // At once: who waits for a node that can not be reached holds up nobody else.
        for (flight, result) in join_all(handed).await {
            let Err(error) = result else {
                flights.push(flight);
                continue;
            };
            for at in flight.jobs {
                let Some(job) = jobs.get_mut(at) else { continue };
                job.outcome = Some(Err(error.clone()));
            }
        }
        flights
    }

    /// Gives commands to the connection to a node, once there is one and it is their turn.
    async fn hand_over(
        &self,
        address: &Address,
        lane: usize,
        request: Request<Caller>,
    ) -> Result<(), Error> {
        // Held until it is sent: nobody who came later is sent before.
        let node = self.node(address, lane);
        let (_turn, calls) = match self.turn(&node, address, request.deadline).await {
            Ok(turn) => turn,
            Err(error) if error.is_retryable() => {
                return Err(unreachable_node(address, Some(error)));
            }
            Err(error) => return Err(error),
        };
        // If its task has just ended, the answer is that nobody answers.
        let _ = calls.send(request).await;
        Ok(())
    }

    /// Which jobs go together to which node, each group in the order of the jobs.
    fn group(&self, jobs: &mut [Job]) -> Vec<((Address, bool), Vec<usize>)> {
        let map = self.cluster.map();
        let mut groups: Vec<((Address, bool), Vec<usize>)> = Vec::new();
        let mut add = |to: (Address, bool), at: usize| {
            // With `ASKING` before it each is on its own.
            match groups.iter_mut().find(|(node, _)| *node == to && !to.1) {
                Some((_, members)) => members.push(at),
                None => groups.push((to, vec![at])),
            }
        };
        for (at, job) in jobs.iter_mut().enumerate().filter(|(_, job)| job.outcome.is_none()) {
            let to = match (job.sent_on.take(), job.scope) {
                (Some(sent_on), _) => Ok(sent_on),
                (None, Scope::Slot(slot)) => match map.owner(slot) {
                    Some(owner) => Ok((owner.clone(), false)),
                    None => Err(not_connected(nobody_serves(slot))),
                },
                (None, Scope::Any) => {
                    self.cluster.any(&map).map(|node| (node, false)).map_err(not_connected)
                }
                (None, Scope::All(_)) => {
                    map.masters().iter().for_each(|node| add((node.clone(), false), at));
                    continue;
                }
                (None, Scope::One) => Err(Error::new(
                    ErrorKind::InvalidRequest,
                    "this command is about one node, and a cluster has several: connect to that \
                     one by `redis://host:port`",
                )),
            };
            match to {
                Ok(to) => add(to, at),
                Err(error) => job.outcome = Some(Err(error)),
            }
        }
        self.forget_gone(&map);
        groups
    }

    /// Closes the connections to nodes that are none of the cluster any more.
    fn forget_gone(&self, map: &super::slots::SlotMap) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if map.nodes().len() * self.wiring.options.pool_size < nodes.len() {
            nodes.retain(|(node, _), _| map.nodes().contains(node));
        }
    }

    fn node(&self, address: &Address, lane: usize) -> Arc<Node> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.entry((address.clone(), lane)).or_default().clone()
    }

    /// Waits for one's turn to send to a node, and for the connection to it.
    async fn turn<'a>(
        &self,
        node: &'a Node,
        address: &Address,
        deadline: Instant,
    ) -> Result<(tokio::sync::MutexGuard<'a, ()>, mpsc::Sender<Call>), Error> {
        let turn = async {
            let turn = node.turns.lock().await;
            Ok((turn, self.lane(node, address).await?))
        };
        let turn = crate::connection::driver::until(deadline, turn).await;
        turn.unwrap_or_else(|| Err(unreachable_node(address, None)))
    }

    async fn lane(&self, node: &Node, address: &Address) -> Result<mpsc::Sender<Call>, Error> {
        let connect = || async {
            let status = Arc::new(Status::new());
            let wanted = Wanted::Node(address.clone());
            let locator = Locator::Cluster(self.cluster.clone(), wanted);
            // Who waits for a node that is gone does so here, where another may be found.
            let wiring = self.wiring.with(|options| options.while_down(WhileDown::FailFast));
            let context = wiring.context(Role::Commands, status.clone(), locator);
            let connection = context.dialer.establish().await?;
            status.set_up(true);
            let (calls, receiver) = mpsc::channel(wiring.options.in_flight_max);
            tokio::spawn(Commands::new(context, receiver).run(Some(connection)));
            Ok(Lane { calls, status })
        };
        node.lane.get_or_try_init(connect).await.map(|lane| lane.calls.clone())
    }
}

impl Flight {
    async fn land(self, jobs: &mut [Job]) {
        let mut replies = match self.replies.await {
            Ok(replies) => replies.into_iter(),
            Err(_) => Replies::new().into_iter(),
        };
        let _ = (0..self.n_ahead).try_for_each(|_| replies.next().map(drop));
        for at in self.jobs {
            let Some(job) = jobs.get_mut(at) else { continue };
            let reply = replies.next().unwrap_or_else(|| Err(Error::closed()));
            job.outcome = Some(match (job.outcome.take(), job.scope) {
                (Some(other), Scope::All(how)) => combine(how, other, reply),
                (Some(_) | None, _) => reply,
            });
        }
    }
}

/// The commands of a pipeline, which was encoded by [`fanfare_resp::command`].
fn split(bytes: &Bytes) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut at = 0;
    while let Some((args, end)) = parse(bytes, at) {
        let bytes = bytes.slice(at..end);
        jobs.push(Job { bytes, scope: scope(&args), sent_on: None, outcome: None });
        at = end;
    }
    jobs
}

/// The arguments of the command at `start`, and where it ends.
fn parse(bytes: &[u8], start: usize) -> Option<(Vec<&[u8]>, usize)> {
    let mut at = start;
    let number = |at: &mut usize| {
        let line = bytes.get(*at + 1..)?;
        let len = line.iter().position(|&byte| byte == b'\r')?;
        *at += 1 + len + 2;
        std::str::from_utf8(line.get(..len)?).ok()?.parse::<usize>().ok()
    };
    let n_args = number(&mut at)?;
    let mut args = Vec::with_capacity(n_args);
    for _ in 0..n_args {
        let len = number(&mut at)?;
        args.push(bytes.get(at..at + len)?);
        at += len + 2;
    }
    Some((args, at))
}

/// The bytes of these jobs, with `ASKING` before them if that is needed, and how many commands
/// they are.
fn joined(jobs: &[Job], members: &[usize], asking: bool) -> (Bytes, usize) {
    let mut parts = members.iter().filter_map(|&at| jobs.get(at)).map(|job| &job.bytes);
    match (members, asking) {
        ([_], false) => (parts.next().cloned().unwrap_or_default(), 1),
        (_, asking) => {
            let mut bytes = Vec::new();
            if asking {
                fanfare_resp::command(&mut bytes, [&b"ASKING"[..]].into_iter());
            }
            parts.for_each(|part| bytes.extend_from_slice(part));
            (bytes.into(), members.len() + usize::from(asking))
        }
    }
}

/// The node that a `MOVED` or `ASK` names.
fn redirection(error: &Error) -> Option<Address> {
    let (host, port) = error.message().split(' ').nth(2)?.rsplit_once(':')?;
    // Without a host it is another port of a node that only the slots can tell.
    let host = (!host.is_empty() && host != "?").then(|| host.to_owned())?;
    Some(Address::Tcp { host, port: port.parse().ok()? })
}

/// Nothing was sent.
fn not_connected(source: Error) -> Error {
    Error::new(ErrorKind::NotConnected, source.message().to_owned()).with_source(source)
}

fn unreachable_node(address: &Address, source: Option<Error>) -> Error {
    let error =
        Error::new(ErrorKind::NotConnected, format!("no connection to {address} of the cluster"));
    match source {
        Some(source) => error.with_source(source),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_is_taken_apart() {
        let mut bytes = Vec::new();
        fanfare_resp::command(&mut bytes, [&b"GET"[..], b"foo"].into_iter());
        let first = bytes.len();
        fanfare_resp::command(&mut bytes, [&b"SET"[..], b"bar", b"\r\n$1"].into_iter());
        let bytes = Bytes::from(bytes);
        let jobs = split(&bytes);
        assert_eq!(jobs.len(), 2);
        assert_eq!(jobs[0].bytes.len(), first);
        assert_eq!(jobs[0].scope, scope(&[b"GET", b"foo"]));
        assert_eq!(jobs[1].bytes.len(), bytes.len() - first);
        assert_eq!(joined(&jobs, &[0, 1], false), (bytes, 2));
        assert_eq!(joined(&jobs, &[1], true).1, 2);
    }

    #[test]
    fn a_redirection_names_a_node() {
        let to = |text: &str| redirection(&Error::server(text.as_bytes()));
        let node = |host: &str, port| Some(Address::Tcp { host: host.to_owned(), port });
        assert_eq!(to("MOVED 3999 127.0.0.1:6381"), node("127.0.0.1", 6381));
        assert_eq!(to("ASK 3999 ::1:6381"), node("::1", 6381));
        assert_eq!(to("MOVED 3999 :6381"), None);
        assert_eq!(to("MOVED 3999"), None);
    }
}
