//! A master, its replicas and its sentinels: real processes on 127.0.0.1.

use std::{
    collections::HashMap,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use crate::{RawClient, RedisServer, ServerProcess, TlsFiles};

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
    /// The ports on which servers and sentinels speak TLS, by their other ports.
    tls_ports: HashMap<u16, u16>,
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
        Self::start_with_timeout(DOWN_AFTER)
    }

    /// The same with sentinels that think that a server is down after this silence, for tests in which
    /// nobody is to take over.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_timeout(down_after: Duration) -> Self {
        Self::start_all(down_after, Passwords::default(), None)
    }

    /// The same with a password for the servers and one for the sentinels.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_passwords(server: &'static str, sentinel: &'static str) -> Self {
        let passwords = Passwords { server: Some(server), sentinel: Some(sentinel) };
        Self::start_all(DOWN_AFTER, passwords, None)
    }

    /// The same where all speak TLS, with each other and with clients.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_tls(files: TlsFiles<'_>) -> Self {
        Self::start_all(DOWN_AFTER, Passwords::default(), Some(files))
    }

    fn start_all(down_after: Duration, passwords: Passwords, tls: Option<TlsFiles<'_>>) -> Self {
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
        let (servers, sentinels, tls_ports) = (Vec::new(), Vec::new(), HashMap::new());
        let mut group = Self { servers, sentinels, passwords, tls_ports };
        group.start_server(&args, tls);
        // Where servers and sentinels find the master.
        let port = group.servers.first().map_or(0, |it| group.outer_port(it)).to_string();
        for _ in 0..2 {
            group.start_server(&[&args[..], &["--replicaof", "127.0.0.1", &port]].concat(), tls);
        }
        // Sentinels look for replicas when they start, and then only every ten seconds.
        wait("two replicas", || n_replicas(&group.servers, passwords.server) == 2);
        let down_after_ms = down_after.as_millis();
        let config = format!(
            "sentinel monitor {NAME} 127.0.0.1 {port} 2\n\
             sentinel down-after-milliseconds {NAME} {down_after_ms}\n\
             sentinel failover-timeout {NAME} 6000\n\
             sentinel parallel-syncs {NAME} 2\n{config}"
        );
        for _ in 0..3 {
            let (tls_port, lines) = tls.map(TlsFiles::lines).unzip();
            let sentinel = RedisServer::start_sentinel(config.clone() + &lines.unwrap_or_default());
            group.tls_ports.extend(tls_port.map(|it| (sentinel.port(), it)));
            group.sentinels.push(sentinel);
        }
        group.wait_whole();
        group
    }

    fn start_server(&mut self, args: &[&str], tls: Option<TlsFiles<'_>>) {
        let (tls_port, more) = tls.map(TlsFiles::args).unzip();
        let more = more.unwrap_or_default();
        let args: Vec<&str> = args.iter().copied().chain(more.iter().map(String::as_str)).collect();
        let server = RedisServer::start(&args);
        self.tls_ports.extend(tls_port.map(|it| (server.port(), it)));
        self.servers.push(server);
    }

    /// The port that the others and clients are to use.
    fn outer_port(&self, server: &ServerProcess) -> u16 {
        self.tls_ports.get(&server.port()).copied().unwrap_or_else(|| server.port())
    }

    /// `redis+sentinel://127.0.0.1:PORT,…/mymaster`, or `rediss+sentinel://…`.
    #[must_use]
    pub fn url(&self) -> String {
        let address = |it: &RedisServer| format!("127.0.0.1:{}", self.outer_port(it));
        let sentinels: Vec<_> = self.sentinels.iter().map(address).collect();
        let scheme = if self.tls_ports.is_empty() { "redis" } else { "rediss" };
        format!("{scheme}+sentinel://{}/{NAME}", sentinels.join(","))
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
        let mut client = self.master().client();
        let login = self.passwords.server.map(|it| vec!["AUTH", it]);
        // `WAIT` is for what its own connection has seen done: a new one has seen nothing.
        let seen = login.unwrap_or_else(|| vec!["PING"]);
        client.send_command(&seen);
        client.send_command(&["WAIT", "2", "10000"]);
        let answers = client.read_frames(2, PATIENCE);
        assert!(answers.ends_with(b":2\r\n"), "{}", String::from_utf8_lossy(&answers));
    }

    /// The port of the master that a sentinel names.
    fn named_by(&self, sentinel: &RedisServer) -> Option<u16> {
        let question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
        let named =
            ask(sentinel, self.passwords.sentinel, &question).lines().last()?.parse().ok()?;
        let server = self.servers.iter().find(|it| self.outer_port(it) == named);
        Some(server.map_or(named, |it| it.port()))
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
