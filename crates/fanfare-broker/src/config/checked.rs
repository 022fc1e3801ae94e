//! The second stage: what holds.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use fanfare_engine::notify::Classes;

use super::directive::{Change, Directive, Kind};
use super::directives::reference;
use super::error::{ConfigError, ConfigErrorKind, Warning};
use super::raw::{RawConfig, Sources, Written};
use super::special::Start;
use super::values::{
    Allow, AppendFsync, BindAddress, LogFormat, LogLevel, MaxmemoryPolicy, OutputLimits,
    RenamedCommand, SavePoint, Secret, Supervised,
};

/// A configuration that holds: every value is of its type and within its limits.
///
/// [`Config::default`] is Redis's default for everything that Redis has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Addresses to listen on; none: no TCP at all.
    pub bind: Vec<BindAddress>,
    /// TCP port; 0: no TCP at all.
    pub port: u16,
    /// Connections that the system queues before they are accepted.
    pub tcp_backlog: u32,
    /// Unix socket to listen on.
    pub unixsocket: Option<PathBuf>,
    /// Permissions of the Unix socket; 0: leave the system's.
    pub unixsocketperm: u32,
    /// Refuse clients of other machines while there is no password.
    pub protected_mode: bool,
    /// Disconnect a client that is idle for so long; 0: never.
    pub timeout_seconds: u32,
    /// Probe a connection that is silent for so long; 0: never.
    pub tcp_keepalive_seconds: u32,
    /// Connections at once.
    pub maxclients: u32,
    /// Threads that serve connections; 0: one per core.
    pub reactors: u32,
    /// Password of the default user; empty: none.
    pub requirepass: Secret,
    /// Commands with another name, or with none.
    pub rename_commands: Vec<RenamedCommand>,
    /// Who may use `DEBUG`.
    pub enable_debug_command: Allow,
    /// Who may change `dir` and `dbfilename` by `CONFIG SET`.
    pub enable_protected_configs: Allow,
    /// Who may use `MODULE`.
    pub enable_module_command: Allow,
    /// When a client that does not read is disconnected.
    pub output_limits: OutputLimits,
    /// Bytes that one client may have sent and that are not yet handled.
    pub query_buffer_bytes_max: u64,
    /// Bytes of one argument.
    pub bulk_bytes_max: u64,
    /// Bytes that may wait between two reactors before publishers are paused.
    pub mailbox_bytes_max: u64,
    /// Bytes that may wait for a subscriber of streams before it reads them from history.
    pub stream_push_bytes_max: u64,
    /// Bytes that the data may take; 0: no limit.
    pub maxmemory_bytes: u64,
    /// What happens when they are taken.
    pub maxmemory_policy: MaxmemoryPolicy,
    /// Keys that are looked at to find one to evict.
    pub maxmemory_samples: u32,
    /// How slowly the counter of a policy with LFU grows.
    pub lfu_log_factor: u32,
    /// Minutes after which that counter loses one; 0: never.
    pub lfu_decay_min: u32,
    /// `tracking-table-max-keys`; 0: no limit.
    pub tracked_keys_max: u64,
    /// Size of one node of a list: elements if positive, else one of Redis's five limits in bytes.
    pub list_fill: i32,
    /// Fields that a packed hash may have.
    pub hash_entries_max: u64,
    /// Bytes that a field or a value of a packed hash may have.
    pub hash_value_max: u64,
    /// Members that a packed sorted set may have.
    pub zset_entries_max: u64,
    /// Bytes that a member of a packed sorted set may have.
    pub zset_value_max: u64,
    /// Members that a packed set of integers may have.
    pub intset_entries_max: u64,
    /// Bytes that a block of a stream may have; 0: no limit.
    pub stream_bytes_max: u64,
    /// Entries that a block of a stream may have; 0: no limit.
    pub stream_entries_max: u64,
    /// Seconds for which a stream remembers what producers call their entries.
    pub idmp_duration_s: u32,
    /// Entries of each producer of which it remembers that.
    pub idmp_n_max: u32,
    /// A script that runs longer is answered for with BUSY.
    pub busy_reply_threshold_ms: u64,
    /// Number of databases.
    pub databases: u32,
    /// Classes of changes to keys that are published.
    pub notify_keyspace_events: Classes,
    /// Turns a second of background work.
    pub hz: u32,
    /// When to make a snapshot.
    pub save: Vec<SavePoint>,
    /// Whether every change is to be written to the append-only file.
    pub appendonly: bool,
    /// When that file is flushed.
    pub appendfsync: AppendFsync,
    /// Directory of all data files.
    pub dir: PathBuf,
    /// Name of the snapshot in `dir`.
    pub dbfilename: String,
    /// How much is logged.
    pub loglevel: LogLevel,
    /// File to log to; none: standard output.
    pub logfile: Option<PathBuf>,
    /// Form of the log lines.
    pub log_format: LogFormat,
    /// Who watches the process.
    pub supervised: Supervised,
    /// File to write the process id to.
    pub pidfile: Option<PathBuf>,
    /// Accepted; no effect.
    pub set_proc_title: bool,
    /// Accepted; no effect.
    pub proc_title_template: String,
    /// Accepted; no effect.
    pub always_show_logo: bool,
    /// Accepted; no effect.
    pub crash_log_enabled: bool,
    /// Accepted; no effect.
    pub crash_memcheck_enabled: bool,
    /// A command that takes longer is in SLOWLOG; 0: all, -1: none.
    pub slowlog_slower_than_us: i64,
    /// Entries of SLOWLOG.
    pub slowlog_len_max: u64,
    /// An event that takes so long is in LATENCY; 0: off.
    pub latency_monitor_threshold_ms: u64,
    /// Measure each command's latency.
    pub latency_tracking: bool,
    /// Percentiles of latency that INFO prints.
    pub latency_percentiles: Vec<f64>,
    /// The file that was read and that `CONFIG REWRITE` writes, with its absolute path.
    pub config_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        let mut config = Self::blank();
        for directive in reference().filter(|it| it.change != Change::Hidden) {
            let words: Vec<&str> = if directive.is_several() {
                directive.default.split(' ').collect()
            } else {
                vec![directive.default]
            };
            let stored = directive.store(&mut config, &words, Start::Over);
            debug_assert_eq!(stored, Ok(()), "the default of {}", directive.name);
        }
        config
    }
}

