//! The directives as data. A new one is a line here and a field in [`Config`]; file, flags,
//! environment, `CONFIG GET`, `SET`, `REWRITE` and the printed reference follow.

use std::path::{Path, PathBuf};

use super::directive::{Change, Directive, Field, Kind};
use super::special::{BIND, DIR, NOTIFY, OUTPUT_LIMIT, PERCENTILES, RENAME, SAVE};
use super::values::{Allow, AppendFsync, LogFormat, LogLevel, MaxmemoryPolicy, Secret, Supervised};

/// Every directive, for printed documentation, in the order of the slice.
pub fn reference() -> impl Iterator<Item = &'static Directive> {
    DIRECTIVES.iter()
}

const NO_TLS: &str = "TLS is not built into this release, so an encrypted port can not be opened, \
    and the broker does not start without one that was asked for. Remove tls-port (or write \
    tls-port 0) and, if clients need TLS, put a TLS proxy such as stunnel or HAProxy in front of port";
const NO_DAEMON: &str = "the broker does not fork into the background. Write daemonize no and run \
    it under systemd (Type=notify with supervised systemd), in a container, or with & in a shell";
const NO_CLUSTER: &str = "cluster mode is not built into this release. Write cluster-enabled no, or \
    keep Redis Cluster and use its client side";
const NO_ACL: &str = "ACL users are not built into this release, and a broker that ignored them \
    would be open. Remove this line and protect the broker with requirepass, protected-mode and bind";

const INT_MAX: i64 = i32::MAX as i64;
const UINT_MAX: i64 = u32::MAX as i64;
const LONG_MAX: u64 = i64::MAX as u64;
const MB: u64 = 1 << 20;

macro_rules! integer {
    ($min:expr, $max:expr, $field:ident) => {
        Kind::Integer {
            min: $min,
            max: $max,
            field: Field {
                get: |config| Number::wide(config.$field),
                set: |config, value| config.$field = Number::narrow(value),
            },
        }
    };
}

macro_rules! memory {
    ($min:expr, $max:expr, $field:ident) => {
        Kind::Memory {
            min: $min,
            max: $max,
            field: Field {
                get: |config| config.$field,
                set: |config, value| config.$field = value,
            },
        }
    };
}

macro_rules! yes_no {
    ($field:ident) => {
        Kind::Bool(Field {
            get: |config| config.$field,
            set: |config, value| config.$field = value,
        })
    };
}

macro_rules! word {
    ($type:ident, $field:ident) => {
        Kind::Enum {
            words: $type::WORDS,
            field: Field {
                get: |config| config.$field.word(),
                set: |config, value| {
                    if let Some(value) = $type::from_word(value) {
                        config.$field = value;
                    }
                },
            },
        }
    };
}

macro_rules! path {
    ($field:ident, empty_unsets: $empty_unsets:literal) => {
        Kind::Text {
            check: |_| Ok(()),
            empty_unsets: $empty_unsets,
            field: Field {
                get: |config| path_text(config.$field.as_deref()),
                set: |config, value| {
                    config.$field = (!value.is_empty()).then(|| PathBuf::from(value));
                },
            },
        }
    };
}

