//! Subscriptions of a cluster: one connection to any node for channels and patterns, which every
//! node knows, and one for each node that serves sharded channels somebody wants.
//!
//! Where each sharded channel is subscribed is desired state, too: when its slot has another owner,
//! it is taken from the old connection and given to the new one, with a gap at its place in the
//! stream, since what was published in between went to neither.

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Address, Error, Event, Gap, Kind,
    connection::{
        driver::{Alarm, Status, now, wall_clock},
        subscriber::{Doorbell, Wish},
    },
    message::Outage,
    queue::Queue,
    subscriptions::Target,
    topology::{
        cluster::{Cluster, Wanted, slots::slot},
        connections::{Hub, Wiring},
        health::Health,
        locator::Locator,
    },
    waiting::{Call, Calls},
};

/// How long a channel that nobody serves, or that its node sent away, waits for the next look at
/// the slots.
const HOMELESS_FOR: Duration = Duration::from_millis(250);

/// How long a channel that was refused rests.
const REFUSED_REST: Duration = Duration::from_secs(3);

/// See the module.
pub(crate) struct Shards {
    cluster: Arc<Cluster>,
    wiring: Wiring,
    wishes: mpsc::Receiver<Wish>,
    doorbell: Arc<Doorbell>,
    health: Arc<Health>,
    hubs: HashMap<Home, Outpost>,
    members: HashMap<u64, Member>,
    /// What the connections were asked and have not answered.
    asked: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// When to look for homes again.
    look_at: Option<Instant>,
}

/// Which connection has a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Home {
    /// The one to any node.
    Any,
    /// That of this node.
    Node(Address),
}

/// A connection and how much it is needed.
struct Outpost {
    hub: Hub,
    status: Arc<Status>,
    /// Targets that it has, of all members.
    n_targets: usize,
}

/// One subscription.
struct Member {
    queue: Arc<Queue>,
    targets: HashMap<Target, Option<Home>>,
    waiting: Calls,
}

/// A connection's answer to having been given targets.
struct Answer {
    id: u64,
    home: Home,
    targets: Vec<Target>,
    /// Since when messages of them may have been lost.
    since: Option<Instant>,
    result: Result<(), Error>,
}

impl Shards {
    /// Runs a task for them; it ends when the returned value and its clones are dropped.
    pub(crate) fn spawn(cluster: Arc<Cluster>, wiring: Wiring, wishes_max: usize) -> Hub {
        let (wishes, receiver) = mpsc::channel(wishes_max);
        let hub = Hub { wishes, doorbell: Arc::default(), health: Arc::default() };
        let this = Self {
            cluster,
            wiring,
            wishes: receiver,
            doorbell: hub.doorbell.clone(),
            health: hub.health.clone(),
            hubs: HashMap::new(),
            members: HashMap::new(),
            asked: FuturesUnordered::new(),
            look_at: None,
        };
        tokio::spawn(this.run());
        hub
    }

    async fn run(mut self) {
        let mut is_closed = self.wiring.closed.subscribe();
        // An error means that the sender is gone: closed all the same.
        let mut closed = pin!(async move { drop(is_closed.wait_for(|closed| *closed).await) });
        let mut changes = self.cluster.changes();
        let mut alarm = Alarm::new();
        loop {
            alarm.arm(self.look_at);
            tokio::select! {
                wish = self.wishes.recv() => match wish {
                    Some(wish) => self.handle_wish(wish).await,
                    None => break,
                },
                () = self.doorbell.notify.notified() => self.handle_doorbell(),
                Some(answer) = self.asked.next(), if !self.asked.is_empty() => {
                    self.handle_answer(answer).await;
                }
                Ok(()) = changes.changed() => self.find_all_homes().await,
                () = alarm.ring() => if self.look_at.is_some_and(|at| at <= now()) {
                    self.look_at = None;
                    self.find_all_homes().await;
                },
                () = &mut closed => break,
            }
        }
        for (_, mut member) in self.members.drain() {
            member.queue.end(Error::closed());
            for call in member.waiting.take_all() {
                call.refuse(&Error::closed());
            }
        }
    }

