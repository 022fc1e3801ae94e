//! Health as gauges of the `metrics` crate. Their names are told at [`Monitor`](super::Monitor).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

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
}

/// Sets the gauges.
#[derive(Default)]
pub(super) struct Gauges {
    /// What lived at the last time.
    known: BTreeSet<(LiveKind, String)>,
}

impl Gauges {
    pub(super) fn set(&mut self, health: &Health, is_healthy: bool) {
        gauge!("fanfare_healthy").set(truth(is_healthy));
        gauge!("fanfare_commands_up").set(truth(health.commands.is_up));
        gauge!("fanfare_commands_last_read_age_seconds")
            .set(health.commands.last_read_age.as_secs_f64());
        gauge!("fanfare_commands_disconnects").set(number(health.commands.disconnects));
        let mut groups: BTreeMap<(LiveKind, &str), Together> = BTreeMap::new();
        for vitals in &health.live {
            groups.entry((vitals.kind, &vitals.name)).or_default().add(vitals);
        }
        for (kind, name) in &self.known {
            if !groups.contains_key(&(*kind, name.as_str())) {
                gauge!(format!("fanfare_{kind}_live"), "name" => name.clone()).set(0.0);
            }
        }
        self.known = groups.keys().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
        for ((kind, name), together) in groups {
            let set = |what: &str, value: f64| {
                let gauge = gauge!(format!("fanfare_{kind}_{what}"), "name" => name.to_owned());
                gauge.set(value);
            };
            set("live", f64::from(together.n_live));
            set("up", truth(together.n_not_up == 0));
            set("last_read_age_seconds", together.last_read_age.as_secs_f64());
            set("stalled_seconds", together.stalled_for.as_secs_f64());
            set("queued", number(together.n_queued));
            if let Some(lag) = together.lag {
                set("lag", number(lag));
            }
            set("gaps", number(together.n_gaps));
            set("dropped", number(together.n_dropped));
            set("reconnects", number(together.n_reconnects));
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
