//! Between what a command answers and what an interpreter understands.

use bytes::Bytes;
use fanfare_resp::{Value, Version, Writer};

use crate::value::stream::{Delivery, Entry, Shown, Slice, StreamId};
use crate::{Blob, Reply, WireError};

/// A command's reply in the form of a protocol version.
pub(super) fn to_value(reply: Reply, version: Version) -> Value {
    let is_resp3 = version == Version::Resp3;
    let all = |items: Vec<Reply>| items.into_iter().map(|it| to_value(it, version)).collect();
    match reply {
        Reply::None => Value::NullBulk,
        Reply::Ok => Value::SimpleString(Bytes::from_static(b"OK")),
        Reply::Simple(text) => Value::SimpleString(Bytes::copy_from_slice(text.as_bytes())),
        Reply::Error(error) => error_value(&error),
        Reply::Int(number) => Value::Integer(number),
        Reply::Bulk(blob) => Value::BulkString(to_bytes(blob)),
        Reply::Null if is_resp3 => Value::Null,
        Reply::Null => Value::NullBulk,
        Reply::NullArray if is_resp3 => Value::Null,
        Reply::NullArray => Value::NullArray,
        Reply::Array(items) => Value::Array(all(items)),
        Reply::Elements(slice) => {
            Value::Array(slice.iter().map(|it| Value::bulk(it.to_bytes().into_owned())).collect())
        }
        Reply::Entries(slice) => Value::Array(entries(&slice, is_resp3)),
        Reply::Push(items) if is_resp3 => Value::Push(all(items)),
        Reply::Set(items) if is_resp3 => Value::Set(all(items)),
        Reply::Push(items) | Reply::Set(items) => Value::Array(all(items)),
        Reply::Many(items) => Value::Array(all(items)),
        Reply::Map(pairs) if is_resp3 => Value::Map(
            pairs.into_iter().map(|(k, v)| (to_value(k, version), to_value(v, version))).collect(),
        ),
        Reply::Map(pairs) => {
            Value::Array(all(pairs.into_iter().flat_map(<[_; 2]>::from).collect()))
        }
        Reply::Double(number) if is_resp3 => Value::Double(number),
        Reply::Bool(yes) if is_resp3 => Value::Boolean(yes),
        Reply::Bool(yes) => Value::Integer(i64::from(yes)),
        Reply::BigNumber(digits) if is_resp3 => Value::BigNumber(to_bytes(digits)),
        Reply::BigNumber(digits) => Value::BulkString(to_bytes(digits)),
        Reply::Verbatim(format, text) if is_resp3 => {
            Value::Verbatim { format, text: to_bytes(text) }
        }
        Reply::Verbatim(_, text) => Value::BulkString(to_bytes(text)),
        Reply::Double(_) => written(&reply, version),
        Reply::Attribute(_, reply) => to_value(*reply, version),
        Reply::In(version, reply) => to_value(*reply, version),
    }
}

fn entries(slice: &Slice, is_resp3: bool) -> Vec<Value> {
    let text = |id: StreamId| Value::bulk(id.spelled().to_vec());
    let number = |n: u64| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    let fields = |entry: &Entry<'_>| {
        let parts = entry.fields().flat_map(<[_; 2]>::from);
        Value::Array(parts.map(|it| Value::bulk(it.to_bytes().into_owned())).collect())
    };
    let mut items = Vec::with_capacity(slice.len());
    slice.for_each(|shown| {
        items.push(Value::Array(match shown {
            Shown::Entry(entry) => vec![text(entry.id), fields(&entry)],
            Shown::Gone(id) => {
                vec![text(id), if is_resp3 { Value::Null } else { Value::NullArray }]
            }
            Shown::Again(entry, Delivery { idle_ms, n }) => {
                vec![text(entry.id), fields(&entry), number(idle_ms), number(n)]
            }
        }));
    });
    items
}

/// A number as RESP2 has it: its text.
fn written(reply: &Reply, version: Version) -> Value {
    let mut wire = Vec::new();
    reply.write(&mut Writer::new(&mut wire, version));
    let text = wire.split(|it| *it == b'\n').nth(1).unwrap_or_default();
    Value::BulkString(Bytes::copy_from_slice(text.strip_suffix(b"\r").unwrap_or(text)))
}

pub(super) fn error_value(error: &WireError) -> Value {
    Value::SimpleError(Bytes::from(error.line()))
}

fn to_bytes(blob: Blob) -> Bytes {
    match blob {
        Blob::Static(bytes) => Bytes::from_static(bytes),
        Blob::Vec(bytes) => Bytes::from(bytes),
        Blob::Bytes(bytes) => bytes,
        Blob::Shared(_) | Blob::Name(_) => Bytes::copy_from_slice(&blob),
    }
}

/// What a script answered.
pub(crate) fn from_value(value: Value) -> Reply {
    let all = |items: Vec<Value>| items.into_iter().map(from_value).collect();
    match value {
        Value::SimpleString(text) => {
            Reply::Simple(String::from_utf8_lossy(&text).into_owned().into())
        }
        Value::SimpleError(line) | Value::BulkError(line) => {
            Reply::Error(WireError::from_line(&line))
        }
        Value::Integer(number) => Reply::Int(number),
        Value::BulkString(bytes) => Reply::Bulk(Blob::Bytes(bytes)),
        Value::Array(items) => Reply::Array(all(items)),
        Value::Push(items) => Reply::Push(all(items)),
        Value::Set(items) => Reply::Set(all(items)),
        Value::NullBulk | Value::Null => Reply::Null,
        Value::NullArray => Reply::NullArray,
        Value::Boolean(yes) => Reply::Bool(yes),
        Value::Double(number) => Reply::Double(number),
        Value::BigNumber(digits) => Reply::BigNumber(Blob::Bytes(digits)),
        Value::Verbatim { format, text } => Reply::Verbatim(format, Blob::Bytes(text)),
        Value::Map(pairs) => {
            Reply::Map(pairs.into_iter().map(|(k, v)| (from_value(k), from_value(v))).collect())
        }
        Value::Attribute { value, .. } => from_value(*value),
    }
}
