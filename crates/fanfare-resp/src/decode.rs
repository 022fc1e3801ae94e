//! The client's side: any value of RESP2 and RESP3, incremental and iterative.

use std::mem;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::{
    DecodeError, DecodeErrorKind, Limits, Value,
    aggregate::{Aggregate, Open, check_array_len},
    cursor::{Cursor, small},
    header::header,
    number,
};

/// Elements for which room is made at once, however many the peer announces.
const PREALLOCATED_MAX: usize = 64;

/// Decodes one value after the other from a buffer that the caller fills.
///
/// It may stop at any byte and goes on there: no byte is parsed twice. Large strings are slices of
/// the buffer, not copies. Streamed strings and aggregates (`$?`, `*?`) come out whole.
///
/// ```
/// use bytes::BytesMut;
/// use fanfare_resp::{Decoder, Limits, Value};
///
/// let mut decoder = Decoder::new(Limits::default());
/// let mut buf = BytesMut::from(&b">2\r\n$4\r\nnews\r\n:"[..]);
/// assert_eq!(decoder.decode(&mut buf)?, None);
/// buf.extend_from_slice(b"7\r\n");
/// let push = Value::Push(vec![Value::bulk("news"), Value::Integer(7)]);
/// assert_eq!(decoder.decode(&mut buf)?, Some(push));
/// # Ok::<_, fanfare_resp::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// The aggregates that are open, outermost first.
    open: Vec<Open>,
    /// A string whose header has been read.
    pending: Option<(BulkKind, usize)>,
    /// The chunks so far of a streamed string.
    chunks: Option<Vec<u8>>,
    /// Bytes of the current top-level value taken off the buffer.
    n_consumed: usize,
    /// Bytes at the start of the buffer that hold no line end.
    n_scanned: usize,
    n_wanted: usize,
}

