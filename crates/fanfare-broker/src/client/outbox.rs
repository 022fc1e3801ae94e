//! What waits to be sent to one client, as ranges of bytes.
//!
//! Replies are copied into a buffer of the client's own. Published messages are encoded once, into a [`Segment`] that
//! all subscribers of the reactor share; an outbox holds ranges of it, and adjacent ranges are merged, so that a
//! subscriber of one busy channel sends one contiguous range. Large payloads are not copied at all. A small range that
//! can not be merged is copied, so that a slow client does not keep a whole segment alive for a few bytes.

use std::cell::{Ref, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::sync::Arc;

use fanfare_resp::{Version, Writer};
use smallvec::SmallVec;

/// Ranges shorter than this are copied when they can not be merged with the one before.
const SHARE_MIN: usize = 2048;
/// A segment is closed at this size, and so is a buffer of replies.
const SEGMENT_LEN: usize = 64 * 1024;
/// Ranges per system call.
const IOVECS_MAX: usize = 64;
/// Buffers a reactor keeps for reuse, and the largest it keeps.
const POOL_LEN_MAX: usize = 32;
const POOLED_CAPACITY_MAX: usize = 16 * 1024;

/// Bytes on their way to one client.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    chunks: VecDeque<Chunk>,
    n_bytes: usize,
}

#[derive(Debug)]
enum Chunk {
    /// The client's own bytes.
    Own { data: Vec<u8>, start: usize },
    /// A range of a shared segment.
    Slice(Slice),
    /// A large payload.
    Payload { bytes: Arc<[u8]>, start: usize },
}

/// A range of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    segment: Rc<Segment>,
    start: usize,
    end: usize,
}

/// Encoded messages; it only grows while somebody holds a range of it.
#[derive(Debug, Default)]
struct Segment(RefCell<Vec<u8>>);

/// Encodes messages into segments; one per reactor.
#[derive(Debug, Default)]
pub(crate) struct Press {
    current: Rc<Segment>,
}

/// Buffers for reuse; one pool per reactor.
#[derive(Debug, Default)]
pub(crate) struct BufferPool(Vec<Vec<u8>>);

impl Press {
    /// Appends what `encode` writes to a segment; `len_expected` decides whether it still fits the present one.
    #[inline]
    pub(crate) fn encode(
        &mut self,
        len_expected: usize,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Slice {
        if Rc::strong_count(&self.current) == 1 {
            // Nobody holds a range: the memory, warm in the cache, serves again.
            let mut data = self.current.0.borrow_mut();
            data.clear();
            data.shrink_to(SEGMENT_LEN);
        } else if SEGMENT_LEN < self.current.0.borrow().len() + len_expected {
            self.current =
                Rc::new(Segment(RefCell::new(Vec::with_capacity(len_expected.max(4096)))));
        }
        let mut data = self.current.0.borrow_mut();
        let start = data.len();
        encode(&mut data);
        Slice { segment: Rc::clone(&self.current), start, end: data.len() }
    }
}

impl Slice {
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Too small to keep its segment alive: copying it costs less memory than sharing.
    fn is_small(&self) -> bool {
        self.len() < SHARE_MIN || self.len() * 8 < self.segment.0.borrow().len()
    }

    fn bytes(&self) -> Ref<'_, [u8]> {
        Ref::map(self.segment.0.borrow(), |it| it.get(self.start..self.end).unwrap_or_default())
    }
}

impl BufferPool {
    fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        if self.0.len() < POOL_LEN_MAX && buffer.capacity() <= POOLED_CAPACITY_MAX {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}

impl Outbox {
    /// Bytes that wait.
    #[inline]
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Ranges that wait.
    pub(crate) fn n_chunks(&self) -> usize {
        self.chunks.len()
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.n_bytes == 0
    }

