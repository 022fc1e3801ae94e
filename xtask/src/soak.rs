//! What takes longer than a developer waits: long outages, big blasts, load, many seeds, fuzzing.

use clap::Args;

use crate::fuzz;
use crate::setup;
use crate::steps::Steps;
use crate::suite::Suite;

/// What the command line says.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Repeat the randomised tests with so many seeds
    #[arg(long, default_value_t = 10)]
    seeds: u64,

    /// The first seed; each round adds one [default: from the clock]
    #[arg(long)]
    first_seed: Option<u64>,

    /// Seconds for each fuzz target
    #[arg(long, default_value_t = 600)]
    fuzz_seconds: u32,
}

/// Runs the long forms of all tests, then the randomised ones with several seeds, then the fuzz
/// targets.
pub(crate) fn run(steps: &mut Steps, options: &Options) {
    setup::run(steps);
    let first_seed = options.first_seed.unwrap_or_else(seed_of_the_day);
    println!("seeds {first_seed} to {}", first_seed + options.seeds.saturating_sub(1));
    if let Some(suite) = Suite::build(steps, "soak") {
        for seed in first_seed..first_seed + options.seeds {
            let mut test = suite.cargo_test();
            test.env("FANFARE_SEED", seed.to_string());
            if seed == first_seed {
                test.env("FANFARE_FULL", "1").args(["--lib", "--bins", "--tests"]);
                steps.libtest(&format!("full tests, seed {seed}"), test);
            } else {
                test.args(["--test", "it", "--test", "model"]);
                steps.libtest(&format!("tests across crates, seed {seed}"), test);
            }
        }
    }
    fuzz::run(steps, &fuzz::Options::all(options.fuzz_seconds));
}

/// A seed that no other run has, by the clock.
pub(crate) fn seed_of_the_day() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(1, |it| it.as_secs())
}
