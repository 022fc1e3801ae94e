//! Brokers to test on, and patience.

use std::{
    error::Error,
    ops::{Deref, DerefMut},
    time::Duration,
};

use fanfare::{Delivery, Event, Events, Fanfare, Gap, Message, Role, Subscription, testing};
use fanfare_testkit::{
    ClusterGroup, FanfareServer, RawClient, RedisServer, SentinelGroup, ServerProcess,
};
use tokio::runtime::Builder;

pub(crate) type TestResult = Result<(), Box<dyn Error>>;

/// A server process of either kind, or a master with its replicas and sentinels (what is done to it
/// is done to the master, but for what takes the whole service away), or a cluster (what is done to
/// it is done to all nodes).
pub(crate) enum Target {
    Redis(RedisServer),
    Fanfare(FanfareServer),
    Sentinel(SentinelGroup),
    Cluster(ClusterGroup),
    /// A broker in this process, by its name: nothing can be done to it as to a process.
    #[cfg(feature = "embedded")]
    Embedded(String),
}

/// For what only a process can suffer.
#[cfg(feature = "embedded")]
fn no_process() -> ! {
    panic!("an embedded broker is no process: this test is not for it")
}

/// A raw connection to the broker of this name in this process, which says itself where it listens.
#[cfg(feature = "embedded")]
fn embedded_client(name: &str) -> RawClient {
    let connect = async || {
        let fanfare = Fanfare::connect(&format!("embedded:{name}")).await?;
        let told = fanfare.command(["CLIENT", "INFO"]).await?;
        let mut fields = told.as_str().unwrap_or_default().split(' ');
        let address = fields.find_map(|it| it.strip_prefix("laddr="));
        Ok::<_, Box<dyn Error>>(RawClient::connect(address.ok_or("no address")?.parse()?)?)
    };
    // The test's own runtime can not be waited for from within.
    let client = std::thread::scope(|scope| {
        let connecting = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.map_err(Into::into).and_then(|it| it.block_on(connect())).map_err(
                |error: Box<dyn Error>| format!("no connection to embedded:{name}: {error}"),
            )
        });
        connecting.join()
    });
    match client {
        Ok(Ok(client)) => client,
        failed => panic!("{failed:?}"),
    }
}

