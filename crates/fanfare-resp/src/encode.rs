//! Writers; the only place that knows RESP2 from RESP3.

use crate::{Value, number::DoubleText};

/// The version of the protocol that a connection speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Version {
    /// What a connection speaks until `HELLO 3`.
    #[default]
    Resp2,
    /// Maps, sets, pushes, doubles, booleans, nulls with types of their own.
    Resp3,
}

impl Version {
    /// Whether pairs, such as members with their scores, are arrays of two; otherwise they are flat.
    #[must_use]
    pub fn nests_pairs(self) -> bool {
        self == Self::Resp3
    }
}

/// Appends replies to a `Vec<u8>`, in the words of the connection's version.
///
/// The caller writes the elements of an aggregate after its header.
///
/// ```
/// use fanfare_resp::{Version, Writer};
///
/// let mut out = Vec::new();
/// for version in [Version::Resp2, Version::Resp3] {
///     let mut writer = Writer::new(&mut out, version);
///     writer.map(1);
///     writer.bulk(b"ready");
///     writer.boolean(true);
/// }
/// assert_eq!(out, b"*2\r\n$5\r\nready\r\n:1\r\n%1\r\n$5\r\nready\r\n#t\r\n");
/// ```
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    version: Version,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, version: Version) -> Self {
        Self { out, version }
    }

    /// The version this writer speaks.
    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The buffer this writer appends to.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// `+text`. A CR or LF in the text becomes a space, so that it cannot forge another reply.
    #[inline]
    pub fn simple(&mut self, text: &[u8]) {
        line(self.out, b'+', text);
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// `-text`, where `text` starts with the error's code. CR and LF as in [`Writer::simple`].
    #[inline]
    pub fn error(&mut self, text: &[u8]) {
        line(self.out, b'-', text);
    }

    /// `:value`
    #[inline]
    pub fn int(&mut self, value: i64) {
        match usize::try_from(value) {
            Ok(count) => header(self.out, b':', count),
            Err(_) => {
                self.out.push(b':');
                self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// `$len` and the bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        bulk(self.out, b'$', bytes);
    }

    /// `$-1`, or `_` in RESP3.
    #[inline]
    pub fn null(&mut self) {
        self.either(b"$-1\r\n", b"_\r\n");
    }

    /// `*-1`, or `_` in RESP3.
    #[inline]
    pub fn null_array(&mut self) {
        self.either(b"*-1\r\n", b"_\r\n");
    }

    /// The header of an array of `len` elements.
    #[inline]
    pub fn array(&mut self, len: usize) {
        header(self.out, b'*', len);
    }

    /// The header of a map of `n_pairs` keys with their values; in RESP2 a flat array.
    #[inline]
    pub fn map(&mut self, n_pairs: usize) {
        match self.version {
            Version::Resp2 => header(self.out, b'*', n_pairs.saturating_mul(2)),
            Version::Resp3 => header(self.out, b'%', n_pairs),
        }
    }

    /// The header of a set of `len` elements; in RESP2 an array.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.header_either(b'*', b'~', len);
    }

    /// The header of a push of `len` elements; in RESP2 an array.
    #[inline]
    pub fn push(&mut self, len: usize) {
        self.header_either(b'*', b'>', len);
    }

    /// `,value`, in RESP2 a bulk string; 17 digits as redis-server 7.0.
    pub fn double(&mut self, value: f64) {
        let text = DoubleText::new(value);
        match self.version {
            Version::Resp2 => bulk(self.out, b'$', text.as_bytes()),
            Version::Resp3 => line(self.out, b',', text.as_bytes()),
        }
    }

    /// `#t` or `#f`; in RESP2 `:1` or `:0`.
    #[inline]
    pub fn boolean(&mut self, value: bool) {
        match value {
            true => self.either(b":1\r\n", b"#t\r\n"),
            false => self.either(b":0\r\n", b"#f\r\n"),
        }
    }

    /// `(digits`; in RESP2 a bulk string.
    pub fn big_number(&mut self, digits: &[u8]) {
        match self.version {
            Version::Resp2 => bulk(self.out, b'$', digits),
            Version::Resp3 => line(self.out, b'(', digits),
        }
    }

    /// `=len`, the format and the text; in RESP2 a bulk string of the text alone.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        match self.version {
            Version::Resp2 => bulk(self.out, b'$', text),
            Version::Resp3 => verbatim(self.out, format, text),
        }
    }

    /// The header of `n_pairs` attributes of the value after them. RESP2 has no attributes: if
    /// this returns false, the caller must not write the pairs.
    #[must_use]
    pub fn attribute(&mut self, n_pairs: usize) -> bool {
        match self.version {
            Version::Resp2 => false,
            Version::Resp3 => {
                header(self.out, b'|', n_pairs);
                true
            }
        }
    }

    /// `!len` and the text; in RESP2 a simple error.
    pub fn bulk_error(&mut self, text: &[u8]) {
        match self.version {
            Version::Resp2 => line(self.out, b'-', text),
            Version::Resp3 => bulk(self.out, b'!', text),
        }
    }

    #[inline]
    fn either(&mut self, resp2: &[u8], resp3: &[u8]) {
        self.out.extend_from_slice(match self.version {
            Version::Resp2 => resp2,
            Version::Resp3 => resp3,
        });
    }

    #[inline]
    fn header_either(&mut self, resp2: u8, resp3: u8, len: usize) {
        let marker = match self.version {
            Version::Resp2 => resp2,
            Version::Resp3 => resp3,
        };
        header(self.out, marker, len);
    }
}

