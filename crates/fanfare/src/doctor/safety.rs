//! Who may come in, and what survives.

use super::{Ailment, Diagnosis, evidence::Evidence};
use crate::monitor::{
    Severity::{Critical, Info, Warning},
    info::Info as Facts,
};

pub(super) const NO_PASSWORD: Ailment = Ailment::new(
    "no-password",
    Warning,
    "Whoever reaches the port can read and publish everything, stop services, and delete all data.",
    "Set a password (or ACL users), and listen only where clients are.",
);

pub(super) const EXPOSED: Ailment = Ailment::new(
    "exposed",
    Info,
    "Whoever reaches the network can try passwords, and read the right one and all messages on their way.",
    "Listen on the addresses that clients use, behind a firewall, and by TLS (tls-port) where others can listen.",
);

pub(super) const DATABASES: Ailment = Ailment::new(
    "databases-as-environments",
    Warning,
    "Channels know no databases: what is published from one is heard by subscribers of all of them. A cluster has only one.",
    "Separate environments by a prefix of names (the option `namespace`), or by servers.",
);

pub(super) const NOT_KEPT: Ailment = Ailment::new(
    "streams-not-kept",
    Warning,
    "A restart loses what was added since the last snapshot, or everything: entries, groups, and what was pending.",
    "Write an append-only file.",
);

pub(super) const NO_FSYNC: Ailment = Ailment::new(
    "no-fsync",
    Info,
    "When the machine fails, about half a minute of writes is lost.",
    "Flush the append-only file to disk every second.",
);

pub(super) const SAVE_FAILED: Ailment = Ailment::new(
    "save-failed",
    Critical,
    "What happens from now on does not survive a restart; Redis refuses writes as well.",
    "See the server's log, and the free space and permissions of its directory.",
);

pub(super) const NO_REPLICA: Ailment = Ailment::new(
    "no-replica",
    Warning,
    "Sentinels have nobody to promote: when the master fails, so does everything.",
    "Add a replica or two.",
);

pub(super) const REPLICA_BROKEN: Ailment = Ailment::new(
    "replica-broken",
    Warning,
    "A failover to it would lose what it does not have.",
    "See INFO replication of both sides, and their logs.",
);

pub(super) const VERSION: Ailment = Ailment::new(
    "old-version",
    Info,
    "Some things do not work, or not safely.",
    "Update the server.",
);

/// What holds for versions before one.
const VERSIONS: [(u32, u32, u32, &str); 3] = [
    (5, 0, 0, "before 5.0 there are no streams"),
    (
        6,
        2,
        0,
        "before 6.2 there is no XAUTOCLAIM: what dead consumers left has to be claimed one by one",
    ),
    (
        7,
        0,
        5,
        "before 7.0 there are neither sharded channels nor a group's lag; XAUTOCLAIM of 7.0.0 to 7.0.4 can end the server (CVE-2022-31144, CVE-2022-35951)",
    ),
];

pub(super) fn check(
    node: &Evidence,
    has_streams: bool,
    has_sentinels: bool,
    diagnosis: &mut Diagnosis,
) {
    password(node, diagnosis);
    persistence(node, has_streams, diagnosis);
    let (info, name) = (&node.info, &node.name);
    let used: Vec<String> = databases(info);
    if 1 < used.len() {
        let mut finding = DATABASES.found(name, format!("there are keys in {}", used.join(", ")));
        // Without a subscriber nobody hears what is not meant for them.
        let is_heard = ["pubsub_channels", "pubsub_patterns"]
            .iter()
            .any(|it| 0 < info.number(it).unwrap_or(0));
        if is_heard {
            finding.evidence.push_str(", and there are subscribers");
        }
        diagnosis.add(finding);
    }
    let replicas = info.number("connected_slaves");
    if has_sentinels && replicas == Some(0) && info.text("role") == Some("master") {
        let finding = NO_REPLICA.found(name, "sentinels watch a master that has no replica");
        let port = info.text("tcp_port").unwrap_or("6379");
        let command = format!("redis-cli -h REPLICA REPLICAOF MASTER {port}");
        diagnosis.add(finding.command(command));
    }
    if info.text("master_link_status") == Some("down") {
        let finding = REPLICA_BROKEN.found(name, "its link to its master is down");
        diagnosis.add(finding.command(format!("{} INFO replication", node.cli)));
    }
    let is_redis = ["fanfare_version", "valkey_version"].iter().all(|it| info.text(it).is_none());
    let version = info.text("redis_version").filter(|_| is_redis);
    if let Some((version, what)) = version.and_then(|it| Some((it, outdated(it)?))) {
        diagnosis.add(VERSION.found(name, format!("it is Redis {version}; {what}")));
    }
}

