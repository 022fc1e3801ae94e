//! One value type for both versions of the protocol.

use bytes::Bytes;

/// A reply or a push message, in RESP2 or RESP3.
///
/// Every type of the wire keeps its own variant, so that decoding loses nothing but the difference
/// between streamed and plain strings and aggregates. The accessors look through attributes.
///
/// ```
/// use fanfare_resp::Value;
///
/// let reply = Value::Array(vec![Value::bulk("message"), Value::Integer(7), Value::NullBulk]);
/// let items = reply.into_array().ok_or("not an array")?;
/// assert_eq!(items.first().and_then(Value::as_bytes), Some(&b"message"[..]));
/// assert_eq!(items.get(1).and_then(Value::as_int), Some(7));
/// assert!(items.iter().any(Value::is_null));
/// # Ok::<_, &str>(())
/// ```
#[derive(Clone, Debug)]
pub enum Value {
    /// `+OK`
    SimpleString(Bytes),
    /// `-ERR text`
    SimpleError(Bytes),
    /// `:1`
    Integer(i64),
    /// `$3`, or streamed `$?`
    BulkString(Bytes),
    /// `*3`, or streamed `*?`
    Array(Vec<Value>),
    /// `$-1`, the null of RESP2
    NullBulk,
    /// `*-1`, the null array of RESP2
    NullArray,
    /// `_`, the null of RESP3
    Null,
    /// `#t`
    Boolean(bool),
    /// `,1.5`. Compared by its bits: `NaN` equals itself, `0.0` and `-0.0` differ.
    Double(f64),
    /// `(123`: an integer of any size, as its decimal digits
    BigNumber(Bytes),
    /// `!9`: an error that may hold any byte
    BulkError(Bytes),
    /// `=7`: text with a hint of its format
    Verbatim {
        /// Three letters such as `txt` or `mkd`.
        format: [u8; 3],
        /// The text itself.
        text: Bytes,
    },
    /// `%2`, in the order of the wire
    Map(Vec<(Value, Value)>),
    /// `~2`, in the order of the wire; duplicates are kept
    Set(Vec<Value>),
    /// `>3`: not the answer to a request
    Push(Vec<Value>),
    /// `|1`: facts about the value that follows
    Attribute {
        /// The facts, in the order of the wire.
        attributes: Vec<(Value, Value)>,
        /// The value they belong to.
        value: Box<Value>,
    },
}

impl Value {
    /// A bulk string.
    pub fn bulk(bytes: impl Into<Bytes>) -> Self {
        Self::BulkString(bytes.into())
    }

    /// The value without its attributes.
    pub fn inner(&self) -> &Value {
        let mut value = self;
        while let Self::Attribute { value: inner, .. } = value {
            value = inner;
        }
        value
    }

    /// The value without its attributes.
    pub fn into_inner(self) -> Value {
        let mut value = self;
        while let Self::Attribute { value: inner, .. } = value {
            value = *inner;
        }
        value
    }

    /// The bytes of a string, an error, a big number or a verbatim text.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.bytes().map(Bytes::as_ref)
    }

    /// As [`Value::as_bytes`], without copying.
    pub fn into_bytes(self) -> Option<Bytes> {
        match self.into_inner() {
            Self::SimpleString(bytes)
            | Self::SimpleError(bytes)
            | Self::BulkString(bytes)
            | Self::BigNumber(bytes)
            | Self::BulkError(bytes)
            | Self::Verbatim { text: bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// The text of a string, an error, a big number or a verbatim text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The number of an integer.
    pub fn as_int(&self) -> Option<i64> {
        match self.inner() {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The number of a double or an integer, also if it comes as a string (RESP2).
    pub fn as_double(&self) -> Option<f64> {
        match self.inner() {
            Self::Double(value) => Some(*value),
            other => match other.as_int() {
                Some(int) => crate::number::double(itoa::Buffer::new().format(int).as_bytes()),
                None => other.as_bytes().and_then(crate::number::double),
            },
        }
    }

    /// The truth of a boolean, or of the integers 0 and 1 (RESP2).
    pub fn as_bool(&self) -> Option<bool> {
        match self.inner() {
            Self::Boolean(value) => Some(*value),
            Self::Integer(0) => Some(false),
            Self::Integer(1) => Some(true),
            _ => None,
        }
    }

    /// One of the three nulls.
    pub fn is_null(&self) -> bool {
        matches!(self.inner(), Self::NullBulk | Self::NullArray | Self::Null)
    }

    /// An error reply.
    pub fn is_error(&self) -> bool {
        matches!(self.inner(), Self::SimpleError(_) | Self::BulkError(_))
    }

    /// The text of an error reply.
    pub fn as_error(&self) -> Option<&[u8]> {
        if self.is_error() { self.as_bytes() } else { None }
    }

    /// The elements of an array, a set or a push.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self.inner() {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            _ => None,
        }
    }

    /// The elements of an array, a set or a push.
    pub fn into_array(self) -> Option<Vec<Value>> {
        match self.into_inner() {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a map, or of an array of alternating keys and values (RESP2).
    pub fn into_pairs(self) -> Option<Vec<(Value, Value)>> {
        match self.into_inner() {
            Self::Map(entries) => Some(entries),
            Self::Array(items) => pairs(items),
            _ => None,
        }
    }

    fn bytes(&self) -> Option<&Bytes> {
        match self.inner() {
            Self::SimpleString(bytes)
            | Self::SimpleError(bytes)
            | Self::BulkString(bytes)
            | Self::BigNumber(bytes)
            | Self::BulkError(bytes)
            | Self::Verbatim { text: bytes, .. } => Some(bytes),
            _ => None,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::SimpleString(a), Self::SimpleString(b))
            | (Self::SimpleError(a), Self::SimpleError(b))
            | (Self::BulkString(a), Self::BulkString(b))
            | (Self::BigNumber(a), Self::BigNumber(b))
            | (Self::BulkError(a), Self::BulkError(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::NullBulk, Self::NullBulk)
            | (Self::NullArray, Self::NullArray)
            | (Self::Null, Self::Null) => true,
            (Self::Array(a), Self::Array(b))
            | (Self::Set(a), Self::Set(b))
            | (Self::Push(a), Self::Push(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (
                Self::Verbatim { format, text },
                Self::Verbatim { format: other_format, text: other_text },
            ) => format == other_format && text == other_text,
            (
                Self::Attribute { attributes, value },
                Self::Attribute { attributes: other_attributes, value: other_value },
            ) => attributes == other_attributes && value == other_value,
            _ => false,
        }
    }
}

impl Eq for Value {}

/// Alternating keys and values as pairs; `None` if a key has no value.
pub(crate) fn pairs(items: Vec<Value>) -> Option<Vec<(Value, Value)>> {
    if !items.len().is_multiple_of(2) {
        return None;
    }
    let mut entries = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        entries.push((key, value));
    }
    Some(entries)
}
