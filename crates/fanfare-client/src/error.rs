//! The one error of the link: a kind, a stable code, whether a retry can help, and the source.

use std::{fmt, sync::Arc};

/// What went wrong, as a category that programs can match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL can not be understood.
    InvalidUrl,
    /// An option has a value that can not work.
    InvalidOption,
    /// The URL is right but names something that this release or build does not do.
    Unsupported,
    /// The server could not be reached: name lookup, TCP or Unix socket.
    Connect,
    /// The TLS session could not be set up.
    Tls,
    /// The server refused the user or password, or asks for one.
    Auth,
    /// There is no connection and nothing was sent.
    NotConnected,
    /// The connection was lost after the request was (perhaps only partly) sent.
    Disconnected,
    /// No answer within the deadline.
    Timeout,
    /// Too much is in flight, and it stayed so until the deadline.
    Overloaded,
    /// The server answered with an error.
    Server,
    /// The server sent something that is not RESP, or not an answer to the question.
    Protocol,
    /// The request is larger than a limit of this link.
    TooLarge,
    /// The request can not be sent on this kind of connection.
    InvalidRequest,
    /// The subscription was ended because its program did not keep up.
    SlowConsumer,
    /// The link or subscription was closed by this program.
    Closed,
    /// A value could not be turned into a payload.
    Encode,
    /// A payload could not be turned into the wanted type.
    Decode,
    /// The embedded broker could not be started.
    Embedded,
    /// A record lacks what its destination needs, such as a key.
    InvalidRecord,
    /// Nobody is there to answer a request.
    NoResponders,
    /// The answer to a request may have been lost with a connection.
    AnswerLost,
    /// A request was answered with an error.
    Refused,
    /// A spool has no room for a message.
    SpoolFull,
    /// A file could not be written, read or locked.
    Storage,
    /// The database of an outbox failed.
    Database,
}

impl ErrorKind {
    /// Every kind, in the order of its code.
    pub const ALL: &[Self] = &[
        Self::InvalidUrl,
        Self::InvalidOption,
        Self::Unsupported,
        Self::Connect,
        Self::Tls,
        Self::Auth,
        Self::NotConnected,
        Self::Disconnected,
        Self::Timeout,
        Self::Overloaded,
        Self::Server,
        Self::Protocol,
        Self::TooLarge,
        Self::InvalidRequest,
        Self::SlowConsumer,
        Self::Closed,
        Self::Encode,
        Self::Decode,
        Self::Embedded,
        Self::InvalidRecord,
        Self::NoResponders,
        Self::AnswerLost,
        Self::Refused,
        Self::SpoolFull,
        Self::Storage,
        Self::Database,
    ];