fn password(node: &Evidence, diagnosis: &mut Diagnosis) {
    if node.is_open != Some(true) {
        return;
    }
    let bind = node.directive("bind").unwrap_or_default();
    let is_loopback = |it: &str| {
        let it = it.trim_start_matches('-');
        it == "localhost" || it.parse().is_ok_and(|it: std::net::IpAddr| it.is_loopback())
    };
    let is_private = !bind.is_empty() && bind.split_whitespace().all(is_loopback);
    let is_protected = node.directive("protected-mode") == Some("yes");
    let severity = if is_private || is_protected { Warning } else { Critical };
    let evidence = match (is_private, is_protected) {
        (true, _) => format!("there is no password; it listens on {bind} only"),
        (false, true) => "there is no password; protected-mode refuses other machines".to_owned(),
        (false, false) => {
            let bind = if bind.is_empty() { "all addresses" } else { bind };
            format!("there is no password, it listens on {bind}, and protected-mode is off")
        }
    };
    // Once it is set, whoever does not have it is out: it is in a file before.
    let (cli, word) = (&node.cli, "\"$(cat redis-password)\"");
    let command = format!(
        "(umask 077; head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \\n' > redis-password) && \
         {cli} CONFIG SET requirepass {word} && REDISCLI_AUTH={word} {cli} CONFIG REWRITE"
    );
    diagnosis.add(NO_PASSWORD.found(&node.name, evidence).severity(severity).command(command));
}

/// With a password, but open to all networks and in the clear.
pub(super) fn exposure(node: &Evidence, is_tls: bool, diagnosis: &mut Diagnosis) {
    // Without a password there is worse to say; on a Unix socket, port is 0.
    if node.is_open != Some(false) || is_tls || matches!(node.directive("port"), None | Some("0")) {
        return;
    }
    let Some(bind) = node.directive("bind") else { return };
    let all = ["*", "0.0.0.0", "::"];
    let is_all = |it: &str| all.contains(&it.trim_start_matches('-'));
    if bind.is_empty() || bind.split_whitespace().any(is_all) {
        let listens = if bind.is_empty() { "all addresses" } else { bind };
        let evidence = format!("there is a password, it listens on {listens}, and not by TLS");
        let command = node.set("bind", "\"127.0.0.1 ADDRESS_OF_CLIENTS_NETWORK\"");
        diagnosis.add(EXPOSED.found(&node.name, evidence).command(command));
    }
}

fn persistence(node: &Evidence, has_streams: bool, diagnosis: &mut Diagnosis) {
    let (info, name) = (&node.info, &node.name);
    let is_fanfare = info.text("fanfare_version").is_some();
    if has_streams && info.flag("aof_enabled") == Some(false) {
        let evidence = "there are streams, and appendonly is no";
        let mut finding = NOT_KEPT.found(name, evidence);
        if is_fanfare {
            "This release of Fanfare keeps everything in memory: keep what must survive on a Redis with appendonly yes.".clone_into(&mut finding.cure);
        } else {
            finding = finding.command(node.set("appendonly", "yes"));
        }
        diagnosis.add(finding);
    }
    if info.flag("aof_enabled") == Some(true) && node.directive("appendfsync") == Some("no") {
        let command = node.set("appendfsync", "everysec");
        diagnosis.add(NO_FSYNC.found(name, "appendfsync is no").command(command));
    }
    let failed = ["rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status"];
    for field in failed.iter().filter(|it| info.text(it).is_some_and(|it| it != "ok")) {
        let evidence = format!("{field} is {}", info.text(field).unwrap_or_default());
        let command = format!("{} INFO persistence", node.cli);
        diagnosis.add(SAVE_FAILED.found(name, evidence).command(command));
    }
}

fn databases(info: &Facts) -> Vec<String> {
    let numbered = info.beginning("db").filter_map(|(n, _)| n.parse::<u32>().ok());
    let mut all: Vec<u32> = numbered.collect();
    all.sort_unstable();
    all.into_iter().map(|it| format!("db{it}")).collect()
}

fn outdated(version: &str) -> Option<&'static str> {
    let mut parts = version.split('.').map(|it| it.parse::<u32>().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    let is_before = |it: &&(u32, u32, u32, &str)| version < (it.0, it.1, it.2);
    VERSIONS.iter().find(is_before).map(|it| it.3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(outdated("6.0.16").is_some_and(|it| it.contains("XAUTOCLAIM")));
        assert!(outdated("6.2.14").is_some_and(|it| it.contains("sharded")));
        assert!(outdated("7.0.4").is_some());
        assert_eq!((outdated("7.0.15"), outdated("10.0.0"), outdated("odd")), (None, None, None));
    }
}
