//! What a command answers, independent of the protocol version.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_resp::{Version, Writer};

use crate::WireError;
use crate::tree::Name;
use crate::value::{list, stream};

/// Bytes of a reply; cheap to make from what the keyspace already holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    /// Literal text.
    Static(&'static [u8]),
    /// Owned bytes.
    Vec(Vec<u8>),
    /// A value shared with the keyspace.
    Shared(Arc<[u8]>),
    /// A key, a field or a member, or a string, as the keyspace holds it.
    Name(Name),
    /// A slice of a larger buffer.
    Bytes(Bytes),
}

impl std::ops::Deref for Blob {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Static(it) => it,
            Self::Vec(it) => it,
            Self::Shared(it) => it,
            Self::Name(it) => it,
            Self::Bytes(it) => it,
        }
    }
}

impl From<Vec<u8>> for Blob {
    fn from(it: Vec<u8>) -> Self {
        Self::Vec(it)
    }
}

impl From<String> for Blob {
    fn from(it: String) -> Self {
        Self::Vec(it.into_bytes())
    }
}

impl From<&'static str> for Blob {
    fn from(it: &'static str) -> Self {
        Self::Static(it.as_bytes())
    }
}

impl From<&[u8]> for Blob {
    fn from(it: &[u8]) -> Self {
        Self::Vec(it.to_vec())
    }
}

/// An answer. [`Reply::write`] gives it its RESP2 or RESP3 form.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Nothing is written.
    None,
    /// `+OK`
    Ok,
    /// A status line.
    Simple(Cow<'static, str>),
    /// An error inside an array (`EXEC`).
    Error(WireError),
    /// An integer.
    Int(i64),
    /// A string.
    Bulk(Blob),
    /// No value: `$-1` or `_`.
    Null,
    /// No array: `*-1` or `_`.
    NullArray,
    /// A list.
    Array(Vec<Reply>),
    /// Consecutive elements of a list, as a list.
    Elements(list::Slice),
    /// Entries of a stream.
    Entries(stream::Slice),
    /// Pairs: flat in RESP2, a map in RESP3.
    Map(Vec<(Reply, Reply)>),
    /// A list in RESP2, a set in RESP3.
    Set(Vec<Reply>),
    /// A list in RESP2, a push in RESP3; written even under `CLIENT REPLY OFF`, as Redis does.
    Push(Vec<Reply>),
    /// A string in RESP2, a double in RESP3.
    Double(f64),
    /// `:1`/`:0` in RESP2, a boolean in RESP3.
    Bool(bool),
    /// A string in RESP2, a big number in RESP3.
    BigNumber(Blob),
    /// A string in RESP2, a verbatim string of a format (`txt`) in RESP3.
    Verbatim([u8; 3], Blob),
    /// An attribute (RESP3 only; nothing in RESP2) in front of a reply.
    Attribute(Vec<(Reply, Reply)>, Box<Reply>),
    /// Several replies to one command, one after the other (`SUBSCRIBE a b`).
    Many(Vec<Reply>),
    /// A reply in the protocol that its client spoke then (`HELLO` inside `EXEC` changes it).
    In(Version, Box<Reply>),
}

impl Reply {
    /// A string reply.
    pub fn bulk(bytes: impl Into<Blob>) -> Self {
        Self::Bulk(bytes.into())
    }

    /// Text for people.
    pub fn text(text: impl Into<Blob>) -> Self {
        Self::Verbatim(*b"txt", text.into())
    }