    /// The stable identifier: texts may change, codes do not.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidUrl => "FF-1001",
            Self::InvalidOption => "FF-1002",
            Self::Unsupported => "FF-1003",
            Self::Connect => "FF-1101",
            Self::Tls => "FF-1102",
            Self::Auth => "FF-1103",
            Self::NotConnected => "FF-1104",
            Self::Disconnected => "FF-1105",
            Self::Timeout => "FF-1106",
            Self::Overloaded => "FF-1107",
            Self::Server => "FF-1201",
            Self::Protocol => "FF-1202",
            Self::TooLarge => "FF-1203",
            Self::InvalidRequest => "FF-1204",
            Self::SlowConsumer => "FF-1301",
            Self::Closed => "FF-1302",
            Self::Encode => "FF-6001",
            Self::Decode => "FF-6002",
            Self::Embedded => "FF-6003",
            Self::InvalidRecord => "FF-6101",
            Self::NoResponders => "FF-6201",
            Self::AnswerLost => "FF-6202",
            Self::Refused => "FF-6203",
            Self::SpoolFull => "FF-6401",
            Self::Storage => "FF-6402",
            Self::Database => "FF-6403",
        }
    }

    /// What it means and what to do, in one sentence for a catalogue.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::InvalidUrl => "The URL can not be understood; the message names the part.",
            Self::InvalidOption => "An option can not work; the message names it and its range.",
            Self::Unsupported => {
                "The build or the server does not have this; the message names what has it."
            }
            Self::Connect => {
                "The server could not be reached: check that it runs, its address and firewalls. The link keeps trying."
            }
            Self::Tls => {
                "The TLS session failed: check the CA file, the server name and whether the port speaks TLS."
            }
            Self::Auth => "The server refused the credentials: check user and password in the URL.",
            Self::NotConnected => "There was no connection and nothing was sent: retrying is safe.",
            Self::Disconnected => {
                "The connection broke after sending: the request may or may not have taken effect."
            }
            Self::Timeout => {
                "No answer in time: the server may be slow or hung, or the timeout too short."
            }
            Self::Overloaded => {
                "Too many requests in flight: slow down, or raise `Options::in_flight_max`."
            }
            Self::Server => "The server answered with an error: its text says why.",
            Self::Protocol => {
                "The peer does not speak RESP as expected: check that it is a Redis server, with or without TLS as the URL says."
            }
            Self::TooLarge => {
                "The request is larger than the bytes of `Options::in_flight_max`: send less at once or raise them."
            }
            Self::InvalidRequest => {
                "This command can not run on a shared connection: use the method made for it."
            }
            Self::SlowConsumer => {
                "The subscription's queue was full and its policy is to disconnect: read faster or choose another policy."
            }
            Self::Closed => "The link or subscription was closed by this program.",
            Self::Encode => "The value could not be serialised.",
            Self::Decode => {
                "The payload is not what the program expects: check who publishes there."
            }
            Self::Embedded => "The embedded broker could not be started: the source says why.",
            Self::InvalidRecord => {
                "The record lacks what its destination needs; the message names it. Nothing was written."
            }
            Self::NoResponders => "Nobody is there to answer: start the service that does.",
            Self::AnswerLost => {
                "The connection was lost before the answer came: the request may have been handled."
            }
            Self::Refused => "The responder answered with an error: the message has its text.",
            Self::SpoolFull => {
                "The spool's limit is reached; the message names it. Nothing was taken: bring the broker back, or raise it."
            }
            Self::Storage => {
                "A file could not be written, read or locked: the message names it, the cause and the cure."
            }
            Self::Database => {
                "The database of an outbox failed: roll the transaction back. The message has what it said."
            }
        }
    }
}

/// An error of the link.
///
/// Cheap to clone, so that one lost connection can be reported to everybody who waited for it.
/// Neither `Display` nor `Debug` ever contains a password.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

type Source = Arc<dyn std::error::Error + Send + Sync>;

struct Inner {
    kind: ErrorKind,
    message: String,
    may_have_been_sent: bool,
    is_silence: bool,
    source: Option<Source>,
}

