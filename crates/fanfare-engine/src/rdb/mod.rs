//! The parts of Redis's RDB format, of which DUMP payloads and snapshot files are made.
//!
//! Written is version 10, that of Redis 7.0, which every later Redis and Valkey reads, but for what that version can
//! not say ([`value`]). What is read is what its redis-server 7.0.15 accepts, and some more; the tests in `tests/packed`
//! compare with it.
//!
//! | module | rule | laid down in Redis 7.0's |
//! |---|---|---|
//! | [`length`] | lengths of 6, 14, 32 and 64 bits; strings that are integers or compressed | `rdb.h` `RDB_6BITLEN` …; `rdb.c` `rdbLoadLenByRef`, `rdbSaveRawString`, `rdbEncodeInteger`, `rdbSaveLzfStringObject` |
//! | [`lzf`] | the compression of strings | `lzf_c.c`, `lzf_d.c`, as configured in `lzfP.h` |
//! | [`mod@crc64`] | the checksum of files and payloads | `crc64.c` (polynomial of Jones, reflected, begins with 0) |
//! | [`value`] | values of every type | `rdb.c` `rdbSaveObject`, `rdbLoadObject`; `ziplist.c`, `zipmap.c` |
//! | [`payload`] | what DUMP answers and RESTORE takes | `cluster.c` `createDumpPayload`, `verifyDumpPayload` |
//!
//! The packed collections inside are those of [`packed`](crate::packed): `listpack.c` and `intset.c`.
//!
//! Nothing that is read is believed: a length is at most what is left to read, except that of compressed strings, which
//! take memory as they unfold.

pub mod crc64;
pub mod length;
pub mod lzf;
pub mod payload;
pub mod value;

pub use crc64::crc64;
pub use length::{Reader, Text, write_int, write_len, write_string};
pub use lzf::Compressor;
pub use value::{Forms, read_value, write_value};

use std::fmt;

/// The version that is written, but for what it can not say.
pub const VERSION: u16 = 10;

/// The version of what Redis 7.4 brought.
pub const VERSION_7_4: u16 = 12;

/// The newest version that is read: that of Redis 8.8.
pub const VERSION_MAX: u16 = 14;

/// Bytes that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// Where what could not be read begins.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: ReadErrorKind,
}

/// What is wrong with bytes that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// They end too early.
    Truncated,
    /// A length in no known form.
    UnknownLength,
    /// A string in no known form.
    UnknownString,
    /// A string stands where a number was expected.
    NotALength,
    /// A string, unpacked, would be longer than is allowed.
    TooLong,
    /// A compressed string that does not unfold to what it says.
    BadCompression,
    /// A type of value that is not known.
    UnknownType,
    /// A listpack or another packed collection that is none.
    BadPacking,
    /// A collection without an element.
    Empty,
    /// A field or a member that is there already.
    Duplicate,
    /// A score that is no number.
    BadScore,
    /// The time of a field that is no time, or not in order.
    BadTime,
    /// They were written by a newer version.
    NewerVersion,
    /// The checksum is that of other bytes.
    BadChecksum,
}

impl fmt::Display for ReadErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "unexpected end",
            Self::UnknownLength => "length in an unknown form",
            Self::UnknownString => "string in an unknown form",
            Self::NotALength => "string instead of a length",
            Self::TooLong => "string over the limit",
            Self::BadCompression => "bad compressed string",
            Self::UnknownType => "unknown type of value",
            Self::BadPacking => "bad packed collection",
            Self::Empty => "empty collection",
            Self::Duplicate => "field or member for the second time",
            Self::BadScore => "score that is not a number",
            Self::BadTime => "bad time of a field",
            Self::NewerVersion => "version newer than 12",
            Self::BadChecksum => "bad checksum",
        })
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.kind, self.offset)
    }
}

impl std::error::Error for ReadError {}
