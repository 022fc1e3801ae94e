//! Formatting as the repository does it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::root;

/// A literal with its quotes that is longer keeps rustfmt from breaking lines around it.
const LITERAL_CHARS_MAX: usize = 76;

/// Formats a file. rustfmt gives up on an expression with a string that is wider than the line, so
/// it sees a shorter one in its place.
pub(super) fn rustfmt(code: &str) -> Result<String> {
    let mut long = Vec::new();
    let mut shorter = String::new();
    for piece in pieces(code) {
        if piece.starts_with('"') && LITERAL_CHARS_MAX < piece.chars().count() {
            shorter.push_str(&placeholder(long.len()));
            long.push(piece);
        } else {
            shorter.push_str(piece);
        }
    }
    let mut formatted = run(&shorter)?;
    for (index, literal) in long.iter().enumerate() {
        formatted = formatted.replace(&placeholder(index), literal);
    }
    // What no longer fits stays as it is now, and `cargo fmt` will leave it so.
    run(&formatted)
}

fn placeholder(index: usize) -> String {
    format!("\"§{index:03}{}\"", "x".repeat(66))
}

/// String literals, with their quotes, and what is between them.
pub(super) fn pieces(code: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut is_literal = false;
    let mut is_escaped = false;
    for (index, byte) in code.bytes().enumerate() {
        let is_quote = byte == b'"' && !is_escaped;
        is_escaped = is_literal && byte == b'\\' && !is_escaped;
        if is_quote {
            let end = if is_literal { index + 1 } else { index };
            pieces.extend(code.get(start..end));
            start = end;
            is_literal = !is_literal;
        }
    }
    pieces.extend(code.get(start..));
    pieces
}

fn run(code: &str) -> Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root().join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("failed to start rustfmt: run rustup component add rustfmt")?;
    // rustfmt reads everything before it writes anything.
    child.stdin.take().context("no way to rustfmt")?.write_all(code.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("rustfmt: {}\n{code}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
