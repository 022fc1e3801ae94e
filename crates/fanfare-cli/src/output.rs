//! What is printed. Colours appear on a terminal only, and never with `NO_COLOR`.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use serde_json::Value;

/// Headings and names.
pub(crate) const BOLD: Style = Style::new().bold();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Channels, commands.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
/// All is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Something failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something to know.
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default().bold();

/// The look of `--help`.
pub(crate) const STYLES: Styles =
    Styles::styled().header(BOLD).usage(BOLD).literal(NAME).error(BAD).valid(GOOD).invalid(CARE);

/// Text in a style. Without a terminal the printing functions below take the style away.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints a line to standard output.
pub(crate) fn line(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints one JSON object on a line of its own to standard output.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}

/// Prints a line to standard error: for people, not for the next program in the pipe.
pub(crate) fn note(text: impl std::fmt::Display) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Whether standard output takes colours.
pub(crate) fn stdout_has_colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Whether somebody watches: lines may be drawn again in place.
pub(crate) fn is_watched() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}
