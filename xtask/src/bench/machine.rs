//! Where and with what was measured.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// The facts that stand beside every result.
#[derive(Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) n_processors: usize,
    pub(super) kernel: String,
    pub(super) date: String,
    pub(super) redis: String,
    pub(super) fanfare: String,
    pub(super) commit: String,
    pub(super) rustc: String,
}

impl Machine {
    pub(super) fn look(fanfare: Option<&Path>) -> Self {
        let fanfare = fanfare.map(|path| output(Command::new(path).arg("--version")));
        Self {
            processor: processor().unwrap_or_else(|| "unknown".into()),
            n_processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: output(Command::new("uname").args(["-srm"])),
            date: output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
            redis: output(Command::new("redis-server").arg("--version")),
            fanfare: fanfare.unwrap_or_else(|| "not measured".into()),
            commit: output(Command::new("git").args(["describe", "--always", "--dirty"])),
            rustc: output(Command::new("rustc").arg("--version")),
        }
    }
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn output(command: &mut Command) -> String {
    let text = command.output().ok().filter(|output| output.status.success());
    let text = text.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}
