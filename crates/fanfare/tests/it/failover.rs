//! Random misfortunes under load: publishers, subscribers (plain, pattern, sharded), writers,
//! tails and workers go on by themselves, every gap of a subscriber is reported, and a tail and a
//! worker have everything that the broker still has.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fanfare::{
    Delivery, Fanfare, Subscription,
    stream::{self, Position, StreamId},
    worker::RunningWorker,
};
use fanfare_testkit::{ClusterGroup, Rng, SentinelGroup, ServerProcess};
use tokio::task::JoinHandle;

use crate::support::{TestResult, rng, run_for, until};

/// Where numbers are published: name, and whether it is sharded. Their slots, and that of the
/// stream, are of different thirds.
const CHANNELS: [(&str, bool); 5] =
    [("plain", false), ("odd.one", false), ("{a}s", true), ("{b}s", true), ("{c}s", true)];

const STREAM: &str = "{b}stream";

/// How many rounds: a few, or as many as a release has to survive.
fn n_rounds() -> u32 {
    if std::env::var_os("FANFARE_FULL").is_some() { 20 } else { 3 }
}

/// What a misfortune is done to.
enum Service {
    Sentinel(SentinelGroup),
    Cluster(ClusterGroup),
}

#[test]
fn everything_goes_on_with_sentinels() {
    run_for(Duration::from_secs(3_600), survive(Service::Sentinel(SentinelGroup::start())));
}

#[test]
fn everything_goes_on_in_a_cluster() {
    let group = ClusterGroup::start_with_timeout(Duration::from_millis(1_500));
    run_for(Duration::from_secs(3_600), survive(Service::Cluster(group)));
}

async fn survive(mut service: Service) -> TestResult {
    let mut rng = rng();
    let traffic = Traffic::start(&service.url()).await?;
    for round in 1..=n_rounds() {
        traffic.wait_flowing().await?;
        let began = Instant::now();
        let before = lock(&traffic.state).n;
        let what = tokio::task::block_in_place(|| service.strike(&mut rng));
        lock(&traffic.state).struck.push(format!("round {round} after {before}: {what}"));
        let recovered = Instant::now();
        traffic.wait_flowing().await?;
        println!(
            "round {round}: {what}; the broker took {:?}, the traffic {:?} more",
            recovered - began,
            recovered.elapsed()
        );
    }
    traffic.finish(matches!(service, Service::Cluster(_))).await
}

impl Service {
    fn url(&self) -> String {
        match self {
            Self::Sentinel(group) => group.url(),
            Self::Cluster(group) => group.url(),
        }
    }

    /// Does one thing that stops other clients, and returns when the broker has recovered.
    fn strike(&mut self, rng: &mut Rng) -> &'static str {
        match self {
            Self::Sentinel(group) => strike_sentinel(group, rng),
            Self::Cluster(group) => strike_cluster(group, rng),
        }
    }
}

fn strike_sentinel(group: &mut SentinelGroup, rng: &mut Rng) -> &'static str {
    group.wait_whole();
    let old = group.master().addr();
    let what = match rng.below(4) {
        0 => {
            group.master_mut().stop();
            group.wait_switched(old);
            group.servers_mut().filter(|it| it.pid().is_none()).for_each(ServerProcess::restart);
            "the master was killed and came back"
        }
        1 => {
            group.master().sigstop();
            group.wait_switched(old);
            group.servers().filter(|it| it.addr() == old).for_each(ServerProcess::sigcont);
            "the master hung and came back"
        }
        2 => {
            for kind in ["normal", "pubsub"] {
                group.master().client().call(&["CLIENT", "KILL", "TYPE", kind]);
            }
            "all connections were killed"
        }
        _ => {
            group.servers_mut().for_each(ServerProcess::stop);
            group.servers_mut().for_each(ServerProcess::restart);
            "everything was restarted, and forgot all"
        }
    };
    group.wait_whole();
    what
}

