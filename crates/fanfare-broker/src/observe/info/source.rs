//! Where the fields come from; what several sections need and costs something is found once.

use std::cell::OnceCell;
use std::sync::atomic::Ordering;

use fanfare_engine::host::Kind;

use crate::client::flag;
use crate::config::{self, Config};
use crate::observe::{CommandTotals, Count, Stats};
use crate::shared::{Shared, unix_us};

/// The broker as one `INFO` sees it.
pub(super) struct Source<'a> {
    pub(super) shared: &'a Shared,
    pub(super) now_unix_us: u64,
    clients: OnceCell<ClientTotals>,
    active: OnceCell<Active>,
}

/// Sums over all clients.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClientTotals {
    pub(super) n_clients: u64,
    /// Not read from at present: a mailbox is full, or a pause is in force.
    pub(super) n_blocked: u64,
    pub(super) n_subscribed: u64,
    pub(super) n_watching: u64,
    pub(super) n_tracking: u64,
    /// What waits in their input and output buffers.
    pub(super) buffer_bytes: u64,
}

/// Names with a subscriber.
#[derive(Clone, Copy, Debug)]
pub(super) struct Active {
    pub(super) n_channels: usize,
    pub(super) n_patterns: usize,
    pub(super) n_shard_channels: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        let (clients, active) = (OnceCell::new(), OnceCell::new());
        Self { shared, now_unix_us: unix_us(), clients, active }
    }

    pub(super) fn now_unix_s(&self) -> u64 {
        self.now_unix_us / 1_000_000
    }

    /// A counter, summed over the reactors.
    pub(super) fn sum(&self, of: fn(&Stats) -> &Count) -> u64 {
        self.shared.stats.iter().map(|it| of(it).get()).sum()
    }

    /// The highest of the reactors' values.
    pub(super) fn highest(&self, of: fn(&Stats) -> &Count) -> u64 {
        self.shared.stats.iter().map(|it| of(it).get()).max().unwrap_or_default()
    }

    /// Commands that were ever called or refused, with their counts.
    pub(super) fn commands(&self) -> impl Iterator<Item = (&'static str, CommandTotals)> {
        self.shared.table.specs().iter().enumerate().filter_map(|(index, spec)| {
            let mut totals = CommandTotals::default();
            self.shared.stats.iter().for_each(|it| it.add_command(index, &mut totals));
            (totals != CommandTotals::default()).then_some((spec.name, totals))
        })
    }

    pub(super) fn clients(&self) -> ClientTotals {
        *self.clients.get_or_init(|| {
            let mut totals = ClientTotals::default();
            self.shared.clients.for_each(|facts| {
                let seen = &facts.seen;
                let load = |it: &std::sync::atomic::AtomicUsize| it.load(Ordering::Relaxed) as u64;
                let is_blocked = seen.flags.load(Ordering::Relaxed) & flag::BLOCKED != 0;
                totals.n_clients += 1;
                totals.n_blocked += u64::from(is_blocked);
                totals.n_subscribed += u64::from(facts.is_subscribed());
                let is_tracking = facts.tracker().is_some_and(|it| it.is_on());
                totals.n_tracking += u64::from(is_tracking);
                totals.n_watching += u64::from(seen.n_watched.load(Ordering::Relaxed) != 0);
                totals.buffer_bytes += load(&seen.input_len) + load(&seen.output_len);
            });
            totals
        })
    }

    pub(super) fn active(&self) -> Active {
        *self.active.get_or_init(|| {
            let registry = &self.shared.registry;
            Active {
                n_channels: registry.n_active(Kind::Channel),
                n_patterns: registry.n_active(Kind::Pattern),
                n_shard_channels: registry.n_active(Kind::Shard),
            }
        })
    }
}

/// A directive as `CONFIG GET` prints it.
pub(super) fn directive(config: &Config, name: &str) -> String {
    config::get(config, name).unwrap_or_default()
}
