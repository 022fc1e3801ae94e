//! A program's channels, messages and handlers as an AsyncAPI document.

use std::collections::BTreeMap;

use fanfare_client::Kind;
use serde_json::{Map, Value, json};

use super::{Contract, Schema, contract::Terms};
use crate::{Publisher, Router, stream::Stream, worker::Worker};

/// What a program sends and receives, as an [AsyncAPI 3.0](https://www.asyncapi.com/docs/reference/specification/v3.0.0)
/// document: for people, and for generators of documents and code.
///
/// Routers, workers, publishers and streams are shown to it as they are described; it needs no connection. A channel has
/// the messages of the [`Contract`]s of those that were shown, and of [`messages`](Self::messages): those of
/// [`Schemas`](super::Schemas) as envelopes of each type and version. What is no channel of AsyncAPI's says so in
/// `x-fanfare-kind` (`channel`, `pattern`, `shard`, `stream`), with the name in `x-fanfare-name`, and the group of a worker in
/// `x-fanfare-group`. Names are without the namespace. Nothing is in it that was not shown: no password, no URL.
///
/// # Example: what a shop does
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, Json, Publisher, schema::{AsyncApi, Contract, Schema}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let amounts = Contract::from(Schema::of::<u32>()?);
/// let sold: Publisher<Json<u32>> = fanfare.publisher("sold").contract(amounts.clone());
/// let router = fanfare.router().channel("ordered", async |Json(n): Json<u32>| println!("{n}"));
///
/// let document = AsyncApi::new("shop", "1.0.0")
///     .server("production", "redis.example.com:6379", "redis")
///     .publisher("a sale", &sold)
///     .router(&router)
///     .messages("ordered", amounts)
///     .to_json();
/// assert_eq!(document["asyncapi"], "3.0.0");
/// assert_eq!(document["channels"]["ordered"]["address"], "ordered");
/// assert_eq!(document["operations"]["receive.ordered"]["action"], "receive");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AsyncApi {
    info: Map<String, Value>,
    servers: Map<String, Value>,
    channels: BTreeMap<(&'static str, String), Vec<Contract>>,
    operations: Vec<Operation>,
    /// Messages of channels by their names.
    named: Vec<(String, Contract)>,
}

#[derive(Clone, Debug)]
struct Operation {
    id: Option<String>,
    action: &'static str,
    channel: (&'static str, String),
    group: Option<String>,
}

impl AsyncApi {
    /// The document of a program with this name and version.
    pub fn new(title: impl Into<String>, version: impl Into<String>) -> Self {
        let info = [("title", title.into()), ("version", version.into())];
        Self {
            info: info.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
            servers: Map::new(),
            channels: BTreeMap::new(),
            operations: Vec::new(),
            named: Vec::new(),
        }
    }

    /// What the program does.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.info.insert("description".to_owned(), description.into().into());
        self
    }

    /// A broker, by the name of its environment: host and port without credentials, and `redis` or `rediss`.
    pub fn server(mut self, name: &str, host: &str, protocol: &str) -> Self {
        self.servers.insert(id(name), json!({"host": host, "protocol": protocol}));
        self
    }

    /// Receives from all channels, patterns and sharded channels of a router.
    pub fn router<S>(mut self, router: &Router<S>) -> Self {
        for (kind, name) in router.names() {
            let kind = match kind {
                Kind::Channel => "channel",
                Kind::Pattern => "pattern",
                Kind::Shard => "shard",
            };
            self.operation(None, "receive", (kind, text(name)), None, None);
        }
        self
    }

    /// Receives from the stream of a worker, as a member of its group.
    pub fn worker(mut self, worker: &Worker) -> Self {
        let (stream, group) = (worker.group.stream(), text(worker.group.name()));
        let channel = ("stream", text(stream.key()));
        self.operation(None, "receive", channel, Some(group), stream.contract.as_ref());
        self
    }

