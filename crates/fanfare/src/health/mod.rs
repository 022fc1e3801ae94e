//! Whether everything that should run does: vital signs, a judgement with its reasons, a round trip.

#[cfg(feature = "metrics")]
mod metrics;
mod monitor;
mod pulse;
mod self_test;

use std::{fmt, time::Duration};

use fanfare_client::{ConnectionStats, LiveState, Vitals};

use crate::Fanfare;

pub use monitor::Monitor;
pub use pulse::Pulse;
pub(crate) use self_test::SELF_TEST;
pub use self_test::SelfTest;

/// The health of a [`Fanfare`] at one moment: its connections, and everything that lives on them.
///
/// "The process is up" says nothing about whether messages still arrive. What does is the age of the
/// last successful read, of a message or a heartbeat, of *each* subscription, tail and worker; that is
/// what [`check`](Self::check) judges by.
///
/// # Example: an answer for a health probe
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let orders = fanfare.subscribe(["orders"]).await?;
/// let health = fanfare.health();
/// let (status, body) = match health.check(Duration::from_secs(15)) {
///     Ok(()) => (200, "well".to_owned()),
///     Err(unwell) => (503, unwell.to_string()),
/// };
/// assert_eq!((status, body.as_str()), (200, "well"));
/// assert_eq!(health.live[0].name, "orders");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// The connection that all commands share; of a cluster, those to all its nodes.
    pub commands: ConnectionStats,
    /// Every live subscription, tail, worker, handler of a [`Router`](crate::Router) and [`Pulse`], in
    /// the order in which they began. What was dropped is not among them.
    pub live: Vec<Vitals>,
    /// The longest silence that the heartbeat lets pass: its interval plus its deadline. Beyond it,
    /// something is wrong that the connection has not noticed.
    pub silence_max: Duration,
}

/// How much is tolerated before health is called bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tolerance {
    /// Longest time since anything was read. Default: 15 s. Less than
    /// [`Health::silence_max`] calls a quiet connection sick.
    pub silence: Duration,
    /// Longest time for which a program takes nothing although something waits for it. Default: 60 s.
    pub stall: Duration,
}

impl Tolerance {
    /// With both bounds.
    pub fn new(silence: Duration, stall: Duration) -> Self {
        Self { silence, stall }
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::new(Duration::from_secs(15), Duration::from_secs(60))
    }
}

impl From<Duration> for Tolerance {
    /// So much silence, and the default for the rest.
    fn from(silence: Duration) -> Self {
        Self { silence, ..Self::default() }
    }
}

/// Why health is bad: each reason names what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unwell {
    /// The reasons, at least one.
    pub reasons: Vec<String>,
}

impl fmt::Display for Unwell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reasons.join("; "))
    }
}

impl std::error::Error for Unwell {}

impl Fanfare {
    /// The health of the connections and of everything that lives on them, now. Takes no round trip:
    /// for that see [`self_test`](Self::self_test).
    pub fn health(&self) -> Health {
        Health {
            commands: self.link().stats().commands,
            live: self.link().vitals(),
            silence_max: self.link().options().silence_max(),
        }
    }
}

impl Health {
    /// Judges. Bad is: a connection that is down; one of which nothing was read for longer than
    /// tolerated; a subscription, tail, handler or worker that has ended; and one whose program has taken
    /// nothing for longer than tolerated although something waits. What does not read on purpose,
    /// because its queue is full, is judged by the last alone.
    ///
    /// What is dropped, missing or lagging does not count: how much of that is bad only the program
    /// knows, and the numbers are in [`live`](Self::live).
    ///
    /// # Errors
    /// All the reasons.
    pub fn check(&self, tolerance: impl Into<Tolerance>) -> Result<(), Unwell> {
        let tolerance = tolerance.into();
        let mut reasons = Vec::new();
        let commands = "the command connection".to_owned();
        if !self.commands.is_up {
            reasons.push(down(&commands, self.commands.last_read_age));
        } else if tolerance.silence < self.commands.last_read_age {
            reasons.push(silent(&commands, self.commands.last_read_age));
        }
        for vitals in &self.live {
            reasons.extend(ailments(vitals, tolerance));
        }
        if reasons.is_empty() { Ok(()) } else { Err(Unwell { reasons }) }
    }

    /// Whether [`check`](Self::check) finds nothing.
    pub fn is_healthy(&self, tolerance: impl Into<Tolerance>) -> bool {
        self.check(tolerance).is_ok()
    }
}

fn ailments(vitals: &Vitals, tolerance: Tolerance) -> Vec<String> {
    let name = format!("{} {:?}", vitals.kind, vitals.name);
    let mut found = Vec::new();
    match &vitals.state {
        LiveState::Up if tolerance.silence < vitals.last_read_age => {
            found.push(silent(&name, vitals.last_read_age));
        }
        LiveState::Up | LiveState::HeldBack => {}
        LiveState::Down => found.push(down(&name, vitals.last_read_age)),
        LiveState::Ended(error) => found.push(format!("{name} has ended: {error}")),
        // A state that this release does not know says nothing bad.
        _ => {}
    }
    if let Some(stalled_for) = vitals.stalled_for.filter(|it| tolerance.stall < *it) {
        let n = vitals.queued;
        found.push(format!("{name} has taken nothing for {stalled_for:.1?} while {n} wait"));
    }
    found
}

fn down(name: &str, last_read_age: Duration) -> String {
    format!("{name} is down; the last read was {last_read_age:.1?} ago")
}

fn silent(name: &str, last_read_age: Duration) -> String {
    format!("{name} has read nothing for {last_read_age:.1?}")
}

#[cfg(test)]
mod tests {
    use fanfare_client::{Error, ErrorKind, LiveKind};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn health(live: Vec<Vitals>) -> Health {
        let mut commands = ConnectionStats::default();
        commands.is_up = true;
        Health { commands, live, silence_max: 10 * SECOND }
    }

    fn orders(change: impl FnOnce(&mut Vitals)) -> Vec<Vitals> {
        let mut vitals = Vitals::new(LiveKind::Subscription, "orders");
        change(&mut vitals);
        vec![vitals]
    }

    #[test]
    fn every_ailment_is_told_with_its_name() {
        let told = |live| health(live).check(15 * SECOND).map_err(|it| it.to_string());
        assert_eq!(told(orders(|_| {})), Ok(()));
        assert_eq!(told(orders(|it| it.last_read_age = 15 * SECOND)), Ok(()));
        let cases: [(Vec<Vitals>, &str); 4] = [
            (
                orders(|it| it.last_read_age = 16 * SECOND),
                "subscription \"orders\" has read nothing for 16.0s",
            ),
            (
                orders(|it| it.state = LiveState::Down),
                "subscription \"orders\" is down; the last read was 0.0ns ago",
            ),
            (
                orders(|it| {
                    it.state = LiveState::Ended(Error::new(ErrorKind::SlowConsumer, "too slow"));
                }),
                "subscription \"orders\" has ended: too slow",
            ),
            (
                orders(|it| (it.stalled_for, it.queued) = (Some(61 * SECOND), 7)),
                "subscription \"orders\" has taken nothing for 61.0s while 7 wait",
            ),
        ];
        for (live, expected) in cases {
            assert_eq!(told(live), Err(expected.to_owned()));
        }
    }

    #[test]
    fn who_does_not_read_on_purpose_is_not_called_silent() {
        let held_back = orders(|it| {
            (it.state, it.last_read_age) = (LiveState::HeldBack, 1_000 * SECOND);
        });
        assert!(health(held_back).is_healthy(15 * SECOND));
    }
}
