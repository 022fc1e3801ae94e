//! The server's side: finds one request at the start of a read buffer.
//!
//! A request is `*n` and `n` bulk strings, or an inline command typed by hand. The rules, the
//! oddities included, are those of redis-server 7.0: a line ends at the first CR, whatever the
//! byte after it, and so does an argument after its length; a NUL byte hides the rest of a line.

use crate::{Limits, RequestError, header::header, inline, number};

/// Where an argument lies: byte offsets within [`Request::data`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset behind its last byte.
    pub end: usize,
}

/// The arguments of one request, the command's name first, borrowed from the read buffer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    data: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Request<'a> {
    /// A request whose arguments are the `spans` of `data`.
    #[inline]
    pub fn new(data: &'a [u8], spans: &'a [Span]) -> Self {
        Self { data, spans }
    }

    /// How many arguments, the command's name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// True for `*0`, `*-1` and a blank line, which Redis ignores.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `idx`; 0 is the command's name.
    #[inline]
    pub fn get(&self, idx: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(idx)?;
        self.data.get(span.start..span.end)
    }

    /// All arguments in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let data = self.data;
        self.spans.iter().map(move |span| data.get(span.start..span.end).unwrap_or_default())
    }

    /// Where the arguments lie in [`Request::data`].
    #[inline]
    pub fn spans(&self) -> &'a [Span] {
        self.spans
    }

    /// The bytes that the spans refer to.
    #[inline]
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// How far a request has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The request is the first `consumed` bytes of the buffer.
    Complete {
        /// How many bytes to drop from the buffer once the request has been handled.
        consumed: usize,
    },
    /// More bytes are needed.
    Incomplete {
        /// At least so many are missing; 0 if unknown. The peer's claim, so cap it before
        /// reserving memory.
        wanted: usize,
    },
}

/// Arguments allowed before authentication.
const UNAUTHENTICATED_ARGS_MAX: usize = 10;
/// Bytes per argument allowed before authentication.
const UNAUTHENTICATED_BULK_LEN_MAX: usize = 16384;
/// A request with more arguments gives its memory back with the next one.
const SPANS_KEPT_MAX: usize = 1024;
/// A longer inline command gives its memory back with the next one.
const INLINE_KEPT_MAX: usize = 4096;

/// Finds requests in a read buffer, without copying and without allocating per request.
///
/// It remembers how far it got, so that a request that arrives in pieces is parsed once.
///
/// ```
/// use fanfare_resp::{Limits, Progress, RequestDecoder};
///
/// let mut decoder = RequestDecoder::new(Limits::default());
/// let buf = b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nPING\r\n";
/// assert_eq!(decoder.decode(&buf[..20])?, Progress::Incomplete { wanted: 2 });
/// let Progress::Complete { consumed } = decoder.decode(buf)? else { panic!("it is all there") };
/// assert_eq!(decoder.request(buf).get(1), Some(&b"hi"[..]));
///
/// let rest = &buf[consumed..];
/// assert_eq!(decoder.decode(rest)?, Progress::Complete { consumed: 6 });
/// assert_eq!(decoder.request(rest).get(0), Some(&b"PING"[..]));
/// # Ok::<_, fanfare_resp::RequestError>(())
/// ```
#[derive(Debug)]
pub struct RequestDecoder {
    limits: Limits,
    is_authenticated: bool,
    /// The last request was inline: its spans refer to `unescaped`.
    is_inline: bool,
    /// Arguments not yet found; 0 between requests and within the first line.
    n_missing: usize,
    /// The first byte not yet parsed.
    pos: usize,
    /// The length of the argument at `pos`, if its header has been read.
    bulk_len: Option<usize>,
    /// No line that is still to be read ends before this offset. 0 between requests.
    n_scanned: usize,
    spans: Vec<Span>,
    unescaped: Vec<u8>,
}

