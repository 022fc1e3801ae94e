//! A Redis cluster: real processes on 127.0.0.1.

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant},
};

use crate::{RawClient, RedisServer, ServerProcess, TlsFiles, port::free_port};

/// How long the nodes may take to agree on something.
const PATIENCE: Duration = Duration::from_secs(60);

/// Silence after which a node is thought to be down, if nothing else is said: Redis's own. After
/// half of it a busy machine makes nodes cut the connections between them, and what is published
/// from one to the other is lost.
const NODE_TIMEOUT: Duration = Duration::from_secs(15);

const N_MASTERS: usize = 3;

const N_SLOTS: usize = 16_384;

/// Three masters with a third of the slots each, and a replica for each of them.
#[derive(Debug)]
pub struct ClusterGroup {
    /// The masters of the beginning, then the replicas of the beginning, in the same order.
    nodes: Vec<RedisServer>,
    /// The ports on which they speak TLS, by their other ports.
    tls_ports: HashMap<u16, u16>,
}

impl ClusterGroup {
    /// Starts the nodes, and waits until all of them see the whole cluster in order.
    ///
    /// # Panics
    /// If redis-server is not installed or something does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with_timeout(NODE_TIMEOUT)
    }

    /// The same with nodes that are thought to be down after this silence.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_timeout(timeout: Duration) -> Self {
        Self::start_all(timeout, None)
    }

    /// The same where all speak TLS, with each other and with clients.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_tls(timeout: Duration, files: TlsFiles<'_>) -> Self {
        Self::start_all(timeout, Some(files))
    }

    fn start_all(timeout: Duration, tls: Option<TlsFiles<'_>>) -> Self {
        let timeout_ms = timeout.as_millis().to_string();
        let args = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            &timeout_ms,
            "--repl-diskless-sync-delay",
            "0",
            "--repl-ping-replica-period",
            "1",
        ];
        let mut group = Self { nodes: Vec::new(), tls_ports: HashMap::new() };
        let ports: Vec<u16> = (0..2 * N_MASTERS).map(|_| group.start_node(&args, tls)).collect();
        for (n, master) in group.nodes.iter().take(N_MASTERS).enumerate() {
            let (first, last) = (n * N_SLOTS / N_MASTERS, (n + 1) * N_SLOTS / N_MASTERS - 1);
            say(master, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
            // Two nodes with the same epoch would have to agree first which is to have another.
            say(master, &["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
        }
        if let Some(first) = group.nodes.first() {
            for (node, bus) in group.nodes.iter().zip(&ports).skip(1) {
                let (port, bus) = (group.outer_port(node).to_string(), bus.to_string());
                say(first, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
            }
        }
        wait("all nodes to know each other", || {
            let known = format!("cluster_known_nodes:{}", group.nodes.len());
            group.nodes.iter().all(|node| ask(node, &["CLUSTER", "INFO"]).contains(&known))
        });
        for (master, replica) in group.nodes.iter().zip(group.nodes.iter().skip(N_MASTERS)) {
            let id = id(master);
            // Until the news of the slots have come it is refused.
            wait("a replica to follow", || {
                ask(replica, &["CLUSTER", "REPLICATE", &id]).starts_with("+OK")
            });
        }
        group.wait_whole();
        group
    }

    /// Starts a node, and returns the port on which it talks to the others.
    fn start_node(&mut self, args: &[&str], tls: Option<TlsFiles<'_>>) -> u16 {
        let port = free_port();
        let bus = port.to_string();
        let (tls_port, more) = tls.map(TlsFiles::args).unzip();
        let more = more.unwrap_or_default();
        let more = more.iter().map(String::as_str);
        let args: Vec<&str> =
            args.iter().copied().chain(["--cluster-port", &bus]).chain(more).collect();
        let node = RedisServer::start(&args);
        self.tls_ports.extend(tls_port.map(|it| (node.port(), it)));
        self.nodes.push(node);
        port
    }

    /// The port that the others and clients are to use.
    fn outer_port(&self, node: &ServerProcess) -> u16 {
        self.tls_ports.get(&node.port()).copied().unwrap_or_else(|| node.port())
    }

    /// `redis+cluster://127.0.0.1:PORT,…`, or `rediss+cluster://…`.
    #[must_use]
    pub fn url(&self) -> String {
        let address = |it: &RedisServer| format!("127.0.0.1:{}", self.outer_port(it));
        let nodes: Vec<_> = self.nodes.iter().map(address).collect();
        let scheme = if self.tls_ports.is_empty() { "redis" } else { "rediss" };
        format!("{scheme}+cluster://{}", nodes.join(","))
    }

    /// The first node.
    ///
    /// # Panics
    /// Never: there are six.
    #[must_use]
    pub fn first(&self) -> &ServerProcess {
        match self.nodes.first() {
            Some(first) => first,
            None => unreachable!("a cluster has nodes"),
        }
    }

    /// The first node.
    ///
    /// # Panics
    /// Never: there are six.
    pub fn first_mut(&mut self) -> &mut ServerProcess {
        match self.nodes.first_mut() {
            Some(first) => first,
            None => unreachable!("a cluster has nodes"),
        }
    }

    /// The nodes: the masters of the beginning, then their replicas, in the same order.
    pub fn nodes(&self) -> impl Iterator<Item = &ServerProcess> {
        self.nodes.iter().map(|it| &**it)
    }

    /// The nodes, to be stopped and started.
    pub fn nodes_mut(&mut self) -> impl Iterator<Item = &mut ServerProcess> {
        self.nodes.iter_mut().map(|it| &mut **it)
    }

    /// The node that serves a key or sharded channel.
    ///
    /// # Panics
    /// If nobody does.
    #[must_use]
    pub fn owner(&self, key: &str) -> &ServerProcess {
        match self.find_owner(key) {
            Some(owner) => owner,
            None => panic!("nobody serves the slot of {key}"),
        }
    }

    /// The node that serves a key or sharded channel, to be stopped.
    ///
    /// # Panics
    /// If nobody does.
    pub fn owner_mut(&mut self, key: &str) -> &mut ServerProcess {
        let port = self.owner(key).port();
        match self.nodes.iter_mut().find(|node| node.port() == port) {
            Some(owner) => owner,
            None => panic!("nobody serves the slot of {key}"),
        }
    }

    /// Waits until somebody else than the node at `port` serves the key's slot.
    ///
    /// # Panics
    /// If that takes more than a minute.
    pub fn wait_switched(&self, key: &str, port: u16) {
        wait("another owner", || self.find_owner(key).is_some_and(|it| it.port() != port));
    }

    /// Waits until every node that runs sees all slots served, and every replica follows.
    ///
    /// # Panics
    /// If that takes more than a minute.
    pub fn wait_whole(&self) {
        wait("a whole cluster", || {
            self.nodes.iter().filter(|it| it.pid().is_some()).all(|node| {
                let role = ask(node, &["ROLE"]);
                ask(node, &["CLUSTER", "INFO"]).contains("cluster_state:ok")
                    && (role.contains("master") || role.contains("connected"))
                    && self.has_links(node)
            })
        });
    }

    /// Whether a node has a link to every other one that runs: what is published there goes to the
    /// others only by these.
    fn has_links(&self, node: &ServerProcess) -> bool {
        let nodes = ask(node, &["CLUSTER", "NODES"]);
        let is_linked = |other: &RedisServer| {
            let ports = [other.port(), self.outer_port(other)].map(|port| format!(":{port}@"));
            nodes.lines().any(|line| {
                let is_it = ports.iter().any(|port| line.contains(port));
                is_it && line.contains(" connected") && !line.contains("handshake")
            })
        };
        self.nodes.iter().filter(|it| it.pid().is_some()).all(is_linked)
    }

    /// Waits until the replicas have everything that the key's node has.
    ///
    /// # Panics
    /// If that takes more than ten seconds.
    pub fn wait_replicated(&self, key: &str) {
        let mut client = self.owner(key).client();
        // `WAIT` is for what its own connection has seen done: a new one has seen nothing.
        client.send_command(&["PING"]);
        client.send_command(&["WAIT", "1", "10000"]);
        let answers = client.read_frames(2, PATIENCE);
        assert!(answers.ends_with(b":1\r\n"), "{}", String::from_utf8_lossy(&answers));
    }

    /// Moves the slot of a key to another master, and its keys with it, as redis-cli does. Calls
    /// `while_half_moved` when keys that the old node does not have are asked for at the new one.
    ///
    /// # Panics
    /// If a node refuses.
    pub fn move_slot(&self, key: &str, while_half_moved: impl FnOnce()) {
        let from = self.owner(key);
        let slot = slot(from, key);
        let is_target = |it: &&RedisServer| {
            it.pid().is_some() && it.port() != from.port() && ask(it, &["ROLE"]).contains("master")
        };
        let Some(to) = self.nodes.iter().find(is_target) else { panic!("no other master") };
        say(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
        say(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
        while_half_moved();
        migrate(from, self.outer_port(to), &slot);
        for node in [&**to, from] {
            say(node, &["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]);
        }
    }

    fn find_owner(&self, key: &str) -> Option<&ServerProcess> {
        let running = || self.nodes.iter().filter(|node| node.pid().is_some());
        // One that hangs does not tell.
        let slot = running().map(|node| slot(node, key)).find(|slot| !slot.is_empty())?;
        let serves = |node: &&RedisServer| {
            // "myself,master" and the slots come in one line of a node's own view.
            let nodes = ask(node, &["CLUSTER", "NODES"]);
            let slot: usize = slot.parse().unwrap_or(N_SLOTS);
            nodes
                .lines()
                .filter(|line| line.contains("myself,master"))
                .any(|line| line.split(' ').skip(8).any(|range| contains(range, slot)))
        };
        running().find(serves).map(|it| &**it)
    }
}

/// Moves the keys of a slot.
fn migrate(from: &ServerProcess, to: u16, slot: &str) {
    let keys = ask(from, &["CLUSTER", "GETKEYSINSLOT", slot, "10000"]);
    let port = to.to_string();
    let is_key = |line: &&str| !line.starts_with(['*', '$']);
    for key in keys.lines().filter(is_key) {
        say(from, &["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
    }
}

fn contains(range: &str, slot: usize) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => (first..=last).contains(&slot),
        _ => false,
    }
}

fn slot(node: &ServerProcess, key: &str) -> String {
    ask(node, &["CLUSTER", "KEYSLOT", key]).trim().trim_start_matches(':').to_owned()
}

fn id(node: &ServerProcess) -> String {
    ask(node, &["CLUSTER", "MYID"]).lines().nth(1).unwrap_or_default().to_owned()
}

/// Runs a command that has to succeed.
fn say(node: &ServerProcess, command: &[&str]) {
    let answer = ask_for(Duration::from_secs(20), node, command);
    assert!(!answer.starts_with('-') && !answer.is_empty(), "{command:?}: {answer}");
}

/// The answer, or nothing from a node that is not there or hangs.
fn ask(node: &ServerProcess, command: &[&str]) -> String {
    ask_for(Duration::from_secs(2), node, command)
}

fn ask_for(timeout: Duration, node: &ServerProcess, command: &[&str]) -> String {
    let Ok(mut client) = RawClient::connect(node.addr()) else { return String::new() };
    client.send_command(command);
    String::from_utf8_lossy(&client.read_frames(1, timeout)).into_owned()
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
