//! When a value is beyond a limit for long enough, and when it is back. No I/O, no clock.

use std::time::Duration;

use tokio::time::Instant;

/// Where a value is, as its limits see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// Beyond the limit at which it is raised.
    Beyond,
    /// Between the two limits: as it was, so it stays.
    Between,
    /// Within the limit at which it is resolved.
    Within,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It has been beyond the limit since then, for long enough.
    Raised { since: Instant },
    /// It has been within the limit for long enough.
    Resolved,
}

/// The state of one alert that may be raised.
///
/// It is raised by looks that all find the value beyond the limit, over at least so long a time,
/// and resolved by looks that all find it within the other limit, over as long a time. A look that
/// saw no value changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hysteresis {
    is_raised: bool,
    /// Since when all looks have found what would change the state.
    since: Option<Instant>,
}

impl Hysteresis {
    /// Takes in what a look found.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        zone: Option<Zone>,
        hold: Duration,
    ) -> Option<Change> {
        let zone = zone?;
        let would_change = if self.is_raised { Zone::Within } else { Zone::Beyond };
        if zone != would_change {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) < hold {
            return None;
        }
        self.is_raised = !self.is_raised;
        self.since = None;
        Some(if self.is_raised { Change::Raised { since } } else { Change::Resolved })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A look at this second, and what it saw.
    type Look = (u64, Option<Zone>);

    /// What should hold after each look, found anew from all that was seen: the last state that
    /// some run of looks in a row, which began after the last change, brought about.
    fn model(looks: &[Look], hold_s: u64) -> Vec<bool> {
        let mut raised = false;
        let mut begin = 0;
        let mut told = Vec::new();
        for idx in 0..looks.len() {
            let wanted = if raised { Zone::Within } else { Zone::Beyond };
            // Of the looks that saw something since the last change, those at the end that all want
            // it.
            let seen: Vec<&Look> = looks[begin..=idx].iter().filter(|it| it.1.is_some()).collect();
            let run: Vec<&&Look> =
                seen.iter().rev().take_while(|it| it.1 == Some(wanted)).collect();
            let is_seen_now = looks[idx].1.is_some();
            if let (Some(newest), Some(oldest), true) = (run.first(), run.last(), is_seen_now)
                && hold_s <= newest.0 - oldest.0
            {
                raised = !raised;
                begin = idx + 1;
            }
            told.push(raised);
        }
        told
    }

    proptest! {
        #[test]
        fn it_decides_as_a_naive_model_does(
            steps in proptest::collection::vec((0_u64..4, 0_u8..4), 0..80),
            hold_s in 0_u64..6,
        ) {
            let mut at = 0;
            let looks: Vec<Look> = steps.into_iter().map(|(step, zone)| {
                at += step;
                let zone = match zone {
                    0 => None,
                    1 => Some(Zone::Beyond),
                    2 => Some(Zone::Between),
                    _ => Some(Zone::Within),
                };
                (at, zone)
            }).collect();
            let (start, mut machine) = (Instant::now(), Hysteresis::default());
            let told: Vec<bool> = looks.iter().map(|(at, zone)| {
                machine.judge(start + Duration::from_secs(*at), *zone, Duration::from_secs(hold_s));
                machine.is_raised
            }).collect();
            prop_assert_eq!(told, model(&looks, hold_s));
        }
    }

    #[test]
    fn it_tells_since_when() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut machine = Hysteresis::default();
        let mut at = |n: u32, zone| machine.judge(start + n * second, Some(zone), 2 * second);
        assert_eq!(at(0, Zone::Beyond), None);
        assert_eq!(at(1, Zone::Beyond), None);
        assert_eq!(at(2, Zone::Beyond), Some(Change::Raised { since: start }));
        assert_eq!(at(3, Zone::Beyond), None);
        assert_eq!(at(4, Zone::Within), None);
        assert_eq!(at(5, Zone::Between), None);
        assert_eq!(at(6, Zone::Within), None);
        assert_eq!(at(8, Zone::Within), Some(Change::Resolved));
    }
}
