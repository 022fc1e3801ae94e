//! What one server says of itself.

use std::time::{Duration, Instant};

use fanfare_client::{Address, Error, Pipeline, Topology, Value};
use tokio::time::timeout_at;

use super::{
    Counters, Node, Persistence, Replication,
    info::{Info, word},
    look::with_causes,
};
use crate::Fanfare;

/// A server that is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What it is called.
    pub(crate) name: String,
    /// Which node of a cluster; `None` where there is only one.
    pub(crate) at: Option<Address>,
}

/// The servers: every master of a cluster, or the one that the URL leads to.
///
/// # Errors
/// Of a cluster, no node could tell; with the place that this is about.
pub(crate) async fn places(fanfare: &Fanfare) -> Result<Vec<Place>, (Place, Error)> {
    let topology = fanfare.link().options().url().topology().clone();
    let only = |name: String| Place { name, at: None };
    match &topology {
        Topology::Standalone(address) => Ok(vec![only(address.to_string())]),
        Topology::Sentinel(sentinel) => Ok(vec![only(sentinel.master().to_owned())]),
        _ => match fanfare.link().masters().await {
            Ok(masters) if !masters.is_empty() => {
                let place = |it: Address| Place { name: it.to_string(), at: Some(it) };
                Ok(masters.into_iter().map(place).collect())
            }
            Ok(_) => Ok(vec![only(topology.to_string())]),
            Err(error) => Err((only(topology.to_string()), error)),
        },
    }
}

impl Place {
    /// Asks this server, on a connection of its own.
    ///
    /// # Errors
    /// As [`Link::borrow_for`](fanfare_client::Link::borrow_for), and no answer until the deadline.
    pub(crate) async fn ask(
        &self,
        fanfare: &Fanfare,
        pipeline: Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Result<Value, Error>>, Error> {
        let left = || deadline.saturating_duration_since(Instant::now());
        let link = fanfare.link();
        let asked = async {
            let mut borrowed = match &self.at {
                Some(at) => link.borrow_to(at, left()).await?,
                None => link.borrow_for(None, left()).await?,
            };
            let replies = borrowed.exchange(pipeline, left()).await?;
            borrowed.give_back();
            Ok(replies)
        };
        // What hangs in between ends a moment later than what ends by itself, which says more.
        match timeout_at((deadline + Duration::from_millis(250)).into(), asked).await {
            Ok(replies) => replies,
            Err(_) => Err(no_answer()),
        }
    }

    /// Everything that `INFO` tells, and how long that took.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), or the server's refusal.
    pub(crate) async fn info(
        &self,
        fanfare: &Fanfare,
        deadline: Instant,
    ) -> Result<(Info, Duration), Error> {
        let start = Instant::now();
        let mut pipeline = Pipeline::new();
        pipeline.push([&b"INFO"[..], b"everything"]);
        let reply = self.ask(fanfare, pipeline, deadline).await?.pop();
        let reply = reply.unwrap_or_else(|| Err(no_answer()))?;
        Ok((Info::parse(reply.as_bytes().unwrap_or_default()), start.elapsed()))
    }
}

fn no_answer() -> Error {
    Error::new(fanfare_client::ErrorKind::Timeout, "no answer until the deadline")
}

impl Node {
    /// A server that could not be asked.
    pub(super) fn unreachable(name: String, error: &Error) -> Self {
        Self { name, error: Some(with_causes(error)), ..Self::default() }
    }