/// Appends the header of a bulk string of `len` bytes; the caller appends the bytes and `\r\n`.
pub fn bulk_header(out: &mut Vec<u8>, len: usize) {
    header(out, b'$', len);
}

/// Appends a request: an array of bulk strings.
///
/// ```
/// let mut out = Vec::new();
/// fanfare_resp::command(&mut out, [&b"PUBLISH"[..], b"news", b"hi"].into_iter());
/// assert_eq!(out, b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
/// ```
pub fn command<'x>(out: &mut Vec<u8>, args: impl ExactSizeIterator<Item = &'x [u8]>) {
    header(out, b'*', args.len());
    for arg in args {
        bulk(out, b'$', arg);
    }
}

/// Appends `value` as it is, whatever the version: what [`Decoder`](crate::Decoder) reads back as
/// an equal value. A CR or LF in a simple string or error becomes a space.
pub fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::SimpleString(text) => line(out, b'+', text),
        Value::SimpleError(text) => line(out, b'-', text),
        Value::Integer(number) => Writer::new(out, Version::Resp3).int(*number),
        Value::BulkString(bytes) => bulk(out, b'$', bytes),
        Value::NullBulk => out.extend_from_slice(b"$-1\r\n"),
        Value::NullArray => out.extend_from_slice(b"*-1\r\n"),
        Value::Null => out.extend_from_slice(b"_\r\n"),
        Value::Boolean(truth) => Writer::new(out, Version::Resp3).boolean(*truth),
        Value::Double(number) => Writer::new(out, Version::Resp3).double(*number),
        Value::BigNumber(digits) => line(out, b'(', digits),
        Value::BulkError(text) => bulk(out, b'!', text),
        Value::Verbatim { format, text } => verbatim(out, format, text),
        Value::Array(items) => elements(out, b'*', items),
        Value::Set(items) => elements(out, b'~', items),
        Value::Push(items) => elements(out, b'>', items),
        Value::Map(entries) => pairs(out, b'%', entries),
        Value::Attribute { attributes, value: inner } => {
            pairs(out, b'|', attributes);
            self::value(out, inner);
        }
    }
}

/// Bytes of the header `$n\r\n` of a bulk string of `n` bytes; the same for any aggregate.
#[inline]
pub fn bulk_header_len(n: usize) -> usize {
    let n_digits = n.checked_ilog10().map_or(1, |log| log as usize + 1);
    n_digits + 3
}

/// Bytes of a whole bulk string of `n` bytes, header and line end included.
///
/// ```
/// assert_eq!(fanfare_resp::bulk_len(5), "$5\r\nhello\r\n".len());
/// ```
#[inline]
pub fn bulk_len(n: usize) -> usize {
    bulk_header_len(n) + n + 2
}

fn elements(out: &mut Vec<u8>, marker: u8, items: &[Value]) {
    header(out, marker, items.len());
    for item in items {
        value(out, item);
    }
}

fn pairs(out: &mut Vec<u8>, marker: u8, entries: &[(Value, Value)]) {
    header(out, marker, entries.len());
    for (key, val) in entries {
        value(out, key);
        value(out, val);
    }
}

#[inline]
fn header(out: &mut Vec<u8>, marker: u8, len: usize) {
    match u8::try_from(len) {
        Ok(digit @ 0..=9) => out.extend_from_slice(&[marker, b'0' + digit, b'\r', b'\n']),
        Ok(two @ 10..=99) => {
            out.extend_from_slice(&[marker, b'0' + two / 10, b'0' + two % 10, b'\r', b'\n']);
        }
        _ => {
            out.push(marker);
            out.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[inline]
fn bulk(out: &mut Vec<u8>, marker: u8, bytes: &[u8]) {
    out.reserve(bytes.len() + 24);
    header(out, marker, bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn verbatim(out: &mut Vec<u8>, format: &[u8; 3], text: &[u8]) {
    header(out, b'=', text.len() + 4);
    out.extend_from_slice(format);
    out.push(b':');
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, marker: u8, text: &[u8]) {
    out.reserve(text.len() + 3);
    out.push(marker);
    if memchr::memchr2(b'\r', b'\n', text).is_none() {
        out.extend_from_slice(text);
    } else {
        out.extend(text.iter().map(|byte| match byte {
            b'\r' | b'\n' => b' ',
            other => *other,
        }));
    }
    out.extend_from_slice(b"\r\n");
}
