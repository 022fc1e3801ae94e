//! What BITCOUNT and BITPOS share.

use crate::commands::string::span::Span;
use crate::{WireError, wire_error};

/// What bounds count.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Byte,
    Bit,
}

impl Unit {
    pub(super) fn parse(word: &[u8]) -> Result<Self, WireError> {
        if word.eq_ignore_ascii_case(b"bit") {
            Ok(Self::Bit)
        } else if word.eq_ignore_ascii_case(b"byte") {
            Ok(Self::Byte)
        } else {
            Err(wire_error::SYNTAX)
        }
    }

    pub(super) fn len_of(self, bytes: &[u8]) -> u64 {
        match self {
            Self::Byte => bytes.len() as u64,
            Self::Bit => 8 * bytes.len() as u64,
        }
    }
}

/// The bits of the first byte before a span of bits, and those of the last byte behind it.
pub(super) fn edges(span: Span) -> (u8, u8) {
    (!(0xFF >> (span.first & 7)), 0x7F >> (span.last & 7))
}