fn strike_cluster(group: &mut ClusterGroup, rng: &mut Rng) -> &'static str {
    let key = match rng.below(3) {
        0 => "a",
        1 => "b",
        _ => "c",
    };
    group.wait_whole();
    let port = group.owner(key).port();
    let what = match rng.below(5) {
        0 => {
            group.owner_mut(key).stop();
            group.wait_switched(key, port);
            group.nodes_mut().filter(|it| it.pid().is_none()).for_each(ServerProcess::restart);
            "a master was killed and came back"
        }
        1 => {
            group.owner(key).sigstop();
            group.wait_switched(key, port);
            group.nodes().filter(|it| it.port() == port).for_each(ServerProcess::sigcont);
            "a master hung and came back"
        }
        2 => {
            for node in group.nodes() {
                for kind in ["normal", "pubsub"] {
                    node.client().call(&["CLIENT", "KILL", "TYPE", kind]);
                }
            }
            "all connections were killed"
        }
        3 => {
            group.move_slot(key, || {});
            "a slot moved"
        }
        _ => {
            group.nodes_mut().for_each(ServerProcess::stop);
            group.nodes_mut().for_each(ServerProcess::restart);
            "everything was restarted, and forgot all"
        }
    };
    group.wait_whole();
    what
}

/// Programs that know nothing of any misfortune.
struct Traffic {
    fanfare: Fanfare,
    state: Arc<Mutex<State>>,
    worker: RunningWorker,
    tasks: Vec<JoinHandle<()>>,
}

/// What has come and gone.
#[derive(Default)]
struct State {
    /// The last number that was sent anywhere.
    n: u64,
    is_over: bool,
    /// Numbers of which the broker said that it has them, by channel.
    published: HashMap<&'static str, Vec<u64>>,
    /// What the subscriber got, in order; a gap is `None`.
    received: Vec<Option<(String, u64)>>,
    /// The last number of each channel and of the tail.
    last: BTreeMap<String, u64>,
    /// What the tail got since it was last told that the stream is another one.
    tailed: Vec<StreamId>,
    /// What was done, and after which number.
    struck: Vec<String>,
    /// What the worker has handled.
    worked: BTreeSet<StreamId>,
}

/// Where the last number that the worker got is.
const WORKER: &str = "the worker";

impl Traffic {
    async fn start(url: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let options = |it: fanfare::Options| {
            it.request_timeout(Duration::from_secs(2))
                .heartbeat(Duration::from_secs(2), Duration::from_secs(2))
        };
        let fanfare = Fanfare::builder(url).options(options).connect().await?;
        let subscription = fanfare
            .subscriber()
            .channels(["plain"])
            .patterns(["odd.*"])
            .sharded(CHANNELS.iter().filter(|(_, sharded)| *sharded).map(|(name, _)| name))
            .connect()
            .await?;
        let tail = fanfare.stream(STREAM).tail(Position::Start).await?;
        let state = Arc::new(Mutex::new(State::default()));
        let mut tasks = vec![
            tokio::spawn(listen(subscription, state.clone())),
            tokio::spawn(follow(tail, state.clone())),
            tokio::spawn(add(fanfare.clone(), state.clone())),
        ];
        for (channel, sharded) in CHANNELS {
            tasks.push(tokio::spawn(publish(fanfare.clone(), state.clone(), channel, sharded)));
        }
        let worker = work(&fanfare, state.clone())?;
        Ok(Self { fanfare, state, worker, tasks })
    }

    /// Waits until something that was sent after this was called has come everywhere.
    async fn wait_flowing(&self) -> TestResult {
        let n = {
            let mut state = lock(&self.state);
            state.n += 1;
            state.n
        };
        until("every channel, the tail and the worker go on", || {
            let state = lock(&self.state);
            let names = CHANNELS.iter().map(|(name, _)| *name).chain([STREAM, WORKER]);
            names.into_iter().all(|name| state.last.get(name).is_some_and(|last| n <= *last))
        })
        .await
    }

    /// Ends the traffic, and checks what has come.
    async fn finish(self, is_cluster: bool) -> TestResult {
        lock(&self.state).is_over = true;
        let entries = self.fanfare.stream(STREAM).range(.., None).await?;
        let last = entries.last().ok_or("the stream is empty")?.id;
        until("the tail is at the end", || {
            lock(&self.state).tailed.last().is_some_and(|it| last <= *it)
        })
        .await?;
        self.tasks.iter().for_each(JoinHandle::abort);
        let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
        until("the worker has skipped nothing", || {
            let state = lock(&self.state);
            ids.iter().all(|id| state.worked.contains(id))
        })
        .await?;
        println!("the worker: {:?}", self.worker.stop().await.counts);
        let state = lock(&self.state);
        // Entries may have been added while the last ones were read.
        let tailed: Vec<_> = state.tailed.iter().copied().filter(|id| *id <= last).collect();
        assert_eq!(tailed, ids, "the tail has something else than the stream");
        for (channel, sharded) in CHANNELS {
            check_gaps(&state, channel, is_cluster, is_cluster && !sharded);
        }
        Ok(())
    }
}