/// The slice.
pub(super) static DIRECTIVES: &[Directive] = &[
    // Network.
    at_start("include", Kind::Include, "", "Reads another file here; * ? [] match several.")
        .hidden(),
    runtime(
        "bind",
        Kind::Special(BIND),
        "* -::*",
        "Addresses to listen on; a running broker keeps them.",
    ),
    runtime(
        "port",
        integer!(0, 65_535, port),
        "6379",
        "TCP port; 0 opens none; a running broker keeps it.",
    ),
    runtime(
        "tls-port",
        Kind::Fixed { refuse: Some(NO_TLS) },
        "0",
        "TLS port; only 0 in this release.",
    ),
    at_start(
        "tcp-backlog",
        integer!(0, INT_MAX, tcp_backlog),
        "511",
        "Connections that the system queues before they are accepted.",
    ),
    at_start("unixsocket", path!(unixsocket, empty_unsets: true), "", "Path of a Unix socket."),
    at_start(
        "unixsocketperm",
        Kind::Octal(Field {
            get: |config| config.unixsocketperm,
            set: |config, value| config.unixsocketperm = value,
        }),
        "0",
        "Permissions of the Unix socket, in octal; 0 leaves the system's.",
    ),
    runtime(
        "protected-mode",
        yes_no!(protected_mode),
        "yes",
        "Refuses clients of other machines while there is no password.",
    ),
    runtime(
        "timeout",
        integer!(0, INT_MAX, timeout_seconds),
        "0",
        "Seconds after which an idle client is disconnected; 0 is never.",
    ),
    runtime(
        "tcp-keepalive",
        integer!(0, INT_MAX, tcp_keepalive_seconds),
        "300",
        "Seconds of silence after which the system probes a connection; 0 is never.",
    ),
    runtime("maxclients", integer!(1, UINT_MAX, maxclients), "10000", "Connections at once."),
    // Threads.
    at_start(
        "reactors",
        integer!(0, 1024, reactors),
        "0",
        "Threads that serve connections; 0 is one per core, of which as few run commands as suffice.",
    ),
    // Security.
    runtime(
        "requirepass",
        Kind::Text {
            check: |_| Ok(()),
            empty_unsets: true,
            field: Field {
                get: |config| config.requirepass.reveal().to_owned(),
                set: |config, value| config.requirepass = Secret::new(&value),
            },
        },
        "",
        "Password of the default user.",
    )
    .secret(),
    at_start(
        "rename-command",
        Kind::Special(RENAME),
        "",
        "Gives a command another name, or none; may be repeated.",
    )
    .hidden(),
    at_start(
        "enable-debug-command",
        word!(Allow, enable_debug_command),
        "no",
        "Who may use DEBUG.",
    ),
    at_start(
        "enable-protected-configs",
        word!(Allow, enable_protected_configs),
        "no",
        "Who may change dir and dbfilename by CONFIG SET.",
    ),
    at_start(
        "enable-module-command",
        word!(Allow, enable_module_command),
        "no",
        "Who may use MODULE.",
    ),
    at_start("aclfile", Kind::Fixed { refuse: Some(NO_ACL) }, "", "File of ACL users; none here."),
    at_start("user", Kind::Fixed { refuse: Some(NO_ACL) }, "", "An ACL user; none here.")
        .hidden()
        .secret(),
    // Limits.
    runtime(
        "client-output-buffer-limit",
        Kind::Special(OUTPUT_LIMIT),
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
        "Bytes that may wait for a client that does not read, before it is disconnected.",
    ),
    runtime(
        "client-query-buffer-limit",
        memory!(MB, LONG_MAX, query_buffer_bytes_max),
        "1gb",
        "Bytes that one client may have sent and that are not yet handled.",
    ),
    runtime(
        "proto-max-bulk-len",
        memory!(MB, LONG_MAX, bulk_bytes_max),
        "512mb",
        "Bytes of one argument.",
    ),
    runtime(
        "mailbox-limit",
        memory!(MB, LONG_MAX, mailbox_bytes_max),
        "64mb",
        "Bytes that may wait on the way from one reactor to another before publishers are paused.",
    )
    .alias(&["client-mailbox-limit"]),
    runtime(
        "stream-push-limit",
        memory!(16 * 1024, LONG_MAX, stream_push_bytes_max),
        "1mb",
        "Bytes that may wait for a subscriber of streams before it is pushed their history at its own pace.",
    ),
    runtime(
        "maxmemory",
        memory!(0, u64::MAX, maxmemory_bytes),
        "0",
        "Bytes that the data may take; 0 is no limit. What happens then is maxmemory-policy.",
    ),
    runtime(
        "maxmemory-policy",
        word!(MaxmemoryPolicy, maxmemory_policy),
        "noeviction",
        "What happens when maxmemory is reached.",
    ),
    runtime(
        "maxmemory-samples",
        integer!(1, 64, maxmemory_samples),
        "5",
        "Keys that are looked at to find one to evict.",
    ),
    runtime(
        "lfu-log-factor",
        integer!(0, INT_MAX, lfu_log_factor),
        "10",
        "How slowly the counter of uses grows, under a policy with LFU.",
    ),
    runtime(
        "lfu-decay-time",
        integer!(0, INT_MAX, lfu_decay_min),
        "1",
        "Minutes after which that counter loses one; 0 is never.",
    ),
    runtime(
        "tracking-table-max-keys",
        integer!(0, i64::MAX, tracked_keys_max),
        "1000000",
        "Keys that are remembered for CLIENT TRACKING; beyond it some are given up, and clients told; 0 is no limit.",
    ),
    runtime("maxmemory-clients", Kind::Fixed { refuse: None }, "0", "No effect in this release."),
    runtime(
        "busy-reply-threshold",
        integer!(0, i64::MAX, busy_reply_threshold_ms),
        "5000",
        "Milliseconds after which a running script is answered for with BUSY.",
    )
    .alias(&["lua-time-limit"]),
    // Data.
    at_start("databases", integer!(1, INT_MAX, databases), "16", "Number of databases."),
    runtime(
        "list-max-listpack-size",
        integer!(-INT_MAX - 1, INT_MAX, list_fill),
        "-2",
        "Elements of one node of a list; -1 to -5 are 4, 8, 16, 32 and 64 KiB.",
    )
    .alias(&["list-max-ziplist-size"]),
    runtime(
        "hash-max-listpack-entries",
        integer!(0, i64::MAX, hash_entries_max),
        "512",
        "Fields up to which a hash is packed.",
    )
    .alias(&["hash-max-ziplist-entries"]),
    runtime(
        "hash-max-listpack-value",
        integer!(0, i64::MAX, hash_value_max),
        "64",
        "Bytes of a field or value up to which a hash is packed.",
    )
    .alias(&["hash-max-ziplist-value"]),
    runtime(
        "set-max-intset-entries",
        integer!(0, i64::MAX, intset_entries_max),
        "512",
        "Members up to which a set of integers is packed.",
    ),
    runtime(
        "zset-max-listpack-entries",
        integer!(0, i64::MAX, zset_entries_max),
        "128",
        "Members up to which a sorted set is packed.",
    )
    .alias(&["zset-max-ziplist-entries"]),
    runtime(
        "zset-max-listpack-value",
        integer!(0, i64::MAX, zset_value_max),
        "64",
        "Bytes of a member up to which a sorted set is packed.",
    )
    .alias(&["zset-max-ziplist-value"]),
    runtime(
        "stream-node-max-bytes",
        memory!(0, LONG_MAX, stream_bytes_max),
        "4096",
        "Bytes of one block of a stream; 0 is no limit.",
    ),
    runtime(
        "stream-node-max-entries",
        integer!(0, i64::MAX, stream_entries_max),
        "100",
        "Entries of one block of a stream; 0 is no limit.",
    ),
    runtime(
        "stream-idmp-duration",
        integer!(1, 86_400, idmp_duration_s),
        "100",
        "Seconds for which a new stream remembers what its producers call their entries.",
    ),
    runtime(
        "stream-idmp-maxsize",
        integer!(1, 10_000, idmp_n_max),
        "100",
        "Entries of each producer of which a new stream remembers that.",
    ),
    runtime(
        "notify-keyspace-events",
        Kind::Special(NOTIFY),
        "",
        "Classes of changes to keys that are published.",
    ),
    runtime(
        "hz",
        Kind::Integer {
            min: 0,
            max: INT_MAX,
            field: Field {
                get: |config| Number::wide(config.hz),
                // Redis takes it as a hint and keeps it within these bounds.
                set: |config, value| config.hz = Number::narrow(value.clamp(1, 500)),
            },
        },
        "10",
        "Turns a second of background work.",
    ),
    at_start(
        "cluster-enabled",
        Kind::Fixed { refuse: Some(NO_CLUSTER) },
        "no",
        "Cluster mode; only no in this release.",
    ),
    at_start("replicaof", Kind::Fixed { refuse: None }, "", "No effect in this release.")
        .alias(&["slaveof"]),
    // Durability.
    runtime(
        "save",
        Kind::Special(SAVE),
        "3600 1 300 100 60 10000",
        "Snapshot after so many seconds if there were so many changes; nothing is kept in this release.",
    ),
    runtime(
        "appendonly",
        yes_no!(appendonly),
        "no",
        "Writes every change to the append-only file; nothing is kept in this release.",
    ),
    runtime(
        "appendfsync",
        word!(AppendFsync, appendfsync),
        "everysec",
        "When the append-only file is flushed to disk.",
    ),
    runtime("dir", Kind::Special(DIR), ".", "Directory of all data files.").protected(),
    runtime(
        "dbfilename",
        Kind::Text {
            check: |name| {
                if name.contains(['/', '\\']) {
                    return Err("dbfilename can't be a path, just a filename");
                }
                Ok(())
            },
            empty_unsets: false,
            field: Field {
                get: |config| config.dbfilename.clone(),
                set: |config, value| config.dbfilename = value,
            },
        },
        "dump.rdb",
        "Name of the snapshot in dir.",
    )
    .protected(),
    // Log and process.
    runtime("loglevel", word!(LogLevel, loglevel), "notice", "How much is logged."),
    at_start(
        "logfile",
        path!(logfile, empty_unsets: false),
        "",
        "File to log to; none is standard output.",
    ),
    at_start("log-format", word!(LogFormat, log_format), "text", "Form of the log lines."),
    at_start("daemonize", Kind::Fixed { refuse: Some(NO_DAEMON) }, "no", "Only no is possible."),
    at_start("supervised", word!(Supervised, supervised), "no", "Who watches the process."),
    at_start("pidfile", path!(pidfile, empty_unsets: true), "", "File to write the process id to."),
    at_start("set-proc-title", yes_no!(set_proc_title), "yes", "Accepted; no effect."),
    runtime(
        "proc-title-template",
        Kind::Text {
            check: check_proc_title,
            empty_unsets: false,
            field: Field {
                get: |config| config.proc_title_template.clone(),
                set: |config, value| config.proc_title_template = value,
            },
        },
        "{title} {listen-addr} {server-mode}",
        "Accepted; no effect.",
    ),
    at_start("always-show-logo", yes_no!(always_show_logo), "no", "Accepted; no effect."),
    runtime("crash-log-enabled", yes_no!(crash_log_enabled), "yes", "Accepted; no effect."),
    runtime(
        "crash-memcheck-enabled",
        yes_no!(crash_memcheck_enabled),
        "yes",
        "Accepted; no effect.",
    ),
    // What is measured.
    runtime(
        "slowlog-log-slower-than",
        integer!(-1, i64::MAX, slowlog_slower_than_us),
        "10000",
        "Microseconds past which a command is in SLOWLOG; 0 logs all, -1 none.",
    ),
    runtime(
        "slowlog-max-len",
        integer!(0, i64::MAX, slowlog_len_max),
        "128",
        "Entries of SLOWLOG.",
    ),
    runtime(
        "latency-monitor-threshold",
        integer!(0, i64::MAX, latency_monitor_threshold_ms),
        "0",
        "Milliseconds past which an event is in LATENCY; 0 is off.",
    ),
    runtime(
        "latency-tracking",
        yes_no!(latency_tracking),
        "yes",
        "Measures each command's latency.",
    ),
    runtime(
        "latency-tracking-info-percentiles",
        Kind::Special(PERCENTILES),
        "50 99 99.9",
        "Percentiles of latency that INFO prints.",
    ),
];

