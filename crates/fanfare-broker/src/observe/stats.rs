//! Counters. Each reactor writes its own and nobody else's, so an update is a plain load and store.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_engine::WireError;
use parking_lot::Mutex;

/// Latency buckets: calls that took less than 2^n microseconds.
pub(crate) const N_BUCKETS: usize = 32;

/// One reactor's counters. They share no cache line with another reactor's.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Stats {
    pub(crate) n_commands: Count,
    pub(crate) n_connections_accepted: Count,
    pub(crate) n_connections_refused: Count,
    /// Clients that were carried to another reactor.
    pub(crate) n_carried: Count,
    /// Times that a client was read from, and written to.
    pub(crate) n_reads: Count,
    pub(crate) n_writes: Count,
    pub(crate) n_bytes_read: Count,
    pub(crate) n_bytes_written: Count,
    /// Messages that were published through this reactor.
    pub(crate) n_published: Count,
    /// Messages handed to subscribers of this reactor.
    pub(crate) n_delivered: Count,
    /// Messages that subscribers of this reactor may not have got because handing them out panicked.
    pub(crate) n_messages_lost: Count,
    /// Clients cut because they did not read, and the bytes that they lost with it.
    pub(crate) n_output_kills: Count,
    pub(crate) n_output_bytes_lost: Count,
    /// Clients cut because they sent too much at once.
    pub(crate) n_query_kills: Count,
    /// Clients cut because a command of theirs panicked.
    pub(crate) n_panic_kills: Count,
    pub(crate) n_protocol_errors: Count,
    pub(crate) n_timeouts: Count,
    pub(crate) n_auth_failures: Count,
    /// Times a publisher was not read from because a mailbox was full.
    pub(crate) n_mailbox_waits: Count,
    /// Times a subscriber of a stream was sent back to its history.
    pub(crate) n_fallbacks: Count,
    pub(crate) n_error_replies: Count,
    pub(crate) output_bytes_peak: Count,
    pub(crate) input_bytes_peak: Count,
    commands: Box<[Command]>,
    errors: Mutex<BTreeMap<Cow<'static, str>, u64>>,
}

