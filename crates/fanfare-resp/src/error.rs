//! What can be wrong with received bytes. After any of these the stream cannot be trusted again.

use std::fmt;

/// A request broke the protocol. `Display` is redis-server 7.0's text after `Protocol error: `.
///
/// Redis answers with that text and closes the connection, see [`RequestError::write_reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The count after `*` is not an integer, or too large.
    InvalidMultibulkLength,
    /// No end of the line that starts with `*`.
    TooBigMbulkCount,
    /// The length after `$` is not an integer, negative, or too large.
    InvalidBulkLength,
    /// No end of the line that should start with `$`.
    TooBigBulkCount,
    /// An argument starts with this byte instead of `$`.
    ExpectedDollar(u8),
    /// No end of the line of an inline command.
    TooBigInline,
    /// A quote in an inline command is not closed, or not followed by a space.
    UnbalancedQuotes,
    /// More than 10 arguments before authentication.
    UnauthenticatedMultibulkLength,
    /// An argument of more than 16384 bytes before authentication.
    UnauthenticatedBulkLength,
    /// The request is longer than [`Limits::total_len_max`](crate::Limits::total_len_max).
    /// Redis closes the connection without an answer when its query buffer is full.
    TotalTooLong,
}

impl RequestError {
    /// Appends the error reply that redis-server sends before it closes the connection. Nothing
    /// for [`RequestError::TotalTooLong`].
    ///
    /// ```
    /// let mut out = Vec::new();
    /// fanfare_resp::RequestError::ExpectedDollar(b'+').write_reply(&mut out);
    /// assert_eq!(out, b"-ERR Protocol error: expected '$', got '+'\r\n");
    /// ```
    pub fn write_reply(&self, out: &mut Vec<u8>) {
        if *self == Self::TotalTooLong {
            return;
        }
        out.extend_from_slice(b"-ERR Protocol error: ");
        if let Self::ExpectedDollar(got) = *self {
            // Redis writes the byte as it is, whatever its charset, but never a line end.
            let got = if matches!(got, b'\r' | b'\n') { b' ' } else { got };
            out.extend_from_slice(b"expected '$', got '");
            out.extend_from_slice(&[got, b'\'']);
        } else {
            out.extend_from_slice(self.text().as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    fn text(self) -> &'static str {
        match self {
            Self::InvalidMultibulkLength => "invalid multibulk length",
            Self::TooBigMbulkCount => "too big mbulk count string",
            Self::InvalidBulkLength => "invalid bulk length",
            Self::TooBigBulkCount => "too big bulk count string",
            Self::ExpectedDollar(_) => "expected '$'",
            Self::TooBigInline => "too big inline request",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
            Self::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            Self::UnauthenticatedBulkLength => "unauthenticated bulk length",
            Self::TotalTooLong => "request is longer than the query buffer limit",
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match *self {
            Self::ExpectedDollar(b'\r' | b'\n') => f.write_str(", got ' '"),
            Self::ExpectedDollar(got) => write!(f, ", got '{}'", char::from(got)),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for RequestError {}

/// A reply broke the protocol or exceeded a limit: what, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset} of the value")]
pub struct DecodeError {
    kind: DecodeErrorKind,
    offset: usize,
}

impl DecodeError {
    pub(crate) fn new(kind: DecodeErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Where the faulty element, or the payload of a string, starts: in bytes from the start of the top-level value.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The value may be well-formed, but it is larger than the [`Limits`](crate::Limits) allow.
    pub fn is_limit(&self) -> bool {
        matches!(
            self.kind,
            DecodeErrorKind::TooDeep { .. }
                | DecodeErrorKind::BulkTooLong { .. }
                | DecodeErrorKind::TooManyElements { .. }
                | DecodeErrorKind::LineTooLong { .. }
                | DecodeErrorKind::TotalTooLong { .. }
        )
    }
}

/// What is wrong with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// No type starts with this byte, or not here.
    #[error("unexpected type byte 0x{0:02x}")]
    UnexpectedType(u8),
    /// A line or a payload does not end with CR LF.
    #[error("missing CR LF")]
    ExpectedCrlf,
    /// A length is not a decimal number, or negative where no null exists.
    #[error("invalid length")]
    InvalidLength,
    /// Not a 64-bit decimal integer.
    #[error("invalid integer")]
    InvalidInteger,
    /// Neither a decimal number nor `inf`, `-inf`, `nan`.
    #[error("invalid double")]
    InvalidDouble,
    /// Not a decimal integer.
    #[error("invalid big number")]
    InvalidBigNumber,
    /// Neither `#t` nor `#f`.
    #[error("invalid boolean")]
    InvalidBoolean,
    /// A null with content.
    #[error("invalid null")]
    InvalidNull,
    /// A verbatim string without its three letters and colon.
    #[error("invalid verbatim string")]
    InvalidVerbatim,
    /// A streamed map ended after a key.
    #[error("a streamed map ends without the value of its last key")]
    OddMap,
    /// More levels than the limit.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// [`Limits::depth_max`](crate::Limits::depth_max)
        limit: usize,
    },
    /// A bulk string longer than the limit.
    #[error("a bulk string of {declared} bytes exceeds the limit of {limit}")]
    BulkTooLong {
        /// The length that the peer declared, or has streamed so far.
        declared: u64,
        /// [`Limits::bulk_len_max`](crate::Limits::bulk_len_max)
        limit: usize,
    },
    /// An aggregate with more elements than the limit.
    #[error("an aggregate of {declared} elements exceeds the limit of {limit}")]
    TooManyElements {
        /// The count that the peer declared, or has streamed so far.
        declared: u64,
        /// [`Limits::array_len_max`](crate::Limits::array_len_max)
        limit: usize,
    },
    /// A line longer than the limit.
    #[error("a line exceeds the limit of {limit} bytes")]
    LineTooLong {
        /// [`Limits::inline_len_max`](crate::Limits::inline_len_max)
        limit: usize,
    },
    /// The whole value is longer than the limit.
    #[error("a value exceeds the limit of {limit} bytes in total")]
    TotalTooLong {
        /// [`Limits::total_len_max`](crate::Limits::total_len_max)
        limit: usize,
    },
}
