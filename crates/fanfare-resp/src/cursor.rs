//! The read buffer of a decoder, with a place in it.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::header::header;

/// Strings up to this length are copied: a slice would keep the whole read buffer alive for a few
/// bytes. Measured, copies and slices cost the same up to 1 KiB, so memory decides.
const COPY_LEN_MAX: usize = 256;

/// A place in the buffer. Bytes before it are dropped in one go, not element by element.
pub(crate) struct Cursor<'a> {
    pub(crate) buf: &'a mut BytesMut,
    pub(crate) pos: usize,
    /// Bytes of the current top-level value that are no longer in the buffer.
    pub(crate) n_taken: usize,
    /// Bytes of the current top-level value before the element, or payload, being read.
    pub(crate) n_before_element: usize,
}

impl Cursor<'_> {
    pub(crate) fn rest(&self) -> &[u8] {
        self.buf.get(self.pos..).unwrap_or_default()
    }

    pub(crate) fn n_consumed(&self) -> usize {
        self.n_taken + self.pos
    }

    /// Steps over the header of a string that is here as a whole; returns its length.
    #[inline]
    pub(crate) fn plain_string(&mut self, len_max: usize) -> Option<usize> {
        let rest = self.rest();
        let (len, header_len) = header::<b'$'>(rest).filter(|(len, _)| *len <= len_max)?;
        let (header, payload) = rest.split_at_checked(header_len)?;
        let [b'\r', b'\n', ..] = payload.get(len..)? else { return None };
        if header.last() != Some(&b'\n') {
            return None;
        }
        self.pos += header_len;
        Some(len)
    }

    /// The next `len` bytes, which are there, and drops the line end behind them.
    pub(crate) fn take_bulk(&mut self, len: usize) -> Bytes {
        if len <= COPY_LEN_MAX {
            let bytes = small(self.rest().get(..len).unwrap_or_default());
            self.pos += len + 2;
            return bytes;
        }
        self.buf.advance(self.pos);
        let bytes = self.buf.split_to(len).freeze();
        self.buf.advance(2);
        self.n_taken += self.pos + len + 2;
        self.pos = 0;
        bytes
    }

    /// Drops what has been read; returns how much that is for the current top-level value.
    pub(crate) fn finish(self) -> usize {
        self.buf.advance(self.pos);
        self.n_taken + self.pos
    }
}

/// A copy of a few bytes; the words that come with every message cost no allocation.
pub(crate) fn small(bytes: &[u8]) -> Bytes {
    match bytes {
        b"message" => Bytes::from_static(b"message"),
        b"pmessage" => Bytes::from_static(b"pmessage"),
        b"smessage" => Bytes::from_static(b"smessage"),
        b"OK" => Bytes::from_static(b"OK"),
        b"QUEUED" => Bytes::from_static(b"QUEUED"),
        b"PONG" => Bytes::from_static(b"PONG"),
        other => Bytes::copy_from_slice(other),
    }
}