impl Target {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis(_) | Self::Fanfare(_) => ServerProcess::url(self),
            Self::Sentinel(group) => group.url(),
            Self::Cluster(group) => group.url(),
            #[cfg(feature = "embedded")]
            Self::Embedded(name) => format!("embedded:{name}"),
        }
    }

    /// Kills every server. A broker in this process is told to end, and who is connected to it stays without one:
    /// whoever connects by its name then gets a new one.
    pub(crate) fn stop(&mut self) {
        match self {
            Self::Redis(_) | Self::Fanfare(_) => ServerProcess::stop(self),
            Self::Sentinel(group) => group.servers_mut().for_each(ServerProcess::stop),
            Self::Cluster(group) => {
                // All at once: nobody may come back at one that is still to be killed.
                group.nodes().for_each(ServerProcess::sigstop);
                group.nodes_mut().for_each(ServerProcess::stop);
            }
            #[cfg(feature = "embedded")]
            Self::Embedded(name) => {
                let mut client = embedded_client(name);
                client.send_command(&["SHUTDOWN", "NOSAVE"]);
                assert!(client.wait_closed(PATIENCE), "it goes on");
            }
        }
    }

    /// Starts every server again. One in this process starts for whoever connects to it next.
    pub(crate) fn restart(&mut self) {
        match self {
            Self::Redis(_) | Self::Fanfare(_) => ServerProcess::restart(self),
            Self::Sentinel(group) => group.servers_mut().for_each(ServerProcess::restart),
            Self::Cluster(group) => {
                group.nodes_mut().for_each(ServerProcess::restart);
                group.wait_whole();
            }
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => {}
        }
    }

    /// Lets every server go on.
    pub(crate) fn sigcont(&self) {
        match self {
            Self::Redis(_) | Self::Fanfare(_) => ServerProcess::sigcont(self),
            Self::Sentinel(group) => group.servers().for_each(ServerProcess::sigcont),
            Self::Cluster(group) => group.nodes().for_each(ServerProcess::sigcont),
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => no_process(),
        }
    }

    /// Kills the clients of this type, and returns how many there were: sentinels and replicas have
    /// connections, too.
    pub(crate) fn kill_clients(&self, kind: &str) -> u32 {
        let killed = self.say_to_all(&["CLIENT", "KILL", "TYPE", kind]);
        killed
            .iter()
            .filter_map(|it| it.trim_start_matches(':').trim_end().parse::<u32>().ok())
            .sum()
    }

    /// How many subscribe to a channel.
    pub(crate) fn n_subscribers(&self, channel: &str) -> u32 {
        let counts = self.say_to_all(&["PUBSUB", "NUMSUB", channel]);
        let count = |it: &String| it.lines().last()?.trim_start_matches(':').parse::<u32>().ok();
        counts.iter().filter_map(count).sum()
    }

    /// Has the servers forget all scripts.
    pub(crate) fn flush_scripts(&self) {
        self.say_to_all(&["SCRIPT", "FLUSH"]);
    }

    /// Checks what PUBLISH returned: a cluster's node counts only its own subscribers.
    pub(crate) fn check_receivers(&self, n: u64, expected: u64) {
        match self {
            Self::Redis(_) | Self::Fanfare(_) | Self::Sentinel(_) => assert_eq!(n, expected),
            Self::Cluster(_) => assert!(n <= expected, "{n} of {expected}"),
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => assert_eq!(n, expected),
        }
    }

    /// A connection with the default options.
    pub(crate) async fn connect(&self) -> Result<Fanfare, fanfare::Error> {
        Fanfare::connect(&self.url()).await
    }

    /// Stops the process, and returns when it really answers no more: threads on other cores may
    /// run on for a moment.
    pub(crate) async fn freeze(&self) -> TestResult {
        let probe = Fanfare::builder(&self.url())
            .options(|options| options.request_timeout(Duration::from_millis(200)))
            .connect()
            .await?;
        match self {
            Self::Redis(_) | Self::Fanfare(_) => self.sigstop(),
            Self::Sentinel(group) => group.servers().for_each(ServerProcess::sigstop),
            Self::Cluster(group) => group.nodes().for_each(ServerProcess::sigstop),
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => no_process(),
        }
        while probe.ping().await.is_ok() {}
        Ok(())
    }

    /// A raw connection to the server, of a cluster to its first node.
    pub(crate) fn client(&self) -> RawClient {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(name) => embedded_client(name),
            _ => ServerProcess::client(self),
        }
    }

    /// A raw connection to the server that has this key.
    pub(crate) fn client_for(&self, key: &str) -> RawClient {
        match self {
            Self::Redis(_) | Self::Fanfare(_) | Self::Sentinel(_) => self.client(),
            Self::Cluster(group) => group.owner(key).client(),
            #[cfg(feature = "embedded")]
            Self::Embedded(name) => embedded_client(name),
        }
    }

    /// A command by another client; its answer, of a cluster that of its first node.
    pub(crate) fn say(&self, args: &[&str]) -> String {
        self.say_to_all(args).into_iter().next().unwrap_or_default()
    }

    /// A command by another client to every server; their answers.
    pub(crate) fn say_to_all(&self, args: &[&str]) -> Vec<String> {
        let say = |mut it: RawClient| String::from_utf8_lossy(&it.call(args)).into_owned();
        match self {
            Self::Redis(_) | Self::Fanfare(_) | Self::Sentinel(_) => vec![say(self.client())],
            Self::Cluster(group) => group.nodes().map(|it| say(it.client())).collect(),
            #[cfg(feature = "embedded")]
            Self::Embedded(name) => vec![say(embedded_client(name))],
        }
    }
}

impl Deref for Target {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        match self {
            Self::Redis(server) => server,
            Self::Fanfare(server) => server,
            Self::Sentinel(group) => group.master(),
            Self::Cluster(group) => group.first(),
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => no_process(),
        }
    }
}

impl DerefMut for Target {
    fn deref_mut(&mut self) -> &mut ServerProcess {
        match self {
            Self::Redis(server) => server,
            Self::Fanfare(server) => server,
            Self::Sentinel(group) => group.master_mut(),
            Self::Cluster(group) => group.first_mut(),
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => no_process(),
        }
    }
}

/// After this a test is thought to hang: before the test runner ends it without a word.
const PATIENCE: Duration = Duration::from_secs(280);

/// Runs a test on a runtime of two threads, and fails it if it hangs.
pub(crate) fn run(test: impl Future<Output = TestResult>) {
    run_for(PATIENCE, test);
}

/// The same with more patience.
pub(crate) fn run_for(patience: Duration, test: impl Future<Output = TestResult>) {
    run_on(Builder::new_multi_thread().worker_threads(2), patience, test);
}

/// Runs a test on a runtime that has only the test's own thread.
pub(crate) fn run_on_one_thread(test: impl Future<Output = TestResult>) {
    run_on(&mut Builder::new_current_thread(), PATIENCE, test);
}