    async fn handle_wish(&mut self, wish: Wish) {
        match wish {
            Wish::Join { id, queue, targets, ready } => {
                // Dropped before it was even seen here: its number is on the doorbell already.
                if queue.has_ended() {
                    return;
                }
                let member = self.members.entry(id).or_insert_with(|| Member {
                    queue,
                    targets: HashMap::new(),
                    waiting: Calls::default(),
                });
                let is_new = |target: &&Target| !member.targets.contains_key(*target);
                let added: Vec<Target> = targets.iter().filter(is_new).cloned().collect();
                // What it has already, another call may still wait for.
                let old = targets.iter().filter(|target| member.waiting.wait_for(target));
                let unconfirmed = old.chain(&added).cloned().collect();
                member.targets.extend(added.iter().map(|target| (target.clone(), None)));
                member.waiting.push(Call::new(targets, added, unconfirmed, ready));
                self.confirm(id).await;
                self.find_homes(id).await;
            }
            Wish::Part { id, targets } => self.part(id, &targets).await,
            Wish::TakeBack { id } => {
                let Some(member) = self.members.get_mut(&id) else { return };
                for call in member.waiting.take_gone() {
                    self.fail(id, call, &Error::closed()).await;
                }
            }
        }
    }

    /// Takes targets away from a member.
    async fn part(&mut self, id: u64, targets: &[Target]) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.waiting.handle_parted(targets);
        let mut at_home: HashMap<Home, Vec<Target>> = HashMap::new();
        for target in targets {
            if let Some(Some(home)) = member.targets.remove(target) {
                at_home.entry(home).or_default().push(target.clone());
            }
        }
        for (home, targets) in at_home {
            self.leave_home(id, home, targets).await;
        }
        // A call all of whose targets are gone, or confirmed, has what it can have.
        let Some(member) = self.members.get_mut(&id) else { return };
        member.waiting.take_done().into_iter().for_each(|call| drop(call.confirm()));
    }

    /// Tells those calls of a member for which everything is confirmed.
    async fn confirm(&mut self, id: u64) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let back: Vec<Target> =
            member.waiting.take_done().into_iter().flat_map(Call::confirm).collect();
        if !back.is_empty() {
            self.part(id, &back).await;
        }
    }

    /// Tells a call that it came to nothing, and takes back what it has added.
    async fn fail(&mut self, id: u64, mut call: Call, error: &Error) {
        if let Some(member) = self.members.get_mut(&id) {
            let back = member.waiting.take_back(&mut call);
            self.part(id, &back).await;
        }
        call.refuse(error);
    }

    /// Somebody has left, or has made room in a queue that blocks.
    fn handle_doorbell(&mut self) {
        let leaving = self.doorbell.take();
        for outpost in self.hubs.values() {
            leaving.iter().for_each(|id| outpost.hub.doorbell.leave(*id));
            outpost.hub.doorbell.notify.notify_one();
        }
        for id in leaving {
            let Some(member) = self.members.remove(&id) else { continue };
            member.targets.values().flatten().for_each(|home| self.let_go(home, 1));
        }
    }

    /// Looks at all members: the slots have changed, or somebody has no home.
    async fn find_all_homes(&mut self) {
        self.health.set_whole(true);
        let ids: Vec<u64> = self.members.keys().copied().collect();
        for id in ids {
            self.find_homes(id).await;
        }
    }

    /// Gives every target of a member to the connection that should have it.
    async fn find_homes(&mut self, id: u64) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let map = self.cluster.map();
        let mut moves: HashMap<Home, (Vec<Target>, Option<Instant>)> = HashMap::new();
        let mut partings: HashMap<Home, Vec<Target>> = HashMap::new();
        let mut is_homeless = false;
        for (target, home) in &mut member.targets {
            let right = match target.kind {
                Kind::Channel | Kind::Pattern => Some(Home::Any),
                Kind::Shard => map.owner(slot(&target.name)).cloned().map(Home::Node),
            };
            let Some(right) = right else {
                is_homeless |= home.is_none();
                continue;
            };
            if home.as_ref() == Some(&right) {
                continue;
            }
            let mut since = None;
            if let Some(old) = home.replace(right.clone()) {
                since = self.hubs.get(&old).map(|outpost| outpost.status.last_read());
                partings.entry(old).or_default().push(target.clone());
            }
            let (targets, earliest) = moves.entry(right).or_default();
            targets.push(target.clone());
            *earliest = earliest.take().into_iter().chain(since).min();
        }
        for (home, targets) in partings {
            self.leave_home(id, home, targets).await;
        }
        for (home, (targets, since)) in moves {
            self.join(id, home, targets, since).await;
        }
        if is_homeless {
            self.health.set_whole(false);
            self.cluster.look_again();
            self.look_again_in(HOMELESS_FOR);
        }
    }

    /// Takes targets of a member away from a connection.
    async fn leave_home(&mut self, id: u64, home: Home, targets: Vec<Target>) {
        let n_targets = targets.len();
        self.tell(&home, Wish::Part { id, targets }).await;
        self.let_go(&home, n_targets);
    }

    /// A connection has so many targets less, and is closed if they were its last.
    fn let_go(&mut self, home: &Home, n_targets: usize) {
        let Some(outpost) = self.hubs.get_mut(home) else { return };
        outpost.n_targets = outpost.n_targets.saturating_sub(n_targets);
        if outpost.n_targets == 0
            && let Some(outpost) = self.hubs.remove(home)
        {
            // Those who had something there go on.
            self.members.keys().for_each(|id| outpost.hub.doorbell.leave(*id));
            self.health.remove(&outpost.status);
        }
    }

    /// Gives targets to a connection. If they come from another one, what was published since that
    /// one last delivered anything may be lost.
    async fn join(&mut self, id: u64, home: Home, targets: Vec<Target>, since: Option<Instant>) {
        let Some(member) = self.members.get(&id) else { return };
        let (ready, confirmed) = oneshot::channel();
        let queue = member.queue.clone();
        if let Some(since) = since {
            let outage = Outage::new(wall_clock(since), now().saturating_duration_since(since));
            queue.push_outage(Gap { n_dropped: 0, outage: Some(outage) });
            queue.wake();
        }
        let wish = Wish::Join { id, queue, targets: targets.clone(), ready };
        if !self.hubs.contains_key(&home) {
            let outpost = self.connect(&home);
            self.hubs.insert(home.clone(), outpost);
        }
        if let Some(outpost) = self.hubs.get_mut(&home) {
            outpost.n_targets += targets.len();
        }
        self.tell(&home, wish).await;
        self.asked.push(Box::pin(async move {
            let result = confirmed.await.unwrap_or_else(|_| Err(Error::closed()));
            Answer { id, home, targets, since, result }
        }));
    }

    fn connect(&self, home: &Home) -> Outpost {
        let wanted = match home {
            Home::Any => Wanted::Any,
            Home::Node(address) => Wanted::Node(address.clone()),
        };
        let (hub, status) = self.wiring.subscriber(Locator::Cluster(self.cluster.clone(), wanted));
        self.health.add(status.clone());
        Outpost { hub, status, n_targets: 0 }
    }

    async fn handle_answer(&mut self, answer: Answer) {
        let Answer { id, home, targets, since, result } = answer;
        let Some(member) = self.members.get_mut(&id) else { return };
        // What has moved on since is another answer's matter.
        let is_here = |target: &Target| member.targets.get(target) == Some(&Some(home.clone()));
        let targets: Vec<Target> = targets.into_iter().filter(is_here).collect();
        let Err(error) = result else {
            targets.iter().for_each(|target| member.waiting.handle_confirmed(target));
            self.confirm(id).await;
            if let Some(since) = since.filter(|_| !targets.is_empty()) {
                self.wiring.announcer.announce(Event::Resubscribed {
                    since: wall_clock(since),
                    gap: now().saturating_duration_since(since),
                    may_have_lost: true,
                });
            }
            return;
        };
        for target in &targets {
            member.targets.insert(target.clone(), None);
            self.health.set_whole(false);
        }
        let is_elsewhere =
            matches!(error.server_code(), Some("MOVED" | "CLUSTERDOWN" | "TRYAGAIN"));
        let refused: Vec<Call> = match is_elsewhere {
            true => Vec::new(),
            false => targets.iter().flat_map(|it| member.waiting.take_waiting_for(it)).collect(),
        };
        // What others have there already was not refused, and is taken away with the rest.
        self.leave_home(id, home, targets.clone()).await;
        let is_new = |target: &Target| refused.iter().any(|call| call.has_added(target));
        let had: Vec<Target> = targets.iter().filter(|it| !is_new(it)).cloned().collect();
        for call in refused {
            self.fail(id, call, &error).await;
        }
        if had.is_empty() {
            return;
        }
        if is_elsewhere || error.is_retryable() {
            self.cluster.look_again();
            self.look_again_in(HOMELESS_FOR);
            return;
        }
        for mut channel in had.into_iter().map(|target| target.name) {
            self.wiring.options.names().strip(&mut channel);
            self.wiring.announcer.announce(Event::Refused { channel, error: error.clone() });
        }
        self.look_again_in(REFUSED_REST);
    }

    fn look_again_in(&mut self, pause: Duration) {
        let at = now() + pause;
        self.look_at = Some(self.look_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Hands a wish to a connection, whose task never leaves it waiting for long.
    async fn tell(&mut self, home: &Home, wish: Wish) {
        if let Some(outpost) = self.hubs.get(home) {
            // If its task has ended, the link is being closed.
            let _ = outpost.hub.wishes.send(wish).await;
        }
    }
}