impl RequestDecoder {
    /// A decoder between requests, for a client that needs no authentication: see
    /// [`RequestDecoder::set_authenticated`].
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            is_authenticated: true,
            is_inline: false,
            n_missing: 0,
            pos: 0,
            bulk_len: None,
            n_scanned: 0,
            spans: Vec::new(),
            unescaped: Vec::new(),
        }
    }

    /// The limits, which hold from the next argument on. Depth does not apply to requests.
    pub fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// With `false`, a request may have 10 arguments of 16384 bytes at most.
    pub fn set_authenticated(&mut self, yes: bool) {
        self.is_authenticated = yes;
    }

    /// Looks for one request at the start of `buf`.
    ///
    /// After [`Progress::Incomplete`] the next call must bring the same bytes and more. Empty
    /// requests (`*0`, `*-1`, a blank line) complete with no argument.
    ///
    /// # Errors
    /// The client broke the protocol; Redis answers with the error and closes the connection. The
    /// decoder must not be used again.
    #[inline]
    pub fn decode(&mut self, buf: &[u8]) -> Result<Progress, RequestError> {
        if self.n_missing == 0
            && let Some(progress) = self.begin(buf)?
        {
            return Ok(progress);
        }
        self.bulks(buf)
    }

    /// The request that the last [`decode`](Self::decode) completed, with the same `buf`.
    #[inline]
    pub fn request<'a>(&'a self, buf: &'a [u8]) -> Request<'a> {
        Request::new(if self.is_inline { &self.unescaped } else { buf }, &self.spans)
    }

    /// Reads the first line. `None`: bulk strings follow.
    #[inline]
    fn begin(&mut self, buf: &[u8]) -> Result<Option<Progress>, RequestError> {
        self.spans.clear();
        if SPANS_KEPT_MAX < self.spans.capacity() || INLINE_KEPT_MAX < self.unescaped.capacity() {
            self.give_back_memory();
        }
        let (count, len) = match header::<b'*'>(buf) {
            Some(found) => found,
            None => match buf.first() {
                None => return Ok(Some(Progress::Incomplete { wanted: 0 })),
                Some(b'*') => match self.unusual_count(buf)? {
                    Some(found) => found,
                    None => return Ok(Some(Progress::Incomplete { wanted: 0 })),
                },
                Some(_) => return self.inline_command(buf).map(Some),
            },
        };
        self.is_inline = false;
        if self.limits.array_len_max < count {
            return Err(RequestError::InvalidMultibulkLength);
        }
        if !self.is_authenticated && UNAUTHENTICATED_ARGS_MAX < count {
            return Err(RequestError::UnauthenticatedMultibulkLength);
        }
        if count == 0 {
            self.n_scanned = 0;
            return Ok(Some(Progress::Complete { consumed: len }));
        }
        self.n_missing = count;
        self.pos = len;
        Ok(None)
    }

    /// Finds the arguments that are still missing.
    #[inline]
    fn bulks(&mut self, buf: &[u8]) -> Result<Progress, RequestError> {
        let mut pos = self.pos;
        let mut n_missing = self.n_missing;
        let bulk_len_max = self.bulk_len_max();
        let mut known_len = self.bulk_len.take();
        while 0 < n_missing {
            let (start, len) = match known_len.take() {
                Some(len) => (pos, len),
                None => match buf.get(pos..).and_then(header::<b'$'>) {
                    Some((len, header_len)) if len <= bulk_len_max => (pos + header_len, len),
                    _ => match self.unusual_bulk(buf, pos)? {
                        Some((len, header_len)) => (pos + header_len, len),
                        None => return self.pause(buf, pos, n_missing, None),
                    },
                },
            };
            let end = start.saturating_add(len);
            if buf.len() < end.saturating_add(2) {
                return self.pause(buf, start, n_missing, Some(len));
            }
            self.spans.push(Span { start, end });
            pos = end + 2;
            n_missing -= 1;
        }
        self.n_missing = 0;
        self.n_scanned = 0;
        if self.limits.total_len_max < pos {
            return Err(RequestError::TotalTooLong);
        }
        Ok(Progress::Complete { consumed: pos })
    }

    #[inline]
    fn bulk_len_max(&self) -> usize {
        if self.is_authenticated {
            self.limits.bulk_len_max
        } else {
            self.limits.bulk_len_max.min(UNAUTHENTICATED_BULK_LEN_MAX)
        }
    }

    /// Remembers where to go on.
    #[cold]
    fn pause(
        &mut self,
        buf: &[u8],
        pos: usize,
        n_missing: usize,
        bulk_len: Option<usize>,
    ) -> Result<Progress, RequestError> {
        let end = bulk_len.map_or(buf.len(), |len| pos.saturating_add(len).saturating_add(2));
        if self.limits.total_len_max < end.max(buf.len()) {
            return Err(RequestError::TotalTooLong);
        }
        self.pos = pos;
        self.n_missing = n_missing;
        self.bulk_len = bulk_len;
        Ok(Progress::Incomplete { wanted: end.saturating_sub(buf.len()) })
    }

    /// The `*` line, when it is not simply a short count: incomplete, negative, long or wrong.
    #[cold]
    fn unusual_count(&mut self, buf: &[u8]) -> Result<Option<(usize, usize)>, RequestError> {
        let Some(at) = self.find(buf, 0, b'\r') else {
            if self.limits.inline_len_max < buf.len() {
                return Err(RequestError::TooBigMbulkCount);
            }
            return Ok(None);
        };
        if buf.len() < at + 2 {
            return Ok(None);
        }
        let count = buf.get(1..at).and_then(number::strict_int);
        let count = count.ok_or(RequestError::InvalidMultibulkLength)?;
        Ok(Some((usize::try_from(count).unwrap_or(0), at + 2)))
    }

    /// The line that should start with `$`, when it is not simply an allowed length.
    #[cold]
    fn unusual_bulk(
        &mut self,
        buf: &[u8],
        pos: usize,
    ) -> Result<Option<(usize, usize)>, RequestError> {
        let rest = buf.get(pos..).unwrap_or_default();
        let Some(at) = self.find(buf, pos, b'\r').map(|at| at - pos) else {
            if self.limits.inline_len_max < rest.len() {
                return Err(RequestError::TooBigBulkCount);
            }
            return Ok(None);
        };
        if rest.len() < at + 2 {
            return Ok(None);
        }
        match rest.first() {
            Some(b'$') => (),
            Some(other) => return Err(RequestError::ExpectedDollar(*other)),
            None => return Ok(None),
        }
        let len = rest.get(1..at).and_then(number::strict_int);
        let len = len.and_then(|len| usize::try_from(len).ok());
        match len {
            Some(len) if len <= self.bulk_len_max() => Ok(Some((len, at + 2))),
            Some(len) if len <= self.limits.bulk_len_max => {
                Err(RequestError::UnauthenticatedBulkLength)
            }
            Some(_) | None => Err(RequestError::InvalidBulkLength),
        }
    }

    #[cold]
    fn inline_command(&mut self, buf: &[u8]) -> Result<Progress, RequestError> {
        let Some(at) = self.find(buf, 0, b'\n') else {
            if self.limits.inline_len_max < buf.len() {
                return Err(RequestError::TooBigInline);
            }
            return Ok(Progress::Incomplete { wanted: 0 });
        };
        self.n_scanned = 0;
        let line = buf.get(..at).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.is_inline = true;
        self.unescaped.clear();
        inline::split(line, &mut self.unescaped, &mut self.spans)
            .ok_or(RequestError::UnbalancedQuotes)?;
        Ok(Progress::Complete { consumed: at + 1 })
    }

    /// C's `strchr` from `pos` on: a NUL byte hides everything behind it. Goes on where the last
    /// call for the same line ended.
    fn find(&mut self, buf: &[u8], pos: usize, wanted: u8) -> Option<usize> {
        let start = pos.max(self.n_scanned);
        let unscanned = buf.get(start..)?;
        let Some(offset) = memchr::memchr2(wanted, 0, unscanned) else {
            self.n_scanned = buf.len();
            return None;
        };
        self.n_scanned = start + offset;
        (unscanned.get(offset) == Some(&wanted)).then_some(self.n_scanned)
    }

    #[cold]
    fn give_back_memory(&mut self) {
        self.spans.shrink_to(SPANS_KEPT_MAX);
        self.unescaped.clear();
        self.unescaped.shrink_to(INLINE_KEPT_MAX);
    }
}