const fn runtime(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Directive {
    Directive { name, aliases: &[], kind, default, change: Change::Runtime, secret: false, help }
}

const fn at_start(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Directive {
    Directive { name, aliases: &[], kind, default, change: Change::AtStart, secret: false, help }
}

impl Directive {
    const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn protected(mut self) -> Self {
        self.change = Change::Protected;
        self
    }

    const fn hidden(mut self) -> Self {
        self.change = Change::Hidden;
        self
    }
}

fn path_text(path: Option<&Path>) -> String {
    path.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
}

fn check_proc_title(template: &str) -> Result<(), &'static str> {
    const KNOWN: [&str; 7] =
        ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];
    const INVALID: &str = "template format is invalid or contains unknown variables";

    if template.is_empty() {
        return Err(INVALID);
    }
    let mut rest = template;
    while let Some((_, tail)) = rest.split_once('{') {
        let (variable, after) = tail.split_once('}').ok_or(INVALID)?;
        if !KNOWN.contains(&variable) {
            return Err(INVALID);
        }
        rest = after;
    }
    Ok(())
}

/// A sized field behind the table's `i64`. The range is checked before, so nothing is cut off.
trait Number: Copy {
    fn wide(self) -> i64;
    fn narrow(value: i64) -> Self;
}

impl Number for i64 {
    fn wide(self) -> i64 {
        self
    }
    fn narrow(value: i64) -> Self {
        value
    }
}

impl Number for u64 {
    fn wide(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
    fn narrow(value: i64) -> Self {
        Self::try_from(value).unwrap_or(0)
    }
}

impl Number for i32 {
    fn wide(self) -> i64 {
        i64::from(self)
    }
    fn narrow(value: i64) -> Self {
        Self::try_from(value).unwrap_or(0)
    }
}

impl Number for u32 {
    fn wide(self) -> i64 {
        i64::from(self)
    }
    fn narrow(value: i64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }
}

impl Number for u16 {
    fn wide(self) -> i64 {
        i64::from(self)
    }
    fn narrow(value: i64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }
}
