//! What does not fit its schema is neither sent nor handled, and a program's document says what it does.

#[cfg(feature = "embedded")]
use std::path::Path;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

#[cfg(feature = "embedded")]
use fanfare::schema::AsyncApi;
use fanfare::{
    Envelope, ErrorKind, Json, Kind, Linger, Publisher, Raw,
    layers::{DeadLetter, Layer, Stack, Validate},
    schema::{Contract, JsonSchema, Schema, Schemas},
};
#[cfg(feature = "embedded")]
use serde_json::{Value, json};

use crate::support::{Target, TestResult, next, on_everything, until};

on_everything!(
    what_does_not_fit_is_not_sent,
    what_does_not_fit_is_dead_at_once_and_the_rest_is_handled,
);

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, JsonSchema)]
#[schemars(crate = "fanfare::schema::schemars")]
struct Order {
    #[schemars(length(min = 1))]
    item: String,
    #[serde(default)]
    amount: u32,
}

fn order(item: &str) -> Order {
    Order { item: item.to_owned(), amount: 1 }
}

fn orders() -> Result<Contract, fanfare::Error> {
    Ok(Schemas::new().with("order", "1.0", Schema::of::<Order>()?)?.into())
}

/// The sketch's check was called nowhere.
async fn what_does_not_fit_is_not_sent(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut received = fanfare.subscribe(["orders"]).await?;
    let publisher: Publisher<Json<Order>> = fanfare.publisher("orders");
    let publisher = publisher.contract(Schema::of::<Order>()?);
    let error = publisher.publish(order("")).await.err().ok_or("it does not fit")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRecord);
    let text = error.to_string();
    assert!(text.contains(r#""/item""#) && text.contains("minLength"), "{text}");
    assert!(!error.may_have_been_delivered() && !error.is_retryable());
    let outcomes = publisher.publish_batch(["a", "", "b"].map(order)).await;
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let lingering = publisher.clone().linger(Linger::new(Duration::from_millis(1)));
    assert!(lingering.publish(order("")).await.is_err());
    lingering.publish(order("c")).await?;
    // Envelopes, as bytes.
    let envelopes = fanfare.publisher::<Raw>("orders").contract(orders()?);
    let envelope = |kind: &str, version: &str, item: &str| {
        Envelope::new(kind, order(item)).version(version).to_payload()
    };
    envelopes.publish(&envelope("order", "1.7", "d")?[..]).await?;
    for bad in [
        envelope("order", "1.0", "")?,
        envelope("order", "2.0", "x")?,
        envelope("other", "1.0", "x")?,
        r#"{"item":"x"}"#.into(),
    ] {
        assert!(envelopes.publish(&bad[..]).await.is_err(), "{bad:?}");
    }
    for item in ["a", "b", "c", "d"] {
        let message = next(&mut received).await?;
        assert!(message.text()?.contains(&format!(r#""item":"{item}""#)), "{message:?}");
    }

    let stream = fanfare.stream("orders").contract(orders()?);
    stream.add(Envelope::new("order", order("a")).to_fields()?).await?;
    let bad = Envelope::new("order", order("")).to_fields()?;
    assert!(stream.add(bad.clone()).await.is_err());
    assert!(stream.add([("some", "field")]).await.is_err());
    assert!(stream.add([("some", "field"), ("and", "more")]).await.is_err());
    let good = Envelope::new("order", order("b")).to_fields()?;
    let outcomes = stream.add_batch([good, bad]).await;
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    assert_eq!(stream.len().await?, 2);
    Ok(())
}

async fn what_does_not_fit_is_dead_at_once_and_the_rest_is_handled(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let attempts = Arc::new(AtomicU64::new(0));
    let validate = Validate::new(orders()?);
    let dead = DeadLetter::new(&fanfare, "dead", "billing");
    let stack = Stack::new("billing").validate(validate.clone()).dead_letter(dead.clone());
    let handler = {
        let attempts = attempts.clone();
        move |Json(order): Json<Order>| {
            attempts.fetch_add(1, Ordering::Relaxed);
            async move { assert!(!order.item.is_empty()) }
        }
    };
    let service = stack.layer(fanfare::service(handler, ()));
    let stream = fanfare.stream("orders");
    let worker = stream.group("billing").worker().spawn_service(service.clone())?;
    let router = fanfare.router().service(Kind::Channel, "orders", service).start().await?;
    for (version, item) in [("1.0", "tea"), ("1.0", ""), ("2.0", "milk")] {
        let envelope = Envelope::new("order", order(item)).version(version);
        fanfare.publish("orders", envelope.to_payload()?).await?;
        stream.add(envelope.to_fields()?).await?;
    }
    until("all are settled", || {
        let stats = validate.stats();
        (stats.valid, stats.invalid) == (2, 4)
    })
    .await?;
    // Both with their reasons, after one attempt each.
    until("the channel's are dead", || dead.stats().put == 2).await?;
    let errors: Vec<String> =
        dead.list(None, 10).await?.into_iter().map(|letter| letter.error).collect();
    let letters = stream.group("billing").dead_letters();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let of_stream = loop {
        let of_stream = letters.list(None, 10).await?;
        if of_stream.len() == 2 || deadline < tokio::time::Instant::now() {
            break of_stream;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(of_stream.iter().all(|it| it.deliveries == 1), "{of_stream:?}");
    let of_stream: Vec<String> = of_stream.into_iter().map(|letter| letter.error).collect();
    for errors in [errors, of_stream] {
        assert_eq!(errors.len(), 2);
        assert!(errors.iter().any(|it| it.contains(r#"at "/item""#)), "{errors:?}");
        assert!(errors.iter().any(|it| it.contains("known are 1.0")), "{errors:?}");
    }
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
    worker.stop().await;
    router.stop().await;
    Ok(())
}

#[cfg(feature = "embedded")]
#[test]
fn a_document_tells_what_the_program_does() {
    crate::support::run(document());
}

/// Queues, requests, services and data.
#[cfg(feature = "embedded")]
#[test]
fn a_document_tells_of_systems_too() {
    crate::support::run(document_of_systems());
}

#[cfg(feature = "embedded")]
async fn document_of_systems() -> TestResult {
    use fanfare::{data::PublisherOptions, request::Target as To, service::Service};

    let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    let mails = fanfare.task_queue("mails").contract(Schema::of::<Order>()?);
    let responder = fanfare
        .respond("stock", async |Json(n): Json<u32>| Json(n))
        .patterns(["stock.*"])
        .sharded(["{s}:stock"])
        .contract(Schema::of::<u64>()?);
    let requester = fanfare.requester().await?.contract(Schema::of::<u32>()?);
    let service = Service::new(&fanfare, "billing")
        .contract(orders()?)
        .on("order", async || {})
        .on_version("paid", "2", async || {})
        .on_hint("hurry", async || {});
    let data = fanfare.data_publisher_with(
        "key:sensors",
        PublisherOptions::new().contract(Schema::of::<Order>()?),
    )?;
    let document = AsyncApi::new("shop", "1.0.0")
        .queue("send a mail", &mails)
        .queue("urgent", &fanfare.priority_queue("mails"))
        .queue_worker(&mails.worker())
        .responder(&responder)
        .requester("ask", &requester, "stock")
        .requester("ask one", &requester, To::Stream("stock".into()))
        .service(&service)
        .data_publisher("measure", &*data)
        .messages("stock:reply", Schema::of::<Vec<u32>>()?)
        .to_json();
    for (pointer, expected) in [
        ("/channels/mails/x-fanfare-kind", json!("queue")),
        ("/operations/send_a_mail/action", json!("send")),
        ("/operations/urgent/channel/$ref", json!("#/channels/mails")),
        ("/operations/receive.mails/action", json!("receive")),
        ("/operations/receive.stock/reply/channel/$ref", json!("#/channels/stock_reply")),
        ("/operations/ask/reply/channel/$ref", json!("#/channels/stock_reply")),
        ("/operations/ask/reply/address/location", json!("$message.payload#/metadata/reply_to")),
        ("/channels/stock_reply/address", Value::Null),
        ("/channels/stock_reply/x-fanfare-kind", json!("inbox")),
        ("/operations/receive.services_events.billing/x-fanfare-group", json!("billing")),
        (
            "/operations/receive.services_events_billing.billing/x-fanfare-events",
            json!(["order", "paid-2"]),
        ),
        ("/operations/receive.services_hints/x-fanfare-events", json!(["hurry"])),
        ("/operations/emit.billing/channel/$ref", json!("#/channels/services_events")),
        ("/channels/sensors/x-fanfare-kind", json!("key")),
        ("/operations/measure/action", json!("send")),
    ] {
        assert_eq!(document.pointer(pointer), Some(&expected), "{pointer}: {document:#}");
    }
    for (channel, message) in [
        ("mails", "Order"),
        ("sensors", "Order"),
        ("services_events", "order-1.0"),
        ("stock_reply", "Array_of_uint32"),
        ("stock_reply", "uint64"),
        ("_s__stock_reply", "uint64"),
        ("stock", "uint32"),
    ] {
        let pointer = format!("/channels/{channel}/messages/{message}/$ref");
        assert!(document.pointer(&pointer).is_some(), "{pointer}: {document:#}");
    }
    check_references(&document, &document);
    check_officially(document, "ask")
}

#[cfg(feature = "embedded")]
async fn document() -> TestResult {
    let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    let router = fanfare
        .router()
        .channel("orders", async |Json(_): Json<Order>| {})
        .channel("orders", async || {})
        .pattern("audit.*", async || {})
        .sharded("{s}:x", async || {});
    let stream = fanfare.stream("jobs/new").contract(orders()?);
    let worker = stream.group("team").worker();
    let numbers: Publisher<Json<u32>> = fanfare.publisher("numbers");
    let document = AsyncApi::new("shop", "1.0.0")
        .description("sells")
        .server("production", "redis.example.com:6379", "rediss")
        .router(&router)
        .worker(&worker)
        .stream("put a job", &stream)
        .publisher("count", &numbers.clone().contract(Schema::of::<u32>()?))
        .publisher("count", &numbers)
        .messages("orders", Schema::of::<Vec<Order>>()?)
        .to_json();
    let names = |section: &str| -> Vec<&str> {
        let section = document.get(section).and_then(Value::as_object);
        section.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(names("channels"), ["_s__x", "audit._", "jobs_new", "numbers", "orders"]);
    let operations = [
        "count",
        "count-2",
        "put_a_job",
        "receive._s__x",
        "receive.audit._",
        "receive.jobs_new.team",
        "receive.orders",
        "receive.orders-2",
    ];
    assert_eq!(names("operations"), operations);
    for (pointer, expected) in [
        ("/channels/_s__x/address", Value::Null),
        ("/channels/jobs_new/x-fanfare-kind", "stream".into()),
        ("/operations/receive.jobs_new.team/x-fanfare-group", "team".into()),
        ("/operations/put_a_job/action", "send".into()),
    ] {
        assert_eq!(document.pointer(pointer), Some(&expected), "{pointer}");
    }
    check_references(&document, &document);
    // What a message says is its schema, wherever parts of it are.
    let check = |message: &str, data: &Value| {
        let at = |pointer: &str| document.pointer(pointer).cloned().ok_or("it is not there");
        let payload = at(&format!("/components/messages/{message}/payload"))?;
        let mut whole = json!({"allOf": [payload]});
        if let Some(whole) = whole.as_object_mut() {
            whole.insert("components".to_owned(), at("/components")?);
        }
        let whole = Schema::new(whole).map_err(|_| "it is no schema")?;
        Ok::<_, &str>(whole.check(data).is_ok())
    };
    assert!(check("uint32", &json!(7))? && !check("uint32", &json!(-7))?);
    let list = "Array_of_Order";
    assert!(check(list, &json!([{"item": "tea"}]))? && !check(list, &json!([{"item": ""}]))?);
    for (item, fits) in [("tea", true), ("", false)] {
        let payload = Envelope::new("order", order(item)).to_payload()?;
        assert_eq!(check("order-1.0", &serde_json::from_slice(&payload)?)?, fits);
    }
    check_officially(document, "count")
}

/// By the official schema, which the npm package `@asyncapi/specs` has.
#[cfg(feature = "embedded")]
fn check_officially(mut document: Value, operation: &str) -> TestResult {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/asyncapi");
    let sources = ["package.json", "package-lock.json"].map(|name| sources.join(name));
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let installed = fanfare_testkit::install_node(base, "asyncapi-specs", &sources);
    let schema = "node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json";
    let official = Schema::from_json(std::fs::read(installed.join(schema))?)?;
    official.check(&document)?;
    let action = document.pointer_mut(&format!("/operations/{operation}/action"));
    let action = action.ok_or("it is not there")?;
    *action = "sends".into();
    assert!(official.check(&document).is_err());
    Ok(())
}

/// Each leads somewhere.
#[cfg(feature = "embedded")]
fn check_references(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let found = reference.strip_prefix('#').and_then(|it| document.pointer(it));
                assert!(found.is_some(), "{reference}");
            }
            members.values().for_each(|it| check_references(document, it));
        }
        Value::Array(elements) => elements.iter().for_each(|it| check_references(document, it)),
        _ => {}
    }
}
