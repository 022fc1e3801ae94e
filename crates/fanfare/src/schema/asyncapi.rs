//! A program's channels, messages and handlers as an AsyncAPI document.

mod components;

use std::collections::BTreeMap;

use fanfare_client::Kind;
use serde_json::{Map, Value, json};

use self::components::{Components, free, id};
use super::Contract;
use crate::{
    Publisher, Router,
    data::DataPublisher,
    queue::{QueueWorker, TaskQueue},
    request::{Requester, Responder, Target},
    service::Service,
    stream::Stream,
    worker::Worker,
};

/// What a program sends and receives, as an [AsyncAPI 3.0](https://www.asyncapi.com/docs/reference/specification/v3.0.0)
/// document: for people, and for generators of documents and code.
///
/// Whatever sends or handles is shown to it as it is described; it needs no connection. A channel has
/// the messages of the [`Contract`]s of those that were shown, and of [`messages`](Self::messages): those of
/// [`Schemas`](super::Schemas) as envelopes of each type and version. What is no channel of AsyncAPI's says so in
/// `x-fanfare-kind` (`channel`, `pattern`, `shard`, `stream`, `queue`, `key`, `inbox`), with the name in `x-fanfare-name`, the group
/// of a worker in `x-fanfare-group`, and the types of events that a service handles in `x-fanfare-events`. Names are without the namespace. Nothing is in it that was not shown: no password, no URL.
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
    channels: BTreeMap<Place, Vec<Contract>>,
    operations: Vec<Operation>,
    /// Messages of channels by their names.
    named: Vec<(String, Contract)>,
}

#[derive(Clone, Debug)]
struct Operation {
    id: Option<String>,
    action: &'static str,
    channel: Place,
    contract: Option<Contract>,
    group: Option<String>,
    /// The types of what is handled, if it is not all.
    events: Option<Vec<String>>,
    /// Where answers go, and what they keep to.
    reply: Option<(Place, Option<Contract>)>,
}

