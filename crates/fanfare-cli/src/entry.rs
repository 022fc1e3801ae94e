//! A stream's entry, for people and for programs.

use fanfare::stream::Entry;
use serde_json::{Map, Value, json};

use crate::output::{self, DIM, NAME};
use crate::text;

/// The ID and the fields.
pub(crate) fn as_line(entry: &Entry) -> String {
    let fields = entry.fields.iter().map(|(field, value)| (&field[..], &value[..]));
    format!("{} {}", output::styled(DIM, entry.id), fields_as_line(fields))
}

/// `name=value`, with a space between two.
pub(crate) fn fields_as_line<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> String {
    let shown = fields.map(|(field, value)| {
        let field = output::styled(NAME, text::printable(field));
        format!("{field}={}", text::printable(value))
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// `{"id": …, "fields": […]}`.
pub(crate) fn as_json(entry: &Entry) -> Value {
    let fields = entry.fields.iter().map(|(field, value)| (&field[..], &value[..]));
    json!({ "id": entry.id.to_string(), "fields": fields_as_json(fields) })
}

/// A field may come twice, so fields are a list. Bytes that are not UTF-8 come as hexadecimal digits
/// under another key, so that nothing is lost.
pub(crate) fn fields_as_json<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Value {
    let objects = fields.map(|(field, value)| {
        let mut object = Map::new();
        put(&mut object, "field", field);
        put(&mut object, "value", value);
        Value::Object(object)
    });
    Value::Array(objects.collect())
}

/// Puts bytes into an object.
pub(crate) fn put(object: &mut Map<String, Value>, key: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(key.to_owned(), json!(text)),
        Err(_) => object.insert(format!("{key}_hex"), json!(text::hex(bytes))),
    };
}