impl Decoder {
    /// A decoder between values.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: Vec::new(),
            pending: None,
            chunks: None,
            n_consumed: 0,
            n_scanned: 0,
            n_wanted: 0,
        }
    }

    /// Takes the next value off the front of `buf`. `None`: more bytes are needed; what has been
    /// understood is already taken off.
    ///
    /// # Errors
    /// The peer broke the protocol or exceeded a limit. The stream cannot be read any further.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Option<Value>, DecodeError> {
        if self.n_consumed == 0
            && let Some(int) = self.take_plain_int(buf)
        {
            return Ok(Some(int));
        }
        let mut cursor =
            Cursor { buf, pos: 0, n_taken: self.n_consumed, n_before_element: self.n_consumed };
        let result = self.run(&mut cursor);
        let offset = cursor.n_before_element;
        let n_consumed = cursor.finish();
        let found = result.map_err(|kind| DecodeError::new(kind, offset))?;
        self.n_consumed = if found.is_some() { 0 } else { n_consumed };
        Ok(found)
    }

    /// After `None`: at least so many bytes are missing; 0 if unknown. The peer's claim, so cap it
    /// before reserving memory.
    pub fn bytes_wanted(&self) -> usize {
        self.n_wanted
    }

    /// A short integer on its own: the answer to `PUBLISH`.
    #[inline]
    fn take_plain_int(&mut self, buf: &mut BytesMut) -> Option<Value> {
        let (value, len) = header::<b':'>(buf)?;
        if self.limits.total_len_max < len || buf.get(len - 1) != Some(&b'\n') {
            return None;
        }
        let int = Value::Integer(i64::try_from(value).ok()?);
        buf.advance(len);
        self.n_scanned = 0;
        self.n_wanted = 0;
        Some(int)
    }

    fn run(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<Value>, DecodeErrorKind> {
        self.n_wanted = 0;
        loop {
            let complete = if self.take_plain(cursor) {
                self.close()?
            } else {
                let Some(token) = self.token(cursor)? else {
                    let n_arrived = cursor.n_consumed().saturating_add(cursor.rest().len());
                    self.check_total(n_arrived.saturating_add(self.n_wanted))?;
                    return Ok(None);
                };
                match token {
                    Token::Value(value) => Some(value),
                    Token::Open(aggregate, len) => self.open(aggregate, len)?,
                    Token::End => Some(self.end_streamed()?),
                    Token::Part => None,
                }
            };
            if let Some(complete) = complete
                && let Some(top) = self.add(complete)?
            {
                self.check_total(cursor.n_consumed())?;
                return Ok(Some(top));
            }
        }
    }

    /// Moves strings that are whole straight into the innermost aggregate, which is what most
    /// replies and all messages are made of. True if that completes it.
    #[inline]
    fn take_plain(&mut self, cursor: &mut Cursor<'_>) -> bool {
        if self.pending.is_some() || self.chunks.is_some() {
            return false;
        }
        let Some(Open { n_missing: Some(n_missing), items, .. }) = self.open.last_mut() else {
            return false;
        };
        while let Some(len) = cursor.plain_string(self.limits.bulk_len_max) {
            items.push(Value::BulkString(cursor.take_bulk(len)));
            self.n_scanned = 0;
            *n_missing -= 1;
            if *n_missing == 0 {
                return true;
            }
        }
        false
    }

    /// The innermost aggregate has all its items.
    fn close(&mut self) -> Result<Option<Value>, DecodeErrorKind> {
        let Some(innermost) = self.open.last_mut() else { return Ok(None) };
        let complete = innermost.complete()?;
        if complete.is_some() {
            self.open.pop();
        }
        Ok(complete)
    }

    /// Puts a complete value into the aggregate that waits for it, which may complete that one,
    /// and so on. Returns the top-level value once it is complete.
    fn add(&mut self, mut complete: Value) -> Result<Option<Value>, DecodeErrorKind> {
        while let Some(parent) = self.open.last_mut() {
            match parent.add(complete, &self.limits)? {
                None => return Ok(None),
                Some(parent) => complete = parent,
            }
            self.open.pop();
        }
        Ok(Some(complete))
    }

    /// Starts an aggregate; an empty one is a value at once.
    fn open(
        &mut self,
        aggregate: Aggregate,
        len: Option<usize>,
    ) -> Result<Option<Value>, DecodeErrorKind> {
        let n_missing = len.map(|len| len.saturating_mul(aggregate.values_per_element()));
        let mut open = Open { aggregate, n_missing, items: Vec::new() };
        if n_missing == Some(0)
            && let Some(empty) = open.complete()?
        {
            return Ok(Some(empty));
        }
        if self.limits.depth_max <= self.open.len() {
            return Err(DecodeErrorKind::TooDeep { limit: self.limits.depth_max });
        }
        open.items.reserve_exact(n_missing.unwrap_or(0).min(PREALLOCATED_MAX));
        self.open.push(open);
        Ok(None)
    }

    /// The `.` that ends a streamed aggregate.
    fn end_streamed(&mut self) -> Result<Value, DecodeErrorKind> {
        let unexpected = DecodeErrorKind::UnexpectedType(b'.');
        match self.open.pop() {
            Some(mut open) if open.n_missing.is_none() => open.complete()?.ok_or(unexpected),
            Some(_) | None => Err(unexpected),
        }
    }

    /// Reads the next element, or the header of an aggregate.
    fn token(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<Token>, DecodeErrorKind> {
        cursor.n_before_element = cursor.n_consumed();
        if let Some((kind, len)) = self.pending.take() {
            return self.payload(cursor, kind, len);
        }
        let Some((marker, line)) = self.line(cursor.rest())? else { return Ok(None) };
        let next_pos = cursor.pos + line.len() + 3;
        if self.chunks.is_some() && marker != b';' {
            return Err(DecodeErrorKind::UnexpectedType(marker));
        }
        let kind = match marker {
            b'$' if line == b"?" => {
                self.chunks = Some(Vec::new());
                cursor.pos = next_pos;
                return Ok(Some(Token::Part));
            }
            b'$' if line == b"-1" => {
                cursor.pos = next_pos;
                return Ok(Some(Token::Value(Value::NullBulk)));
            }
            b'$' => BulkKind::String,
            b'!' => BulkKind::Error,
            b'=' => BulkKind::Verbatim,
            b';' => BulkKind::Chunk,
            _ => {
                let token = simple_token(marker, line, &self.limits)?;
                cursor.pos = next_pos;
                return Ok(Some(token));
            }
        };
        let len = bulk_length(line, &self.limits)?;
        if kind == BulkKind::Chunk {
            let Some(chunks) = &mut self.chunks else {
                return Err(DecodeErrorKind::UnexpectedType(marker));
            };
            if len == 0 {
                let whole = Bytes::from(mem::take(chunks));
                self.chunks = None;
                cursor.pos = next_pos;
                return Ok(Some(Token::Value(Value::BulkString(whole))));
            }
            check_bulk_len(chunks.len().saturating_add(len), &self.limits)?;
        }
        cursor.pos = next_pos;
        self.payload(cursor, kind, len)
    }

    /// The marker and the rest of the line at the start of `rest`, once it is whole.
    fn line<'a>(&mut self, rest: &'a [u8]) -> Result<Option<(u8, &'a [u8])>, DecodeErrorKind> {
        let too_long = DecodeErrorKind::LineTooLong { limit: self.limits.inline_len_max };
        let unscanned = rest.get(self.n_scanned..).unwrap_or_default();
        let Some(offset) = memchr::memchr2(b'\r', b'\n', unscanned) else {
            if self.limits.inline_len_max < rest.len() {
                return Err(too_long);
            }
            self.n_scanned = rest.len();
            return Ok(None);
        };
        let at = self.n_scanned + offset;
        if self.limits.inline_len_max < at {
            return Err(too_long);
        }
        let (line, end) = rest.split_at_checked(at).unwrap_or_default();
        match end {
            [b'\r', b'\n', ..] => (),
            [b'\r'] => {
                self.n_scanned = at;
                self.n_wanted = 1;
                return Ok(None);
            }
            _ => return Err(DecodeErrorKind::ExpectedCrlf),
        }
        self.n_scanned = 0;
        match line {
            [marker, line @ ..] => Ok(Some((*marker, line))),
            [] => Err(DecodeErrorKind::UnexpectedType(b'\r')),
        }
    }

    /// Takes `len` bytes and a line end, once they are there.
    fn payload(
        &mut self,
        cursor: &mut Cursor<'_>,
        kind: BulkKind,
        len: usize,
    ) -> Result<Option<Token>, DecodeErrorKind> {
        cursor.n_before_element = cursor.n_consumed();
        let rest = cursor.rest();
        let Some((payload, end)) = rest.split_at_checked(len) else {
            return Ok(self.wait_for(kind, len, rest.len()));
        };
        match end {
            [b'\r', b'\n', ..] => (),
            [] | [b'\r'] => return Ok(self.wait_for(kind, len, rest.len())),
            _ => return Err(DecodeErrorKind::ExpectedCrlf),
        }
        let value = match kind {
            BulkKind::Chunk => {
                if let Some(chunks) = &mut self.chunks {
                    chunks.extend_from_slice(payload);
                }
                cursor.pos += len + 2;
                return Ok(Some(Token::Part));
            }
            BulkKind::String => Value::BulkString(cursor.take_bulk(len)),
            BulkKind::Error => Value::BulkError(cursor.take_bulk(len)),
            BulkKind::Verbatim => {
                let [a, b, c, b':', ..] = *payload else {
                    return Err(DecodeErrorKind::InvalidVerbatim);
                };
                let mut text = cursor.take_bulk(len);
                text.advance(4);
                Value::Verbatim { format: [a, b, c], text }
            }
        };
        Ok(Some(Token::Value(value)))
    }

    fn wait_for(&mut self, kind: BulkKind, len: usize, n_arrived: usize) -> Option<Token> {
        self.pending = Some((kind, len));
        self.n_wanted = len.saturating_add(2).saturating_sub(n_arrived);
        None
    }

    fn check_total(&self, n_bytes: usize) -> Result<(), DecodeErrorKind> {
        if self.limits.total_len_max < n_bytes {
            return Err(DecodeErrorKind::TotalTooLong { limit: self.limits.total_len_max });
        }
        Ok(())
    }
}