    /// A count; saturates at `i64::MAX`.
    #[must_use]
    pub fn count(n: usize) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// An unsigned number; saturates at `i64::MAX`.
    #[must_use]
    pub fn uint(n: u64) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// A map with string keys.
    pub fn map<K: Into<Blob>>(pairs: impl IntoIterator<Item = (K, Reply)>) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (Self::bulk(key), value)).collect())
    }

    /// A list of strings.
    pub fn bulks<B: Into<Blob>>(items: impl IntoIterator<Item = B>) -> Self {
        Self::Array(items.into_iter().map(Self::bulk).collect())
    }

    /// A list of status lines, as `HELP` answers.
    #[must_use]
    pub fn lines(lines: &[&'static str]) -> Self {
        Self::Array(lines.iter().map(|&it| Self::Simple(it.into())).collect())
    }

    /// A list of words in RESP2, a set of words in RESP3.
    #[must_use]
    pub fn word_set(words: &[&'static str]) -> Self {
        Self::Set(words.iter().map(|&it| Self::Simple(it.into())).collect())
    }

    /// Whether `CLIENT REPLY OFF` does not silence it.
    #[must_use]
    pub fn is_push(&self) -> bool {
        match self {
            Self::Push(_) => true,
            Self::Many(items) => items.iter().all(Self::is_push),
            Self::In(_, reply) => reply.is_push(),
            Self::None
            | Self::Ok
            | Self::Simple(_)
            | Self::Error(_)
            | Self::Int(_)
            | Self::Bulk(_)
            | Self::Null
            | Self::NullArray
            | Self::Array(_)
            | Self::Elements(_)
            | Self::Entries(_)
            | Self::Map(_)
            | Self::Set(_)
            | Self::Double(_)
            | Self::Bool(_)
            | Self::BigNumber(_)
            | Self::Verbatim(..)
            | Self::Attribute(..) => false,
        }
    }

    /// Appends the wire form.
    #[inline]
    pub fn write(&self, out: &mut Writer<'_>) {
        match self {
            Self::None => {}
            Self::Ok => out.ok(),
            Self::Int(n) => out.int(*n),
            Self::Bulk(bytes) => out.bulk(bytes),
            Self::Null => out.null(),
            Self::Simple(_)
            | Self::Error(_)
            | Self::NullArray
            | Self::Array(_)
            | Self::Elements(_)
            | Self::Entries(_)
            | Self::Map(_)
            | Self::Set(_)
            | Self::Push(_)
            | Self::Double(_)
            | Self::Bool(_)
            | Self::BigNumber(_)
            | Self::Verbatim(..)
            | Self::Attribute(..)
            | Self::Many(_)
            | Self::In(..) => self.write_rare(out),
        }
    }

    fn write_rare(&self, out: &mut Writer<'_>) {
        match self {
            Self::Simple(text) => out.simple(text.as_bytes()),
            Self::Error(error) => error.write(out),
            Self::NullArray => out.null_array(),
            Self::Array(items) => {
                out.array(items.len());
                write_all(items, out);
            }
            Self::Elements(slice) => slice.write(out),
            Self::Entries(slice) => slice.write(out),
            Self::Map(pairs) => {
                out.map(pairs.len());
                write_pairs(pairs, out);
            }
            Self::Set(items) => {
                out.set(items.len());
                write_all(items, out);
            }
            Self::Push(items) => {
                out.push(items.len());
                write_all(items, out);
            }
            Self::Double(n) => out.double(*n),
            Self::Bool(yes) => out.boolean(*yes),
            Self::BigNumber(digits) => out.big_number(digits),
            Self::Verbatim(format, text) => out.verbatim(format, text),
            Self::Attribute(pairs, reply) => {
                if out.attribute(pairs.len()) {
                    write_pairs(pairs, out);
                }
                reply.write(out);
            }
            Self::Many(items) => write_all(items, out),
            Self::In(version, reply) => reply.write(&mut Writer::new(out.buffer(), *version)),
            Self::None | Self::Ok | Self::Int(_) | Self::Bulk(_) | Self::Null => self.write(out),
        }
    }
}

fn write_all(items: &[Reply], out: &mut Writer<'_>) {
    for item in items {
        item.write(out);
    }
}

fn write_pairs(pairs: &[(Reply, Reply)], out: &mut Writer<'_>) {
    for (key, value) in pairs {
        key.write(out);
        value.write(out);
    }
}
