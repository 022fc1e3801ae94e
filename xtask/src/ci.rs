//! `cargo xtask ci`: everything that must hold before a change goes in. CI runs this and nothing
//! else.
//!
//! Every step that compiles uses the same profile and features, so that the workspace is built
//! once for the lints and once for the tests.

use anyhow::Result;
use clap::Args;

use crate::command::{cargo, has_subcommand};
use crate::steps::Steps;
use crate::suite::Suite;
use crate::{fuzz, setup, soak, tidy};

/// What the command line says.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Seconds for each fuzz target; 0 leaves them out
    #[arg(long, default_value_t = 20)]
    fuzz_seconds: u32,
}

pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<()> {
    setup::run(steps);
    steps.program("fmt", cargo(["fmt", "--all", "--check"]));
    let mut clippy = cargo(["clippy", "--workspace", "--all-targets", "--all-features"]);
    clippy.args(["--", "-D", "warnings"]);
    steps.program("clippy", clippy);
    tests(steps);
    let mut doc = cargo(["doc", "--workspace", "--all-features", "--no-deps", "--lib"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    steps.program("doc", doc);
    tidy::run(steps)?;
    deny(steps);
    features(steps)?;
    if options.fuzz_seconds != 0 {
        fuzz::run(steps, &fuzz::Options::all(options.fuzz_seconds));
    }
    Ok(())
}

/// All tests. Whether docs/generated/ is current is one of them.
fn tests(steps: &mut Steps) {
    let Some(suite) = Suite::build(steps, "dev") else { return };
    // One for all, so that a second attempt does what the first one did.
    let seed =
        std::env::var("FANFARE_SEED").unwrap_or_else(|_| soak::seed_of_the_day().to_string());
    println!("seed: {seed} (repeat with FANFARE_SEED={seed})");
    if has_subcommand("nextest") {
        let mut run = suite.cargo_nextest();
        run.env("FANFARE_SEED", seed);
        steps.nextest("tests", run);
    } else {
        let mut run = suite.cargo_test();
        // Tests wait for servers and clocks most of the time; nextest tells which do not.
        run.env("FANFARE_SEED", seed).env("RUST_TEST_THREADS", "3");
        run.args(["--lib", "--bins", "--tests", "--benches", "--examples"]);
        steps.libtest("tests", run);
    }
    let mut doc = suite.cargo_test();
    doc.arg("--doc");
    steps.libtest("documentation tests", doc);
}

fn deny(steps: &mut Steps) {
    if has_subcommand("deny") {
        steps.program("deny", cargo(["deny", "check", "licenses", "bans", "sources"]));
    } else {
        steps.note("licences not checked: cargo-deny is missing (cargo install cargo-deny)");
    }
}

/// Each feature of each published crate alone. Lints, because a warning is an error here too.
fn features(steps: &mut Steps) -> Result<()> {
    for package in tidy::packages()?.into_iter().filter(|it| it.is_published) {
        let mut sets = vec![Vec::new()];
        sets.extend(package.features.iter().map(|it| vec![it.as_str()]));
        for set in sets {
            let mut check = cargo(["clippy", "-q", "-p"]);
            check.arg(&package.name).arg("--no-default-features");
            check.args(["--features", &set.join(",")]).args(["--", "-D", "warnings"]);
            steps.program(&format!("features {} [{}]", package.name, set.join(",")), check);
        }
    }
    Ok(())
}