/// A kind and a name.
type Place = (&'static str, String);

impl Operation {
    fn receive(channel: Place, contract: Option<&Contract>) -> Self {
        let contract = contract.cloned();
        Self {
            id: None,
            action: "receive",
            channel,
            contract,
            group: None,
            events: None,
            reply: None,
        }
    }

    fn send(name: &str, channel: Place, contract: Option<&Contract>) -> Self {
        Self { id: Some(id(name)), action: "send", ..Self::receive(channel, contract) }
    }

    /// What is answered goes to the inbox of whoever asked.
    fn with_reply(self, contract: Option<&Contract>) -> Self {
        let inbox = ("inbox", format!("{}:reply", self.channel.1));
        Self { reply: Some((inbox, contract.cloned())), ..self }
    }
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
            self.operation(Operation::receive((kind_name(kind), text(name)), None));
        }
        self
    }

    /// Receives from the stream of a worker, as a member of its group.
    pub fn worker(mut self, worker: &Worker) -> Self {
        let (stream, group) = (worker.group.stream(), text(worker.group.name()));
        let received = Operation::receive(of_stream(stream), stream.agreed.contract());
        self.operation(Operation { group: Some(group), ..received });
        self
    }

    /// Sends to the channel of a publisher, by the name of what it does.
    pub fn publisher<C>(mut self, name: &str, publisher: &Publisher<C>) -> Self {
        let kind = if publisher.is_sharded() { "shard" } else { "channel" };
        let channel = (kind, text(publisher.channel()));
        self.operation(Operation::send(name, channel, publisher.checks()));
        self
    }

    /// Adds to a stream, by the name of what it does.
    pub fn stream(mut self, name: &str, stream: &Stream) -> Self {
        self.operation(Operation::send(name, of_stream(stream), stream.agreed.contract()));
        self
    }

    /// Publishes data to where a publisher does, by the name of what it does. That of keys has the channel's name.
    pub fn data_publisher(mut self, name: &str, publisher: &dyn DataPublisher) -> Self {
        let to = publisher.destination();
        let channel = (to.kind(), to.name().to_owned());
        self.operation(Operation::send(name, channel, publisher.contract()));
        self
    }

    /// Enqueues to a queue, by the name of what it does.
    pub fn queue(mut self, name: &str, queue: &TaskQueue) -> Self {
        self.operation(Operation::send(name, of_queue(queue), queue.agreed.contract()));
        self
    }

    /// Takes from the queue of a worker.
    pub fn queue_worker(mut self, worker: &QueueWorker) -> Self {
        let queue = &worker.queue;
        self.operation(Operation::receive(of_queue(queue), queue.agreed.contract()));
        self
    }

    /// Answers the requests of all channels, patterns and sharded channels of a responder. What it answers keeps to its
    /// [contract](Responder::contract), and goes to a channel of the kind `inbox` and the name of its own with `:reply`
    /// behind, by which [`messages`](Self::messages) finds it; its address is what the request says.
    pub fn responder(mut self, responder: &Responder) -> Self {
        for (kind, name) in responder.names() {
            let channel = (kind_name(kind), text(name));
            self.operation(Operation::receive(channel, None).with_reply(responder.promises()));
        }
        self
    }

    /// Asks on a channel or stream, by the name of what it does, and gets answers: see [`responder`](Self::responder).
    pub fn requester(mut self, name: &str, requester: &Requester, to: impl Into<Target>) -> Self {
        let channel = match to.into() {
            Target::Channel(name) => ("channel", name),
            Target::Shard(name) => ("shard", name),
            Target::Stream(name) => ("stream", name),
        };
        self.operation(Operation::send(name, channel, requester.checks()).with_reply(None));
        self
    }

    /// Receives events and hints, those for all services and those for this one, and sends those of its contract, if it
    /// has one, to all services. To which others it sends is not in its description.
    pub fn service<S>(mut self, service: &Service<S>) -> Self {
        for (kind, place, events) in service.heard() {
            let group = (kind == "stream").then(|| service.name.clone());
            let received = Operation::receive((kind, place), None);
            self.operation(Operation { group, events: Some(events), ..received });
        }
        if let (Some(contract), Some(place)) = (service.agreed.contract(), service.emits_to()) {
            let name = format!("emit.{}", service.name);
            self.operation(Operation::send(&name, ("stream", place), Some(contract)));
        }
        self
    }

    /// What all channels, streams, queues and the like of this name carry that are shown, before or after.
    pub fn messages(mut self, name: impl Into<String>, contract: impl Into<Contract>) -> Self {
        self.named.push((name.into(), contract.into()));
        self
    }

    fn operation(&mut self, operation: Operation) {
        let contracts = self.channels.entry(operation.channel.clone()).or_default();
        contracts.extend(operation.contract.clone());
        if let Some((inbox, contract)) = &operation.reply {
            self.channels.entry(inbox.clone()).or_default().extend(contract.clone());
        }
        self.operations.push(operation);
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
            // Braces would be parameters, and whose inbox it is the request says.
            let has_address = !name.contains(['{', '}']) && *kind != "inbox";
            let address = has_address.then_some(name);
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
            let reply = operation.reply.as_ref().and_then(|it| ids.get(&it.0)).map(|inbox| {
                let address = json!({"location": "$message.payload#/metadata/reply_to"});
                json!({"address": address, "channel": {"$ref": format!("#/channels/{inbox}")}})
            });
            let extra = [
                ("x-fanfare-group", operation.group.as_deref().map(Value::from)),
                ("x-fanfare-events", operation.events.clone().map(Value::from)),
                ("reply", reply),
            ];
            if let Some(described) = described.as_object_mut() {
                let known = extra.into_iter().filter_map(|(name, it)| Some((name.to_owned(), it?)));
                described.extend(known);
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

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Channel => "channel",
        Kind::Pattern => "pattern",
        Kind::Shard => "shard",
    }
}

fn of_stream(stream: &Stream) -> Place {
    ("stream", text(stream.key()))
}

fn of_queue(queue: &TaskQueue) -> Place {
    ("queue", text(queue.name()))
}
