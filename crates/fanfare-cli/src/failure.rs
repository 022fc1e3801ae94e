//! Errors as people see them: what failed, and what to do about it.

use std::fmt;
use std::io;

use anstyle::Style;
use fanfare::ErrorKind;
use fanfare_broker::StartError;
use fanfare_broker::config::{ConfigError, ConfigErrorKind};

use crate::exit::Exit;
use crate::output::{self, BAD, DIM, NAME};

/// An error of a command with its own advice.
#[derive(Debug)]
pub(crate) struct Hinted {
    error: anyhow::Error,
    hint: String,
    exit: Exit,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.chain().nth(1)
    }
}

/// The same error with advice.
pub(crate) fn hinted(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    Hinted { error: error.into(), hint: hint.into(), exit: Exit::Failed }.into()
}

/// An error of who typed the command line, with advice.
pub(crate) fn usage(text: &'static str, hint: impl Into<String>) -> anyhow::Error {
    Hinted { error: anyhow::Error::msg(text), hint: hint.into(), exit: Exit::Usage }.into()
}

/// Prints the error, its causes and its hint to standard error.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    // `fanfare sub news | head -1`: the reader has what it wanted.
    if error.chain().any(is_broken_pipe) {
        return Exit::Done;
    }
    let code = error.chain().find_map(code);
    let suffix = code.map(|it| output::styled(DIM, format!(" ({it})"))).unwrap_or_default();
    output::note(format!("{} {}{suffix}", output::styled(BAD, "error:"), chain(error)));
    let hint = error.chain().find_map(hint);
    if let Some(hint) = hint.or_else(|| code.map(|it| format!("`fanfare explain {it}` says more")))
    {
        output::note(format!("{} {hint}", output::styled(HINT, "hint:")));
    }
    error.chain().find_map(exit).unwrap_or(Exit::Failed)
}

fn exit(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    let url = cause.downcast_ref::<fanfare::Error>();
    let is_usage = url.is_some_and(|it| it.kind() == ErrorKind::InvalidUrl);
    let told = cause.downcast_ref::<Hinted>().map(|it| it.exit);
    told.or(is_usage.then_some(Exit::Usage))
}

const HINT: Style = NAME.bold();

/// The message and those of its causes that say something new.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut out = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let text = text.trim_end_matches('.');
        if out.is_empty() {
            out.push_str(text);
        } else if !out.contains(text) {
            out.push_str(": ");
            out.push_str(text);
        }
    }
    out
}

fn is_broken_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe)
}

fn code(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let client = cause.downcast_ref::<fanfare::Error>().map(fanfare::Error::code);
    let config = cause.downcast_ref::<ConfigError>().map(ConfigError::code);
    let start = cause.downcast_ref::<StartError>().map(StartError::code);
    client.or(config).or(start)
}

fn hint(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(it) = cause.downcast_ref::<Hinted>() {
        return Some(it.hint.clone());
    }
    if let Some(it) = cause.downcast_ref::<fanfare::Error>() {
        return Some(client_hint(it));
    }
    if let Some(it) = cause.downcast_ref::<ConfigError>() {
        return Some(config_hint(it.kind()));
    }
    cause.downcast_ref::<StartError>().and_then(start_hint)
}

fn client_hint(error: &fanfare::Error) -> String {
    match error.kind() {
        ErrorKind::InvalidUrl => {
            "write redis://[user:password@]host[:port], rediss://… for TLS, redis+unix:///path, \
             redis+sentinel://host[,host]/master or redis+cluster://host[,host]"
                .to_owned()
        }
        ErrorKind::Connect | ErrorKind::NotConnected => {
            "start a broker with `fanfare serve`, or name another server with --url or FANFARE_URL"
                .to_owned()
        }
        ErrorKind::Auth => "give the password in the URL, as redis://:password@host:port, or set \
                            it in FANFARE_URL so that it does not show in the process list"
            .to_owned(),
        kind => kind.advice().to_owned(),
    }
}

fn config_hint(kind: ConfigErrorKind) -> String {
    match kind {
        ConfigErrorKind::Unreadable => {
            "check the path and its permissions; `fanfare serve` alone needs no file".to_owned()
        }
        ConfigErrorKind::NotBuilt => {
            format!("`fanfare explain {}` says more", ConfigErrorKind::NotBuilt.code())
        }
        _ => "`fanfare config NAME` shows a directive, `fanfare config` all of them, with their \
              values and defaults"
            .to_owned(),
    }
}

fn start_hint(error: &StartError) -> Option<String> {
    let StartError::Bind { source, .. } = error else { return None };
    Some(match source.kind() {
        io::ErrorKind::AddrInUse => "another server listens there; stop it, or choose another \
                                     port with `fanfare serve --port 6380`"
            .to_owned(),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges; choose a higher one with --port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; name another with --bind".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn causes_are_chained_once_and_the_hint_is_found_below_a_context() {
        let error = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let error = hinted(anyhow::Error::new(error).context("failed to open x"), "make it");
        let error = Err::<(), _>(error).context("failed to log").unwrap_err();
        assert_eq!(chain(&error), "failed to log: failed to open x: no such file");
        assert_eq!(error.chain().find_map(hint).as_deref(), Some("make it"));
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(report(&error.context("failed to print")), Exit::Done);
    }
}
