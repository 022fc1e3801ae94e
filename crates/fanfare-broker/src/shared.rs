//! What all reactors share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use fanfare_engine::keyspace::Policy;
use fanfare_engine::pubsub::{ReactorId, Registry};
use fanfare_engine::tuning::Tuning;
use fanfare_engine::{CommandTable, Keyspace};
use parking_lot::{Mutex, RwLock};

use crate::client::Clients;
use crate::config::{Config, LogLevel, MaxmemoryPolicy, OutputLimits};
use crate::observe::{Count, Latency, Monitors, Sample, Sampler, SlowLog, Stats};
use crate::reactor::{Lazyfree, Load, Mailbox, Prefixes};

/// The broker's common state. What is not atomic is behind short locks.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) keyspace: Keyspace,
    pub(crate) table: CommandTable,
    pub(crate) registry: Registry,
    pub(crate) mailboxes: Box<[Mailbox]>,
    pub(crate) clients: Clients,
    /// The clients of each reactor.
    pub(crate) loads: Box<[Load]>,
    /// Reactors that take commands, from the first one on; the others have subscribers only.
    pub(crate) n_active: AtomicUsize,
    /// As few reactors take commands as suffice; otherwise all do.
    pub(crate) is_elastic: bool,
    /// Clients are carried about all the time (DEBUG SHUFFLE-CLIENTS).
    pub(crate) shuffles: AtomicBool,
    /// Held while a client is carried from one reactor to another, and while clients are looked for to be closed.
    pub(crate) carrying: Mutex<()>,
    pub(crate) next_client_id: AtomicU64,
    /// Subscriptions to streams that are behind, over all reactors.
    pub(crate) n_reading: AtomicUsize,
    pub(crate) config: RwLock<Config>,
    pub(crate) live: RwLock<Arc<Live>>,
    /// Raised with every change of `live`.
    pub(crate) live_version: AtomicU64,
    pub(crate) stats: Box<[Stats]>,
    pub(crate) sampler: Sampler,
    pub(crate) slowlog: Mutex<SlowLog>,
    pub(crate) latency: Mutex<Latency>,
    pub(crate) monitors: Monitors,
    pub(crate) prefixes: Prefixes,
    pub(crate) pause: Pause,
    pub(crate) active_expire: AtomicBool,
    pub(crate) lazyfree: Lazyfree,
    pub(crate) identity: Identity,
    pub(crate) hooks: Hooks,
    pub(crate) stop: Stop,
}

/// What the embedding program does at certain events.
#[derive(Default)]
pub(crate) struct Hooks {
    /// `CONFIG SET loglevel`.
    pub(crate) log_level: Option<Box<dyn Fn(LogLevel) + Send + Sync>>,
    /// A reactor has become idle.
    pub(crate) idle: Option<Box<dyn Fn() + Send + Sync>>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooks")
    }
}

/// Who this broker is.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) run_id: String,
    /// 40 hexadecimal digits, as `INFO replication` shows them.
    pub(crate) replication_id: String,
    pub(crate) started: Instant,
    pub(crate) started_unix_us: u64,
    /// The port that was really bound; 0: no TCP.
    pub(crate) port: u16,
    pub(crate) unix_path: String,
}

/// What the hot path needs of the configuration, ready to use.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) output: OutputLimits,
    stream_push_bytes_max: usize,
    pub(crate) query_bytes_max: usize,
    pub(crate) bulk_bytes_max: usize,
    pub(crate) slower_than_us: i64,
    pub(crate) slowlog_len_max: usize,
    pub(crate) latency_threshold_ms: u64,
    pub(crate) latency_tracking: bool,
    pub(crate) timeout_ms: u64,
    pub(crate) busy_reply_ms: u64,
    pub(crate) keepalive_s: u32,
    pub(crate) maxclients: usize,
    pub(crate) requires_auth: bool,
    pub(crate) refuse_remote: bool,
}

impl Live {
    pub(crate) fn new(config: &Config) -> Self {
        let len = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
        let requires_auth = !config.requirepass.is_empty();
        Self {
            output: config.output_limits,
            stream_push_bytes_max: len(config.stream_push_bytes_max),
            query_bytes_max: len(config.query_buffer_bytes_max),
            bulk_bytes_max: len(config.bulk_bytes_max),
            slower_than_us: config.slowlog_slower_than_us,
            slowlog_len_max: len(config.slowlog_len_max),
            latency_threshold_ms: config.latency_monitor_threshold_ms,
            latency_tracking: config.latency_tracking,
            busy_reply_ms: config.busy_reply_threshold_ms,
            timeout_ms: u64::from(config.timeout_seconds) * 1000,
            keepalive_s: config.tcp_keepalive_seconds,
            maxclients: len(u64::from(config.maxclients)),
            requires_auth,
            refuse_remote: config.protected_mode && !requires_auth,
        }
    }

    /// Bytes that may wait for a subscriber of streams: fewer than it would be disconnected for.
    pub(crate) fn push_bytes_max(&self) -> usize {
        let limits = [self.output.pubsub.hard_bytes, self.output.pubsub.soft_bytes];
        let limits = limits.into_iter().filter(|it| *it != 0);
        let limits = limits.map(|it| usize::try_from(it).unwrap_or(usize::MAX));
        limits.fold(self.stream_push_bytes_max, usize::min)
    }
}

/// `CLIENT PAUSE`.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    /// 0: none.
    until_unix_ms: AtomicU64,
    writes_only: AtomicBool,
}