    /// Appends a reply.
    #[inline]
    pub(crate) fn reply<T>(
        &mut self,
        version: Version,
        pool: &mut BufferPool,
        write: impl FnOnce(&mut Writer<'_>) -> T,
    ) -> T {
        let data = self.own(pool);
        let before = data.len();
        let result = write(&mut Writer::new(data, version));
        let n_written = data.len() - before;
        self.n_bytes += n_written;
        result
    }

    /// Appends bytes.
    pub(crate) fn copy(&mut self, bytes: &[u8], pool: &mut BufferPool) {
        self.own(pool).extend_from_slice(bytes);
        self.n_bytes += bytes.len();
    }

    /// Appends a range of shared bytes.
    #[inline]
    pub(crate) fn push_slice(&mut self, slice: &Slice, pool: &mut BufferPool) {
        self.n_bytes += slice.len();
        if let Some(Chunk::Slice(last)) = self.chunks.back_mut() {
            if last.end == slice.start && Rc::ptr_eq(&last.segment, &slice.segment) {
                last.end = slice.end;
                return;
            }
            if last.is_small() {
                self.settle_last(pool);
            }
        }
        self.chunks.push_back(Chunk::Slice(slice.clone()));
    }

    /// Appends a payload from `start` on without copying it.
    pub(crate) fn push_payload(&mut self, bytes: Arc<[u8]>, start: usize) {
        self.n_bytes += bytes.len().saturating_sub(start);
        self.chunks.push_back(Chunk::Payload { bytes, start });
    }

    /// Copies a short range at the end, so that it no longer holds its segment.
    pub(crate) fn settle_last(&mut self, pool: &mut BufferPool) {
        match self.chunks.pop_back() {
            Some(Chunk::Slice(slice)) if slice.is_small() => {
                self.own(pool).extend_from_slice(&slice.bytes());
            }
            Some(other) => self.chunks.push_back(other),
            None => {}
        }
    }

    /// Writes with `write` (one range) or `write_vectored` until all is sent or the socket is full. Returns whether
    /// all is sent.
    ///
    /// # Errors
    /// The socket's, except "would block".
    pub(crate) fn write_to(
        &mut self,
        pool: &mut BufferPool,
        socket: &impl WriteNow,
        n_sent: &mut u64,
    ) -> io::Result<bool> {
        while self.n_bytes != 0 {
            let written = if self.chunks.len() == 1 {
                self.write_one(socket)
            } else {
                self.write_many(socket)
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    *n_sent += n as u64;
                    self.advance(n, pool);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    #[inline]
    fn own(&mut self, pool: &mut BufferPool) -> &mut Vec<u8> {
        let reusable =
            matches!(self.chunks.back(), Some(Chunk::Own { data, .. }) if data.len() < SEGMENT_LEN);
        if !reusable {
            self.chunks.push_back(Chunk::Own { data: pool.take(), start: 0 });
        }
        match self.chunks.back_mut() {
            Some(Chunk::Own { data, .. }) => data,
            #[expect(clippy::unreachable, reason = "an own chunk was found or pushed just above")]
            _ => unreachable!(),
        }
    }

    fn write_one(&self, socket: &impl WriteNow) -> io::Result<usize> {
        match self.chunks.front() {
            Some(chunk) => socket.write_now(&chunk.bytes()),
            None => Ok(0),
        }
    }

    fn write_many(&self, socket: &impl WriteNow) -> io::Result<usize> {
        let views: SmallVec<[View<'_>; IOVECS_MAX]> =
            self.chunks.iter().take(IOVECS_MAX).map(Chunk::bytes).collect();
        let slices: SmallVec<[IoSlice<'_>; IOVECS_MAX]> =
            views.iter().map(|it| IoSlice::new(it)).collect();
        socket.write_vectored_now(&slices)
    }

    fn advance(&mut self, mut n: usize, pool: &mut BufferPool) {
        self.n_bytes -= n;
        while n != 0 {
            let Some(chunk) = self.chunks.front_mut() else { return };
            let len = chunk.len();
            if n < len {
                chunk.skip(n);
                return;
            }
            n -= len;
            if let Some(Chunk::Own { data, .. }) = self.chunks.pop_front() {
                pool.give(data);
            }
        }
        if self.chunks.is_empty() && 64 < self.chunks.capacity() {
            self.chunks = VecDeque::new();
        }
    }
}

/// A socket that writes what it can take at once.
pub(crate) trait WriteNow {
    fn write_now(&self, bytes: &[u8]) -> io::Result<usize>;
    fn write_vectored_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

enum View<'a> {
    Plain(&'a [u8]),
    Shared(Ref<'a, [u8]>),
}

impl std::ops::Deref for View<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Plain(it) => it,
            Self::Shared(it) => it,
        }
    }
}

impl Chunk {
    fn bytes(&self) -> View<'_> {
        match self {
            Self::Own { data, start } => View::Plain(data.get(*start..).unwrap_or_default()),
            Self::Slice(slice) => View::Shared(slice.bytes()),
            Self::Payload { bytes, start } => View::Plain(bytes.get(*start..).unwrap_or_default()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Own { data, start } => data.len() - start,
            Self::Slice(slice) => slice.len(),
            Self::Payload { bytes, start } => bytes.len() - start,
        }
    }

    fn skip(&mut self, n: usize) {
        match self {
            Self::Own { start, .. } | Self::Payload { start, .. } => *start += n,
            Self::Slice(slice) => slice.start += n,
        }
    }
}

#[cfg(test)]
mod tests;
