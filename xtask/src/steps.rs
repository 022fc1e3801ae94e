//! Named steps with their times, and the count of what passed and failed.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::command::{self, Outcome};
use crate::failures::{self, Failure};

/// What was done so far.
#[derive(Default)]
pub(crate) struct Steps {
    n_passed: u64,
    n_failed: u64,
    times: Vec<(String, Duration)>,
    failures: Vec<Failure>,
    /// Passed only at the second attempt.
    flaky: Vec<Failure>,
    failed_steps: Vec<String>,
}

/// How the output of a test runner is read.
#[derive(Clone, Copy)]
struct Reader {
    tally: fn(&str) -> Option<Tally>,
    failures: fn(&[String]) -> Vec<Failure>,
    flaky: fn(&[String]) -> Vec<Failure>,
}

const NO_TESTS: Reader =
    Reader { tally: |_| None, failures: |_| Vec::new(), flaky: |_| Vec::new() };
const LIBTEST: Reader =
    Reader { tally: libtest, failures: failures::libtest, flaky: |_| Vec::new() };
const NEXTEST: Reader =
    Reader { tally: nextest, failures: failures::nextest, flaky: failures::flaky };

/// Passed and failed tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    n_passed: u64,
    n_failed: u64,
}

impl Steps {
    /// Runs a program that either succeeds or fails.
    pub(crate) fn program(&mut self, name: &str, command: Command) -> bool {
        self.output(name, command).is_some_and(|it| it.is_success)
    }

    /// The same; returns what it printed.
    pub(crate) fn output(&mut self, name: &str, command: Command) -> Option<Outcome> {
        self.run(name, command, NO_TESTS)
    }

    /// Runs `cargo test` and counts its tests.
    pub(crate) fn libtest(&mut self, name: &str, command: Command) {
        self.run(name, command, LIBTEST);
    }

    /// Runs `cargo nextest run` and counts its tests.
    pub(crate) fn nextest(&mut self, name: &str, command: Command) {
        self.run(name, command, NEXTEST);
    }

    /// Runs a check of our own, which returns what is wrong.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> Vec<String>) {
        let started = Instant::now();
        let found = check();
        for line in &found {
            eprintln!("{name}: {line}");
        }
        if !found.is_empty() {
            self.failures.push(Failure::step(name, &found));
        }
        self.end(name, started, Tally::default(), found.is_empty());
    }

    /// Says what is not done, and why.
    pub(crate) fn note(&mut self, text: &str) {
        println!("\n    note: {text}");
    }

    fn run(&mut self, name: &str, mut command: Command, reader: Reader) -> Option<Outcome> {
        let started = Instant::now();
        println!("\n=== {name}");
        let outcome = match command::run(&mut command) {
            Ok(outcome) => outcome,
            Err(error) => {
                let error = format!("{error:#}");
                eprintln!("{error}");
                self.failures.push(Failure::step(name, &[error]));
                self.end(name, started, Tally::default(), false);
                return None;
            }
        };
        let mut sum = Tally::default();
        for Tally { n_passed, n_failed } in outcome.lines.iter().filter_map(|it| (reader.tally)(it))
        {
            sum.n_passed += n_passed;
            sum.n_failed += n_failed;
        }
        if !outcome.is_success {
            let tests = (reader.failures)(&outcome.lines);
            if tests.is_empty() {
                self.failures.push(Failure::step(name, &outcome.lines));
            }
            self.failures.extend(tests);
        }
        self.flaky.extend((reader.flaky)(&outcome.lines));
        self.end(name, started, sum, outcome.is_success);
        Some(outcome)
    }

    /// A step without tests of its own, or one that failed for another reason, counts as one.
    fn end(&mut self, name: &str, started: Instant, tally: Tally, is_success: bool) {
        let took = started.elapsed();
        self.n_passed += tally.n_passed;
        self.n_failed += tally.n_failed;
        match (is_success, tally) {
            (true, Tally { n_passed: 0, n_failed: 0 }) => self.n_passed += 1,
            (false, Tally { n_failed: 0, .. }) => self.n_failed += 1,
            _ => {}
        }
        if !is_success {
            self.failed_steps.push(name.to_owned());
        }
        let word = if is_success { "ok" } else { "FAILED" };
        println!("--- {name}: {word} in {:.1} s", took.as_secs_f64());
        self.times.push((name.to_owned(), took));
    }

    /// Prints the times, what failed and how, and, last of all, the counts.
    pub(crate) fn finish(self) -> ExitCode {
        let total: Duration = self.times.iter().map(|it| it.1).sum();
        println!("\n=== times");
        for (name, took) in self.times.iter().filter(|it| Duration::from_secs(1) < it.1) {
            println!("{:8.1} s  {name}", took.as_secs_f64());
        }
        println!("{:8.1} s  in all", total.as_secs_f64());
        failures::print("passed only at the second attempt", &self.flaky);
        failures::print("failures", &self.failures);
        for name in &self.failed_steps {
            println!("failed: {name}");
        }
        println!("{} passed, {} failed", self.n_passed, self.n_failed);
        let is_success = self.n_failed == 0 && self.failed_steps.is_empty();
        if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// `test result: ok. 5 passed; 0 failed; 0 ignored; …`
fn libtest(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(count(counts.split(';')))
}

/// `Summary [ 1.2s] 7 tests run: 5 passed (1 slow), 1 failed, 1 timed out, 0 skipped`
fn nextest(line: &str) -> Option<Tally> {
    let (_, counts) = line.trim_start().strip_prefix("Summary [")?.split_once("run: ")?;
    Some(count(counts.split(',')))
}

fn count<'a>(parts: impl Iterator<Item = &'a str>) -> Tally {
    let mut tally = Tally::default();
    for part in parts {
        let Some((n, what)) = part.trim().split_once(' ') else { continue };
        let n: u64 = n.parse().unwrap_or(0);
        match what.split(" (").next() {
            Some("passed") => tally.n_passed += n,
            Some("failed" | "timed out" | "exec failed") => tally.n_failed += n,
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::{Tally, libtest, nextest};

    #[test]
    fn summaries_are_counted() {
        let line =
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; finished in 0.1s";
        assert_eq!(libtest(line), Some(Tally { n_passed: 5, n_failed: 2 }));
        assert_eq!(libtest("test a ... ok"), None);
        let line = "     Summary [   1.2s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 3 skipped";
        assert_eq!(nextest(line), Some(Tally { n_passed: 6, n_failed: 3 }));
        let line = "     Summary [   1.2s] 1 test run: 1 passed, 0 skipped";
        assert_eq!(nextest(line), Some(Tally { n_passed: 1, n_failed: 0 }));
    }
}