fn run_on(builder: &mut Builder, patience: Duration, test: impl Future<Output = TestResult>) {
    let result = match builder.enable_all().build() {
        Ok(runtime) => runtime.block_on(async { tokio::time::timeout(patience, test).await }),
        Err(error) => panic!("no runtime: {error}"),
    };
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("{error} ({error:?})"),
        Err(_) => panic!("the test hangs"),
    }
}

/// Makes of each `async fn name(Target) -> TestResult` one test for each kind of broker.
macro_rules! on_every_broker {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn redis_server() {
                let server = fanfare_testkit::RedisServer::start(&[]);
                $crate::support::run(super::$name($crate::support::Target::Redis(server)));
            }

            #[test]
            fn fanfare() {
                let server = fanfare_testkit::FanfareServer::start(&[]);
                $crate::support::run(super::$name($crate::support::Target::Fanfare(server)));
            }
        }
    )+};
}
pub(crate) use on_every_broker;

/// One test of each on a master with replicas and sentinels.
macro_rules! on_sentinel {
    ($($name:ident),+ $(,)?) => {
        mod sentinel {$(
            #[test]
            fn $name() {
                let group = fanfare_testkit::SentinelGroup::start();
                $crate::support::run(super::$name($crate::support::Target::Sentinel(group)));
            }
        )+}
    };
}
pub(crate) use on_sentinel;

/// One test of each on every kind of broker and deployment.
macro_rules! on_every_topology {
    ($($name:ident),+ $(,)?) => {
        $crate::support::on_every_broker!($($name),+);
        $crate::support::on_sentinel!($($name),+);
        mod cluster {$(
            #[test]
            fn $name() {
                let group = fanfare_testkit::ClusterGroup::start();
                $crate::support::run(super::$name($crate::support::Target::Cluster(group)));
            }
        )+}
    };
}
pub(crate) use on_every_topology;

/// One test of each on a broker in this process (`embedded:`).
macro_rules! on_embedded {
    ($($name:ident),+ $(,)?) => {
        #[cfg(feature = "embedded")]
        mod embedded {$(
            #[test]
            fn $name() {
                let name = concat!(module_path!(), "::", stringify!($name)).replace("::", "-");
                $crate::support::run(super::$name($crate::support::Target::Embedded(name)));
            }
        )+}
    };
}
pub(crate) use on_embedded;

/// One test of each on every kind of broker and deployment, and in this process; of those behind the
/// semicolon not in this process.
macro_rules! on_everything {
    ($($name:ident),+ $(,)? $(; not embedded: $($outside:ident),+ $(,)?)?) => {
        $crate::support::on_every_topology!($($name),+ $($(, $outside)+)?);
        $crate::support::on_embedded!($($name),+);
    };
}
pub(crate) use on_everything;

/// The next message, within a minute.
pub(crate) async fn next(subscription: &mut Subscription) -> Result<Message, Box<dyn Error>> {
    match tokio::time::timeout(Duration::from_secs(60), subscription.next()).await {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(format!("the subscription ended: {:?}", subscription.error()).into()),
        Err(_) => Err(format!("no message within a minute: {:?}", subscription.stats()).into()),
    }
}

/// All messages up to the next gap, and the gap.
pub(crate) async fn next_gap(
    subscription: &mut Subscription,
) -> Result<(Vec<Message>, Gap), Box<dyn Error>> {
    let mut messages = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_secs(60), subscription.next_delivery()).await {
            Ok(Some(Delivery::Message(message))) => messages.push(message),
            Ok(Some(Delivery::Gap(gap))) => return Ok((messages, gap)),
            Ok(None) => return Err(format!("the end: {:?}", subscription.error()).into()),
            Err(_) => return Err("no gap within a minute".into()),
        }
    }
}

/// Waits until a subscription whose connection was lost is confirmed again. Its gap comes before that,
/// and a server may count for a while one that it has not noticed is gone.
pub(crate) async fn restored(subscription: &Subscription) {
    testing::eventually("a confirmed subscription", async || subscription.stats().is_up).await;
}

/// Waits for an event that `wanted` accepts; earlier ones are returned with it.
pub(crate) async fn wait_event(
    events: &mut Events,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Vec<Event>, Box<dyn Error>> {
    Ok(testing::expect_event(events, wanted).await)
}

pub(crate) fn is_up(role: Role) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Up { role: it } if *it == role)
}

pub(crate) fn is_down(role: Role) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Down { role: it, .. } if *it == role)
}

/// Waits, for at most a minute, until `done` says so.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) -> TestResult {
    testing::eventually(what, async || done()).await;
    Ok(())
}

/// The seed of this run, printed.
pub(crate) fn rng() -> fanfare_testkit::Rng {
    fanfare_testkit::Rng::new(fanfare_testkit::seed())
}
