//! Taking apart what the server answers about streams, in RESP2 and RESP3.

use std::time::SystemTime;

use bytes::Bytes;
use fanfare_resp::Value;

use crate::{
    Error, ErrorKind,
    stream::{Entry, StreamId, cursor::Facts},
};

/// The answer to `XINFO STREAM`; `None`: there is no stream.
///
/// # Errors
/// The server's error, or it is no such answer.
pub(crate) fn facts(reply: Result<Value, Error>) -> Result<Option<Facts>, Error> {
    let value = match reply {
        Ok(value) => value,
        Err(error) if error.message().ends_with("no such key") => return Ok(None),
        Err(error) => return Err(error),
    };
    let fields = value.into_pairs().ok_or_else(|| unexpected("XINFO"))?;
    let field = |name: &str| {
        fields.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    };
    let number = |name| field(name).and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
    let id_of = |value: &Value| value.as_bytes().and_then(StreamId::parse);
    let first_entry = field("first-entry").and_then(Value::as_array);
    Ok(Some(Facts {
        length: number("length").ok_or_else(|| unexpected("XINFO"))?,
        added: number("entries-added"),
        first: first_entry.and_then(<[Value]>::first).and_then(id_of),
        last: field("last-generated-id").and_then(id_of).ok_or_else(|| unexpected("XINFO"))?,
        max_deleted: field("max-deleted-entry-id").and_then(id_of).unwrap_or_default(),
    }))
}

/// The entries of the one stream in the answer to `XREAD` or `XREADGROUP … >`.
///
/// # Errors
/// [`ErrorKind::Protocol`] if it is no such answer.
pub fn read(reply: Value, received_at: SystemTime) -> Result<Vec<Entry>, Error> {
    if reply.is_null() {
        return Ok(Vec::new());
    }
    let of_stream = match reply.into_inner() {
        Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
        Value::Array(streams) => {
            streams.into_iter().next().and_then(Value::into_array).and_then(|mut it| it.pop())
        }
        _ => None,
    };
    list(of_stream.ok_or_else(|| unexpected("XREAD"))?, received_at)
}

/// The entries in the answer to `XRANGE` or `XREVRANGE`.
///
/// # Errors
/// [`ErrorKind::Protocol`] if it is no such answer.
pub fn entries(reply: Value) -> Result<Vec<Entry>, Error> {
    list(reply, SystemTime::now())
}

fn list(reply: Value, received_at: SystemTime) -> Result<Vec<Entry>, Error> {
    // What COUNT 0 gets.
    if reply.is_null() {
        return Ok(Vec::new());
    }
    let items = reply.into_array().ok_or_else(|| unexpected("a read"))?;
    items.into_iter().map(|it| entry(it, received_at)).collect()
}

/// One entry: its ID and its fields.
///
/// # Errors
/// It is no such thing.
pub(crate) fn entry(reply: Value, received_at: SystemTime) -> Result<Entry, Error> {
    let wrong = || unexpected("a read");
    let mut parts = reply.into_array().ok_or_else(wrong)?.into_iter();
    let id = parts.next().as_ref().and_then(Value::as_bytes).and_then(StreamId::parse);
    let fields = parts.next().and_then(Value::into_pairs).ok_or_else(wrong)?;
    let fields: Option<Vec<(Bytes, Bytes)>> = fields
        .into_iter()
        .map(|(field, value)| Some((field.into_bytes()?, value.into_bytes()?)))
        .collect();
    Ok(Entry::new(id.ok_or_else(wrong)?, fields.ok_or_else(wrong)?, received_at))
}

pub(crate) fn unexpected(question: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the server's answer to {question} is not one"))
}