/// A counter with one writer.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    pub(crate) fn raise_to(&self, n: u64) {
        if self.get() < n {
            self.0.store(n, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Codes of errors that are counted apart, as in Redis 7.2.
const N_CODES_MAX: usize = 128;

/// Counters of one command.
#[derive(Debug, Default)]
struct Command {
    n_calls: Count,
    nanos: Count,
    n_rejected: Count,
    n_failed: Count,
    buckets: [Count; N_BUCKETS],
}

impl Command {
    fn measured(&self, nanos: u64) {
        let micros = nanos / 1000;
        let bucket = (64 - micros.leading_zeros()) as usize;
        if let Some(bucket) = self.buckets.get(bucket.min(N_BUCKETS - 1)) {
            bucket.add(1);
        }
    }
}

/// Sums of one command over all reactors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandTotals {
    pub(crate) n_calls: u64,
    pub(crate) nanos: u64,
    pub(crate) n_rejected: u64,
    pub(crate) n_failed: u64,
    pub(crate) buckets: [u64; N_BUCKETS],
}

impl Stats {
    pub(crate) fn new(n_commands: usize) -> Self {
        Self {
            n_commands: Count::default(),
            n_connections_accepted: Count::default(),
            n_connections_refused: Count::default(),
            n_carried: Count::default(),
            n_reads: Count::default(),
            n_writes: Count::default(),
            n_bytes_read: Count::default(),
            n_bytes_written: Count::default(),
            n_published: Count::default(),
            n_delivered: Count::default(),
            n_messages_lost: Count::default(),
            n_output_kills: Count::default(),
            n_output_bytes_lost: Count::default(),
            n_query_kills: Count::default(),
            n_panic_kills: Count::default(),
            n_protocol_errors: Count::default(),
            n_timeouts: Count::default(),
            n_auth_failures: Count::default(),
            n_mailbox_waits: Count::default(),
            n_fallbacks: Count::default(),
            n_error_replies: Count::default(),
            output_bytes_peak: Count::default(),
            input_bytes_peak: Count::default(),
            commands: (0..n_commands).map(|_| Command::default()).collect(),
            errors: Mutex::default(),
        }
    }

    /// A command ran.
    #[inline]
    pub(crate) fn called(&self, command: u16, nanos: u64, failed: bool, with_latency: bool) {
        self.n_commands.add(1);
        let Some(command) = self.commands.get(usize::from(command)) else { return };
        command.n_calls.add(1);
        command.nanos.add(nanos);
        if failed {
            command.n_failed.add(1);
        }
        if with_latency {
            command.measured(nanos);
        }
    }

    /// A command that had waited is answered: what that took, and with what it took before.
    pub(crate) fn unblocked(
        &self,
        command: u16,
        (nanos, nanos_in_all): (u64, u64),
        failed: bool,
        with_latency: bool,
    ) {
        let Some(command) = self.commands.get(usize::from(command)) else { return };
        command.nanos.add(nanos);
        if failed {
            command.n_failed.add(1);
        }
        if with_latency {
            command.measured(nanos_in_all);
        }
    }

    /// A command was refused before it ran.
    pub(crate) fn refused(
        &self,
        command: Option<fanfare_engine::table::Command>,
        error: &WireError,
    ) {
        self.error(error);
        if let Some(command) = command.and_then(|it| self.commands.get(usize::from(it.id))) {
            command.n_rejected.add(1);
        }
    }

    /// An error was answered. Scripts make codes of their own: beyond a number of them they all count as `ERR`.
    pub(crate) fn error(&self, error: &WireError) {
        self.n_error_replies.add(1);
        let mut errors = self.errors.lock();
        let mut code = error.counted_as();
        if N_CODES_MAX <= errors.len() && !errors.contains_key(&code) {
            code = Cow::Borrowed("ERR");
        }
        *errors.entry(code).or_default() += 1;
    }

    /// Adds this reactor's counts of `command` to `totals`.
    pub(crate) fn add_command(&self, command: usize, totals: &mut CommandTotals) {
        let Some(command) = self.commands.get(command) else { return };
        totals.n_calls += command.n_calls.get();
        totals.nanos += command.nanos.get();
        totals.n_rejected += command.n_rejected.get();
        totals.n_failed += command.n_failed.get();
        for (total, bucket) in totals.buckets.iter_mut().zip(&command.buckets) {
            *total += bucket.get();
        }
    }

    /// Adds this reactor's error counts to `totals`.
    pub(crate) fn add_errors(&self, totals: &mut BTreeMap<Cow<'static, str>, u64>) {
        for (code, n) in &*self.errors.lock() {
            *totals.entry(code.clone()).or_default() += n;
        }
    }

    /// `CONFIG RESETSTAT`. A count that is raised at the same moment by its reactor may survive.
    pub(crate) fn reset(&self) {
        for count in [
            &self.n_commands,
            &self.n_connections_accepted,
            &self.n_connections_refused,
            &self.n_carried,
            &self.n_reads,
            &self.n_writes,
            &self.n_bytes_read,
            &self.n_bytes_written,
            &self.n_published,
            &self.n_delivered,
            &self.n_messages_lost,
            &self.n_output_kills,
            &self.n_output_bytes_lost,
            &self.n_query_kills,
            &self.n_panic_kills,
            &self.n_protocol_errors,
            &self.n_timeouts,
            &self.n_auth_failures,
            &self.n_mailbox_waits,
            &self.n_fallbacks,
            &self.n_error_replies,
            &self.output_bytes_peak,
            &self.input_bytes_peak,
        ] {
            count.reset();
        }
        for command in &self.commands {
            for count in [&command.n_calls, &command.nanos, &command.n_rejected, &command.n_failed]
            {
                count.reset();
            }
            command.buckets.iter().for_each(Count::reset);
        }
        self.errors.lock().clear();
    }
}