    /// Sends to the channel of a publisher, by the name of what it does.
    pub fn publisher<C>(mut self, name: &str, publisher: &Publisher<C>) -> Self {
        let kind = if publisher.is_sharded() { "shard" } else { "channel" };
        let channel = (kind, text(publisher.channel()));
        self.operation(Some(id(name)), "send", channel, None, publisher.checks());
        self
    }

    /// Adds to a stream, by the name of what it does.
    pub fn stream(mut self, name: &str, stream: &Stream) -> Self {
        let channel = ("stream", text(stream.key()));
        self.operation(Some(id(name)), "send", channel, None, stream.contract.as_ref());
        self
    }

    /// What all channels, patterns, sharded channels and streams of this name carry that are shown, before or after.
    pub fn messages(mut self, name: impl Into<String>, contract: impl Into<Contract>) -> Self {
        self.named.push((name.into(), contract.into()));
        self
    }

    fn operation(
        &mut self,
        id: Option<String>,
        action: &'static str,
        channel: (&'static str, String),
        group: Option<String>,
        contract: Option<&Contract>,
    ) {
        let contracts = self.channels.entry(channel.clone()).or_default();
        contracts.extend(contract.cloned());
        self.operations.push(Operation { id, action, channel, group });
    }

    /// The document.
    pub fn to_json(&self) -> Value {
        let mut components = Components::default();
        let (mut channels, mut ids) = (Map::new(), BTreeMap::new());
        for (key @ (kind, name), contracts) in &self.channels {
            let channel_id = free(&channels, &id(name));
            let named = self.named.iter().filter(|(it, _)| it == name).map(|(_, it)| it);
            let mut messages = Map::new();
            for contract in contracts.iter().chain(named) {
                for message in components.messages(&channel_id, contract) {
                    let reference = json!({"$ref": format!("#/components/messages/{message}")});
                    messages.insert(message, reference);
                }
            }
            // Braces would be parameters.
            let address = (!name.contains(['{', '}'])).then_some(name);
            let channel = json!({
                "address": address, "messages": messages,
                "x-fanfare-kind": kind, "x-fanfare-name": name,
            });
            channels.insert(channel_id.clone(), channel);
            ids.insert(key, channel_id);
        }
        let mut operations = Map::new();
        for operation in &self.operations {
            let Some(channel) = ids.get(&operation.channel) else { continue };
            let group = operation.group.iter().map(|group| format!(".{}", id(group)));
            let by_channel =
                || format!("{}.{channel}{}", operation.action, group.collect::<String>());
            let operation_id = free(&operations, &operation.id.clone().unwrap_or_else(by_channel));
            let mut described = json!({
                "action": operation.action,
                "channel": {"$ref": format!("#/channels/{channel}")},
            });
            if let (Some(group), Some(described)) = (&operation.group, described.as_object_mut()) {
                described.insert("x-fanfare-group".to_owned(), group.as_str().into());
            }
            operations.insert(operation_id, described);
        }
        json!({
            "asyncapi": "3.0.0",
            "info": self.info,
            "defaultContentType": "application/json",
            "servers": self.servers,
            "channels": channels,
            "operations": operations,
            "components": {"messages": components.messages, "schemas": components.schemas},
        })
    }
}

#[derive(Default)]
struct Components {
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
    /// What has been described, with the names of its messages.
    done: Vec<(Contract, Vec<String>)>,
}

impl Components {
    /// The ids of a contract's messages.
    fn messages(&mut self, channel: &str, contract: &Contract) -> Vec<String> {
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
fn id(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let id: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if id.is_empty() { "_".to_owned() } else { id }
}

/// This identifier, or the first with a number behind it, that is not taken.
fn free(taken: &Map<String, Value>, id: &str) -> String {
    let numbered = (2..).map(|n: u64| format!("{id}-{n}"));
    let mut names = std::iter::once(id.to_owned()).chain(numbered);
    names.find(|it| !taken.contains_key(it)).unwrap_or_default()
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
