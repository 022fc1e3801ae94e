//! Messages and schemas of a document.

use serde_json::{Map, Value, json};

use crate::schema::{Contract, Schema, contract::Terms};

#[derive(Default)]
pub(super) struct Components {
    pub(super) messages: Map<String, Value>,
    pub(super) schemas: Map<String, Value>,
    /// What has been described, with the names of its messages.
    done: Vec<(Contract, Vec<String>)>,
}

impl Components {
    /// The ids of a contract's messages.
    pub(super) fn messages(&mut self, channel: &str, contract: &Contract) -> Vec<String> {
        if let Some((_, ids)) = self.done.iter().find(|(it, _)| it == contract) {
            return ids.clone();
        }
        let ids = match contract.terms() {
            Terms::One(schema) => {
                let title = schema.json().get("title").and_then(Value::as_str);
                let name = title.unwrap_or(channel).to_owned();
                vec![self.message(&name, schema, |data| data)]
            }
            Terms::Typed(schemas) => schemas
                .iter()
                .map(|(kind, version, schema)| {
                    let name = format!("{kind}-{version}");
                    self.message(&name, schema, |data| envelope(kind, data))
                })
                .collect(),
        };
        self.done.push((contract.clone(), ids.clone()));
        ids
    }

    fn message(
        &mut self,
        name: &str,
        schema: &Schema,
        form: impl FnOnce(Value) -> Value,
    ) -> String {
        let schema_id = free(&self.schemas, &id(name));
        let mut root = schema.json().clone();
        if let Some(root) = root.as_object_mut() {
            root.remove("$schema");
            for key in ["$defs", "definitions"] {
                let Some(Value::Object(definitions)) = root.remove(key) else { continue };
                for (name, mut definition) in definitions {
                    rename(&mut definition, &schema_id);
                    self.schemas.insert(format!("{schema_id}.{}", id(&name)), definition);
                }
            }
        }
        rename(&mut root, &schema_id);
        self.schemas.insert(schema_id.clone(), root);
        let payload = form(json!({"$ref": format!("#/components/schemas/{schema_id}")}));
        let message_id = free(&self.messages, &id(name));
        let message = json!({"name": name, "contentType": "application/json", "payload": payload});
        self.messages.insert(message_id.clone(), message);
        message_id
    }
}

/// The schema of an envelope on the wire.
fn envelope(kind: &str, data: Value) -> Value {
    json!({
        "type": "object",
        "required": ["event_id", "event_type", "timestamp", "data"],
        "properties": {
            "event_id": {"type": "string"},
            "event_type": {"type": "string", "const": kind},
            "timestamp": {"type": "string", "format": "date-time"},
            "version": {"type": "string"},
            "source": {"type": "string"},
            "metadata": {"type": "object"},
            "data": data,
        },
    })
}

/// References within a schema, as references within the document.
fn rename(schema: &mut Value, id_of_root: &str) {
    match schema {
        Value::Object(keys) => {
            for (key, value) in keys {
                match (key.as_str(), &*value) {
                    ("$ref", Value::String(reference)) => {
                        *value = renamed(reference, id_of_root).into();
                    }
                    // Data, and no schemas.
                    ("const" | "enum" | "default" | "examples", _) => {}
                    _ => rename(value, id_of_root),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|it| rename(it, id_of_root)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn renamed(reference: &str, id_of_root: &str) -> String {
    let Some(pointer) = reference.strip_prefix('#') else { return reference.to_owned() };
    let defined = pointer.strip_prefix("/$defs/").or_else(|| pointer.strip_prefix("/definitions/"));
    match defined {
        Some(defined) => {
            let (name, rest) = defined.split_once('/').unwrap_or((defined, ""));
            let rest = if rest.is_empty() { String::new() } else { format!("/{rest}") };
            format!("#/components/schemas/{id_of_root}.{}{rest}", id(&unescaped(name)))
        }
        None => format!("#/components/schemas/{id_of_root}{pointer}"),
    }
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// A name as an identifier of a document.
pub(super) fn id(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let id: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if id.is_empty() { "_".to_owned() } else { id }
}

/// This identifier, or the first with a number behind it, that is not taken.
pub(super) fn free(taken: &Map<String, Value>, id: &str) -> String {
    let numbered = (2..).map(|n: u64| format!("{id}-{n}"));
    let mut names = std::iter::once(id.to_owned()).chain(numbered);
    names.find(|it| !taken.contains_key(it)).unwrap_or_default()
}