/// Between two gaps nothing comes twice, numbers only grow, and what is missing that the broker had
/// is missing at a gap.
///
/// In a cluster, less can be had. What nodes hand on to each other may be lost in silence. And it may
/// come late: from a node that hung, from another one than the last, or, when a shard has a new
/// master, from the old one, which takes and hands on what it is sent until it knows.
fn check_gaps(state: &State, channel: &'static str, is_cluster: bool, may_miss: bool) {
    let published = state.published.get(channel).map_or(&[][..], Vec::as_slice);
    let received = state.received.iter().flatten().filter(|it| it.0 == channel);
    let received: HashSet<u64> = received.map(|it| it.1).collect();
    let (mut last, mut is_told, mut since_gap) = (0, true, HashSet::new());
    for (at, item) in state.received.iter().enumerate() {
        let Some((name, n)) = item else {
            is_told = true;
            since_gap.clear();
            continue;
        };
        if name != channel {
            continue;
        }
        let around = || {
            let near = state.received.iter().take(at + 30).skip(at.saturating_sub(30));
            let is_ours =
                |it: &&Option<(String, u64)>| it.as_ref().is_none_or(|it| it.0 == channel);
            format!("received {:?}; {:#?}", near.filter(is_ours).collect::<Vec<_>>(), state.struck)
        };
        assert!(since_gap.insert(*n), "{channel}: {n} came twice; {}", around());
        if *n <= last {
            assert!(is_cluster, "{channel}: {n} after {last}; {}", around());
            continue;
        }
        let is_missing = |it: &&u64| last < **it && **it < *n && !received.contains(*it);
        let missing: Vec<_> = published.iter().filter(is_missing).collect();
        assert!(
            missing.is_empty() || is_told || may_miss,
            "{channel}: {missing:?} are missing between {last} and {n}, and nobody told; {}",
            around()
        );
        (last, is_told) = (*n, false);
    }
}

/// Sends numbers until it is over, each of which is sent once.
async fn publish(fanfare: Fanfare, state: Arc<Mutex<State>>, channel: &'static str, sharded: bool) {
    loop {
        let n = {
            let mut state = lock(&state);
            if state.is_over {
                return;
            }
            state.n += 1;
            state.n
        };
        let verb = if sharded { "SPUBLISH" } else { "PUBLISH" };
        if fanfare.command([verb, channel, &n.to_string()]).await.is_ok() {
            lock(&state).published.entry(channel).or_default().push(n);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn add(fanfare: Fanfare, state: Arc<Mutex<State>>) {
    let stream = fanfare.stream(STREAM);
    while !lock(&state).is_over {
        let n = lock(&state).n;
        // What fails comes again with the next number.
        let _ = stream.add([("n", n.to_string())]).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn work(
    fanfare: &Fanfare,
    state: Arc<Mutex<State>>,
) -> Result<RunningWorker, Box<dyn std::error::Error>> {
    let worker = fanfare.stream(STREAM).group("g").worker().lease(Duration::from_secs(2));
    Ok(worker.spawn(move |entry: Arc<stream::Entry>, _| {
        let n = entry.text("n").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut state = lock(&state);
        let last = state.last.entry(WORKER.to_owned()).or_default();
        *last = n.max(*last);
        state.worked.insert(entry.id);
        async {}
    })?)
}

async fn listen(mut subscription: Subscription, state: Arc<Mutex<State>>) {
    while let Some(delivery) = subscription.next_delivery().await {
        let mut state = lock(&state);
        match delivery {
            Delivery::Message(message) => {
                let channel = message.channel_name().into_owned();
                let n = message.text().ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                state.last.insert(channel.clone(), n);
                state.received.push(Some((channel, n)));
            }
            Delivery::Gap(_) => state.received.push(None),
        }
    }
}

async fn follow(mut tail: stream::Tail, state: Arc<Mutex<State>>) {
    while let Some(delivery) = tail.next_delivery().await {
        let mut state = lock(&state);
        match delivery {
            stream::Delivery::Entry(entry) => {
                let n = entry.text("n").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                state.last.insert(STREAM.to_owned(), n);
                state.tailed.push(entry.id);
            }
            stream::Delivery::Reset => state.tailed.clear(),
            stream::Delivery::Gap { .. }
            | stream::Delivery::Down { .. }
            | stream::Delivery::Resumed { .. } => {}
        }
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
