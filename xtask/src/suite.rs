//! All tests of the workspace, built once and run as often as one likes.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::command::cargo;
use crate::steps::Steps;

/// Tests that are built.
pub(crate) struct Suite {
    profile: &'static str,
    binary: Option<PathBuf>,
}

impl Suite {
    /// Builds the tests of the whole workspace in `profile`; `None` if that fails.
    pub(crate) fn build(steps: &mut Steps, profile: &'static str) -> Option<Self> {
        let mut build = cargo(["test", "--workspace", "--all-features", "--no-run"]);
        build.args(["--profile", profile, "--message-format=json-render-diagnostics"]);
        let built = steps.output("build tests", build)?;
        let binary = built.lines.iter().find_map(|line| fanfare_binary(line));
        built.is_success.then_some(Self { profile, binary })
    }

    /// `cargo test` with the same features, so that nothing is built again.
    pub(crate) fn cargo_test(&self) -> Command {
        let mut command = cargo(["test", "--workspace", "--all-features", "--no-fail-fast"]);
        command.args(["--profile", self.profile]);
        self.with_binary(command)
    }

    /// `cargo nextest run`, likewise, with the second attempts of the profile `ci`.
    pub(crate) fn cargo_nextest(&self) -> Command {
        let mut command = cargo(["nextest", "run", "--workspace", "--all-features"]);
        command.args(["--cargo-profile", self.profile, "--profile", "ci"]);
        self.with_binary(command)
    }

    /// Otherwise each test process that needs the broker would ask cargo for it, and cargo would
    /// build it once more, with the features of that one crate.
    fn with_binary(&self, mut command: Command) -> Command {
        if let Some(binary) = &self.binary {
            command.env("FANFARE_BIN", binary);
        }
        command
    }
}

/// The program `fanfare`, if this line of cargo's tells where it is.
fn fanfare_binary(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let target = message.get("target")?;
    let is_binary = target.get("kind")?.as_array()?.iter().any(|it| it == "bin");
    let is_test = message.get("profile")?.get("test")?.as_bool()?;
    if !is_binary || is_test || target.get("name")?.as_str()? != "fanfare" {
        return None;
    }
    Some(PathBuf::from(message.get("executable")?.as_str()?))
}