impl Error {
    /// An error of `kind` with a message that names the value, the limit and the cure.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let may_have_been_sent = matches!(kind, ErrorKind::Disconnected);
        let (message, is_silence) = (message.into(), false);
        Self(Arc::new(Inner { kind, message, may_have_been_sent, is_silence, source: None }))
    }

    /// The connection was given up because nothing came any more.
    pub(crate) fn silence(message: &str) -> Self {
        let lost = Self::new(ErrorKind::Disconnected, message);
        Self(Arc::new(Inner { is_silence: true, ..lost.copied() }))
    }

    /// Whether the connection was given up because nothing came any more: a new one to the same
    /// server would most likely be no better.
    pub(crate) fn is_silence(&self) -> bool {
        self.0.is_silence
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source: Box<dyn std::error::Error + Send + Sync> = source.into();
        Self(Arc::new(Inner { source: Some(Arc::from(source)), ..self.copied() }))
    }

    /// The same error of a request that was sent and may have taken effect: see
    /// [`may_have_been_delivered`](Self::may_have_been_delivered).
    #[must_use]
    pub fn after_sending(self) -> Self {
        self.sent()
    }

    pub(crate) fn sent(self) -> Self {
        Self(Arc::new(Inner { may_have_been_sent: true, ..self.copied() }))
    }

    /// What an error reply of a server says.
    pub fn server(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).into_owned();
        let kind = match text.split(' ').next() {
            Some("NOAUTH" | "WRONGPASS") => ErrorKind::Auth,
            _ => ErrorKind::Server,
        };
        Self::new(kind, text)
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the link is closed")
    }

    fn copied(&self) -> Inner {
        Inner {
            kind: self.0.kind,
            message: self.0.message.clone(),
            may_have_been_sent: self.0.may_have_been_sent,
            is_silence: self.0.is_silence,
            source: self.0.source.clone(),
        }
    }

    /// The category.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code, such as `FF-1105`.
    pub fn code(&self) -> &'static str {
        self.0.kind.code()
    }

    /// The message without its source.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The first word of a server's error, such as `NOPERM` or `WRONGTYPE`.
    pub fn server_code(&self) -> Option<&str> {
        match self.0.kind {
            ErrorKind::Server | ErrorKind::Auth => {
                let word = self.0.message.split(' ').next().unwrap_or_default();
                let is_code =
                    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
                is_code.then_some(word)
            }
            _ => None,
        }
    }

    /// Whether the same call may succeed later without any change by the caller.
    ///
    /// This does not say that a retry is harmless: see [`may_have_been_delivered`].
    ///
    /// [`may_have_been_delivered`]: Self::may_have_been_delivered
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connect
            | ErrorKind::NotConnected
            | ErrorKind::Disconnected
            | ErrorKind::Timeout
            | ErrorKind::Overloaded
            | ErrorKind::NoResponders
            | ErrorKind::AnswerLost
            | ErrorKind::SpoolFull
            | ErrorKind::Storage
            | ErrorKind::Database => true,
            ErrorKind::Server => matches!(
                self.server_code(),
                Some(
                    // It is about to be another server's, or nobody's for a moment.
                    "MOVED"
                        | "ASK"
                        | "TRYAGAIN"
                        | "CLUSTERDOWN"
                        | "READONLY"
                        | "MASTERDOWN"
                        | "UNBLOCKED"
                        | "NOREPLICAS"
                        | "LOADING"
                        | "BUSY"
                )
            ),
            _ => false,
        }
    }

    /// Whether the request may have taken effect although no answer came.
    ///
    /// A `PUBLISH` that failed this way may have reached its subscribers: sending it again may
    /// deliver it twice. The link never does that by itself.
    pub fn may_have_been_delivered(&self) -> bool {
        self.0.may_have_been_sent
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("code", &self.code()).field("kind", &self.0.kind);
        debug.field("message", &self.0.message);
        if self.0.may_have_been_sent {
            debug.field("may_have_been_delivered", &true);
        }
        if let Some(source) = &self.0.source {
            debug.field("source", &source.to_string());
        }
        debug.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_every_kind_is_listed() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        assert!(ErrorKind::ALL.is_sorted_by_key(|kind| kind.code()));
        assert!(ErrorKind::ALL.iter().all(|kind| kind.advice().ends_with('.')));
    }

    #[test]
    fn server_errors_show_their_code_and_what_a_retry_can_do() {
        let denied = Error::server(b"NOPERM No permissions to access a channel");
        assert_eq!((denied.kind(), denied.server_code()), (ErrorKind::Server, Some("NOPERM")));
        assert!(!denied.is_retryable());
        for text in
            ["LOADING Redis is loading", "MOVED 1 h:1", "ASK 1 h:1", "UNBLOCKED by failover"]
        {
            assert!(Error::server(text.as_bytes()).is_retryable(), "{text}");
        }
        assert_eq!(Error::server(b"WRONGPASS no").kind(), ErrorKind::Auth);
    }

    #[test]
    fn a_source_is_chained_but_not_repeated() {
        let io = std::io::Error::other("cable cut");
        let error = Error::new(ErrorKind::Disconnected, "the connection was lost").with_source(io);
        assert_eq!(error.to_string(), "the connection was lost");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "cable cut");
        assert!(error.may_have_been_delivered() && error.is_retryable());
    }
}