impl Pause {
    /// As Redis does, a pause that is in force is never shortened or weakened by a second one.
    pub(crate) fn begin(&self, until_unix_ms: u64, writes_only: bool, now_ms: u64) {
        let in_force = self.until(now_ms).is_some();
        let still_all = in_force && !self.writes_only.load(Ordering::SeqCst);
        self.writes_only.store(writes_only && !still_all, Ordering::SeqCst);
        if !in_force || self.until_unix_ms.load(Ordering::SeqCst) < until_unix_ms {
            self.until_unix_ms.store(until_unix_ms, Ordering::SeqCst);
        }
    }

    pub(crate) fn end(&self) {
        self.until_unix_ms.store(0, Ordering::SeqCst);
    }

    /// When it ends, if one is in force.
    pub(crate) fn until(&self, now_ms: u64) -> Option<u64> {
        let until = self.until_unix_ms.load(Ordering::SeqCst);
        (now_ms < until).then_some(until)
    }

    /// Whether a command must wait.
    #[inline]
    pub(crate) fn holds(&self, now_ms: u64, may_write: impl FnOnce() -> bool) -> bool {
        self.until_unix_ms.load(Ordering::Relaxed) != 0
            && self.until(now_ms).is_some()
            && (!self.writes_only.load(Ordering::SeqCst) || may_write())
    }
}

/// Tells reactors and the handle that the broker ends.
#[derive(Debug)]
pub(crate) struct Stop {
    asked: tokio::sync::watch::Sender<bool>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { asked: tokio::sync::watch::Sender::new(false) }
    }
}

impl Stop {
    pub(crate) fn ask(&self) {
        self.asked.send_replace(true);
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    pub(crate) async fn asked(&self) {
        let mut receiver = self.asked.subscribe();
        // The sender lives as long as we do, so waiting can not fail.
        let _ = receiver.wait_for(|it| *it).await;
    }
}

impl Shared {
    /// Milliseconds since the start; steps of the wall clock do not show.
    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.identity.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn mailbox(&self, reactor: ReactorId) -> Option<&Mailbox> {
        self.mailboxes.get(usize::from(reactor.0))
    }

    /// Wakes parked sessions on all reactors.
    pub(crate) fn resume_all(&self) {
        for mailbox in &self.mailboxes {
            mailbox.post(crate::reactor::Item::Resume);
            mailbox.wake();
        }
    }

    pub(crate) fn n_clients(&self) -> usize {
        self.loads.iter().map(|it| it.n_connections.load(Ordering::Relaxed)).sum()
    }

    /// Looks at what rates and peaks are made of; to be called ten times a second.
    pub(crate) fn sample(&self) {
        let sum = |of: fn(&Stats) -> &Count| self.stats.iter().map(|it| of(it).get()).sum();
        self.sampler.add(Sample {
            at_ms: self.uptime_ms(),
            n_commands: sum(|it| &it.n_commands),
            n_bytes_read: sum(|it| &it.n_bytes_read),
            n_bytes_written: sum(|it| &it.n_bytes_written),
        });
    }

    /// Zeroes the statistics.
    pub(crate) fn reset_stats(&self) {
        self.stats.iter().for_each(Stats::reset);
        self.sampler.reset(self.keyspace.totals());
        self.lazyfree.reset();
    }

    /// Replaces what the hot path knows of the configuration.
    pub(crate) fn apply(&self, config: &Config) {
        let bytes_max = usize::try_from(config.mailbox_bytes_max).unwrap_or(usize::MAX);
        self.mailboxes.iter().for_each(|it| it.set_bytes_max(bytes_max));
        tune(self.keyspace.tuning(), config);
        *self.live.write() = Arc::new(Live::new(config));
        self.live_version.fetch_add(1, Ordering::Release);
    }
}

/// Tells the engine its settings. What is beyond 32 bits is no limit that a packed value could reach.
pub(crate) fn tune(tuning: &Tuning, config: &Config) {
    let narrow = |it: u64| u32::try_from(it).unwrap_or(u32::MAX);
    tuning.set_notify(config.notify_keyspace_events);
    tuning.set_list_fill(config.list_fill);
    tuning.set_hash_entries_max(narrow(config.hash_entries_max));
    tuning.set_hash_value_max(narrow(config.hash_value_max));
    tuning.set_zset_entries_max(narrow(config.zset_entries_max));
    tuning.set_zset_value_max(narrow(config.zset_value_max));
    tuning.set_intset_entries_max(narrow(config.intset_entries_max));
    tuning.set_stream_bytes_max(config.stream_bytes_max);
    tuning.set_stream_entries_max(config.stream_entries_max);
    tuning.set_idmp_duration_s(config.idmp_duration_s);
    tuning.set_idmp_n_max(config.idmp_n_max);
    tuning.set_memory_max(config.maxmemory_bytes);
    tuning.set_policy(policy(config.maxmemory_policy));
    tuning.set_samples(config.maxmemory_samples);
    tuning.set_lfu_log_factor(config.lfu_log_factor);
    tuning.set_tracked_keys_max(config.tracked_keys_max);
    tuning.set_lfu_decay_min(config.lfu_decay_min);
    tuning.set_string_bytes_max(config.bulk_bytes_max);
}

/// Microseconds since the Unix epoch.
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn policy(word: MaxmemoryPolicy) -> Policy {
    match word {
        MaxmemoryPolicy::VolatileLru => Policy::VolatileLru,
        MaxmemoryPolicy::VolatileLfu => Policy::VolatileLfu,
        MaxmemoryPolicy::VolatileRandom => Policy::VolatileRandom,
        MaxmemoryPolicy::VolatileTtl => Policy::VolatileTtl,
        MaxmemoryPolicy::AllkeysLru => Policy::AllkeysLru,
        MaxmemoryPolicy::AllkeysLfu => Policy::AllkeysLfu,
        MaxmemoryPolicy::AllkeysRandom => Policy::AllkeysRandom,
        MaxmemoryPolicy::Noeviction => Policy::NoEviction,
    }
}