impl Config {
    /// Reads the file, the environment and the arguments that follow `fanfare serve`, and checks them.
    ///
    /// The file is `path` or the first of `args` if that is no flag; `-` is standard input. A flag is
    /// `--name value ...` up to the next `--`. A variable is `FANFARE_` and the name in upper case
    /// with underscores; those that name no directive are left alone. What comes later holds:
    /// defaults, file, environment, flags.
    ///
    /// # Errors
    /// At the first thing that can not be used, with its place and a cure.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (OsString, OsString)>,
        args: &[String],
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        let stdin = &mut io::stdin();
        Self::load_from(Sources { path, args, stdin }, env)
    }

    /// How many reactors there will be: as many as `reactors` says, or one per core. At most 255.
    #[must_use]
    pub fn n_reactors(&self) -> usize {
        let asked = usize::try_from(self.reactors).unwrap_or(usize::MAX);
        let n = if asked == 0 {
            std::thread::available_parallelism().map_or(1, usize::from)
        } else {
            asked
        };
        // A reactor's number has eight bits.
        n.clamp(1, 255)
    }

    pub(super) fn load_from(
        sources: Sources<'_>,
        env: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        Self::check(RawConfig::read(sources, env)?)
    }

    fn check(mut raw: RawConfig) -> Result<(Self, Vec<Warning>), ConfigError> {
        let mut config = Self { config_file: raw.config_file.take(), ..Self::default() };
        let mut warnings = std::mem::take(&mut raw.warnings);
        let mut layers: Vec<(&str, u8)> = Vec::new();
        let mut durability: Vec<&Written> = Vec::new();
        for (idx, written) in raw.written.iter().enumerate() {
            if raw.is_taken_back(idx) {
                continue;
            }
            let name = written.directive.name;
            let layer = (name, written.origin.layer());
            let start = if layers.contains(&layer) { Start::Add } else { Start::Over };
            layers.push(layer);
            check_one(&mut config, written, start)?;
            if durability.iter().all(|it| it.directive.name != name) {
                durability.extend(Some(written).filter(|it| asks_for_durability(it)));
            }
        }
        for written in durability {
            if config.is_durable(written.directive) {
                warnings.push(Warning::nothing_is_kept(&written.origin, &written.shown()));
            }
        }
        Ok((config, warnings))
    }

    /// Whether `directive` now asks for data to be kept.
    pub(super) fn is_durable(&self, directive: &Directive) -> bool {
        match directive.name {
            "save" => !self.save.is_empty(),
            "appendonly" => self.appendonly,
            _ => false,
        }
    }

    /// What [`Default`] fills in from the slice; each value here is overwritten.
    fn blank() -> Self {
        Self {
            bind: Vec::new(),
            port: 0,
            tcp_backlog: 0,
            unixsocket: None,
            unixsocketperm: 0,
            protected_mode: true,
            timeout_seconds: 0,
            tcp_keepalive_seconds: 0,
            maxclients: 0,
            reactors: 0,
            requirepass: Secret::default(),
            rename_commands: Vec::new(),
            enable_debug_command: Allow::No,
            enable_protected_configs: Allow::No,
            enable_module_command: Allow::No,
            output_limits: OutputLimits::default(),
            query_buffer_bytes_max: 0,
            bulk_bytes_max: 0,
            mailbox_bytes_max: 0,
            stream_push_bytes_max: 0,
            maxmemory_bytes: 0,
            maxmemory_policy: MaxmemoryPolicy::Noeviction,
            busy_reply_threshold_ms: 0,
            databases: 0,
            notify_keyspace_events: Classes::NONE,
            list_fill: 0,
            hash_entries_max: 0,
            stream_bytes_max: 0,
            stream_entries_max: 0,
            idmp_duration_s: 0,
            idmp_n_max: 0,
            hash_value_max: 0,
            zset_entries_max: 0,
            zset_value_max: 0,
            intset_entries_max: 0,
            maxmemory_samples: 0,
            lfu_log_factor: 0,
            lfu_decay_min: 0,
            tracked_keys_max: 0,
            hz: 0,
            save: Vec::new(),
            appendonly: false,
            appendfsync: AppendFsync::Everysec,
            dir: PathBuf::new(),
            dbfilename: String::new(),
            loglevel: LogLevel::Notice,
            logfile: None,
            log_format: LogFormat::Text,
            supervised: Supervised::No,
            pidfile: None,
            set_proc_title: false,
            proc_title_template: String::new(),
            always_show_logo: false,
            crash_log_enabled: false,
            crash_memcheck_enabled: false,
            slowlog_slower_than_us: 0,
            slowlog_len_max: 0,
            latency_monitor_threshold_ms: 0,
            latency_tracking: false,
            latency_percentiles: Vec::new(),
            config_file: None,
        }
    }
}

fn asks_for_durability(written: &Written) -> bool {
    match written.directive.name {
        "save" => written.words != [""],
        "appendonly" => written.words.first().is_some_and(|it| it.eq_ignore_ascii_case("yes")),
        _ => false,
    }
}

fn check_one(config: &mut Config, written: &Written, start: Start) -> Result<(), ConfigError> {
    let Written { directive, words, origin } = written;
    if let Kind::Fixed { refuse: Some(why) } = &directive.kind
        && words.join(" ").to_ascii_lowercase() != directive.default
    {
        let text = format!("{origin}: {}: {why}.", written.shown());
        return Err(ConfigError::new(ConfigErrorKind::NotBuilt, text));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let stored = if words.is_empty() && directive.name != "save" {
        Err("wrong number of arguments".to_owned())
    } else {
        directive.store(config, &words, start)
    };
    stored.map_err(|why| {
        let (why, name) = (why.trim_end_matches('.'), directive.name);
        let example = match directive.default {
            "" => String::new(),
            default => format!(", for example: {name} {default}"),
        };
        let text = format!(
            "{origin}: {}: {why}. {name} takes {}{example}",
            written.shown(),
            directive.values(),
        );
        ConfigError::new(ConfigErrorKind::Value, text)
    })
}
