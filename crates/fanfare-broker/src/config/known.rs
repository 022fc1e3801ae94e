//! Directives that Redis has and this release has not, and the suggestion for a name nobody has.

use super::directives::reference;

/// Every other directive of Redis 7.0 to 8. A file that has them loads, with one warning.
pub static KNOWN_REDIS: &[&str] = &[
    "acl-pubsub-default",
    "acllog-max-len",
    "active-defrag-cycle-max",
    "active-defrag-cycle-min",
    "active-defrag-ignore-bytes",
    "active-defrag-max-scan-fields",
    "active-defrag-threshold-lower",
    "active-defrag-threshold-upper",
    "active-expire-effort",
    "activedefrag",
    "activerehashing",
    "aof-disable-auto-gc",
    "aof-load-corrupt-tail-max-size",
    "aof-load-truncated",
    "aof-rewrite-incremental-fsync",
    "aof-timestamp-enabled",
    "aof-use-rdb-preamble",
    "aof_rewrite_cpulist",
    "appenddirname",
    "appendfilename",
    "array-slice-size",
    "array-sparse-kmax",
    "array-sparse-kmin",
    "auto-aof-rewrite-min-size",
    "auto-aof-rewrite-percentage",
    "bgsave_cpulist",
    "bind-source-addr",
    "bio_cpulist",
    "client-default-resp",
    "cluster-allow-pubsubshard-when-down",
    "cluster-allow-reads-when-down",
    "cluster-allow-replica-migration",
    "cluster-announce-bus-port",
    "cluster-announce-hostname",
    "cluster-announce-human-nodename",
    "cluster-announce-ip",
    "cluster-announce-port",
    "cluster-announce-tls-port",
    "cluster-compatibility-sample-ratio",
    "cluster-config-file",
    "cluster-link-sendbuf-limit",
    "cluster-migration-barrier",
    "cluster-node-timeout",
    "cluster-ping-interval",
    "cluster-port",
    "cluster-preferred-endpoint-type",
    "cluster-replica-no-failover",
    "cluster-replica-validity-factor",
    "cluster-require-full-coverage",
    "cluster-slave-no-failover",
    "cluster-slave-validity-factor",
    "cluster-slot-migration-handoff-max-lag-bytes",
    "cluster-slot-migration-max-archived-tasks",
    "cluster-slot-migration-sync-buffer-drain-timeout",
    "cluster-slot-migration-write-pause-timeout",
    "cluster-slot-stats-enabled",
    "disable-thp",
    "dynamic-hz",
    "hide-user-data-from-log",
    "hll-sparse-max-bytes",
    "ignore-warnings",
    "io-threads",
    "io-threads-do-reads",
    "jemalloc-bg-thread",
    "key-load-delay",
    "key-memory-histograms",
    "lazyexpire-nested-arbitrary-keys",
    "lazyfree-lazy-eviction",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush",
    "list-compress-depth",
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "loading-process-events-interval-bytes",
    "loadmodule",
    "locale-collate",
    "lookahead",
    "lua-enable-deprecated-api",
    "lua-replicate-commands",
    "masterauth",
    "masteruser",
    "max-new-connections-per-cycle",
    "max-new-tls-connections-per-cycle",
    "maxmemory-eviction-tenacity",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "min-slaves-max-lag",
    "min-slaves-to-write",
    "no-appendfsync-on-rewrite",
    "oom-score-adj",
    "oom-score-adj-values",
    "prefetch-batch-max-size",
    "propagation-error-behavior",
    "rdb-del-sync-files",
    "rdb-key-save-delay",
    "rdb-save-incremental-fsync",
    "rdbchecksum",
    "rdbcompression",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "repl-disable-tcp-nodelay",
    "repl-diskless-load",
    "repl-diskless-sync",
    "repl-diskless-sync-delay",
    "repl-diskless-sync-max-replicas",
    "repl-ping-replica-period",
    "repl-ping-slave-period",
    "repl-rdb-channel",
    "repl-timeout",
    "replica-announce-ip",
    "replica-announce-port",
    "replica-announced",
    "replica-full-sync-buffer-limit",
    "replica-ignore-disk-write-errors",
    "replica-ignore-maxmemory",
    "replica-lazy-flush",
    "replica-priority",
    "replica-read-only",
    "replica-serve-stale-data",
    "req-res-logfile",
    "sanitize-dump-payload",
    "sentinel",
    "server_cpulist",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "shutdown-on-sigint",
    "shutdown-on-sigterm",
    "shutdown-timeout",
    "slave-announce-ip",
    "slave-announce-port",
    "slave-ignore-maxmemory",
    "slave-lazy-flush",
    "slave-priority",
    "slave-read-only",
    "slave-serve-stale-data",
    "slowlog-entry-max-argc",
    "slowlog-entry-max-string-len",
    "socket-mark-id",
    "stop-writes-on-bgsave-error",
    "syslog-enabled",
    "syslog-facility",
    "syslog-ident",
    "tls-auth-clients",
    "tls-auth-clients-user",
    "tls-ca-cert-dir",
    "tls-ca-cert-file",
    "tls-cert-file",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-client-key-file-pass",
    "tls-cluster",
    "tls-dh-params-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-prefer-server-ciphers",
    "tls-protocols",
    "tls-replication",
    "tls-session-cache-size",
    "tls-session-cache-timeout",
    "tls-session-caching",
    "unixsocketgroup",
    "use-exit-on-panic",
    "vset-force-single-threaded-execution",
    "watchdog-period",
];

/// Directives of the modules that Redis 8 ships: too many and too changeable to list.
const MODULE_PREFIXES: [&str; 4] = ["search-", "ts-", "bf-", "cf-"];

/// Whether Redis knows `name`, in any case, although this release does not.
pub(super) fn is_known(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // `module.directive` is how any other module names its own.
    name.contains('.')
        || MODULE_PREFIXES.iter().any(|it| name.starts_with(it))
        || KNOWN_REDIS.contains(&name.as_str())
}

/// The directive that was probably meant.
pub(super) fn suggestion(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let candidates = reference().flat_map(|it| it.spellings());
    let (n_edits, best) = candidates
        .chain(KNOWN_REDIS.iter().copied())
        .map(|it| (n_edits(&name, it), it))
        .min_by_key(|(n_edits, _)| *n_edits)?;
    (n_edits <= (name.len() / 4).clamp(1, 3)).then_some(best)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `from` into `to`.
fn n_edits(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let at = |row: &[usize], idx: usize| row.get(idx).copied().unwrap_or(usize::MAX / 2);
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = at(&last, j) + usize::from(a != b);
            let mut best = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let is_swap = 0 < i && 0 < j && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if is_swap {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    at(&last, to.len())
}