    /// A server as it describes itself.
    pub(super) fn of(name: String, info: &Info, took: Duration) -> Self {
        let keys =
            info.beginning("db").filter_map(|(_, words)| word(words, "keys")?.parse::<u64>().ok());
        Self {
            name,
            error: None,
            server: info.server(),
            run_id: info.text("run_id").map(str::to_owned),
            uptime_s: info.number("uptime_in_seconds"),
            answered_in_us: u64::try_from(took.as_micros()).ok(),
            clients: info.number("connected_clients"),
            cluster_connections: info.number("cluster_connections"),
            clients_max: info.number("maxclients"),
            clients_blocked: info.number("blocked_clients"),
            memory: info.number("used_memory"),
            memory_max: info.number("maxmemory").filter(|it| *it != 0),
            memory_policy: info.text("maxmemory_policy").map(str::to_owned),
            fragmentation: info.float("mem_fragmentation_ratio"),
            keys: info.server().map(|_| keys.sum()),
            channels: info.number("pubsub_channels"),
            patterns: info.number("pubsub_patterns"),
            totals: totals(info),
            rates: Counters::default(),
            replication: replication(info),
            persistence: persistence(info),
        }
    }
}

fn totals(info: &Info) -> Counters<u64> {
    Counters {
        commands: info.number("total_commands_processed"),
        bytes_in: info.number("total_net_input_bytes"),
        bytes_out: info.number("total_net_output_bytes"),
        connections: info.number("total_connections_received"),
        rejected_connections: info.number("rejected_connections"),
        evicted_keys: info.number("evicted_keys"),
        expired_keys: info.number("expired_keys"),
        output_buffer_kills: info.number("client_output_buffer_limit_disconnections"),
        published: info.number("pubsub_messages_published"),
        delivered: info.number("pubsub_messages_delivered"),
    }
}

fn replication(info: &Info) -> Replication {
    let role = info.text("role");
    let is_master = role == Some("master");
    let offset = info.number("master_repl_offset");
    let replicas = || {
        let numbered = info.beginning("slave");
        numbered
            .filter(|(n, words)| n.parse::<u32>().is_ok() && words.contains("state="))
            .map(|it| it.1)
    };
    let behind = replicas()
        .filter_map(|it| Some(offset?.saturating_sub(word(it, "offset")?.parse::<u64>().ok()?)));
    let not_online = replicas().filter(|it| word(it, "state") != Some("online")).count();
    Replication {
        role: role.map(str::to_owned),
        replicas: info.number("connected_slaves").filter(|_| is_master),
        replicas_not_online: is_master.then_some(not_online as u64),
        bytes_behind: behind.max().filter(|_| is_master),
        is_master_up: info.text("master_link_status").map(|it| it == "up"),
    }
}

fn persistence(info: &Info) -> Persistence {
    const STATES: [(&str, &str); 3] = [
        ("rdb_last_bgsave_status", "the last snapshot"),
        ("aof_last_write_status", "the last write to the append-only file"),
        ("aof_last_bgrewrite_status", "the last rewriting of the append-only file"),
    ];
    let failed = STATES.iter().filter(|(field, _)| info.text(field).is_some_and(|it| it != "ok"));
    Persistence {
        is_aof_on: info.flag("aof_enabled"),
        is_loading: info.flag("loading"),
        failed: failed.map(|(_, what)| (*what).to_owned()).collect(),
        changes_since_save: info.number("rdb_changes_since_last_save"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_what_it_says() {
        let text = b"redis_version:7.0.15\r\nrole:master\r\nmaster_repl_offset:500\r\n\
            connected_slaves:2\r\nslave0:ip=a,state=online,offset=480,lag=0\r\n\
            slave1:ip=b,state=wait_bgsave,offset=0,lag=0\r\nslave_expires_tracked_keys:0\r\n\
            used_memory:50\r\nmaxmemory:200\r\nconnected_clients:2\r\nmaxclients:10\r\n\
            cluster_connections:1\r\n\
            db0:keys=5,expires=0\r\ndb3:keys=2,expires=0\r\nrdb_last_bgsave_status:err\r\n\
            aof_last_write_status:ok\r\nevicted_keys:7\r\n";
        let node = Node::of("n".into(), &Info::parse(text), Duration::from_micros(9));
        assert_eq!((node.memory_percent(), node.clients_percent()), (Some(25.0), Some(30.0)));
        assert_eq!((node.keys, node.totals.evicted_keys), (Some(7), Some(7)));
        assert_eq!(node.totals.output_buffer_kills, None, "not seen is not zero");
        let replication = &node.replication;
        assert_eq!((replication.replicas, replication.replicas_not_online), (Some(2), Some(1)));
        assert_eq!(replication.bytes_behind, Some(500));
        assert_eq!(node.persistence.failed, ["the last snapshot"]);
        let unlimited =
            Node::of("n".into(), &Info::parse(b"used_memory:5\r\nmaxmemory:0"), Duration::ZERO);
        assert_eq!(unlimited.memory_percent(), None);
    }
}
