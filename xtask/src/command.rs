//! Running other programs: their output is shown as it comes, and kept.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};

use crate::root;

/// Cargo, in the repository's folder.
pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Whether `program args` runs and succeeds; its output is not shown.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}

/// Whether cargo has this subcommand.
pub(crate) fn has_subcommand(name: &str) -> bool {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args([name, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}

/// What a program printed, and whether it succeeded.
pub(crate) struct Outcome {
    pub(crate) is_success: bool,
    pub(crate) lines: Vec<String>,
}

/// Runs a program; shows and keeps what it prints.
pub(crate) fn run(command: &mut Command) -> Result<Outcome> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to start {shown}"))?;
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let lines = thread::scope(|scope| {
        let errors = scope.spawn(|| stderr.map(|it| copy(it, std::io::stderr())));
        let mut lines = stdout.map(|it| copy(it, std::io::stdout())).unwrap_or_default();
        lines.extend(errors.join().ok().flatten().unwrap_or_default());
        lines
    });
    let status = child.wait().with_context(|| format!("failed to wait for {shown}"))?;
    Ok(Outcome { is_success: status.success(), lines })
}

fn copy(from: impl Read, mut to: impl Write) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        if !is_hidden(&line) {
            // A closed terminal must not end the checks.
            let _ = to.write_all(&line).and_then(|()| to.write_all(b"\n"));
        }
        lines.push(String::from_utf8_lossy(&line).into_owned());
    }
    lines
}

/// Lines of JSON are for us; libFuzzer's dictionary is for nobody, and thousands of lines long.
fn is_hidden(line: &[u8]) -> bool {
    let is_word = line.starts_with(b"\"") && line.windows(10).any(|it| it == b"\" # Uses: ");
    line.starts_with(b"{\"") || is_word
}
