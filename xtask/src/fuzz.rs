//! The fuzz targets under `fuzz/`.

use clap::Args;

use crate::command::{cargo, has_subcommand};
use crate::root;
use crate::steps::Steps;

/// What the command line says.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Only this target
    target: Option<String>,

    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

impl Options {
    /// Every target, this long.
    pub(crate) fn all(seconds: u32) -> Self {
        Self { target: None, seconds }
    }
}

/// Runs each target for its time; installs cargo-fuzz where it is missing.
pub(crate) fn run(steps: &mut Steps, options: &Options) {
    if !has_subcommand("fuzz") {
        let install = cargo(["install", "--quiet", "--locked", "cargo-fuzz"]);
        if !steps.program("install cargo-fuzz", install) {
            return;
        }
    }
    for target in targets() {
        if options.target.as_ref().is_some_and(|it| *it != target) {
            continue;
        }
        let mut command = cargo(["fuzz", "run", "--sanitizer=none"]);
        command.arg(&target).arg("--");
        command.arg(format!("-max_total_time={}", options.seconds));
        command.args(["-verbosity=0", "-print_final_stats=1"]);
        // A workspace of its own must not look into our target directory.
        command.current_dir(root().join("fuzz")).env_remove("CARGO_TARGET_DIR");
        steps.program(&format!("fuzz {target}"), command);
    }
}

fn targets() -> Vec<String> {
    let folder = root().join("fuzz/fuzz_targets");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|it| Some(it.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}
