//! Faults one after the other.

use std::{fmt, time::Duration};

use super::{Cut, Fault, Proxy, Refusal, Rng, Way, expect::pause};

/// Faults that follow each other, each for a while, with pauses in which all is well.
///
/// # Example: what a test goes through
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::testing::{Cut, Fault, Proxy, Script, TestBroker, Way, seed};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let broker = TestBroker::start()?;
/// # let proxy = Proxy::start(broker.addr())?;
/// let moment = Duration::from_millis(20);
/// let script = Script::new()
///     .fault(Fault::Swallow(Way::ToClient), moment)
///     .pause(moment)
///     .fault(Fault::Cut(Cut::Close), Duration::ZERO);
/// proxy.play(&script).await;
/// proxy.play(&Script::random(seed(), 3)).await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    seed: Option<u64>,
    steps: Vec<(Option<Fault>, Duration)>,
}

impl Script {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A fault, and how long it lasts. Cuts and insertions happen once, and a pause follows.
    #[must_use]
    pub fn fault(mut self, fault: Fault, lasts: Duration) -> Self {
        self.steps.push((Some(fault), lasts));
        self
    }

    /// A while without any fault.
    #[must_use]
    pub fn pause(mut self, lasts: Duration) -> Self {
        self.steps.push((None, lasts));
        self
    }

    /// So many faults, each up to a quarter of a second, with pauses between them: the same for the
    /// same seed. They are what happens to TCP connections: cuts, refusals, delays, silence, slowness.
    /// Bytes that TCP would not let through ([`Fault::Garble`], [`Fault::Insert`]) are not among
    /// them: nobody can promise anything of what they do to a payload.
    pub fn random(seed: u64, n_faults: usize) -> Self {
        let mut rng = Rng::new(seed);
        let mut script = Self { seed: Some(seed), steps: Vec::new() };
        for _ in 0..n_faults {
            let fault = random_fault(&mut rng);
            let (lasts_ms, pause_ms) = (rng.below(250), rng.below(250));
            script = script.fault(fault, Duration::from_millis(lasts_ms));
            script = script.pause(Duration::from_millis(pause_ms));
        }
        script
    }
}

fn random_fault(rng: &mut Rng) -> Fault {
    let way = match rng.below(3) {
        0 => Way::ToServer,
        1 => Way::ToClient,
        _ => Way::Both,
    };
    match rng.below(6) {
        0 => Fault::Cut(Cut::Close),
        1 => Fault::Cut(Cut::Reset),
        2 => Fault::Refuse(match rng.below(3) {
            0 => Refusal::Close,
            1 => Refusal::Reset,
            _ => Refusal::Silence,
        }),
        3 => {
            let (latency, jitter) = (rng.below(100), rng.below(100));
            Fault::Delay {
                way,
                latency: Duration::from_millis(latency),
                jitter: Duration::from_millis(jitter),
            }
        }
        4 => Fault::Swallow(way),
        _ => {
            Fault::Throttle { way, bytes_per_second: u32::try_from(rng.below(2_000)).unwrap_or(0) }
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seed {
            Some(seed) => writeln!(f, "the faults of seed {seed}:")?,
            None => writeln!(f, "the faults:")?,
        }
        for (fault, lasts) in &self.steps {
            match fault {
                Some(fault) => writeln!(f, "  {fault:?} for {lasts:?}")?,
                None => writeln!(f, "  nothing for {lasts:?}")?,
            }
        }
        Ok(())
    }
}

impl Proxy {
    /// Goes through a script, by real time, and heals at its end. The script is printed to standard
    /// error, so that a test that fails shows it.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the fault of the moment in place.
    pub async fn play(&self, script: &Script) {
        eprint!("{script}");
        for (fault, lasts) in &script.steps {
            self.heal();
            if let Some(fault) = fault {
                self.inject(fault.clone());
            }
            pause(*lasts).await;
        }
        self.heal();
    }
}
