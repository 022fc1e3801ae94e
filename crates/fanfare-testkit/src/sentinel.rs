//! A master, its replicas and its sentinels: real processes on 127.0.0.1.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use crate::{RawClient, RedisServer, ServerProcess};

/// How long the group may take to agree on something.
const PATIENCE: Duration = Duration::from_secs(60);

/// Silence after which the sentinels think that a server is down.
const DOWN_AFTER: Duration = Duration::from_secs(1);

/// The master's name.
const NAME: &str = "mymaster";

/// redis-servers of which one is the master, and the sentinels that say which.
#[derive(Debug)]
pub struct SentinelGroup {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
    passwords: Passwords,
}

/// What to log in with, if anything.
#[derive(Clone, Copy, Debug, Default)]
struct Passwords {
    server: Option<&'static str>,
    sentinel: Option<&'static str>,
}

impl SentinelGroup {
    /// Starts a master, two replicas and three sentinels, and waits until they know each other.
    ///
    /// # Panics
    /// If redis-server is not installed or something does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_all(Passwords::default())
    }

    /// The same with a password for the servers and one for the sentinels.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_passwords(server: &'static str, sentinel: &'static str) -> Self {
        Self::start_all(Passwords { server: Some(server), sentinel: Some(sentinel) })
    }

    fn start_all(passwords: Passwords) -> Self {
        let mut args = vec!["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];
        let mut config = String::new();
        if let Some(password) = passwords.server {
            args.extend(["--requirepass", password, "--masterauth", password]);
            config.push_str(&format!("sentinel auth-pass {NAME} {password}\n"));
        }
        if let Some(password) = passwords.sentinel {
            config
                .push_str(&format!("requirepass {password}\nsentinel sentinel-pass {password}\n"));
        }
        let master = RedisServer::start(&args);
        let port = master.port().to_string();
        let replica = [&args[..], &["--replicaof", "127.0.0.1", &port]].concat();
        let mut group = Self { servers: vec![master], sentinels: Vec::new(), passwords };
        group.servers.extend((0..2).map(|_| RedisServer::start(&replica)));
        // Sentinels look for replicas when they start, and then only every ten seconds.
        wait("two replicas", || n_replicas(&group.servers, passwords.server) == 2);
        let down_after_ms = DOWN_AFTER.as_millis();
        let config = format!(
            "sentinel monitor {NAME} 127.0.0.1 {port} 2\n\
             sentinel down-after-milliseconds {NAME} {down_after_ms}\n\
             sentinel failover-timeout {NAME} 6000\n\
             sentinel parallel-syncs {NAME} 2\n{config}"
        );
        group.sentinels.extend((0..3).map(|_| RedisServer::start_sentinel(config.clone())));
        group.wait_whole();
        group
    }

    /// `redis+sentinel://127.0.0.1:PORT,…/mymaster`
    #[must_use]
    pub fn url(&self) -> String {
        let sentinels: Vec<_> = self.sentinels.iter().map(|it| it.addr().to_string()).collect();
        format!("redis+sentinel://{}/{NAME}", sentinels.join(","))
    }

    /// The present master, as the sentinels say.
    ///
    /// # Panics
    /// If no sentinel answers, or they name a server that is not of this group.
    #[must_use]
    pub fn master(&self) -> &ServerProcess {
        let named = self.majority();
        match self.servers.iter().find(|it| Some(it.port()) == named) {
            Some(master) => master,
            None => panic!("the sentinels name {named:?}, which is not of this group"),
        }
    }

    /// The present master.
    ///
    /// # Panics
    /// As [`master`](Self::master).
    pub fn master_mut(&mut self) -> &mut ServerProcess {
        let named = self.majority();
        match self.servers.iter_mut().find(|it| Some(it.port()) == named) {
            Some(master) => master,
            None => panic!("the sentinels name {named:?}, which is not of this group"),
        }
    }

    /// The servers, in the same order as [`servers_mut`](Self::servers_mut).
    pub fn servers(&self) -> impl Iterator<Item = &ServerProcess> {
        self.servers.iter().map(|it| &**it)
    }

    /// The servers: who was the master first, then who were its replicas.
    pub fn servers_mut(&mut self) -> impl Iterator<Item = &mut ServerProcess> {
        self.servers.iter_mut().map(|it| &mut **it)
    }

    /// The sentinels.
    pub fn sentinels_mut(&mut self) -> impl Iterator<Item = &mut ServerProcess> {
        self.sentinels.iter_mut().map(|it| &mut **it)
    }

    /// Waits until the sentinels name another master than the one at `old`, and returns it.
    ///
    /// # Panics
    /// If that takes more than a minute.
    pub fn wait_switched(&self, old: SocketAddr) -> &ServerProcess {
        wait("another master", || self.majority().is_some_and(|it| it != old.port()));
        self.master()
    }

    /// Waits until every sentinel knows both replicas and both other sentinels, the replicas follow
    /// the master, and all agree who that is: only then a failover can succeed.
    ///
    /// # Panics
    /// If that takes more than a minute.
    pub fn wait_whole(&self) {
        wait("a whole group", || {
            let knows_all = |sentinel: &RedisServer| {
                let question = ["SENTINEL", "MASTER", NAME];
                let facts = ask(sentinel, self.passwords.sentinel, &question);
                let has = |name: &str, value: &str| {
                    facts.contains(&format!("{name}\r\n${}\r\n{value}\r\n", value.len()))
                };
                has("num-slaves", "2") && has("num-other-sentinels", "2") && has("flags", "master")
            };
            let Some(port) = self.majority() else { return false };
            self.sentinels.iter().all(knows_all)
                && self.sentinels.iter().all(|it| self.named_by(it) == Some(port))
                && n_replicas(
                    self.servers.iter().filter(|it| it.port() == port),
                    self.passwords.server,
                ) == 2
        });
    }

    /// Waits until both replicas have everything that the master has.
    ///
    /// # Panics
    /// If that takes more than ten seconds.
    pub fn wait_replicated(&self) {
        let answer = ask(self.master(), self.passwords.server, &["WAIT", "2", "10000"]);
        assert_eq!(answer, ":2\r\n");
    }

    /// The port of the master that a sentinel names.
    fn named_by(&self, sentinel: &RedisServer) -> Option<u16> {
        let question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
        ask(sentinel, self.passwords.sentinel, &question).lines().last()?.parse().ok()
    }

    /// The port that at least two sentinels name.
    fn majority(&self) -> Option<u16> {
        let named: Vec<u16> = self.sentinels.iter().filter_map(|it| self.named_by(it)).collect();
        named.iter().copied().find(|it| 2 <= named.iter().filter(|other| *other == it).count())
    }
}

/// How many replicas follow the first of these servers.
fn n_replicas<'a>(
    servers: impl IntoIterator<Item = &'a RedisServer>,
    password: Option<&str>,
) -> usize {
    let Some(master) = servers.into_iter().next() else { return 0 };
    ask(master, password, &["INFO", "replication"]).matches("state=online").count()
}

/// The answer, or nothing from a server that is not there.
fn ask(server: &ServerProcess, password: Option<&str>, command: &[&str]) -> String {
    let Ok(mut client) = RawClient::connect(server.addr()) else { return String::new() };
    if let Some(password) = password {
        client.call(&["AUTH", password]);
    }
    String::from_utf8_lossy(&client.call(command)).into_owned()
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
