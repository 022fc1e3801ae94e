//! Health as gauges of the `metrics` crate. Their names are told at [`Monitor`](super::Monitor).

use std::{collections::BTreeMap, time::Duration};

use fanfare_client::{LiveKind, LiveState, Vitals};
use metrics::gauge;

use crate::health::Health;

/// Those of one kind and name, taken together.
#[derive(Default)]
struct Together {
    n_live: u32,
    n_not_up: u32,
    last_read_age: Duration,
    stalled_for: Duration,
    n_queued: u64,
    lag: Option<u64>,
    n_gaps: u64,
    n_dropped: u64,
    n_reconnects: u64,
}

impl Together {
    fn add(&mut self, vitals: &Vitals) {
        let is_up = matches!(vitals.state, LiveState::Up | LiveState::HeldBack);
        self.n_live += 1;
        self.n_not_up += u32::from(!is_up);
        self.last_read_age = self.last_read_age.max(vitals.last_read_age);
        self.stalled_for = self.stalled_for.max(vitals.stalled_for.unwrap_or_default());
        self.n_queued += u64::try_from(vitals.queued).unwrap_or(u64::MAX);
        if let Some(lag) = vitals.lag {
            self.lag = Some(self.lag.unwrap_or(0).saturating_add(lag));
        }
        self.n_gaps += vitals.gaps;
        self.n_dropped += vitals.dropped;
        self.n_reconnects += vitals.reconnects;
    }

    fn set(&self, kind: LiveKind, name: &str) {
        let set = |what: &str, value: f64| {
            gauge!(format!("fanfare_{kind}_{what}"), "name" => name.to_owned()).set(value);
        };
        set("live", f64::from(self.n_live));
        set("up", truth(self.n_not_up == 0));
        set("last_read_age_seconds", self.last_read_age.as_secs_f64());
        set("stalled_seconds", self.stalled_for.as_secs_f64());
        set("queued", number(self.n_queued));
        if let Some(lag) = self.lag {
            set("lag", number(lag));
        }
        set("gaps", number(self.n_gaps));
        set("dropped", number(self.n_dropped));
        set("reconnects", number(self.n_reconnects));
    }
}

/// Sets the gauges.
#[derive(Default)]
pub(super) struct Gauges {
    /// What lived at the last time, and whether its lag was known.
    known: BTreeMap<(LiveKind, String), bool>,
}

impl Gauges {
    pub(super) fn set(&mut self, health: &Health, is_healthy: bool) {
        gauge!("fanfare_healthy").set(truth(is_healthy));
        gauge!("fanfare_commands_up").set(truth(health.commands.is_up));
        gauge!("fanfare_commands_last_read_age_seconds")
            .set(health.commands.last_read_age.as_secs_f64());
        gauge!("fanfare_commands_disconnects").set(number(health.commands.disconnects));
        let mut groups: BTreeMap<(LiveKind, String), Together> = BTreeMap::new();
        for vitals in &health.live {
            groups.entry((vitals.kind, vitals.name.clone())).or_default().add(vitals);
        }
        for (gone, had_lag) in std::mem::take(&mut self.known) {
            if !groups.contains_key(&gone) {
                let lag = had_lag.then_some(0);
                Together { lag, ..Together::default() }.set(gone.0, &gone.1);
            }
        }
        for ((kind, name), together) in groups {
            together.set(kind, &name);
            self.known.insert((kind, name), together.lag.is_some());
        }
    }
}

fn truth(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; beyond 2^53 nobody counts")]
fn number(n: u64) -> f64 {
    n as f64
}