/// What one step of the decoder found.
enum Token {
    Value(Value),
    /// The header of an aggregate; without a length it is streamed.
    Open(Aggregate, Option<usize>),
    /// The end of a streamed aggregate.
    End,
    /// A part of a streamed string.
    Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BulkKind {
    String,
    Error,
    Verbatim,
    Chunk,
}

/// An element that is one line, or the header of an aggregate.
fn simple_token(marker: u8, line: &[u8], limits: &Limits) -> Result<Token, DecodeErrorKind> {
    let value = match marker {
        b'+' => Value::SimpleString(small(line)),
        b'-' => Value::SimpleError(small(line)),
        b':' => Value::Integer(number::lenient_int(line).ok_or(DecodeErrorKind::InvalidInteger)?),
        b'_' if line.is_empty() => Value::Null,
        b'_' => return Err(DecodeErrorKind::InvalidNull),
        b'#' => match line {
            b"t" => Value::Boolean(true),
            b"f" => Value::Boolean(false),
            _ => return Err(DecodeErrorKind::InvalidBoolean),
        },
        b',' => Value::Double(number::double(line).ok_or(DecodeErrorKind::InvalidDouble)?),
        b'(' if number::is_big_number(line) => Value::BigNumber(small(line)),
        b'(' => return Err(DecodeErrorKind::InvalidBigNumber),
        b'*' if line == b"-1" => Value::NullArray,
        b'*' => return open_token(Aggregate::Array, line, limits),
        b'~' => return open_token(Aggregate::Set, line, limits),
        b'>' => return open_token(Aggregate::Push, line, limits),
        b'%' => return open_token(Aggregate::Map, line, limits),
        b'|' if line != b"?" => return open_token(Aggregate::Attributes, line, limits),
        b'.' if line.is_empty() => return Ok(Token::End),
        other => return Err(DecodeErrorKind::UnexpectedType(other)),
    };
    Ok(Token::Value(value))
}

fn open_token(
    aggregate: Aggregate,
    line: &[u8],
    limits: &Limits,
) -> Result<Token, DecodeErrorKind> {
    if line == b"?" {
        return Ok(Token::Open(aggregate, None));
    }
    let declared = length(line)?;
    check_array_len(declared, limits)?;
    let len = usize::try_from(declared).map_err(|_| DecodeErrorKind::InvalidLength)?;
    Ok(Token::Open(aggregate, Some(len)))
}

fn bulk_length(line: &[u8], limits: &Limits) -> Result<usize, DecodeErrorKind> {
    let len = usize::try_from(length(line)?).map_err(|_| DecodeErrorKind::InvalidLength)?;
    check_bulk_len(len, limits)?;
    Ok(len)
}

fn length(line: &[u8]) -> Result<u64, DecodeErrorKind> {
    number::strict_int(line)
        .and_then(|len| u64::try_from(len).ok())
        .ok_or(DecodeErrorKind::InvalidLength)
}

fn check_bulk_len(len: usize, limits: &Limits) -> Result<(), DecodeErrorKind> {
    if limits.bulk_len_max < len {
        let limit = limits.bulk_len_max;
        return Err(DecodeErrorKind::BulkTooLong { declared: len as u64, limit });
    }
    Ok(())
}
