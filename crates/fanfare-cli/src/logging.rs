//! The broker's log: `loglevel`, `logfile`, `log-format`.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use fanfare_broker::config::{Config, LogFormat, LogLevel};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::failure::hinted;
use crate::output;

/// Sends everything that is traced from now on to the configured place.
///
/// # Errors
/// If the log file can not be written to.
pub(crate) fn start(config: &Config) -> anyhow::Result<SetLevel> {
    let place = Place::open(config.logfile.as_deref())?;
    let has_colours = matches!(place, Place::Stdout) && output::stdout_has_colours();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter(config.loglevel))
        .with_target(false)
        .with_ansi(has_colours && io::stdout().is_terminal())
        .with_writer(place);
    let (set_level, started): (SetLevel, _) = match config.log_format {
        LogFormat::Text => {
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            // It fails only once the log has ended, with the process.
            (Box::new(move |level| drop(handle.reload(filter(level)))), log.try_init())
        }
        LogFormat::Json => {
            let log = log.json().flatten_event(true).with_filter_reloading();
            let handle = log.reload_handle();
            (Box::new(move |level| drop(handle.reload(filter(level)))), log.try_init())
        }
    };
    started.map_err(|error| anyhow::anyhow!("failed to start the log: {error}"))?;
    Ok(set_level)
}

/// Changes how much is logged from now on (`CONFIG SET loglevel`).
pub(crate) type SetLevel = Box<dyn Fn(LogLevel) + Send + Sync>;

fn filter(level: LogLevel) -> EnvFilter {
    EnvFilter::new(match level {
        LogLevel::Debug | LogLevel::Verbose => "debug",
        LogLevel::Notice => "info",
        LogLevel::Warning => "warn",
    })
}

/// Where the log goes.
#[derive(Debug)]
enum Place {
    Stdout,
    File(PathBuf),
}

impl Place {
    fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Stdout) };
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let opened =
            append(&path).with_context(|| format!("failed to open logfile {}", path.display()));
        match opened {
            Ok(_) => Ok(Self::File(path)),
            Err(error) => {
                let hint = "make its directory and let this user write there, or choose another \
                            file with --logfile; --logfile '' logs to standard output";
                Err(hinted(error, hint))
            }
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The file is opened for each line, as Redis does, so that it can be moved away at any time.
impl<'a> MakeWriter<'a> for Place {
    type Writer = Box<dyn Write + 'a>;

    fn make_writer(&'a self) -> Self::Writer {
        match self {
            Self::Stdout => Box::new(io::stdout()),
            Self::File(path) => match append(path) {
                Ok(file) => Box::new(file),
                // The disk is full or the directory is gone; standard error may still be seen.
                Err(_) => Box::new(io::stderr()),
            },
        }
    }
}
