//! Why a broker did not start.

use std::io;

/// A broker that could not be started. Nothing runs and nothing is bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address can not be listened on.
    #[error(
        "failed to listen on {address}: free it, or choose another with `bind`, `port` or `unixsocket`"
    )]
    Bind {
        /// The address or path.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Neither TCP nor a Unix socket is configured.
    #[error("nothing to listen on: set `port` or `unixsocket`")]
    NoListener,
    /// `rename-command` does not fit the commands.
    #[error("failed to apply rename-command: {0}")]
    Rename(String),
    /// A thread or its event loop can not be made.
    #[error("failed to start a reactor thread")]
    Thread(#[source] io::Error),
}

impl StartError {
    /// Stable identifier; the text may change, the code may not.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "FF-3101",
            Self::NoListener => "FF-3102",
            Self::Rename(_) => "FF-3103",
            Self::Thread(_) => "FF-3104",
        }
    }
}
