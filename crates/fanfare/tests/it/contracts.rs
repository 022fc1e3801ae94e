//! Whatever publishes keeps to its contract: what does not fit is refused, and nothing is changed.

use std::{
    error::Error as StdError,
    time::{Duration, SystemTime},
};

use fanfare::{
    Envelope, Error, ErrorKind, Json,
    data::PublisherOptions,
    queue::Job,
    request::{Gather, Target as To},
    schema::{Contract, Schema, Schemas, Violation},
    service::{Scope, Service},
    spool::Destination,
    stream::Pending,
};

use crate::support::{Target, TestResult, on_everything};

on_everything!(
    data_is_written_only_if_it_fits,
    tasks_are_enqueued_only_if_they_fit,
    requests_are_sent_only_if_they_fit,
    requests_are_answered_only_with_what_fits,
    events_are_emitted_only_if_they_fit,
    a_spool_takes_only_what_fits,
);

const PATIENCE: Duration = Duration::from_secs(60);

/// Records with a `celsius` that is a number.
pub(crate) fn readings() -> Result<Schema, Error> {
    Schema::from_json(
        r#"{"type": "object", "properties": {"celsius": {"type": "number"}}, "required": ["celsius"],
            "additionalProperties": false}"#,
    )
}

pub(crate) fn reading(celsius: impl Into<serde_json::Value>) -> serde_json::Value {
    serde_json::json!({"celsius": celsius.into()})
}

pub(crate) fn events(kind: &str) -> Result<Contract, Error> {
    Ok(Schemas::new().with(kind, "1.0", readings()?)?.into())
}

/// The error says where and by which rule, has no data in it, and nothing was sent.
pub(crate) fn is_refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> TestResult {
    let error = outcome.err().ok_or("it was taken")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRecord, "{error}");
    assert!(!error.may_have_been_delivered() && !error.is_retryable());
    let text = error.to_string();
    assert!(text.contains(r#"at "/celsius""#) && !text.contains("secret"), "{text}");
    let violation = error.source().and_then(<dyn StdError>::downcast_ref::<Violation>);
    assert_eq!(violation.ok_or("no violation")?.rule(), "/properties/celsius/type");
    Ok(())
}

async fn data_is_written_only_if_it_fits(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let options = || Ok::<_, Error>(PublisherOptions::new().contract(readings()?));
    for destination in ["channel:of data", "stream:of data", "key:of data"] {
        // The key is no part of what is written, so it need not be in the schema.
        let keyed = |celsius: serde_json::Value| match destination {
            "key:of data" => serde_json::json!({"__dagserver_key": "kitchen", "celsius": celsius}),
            _ => reading(celsius),
        };
        let publisher = fanfare.data_publisher_with(destination, options()?)?;
        publisher.publish(&keyed(21.5.into())).await?;
        is_refused(publisher.publish(&keyed("secret".into())).await)?;
        let records = [keyed(22.into()), keyed("secret".into()), keyed(23.into())];
        let records = records.iter().map(fanfare::data::Record::new).collect::<Result<_, _>>()?;
        let [first, second, third] = <[_; 3]>::try_from(publisher.publish_records(records).await)
            .map_err(|_| "three records have three outcomes")?;
        is_refused(second)?;
        assert!(first.is_ok() && third.is_ok());
        let stats = publisher.stop().await;
        assert_eq!((stats.published, stats.failed, stats.unknown), (3, 2, 0), "{destination}");
    }
    assert_eq!(fanfare.stream("of data").len().await?, 3);
    let stored = fanfare.data_value("kitchen").await?.ok_or("nothing is stored")?;
    assert_eq!(stored.json::<serde_json::Value>()?, reading(23));
    Ok(())
}

async fn tasks_are_enqueued_only_if_they_fit(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("readings").contract(readings()?);
    queue.enqueue_json(&reading(21.5)).await?;
    is_refused(queue.enqueue_json(&reading("secret")).await)?;
    // All or none.
    let jobs = [Job::json(&reading(1))?, Job::json(&reading("secret"))?, Job::json(&reading(2))?];
    is_refused(queue.enqueue_many(jobs).await)?;
    let error = queue.enqueue("no JSON").await.err().ok_or("it was taken")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRecord);
    let priorities = fanfare::queue::PriorityQueue::from(queue.clone());
    is_refused(priorities.enqueue(9, Job::json(&reading("secret"))?).await)?;
    assert_eq!(queue.stats().await?.ready, 1);
    // Tasks that say of which type they are.
    let typed = queue.contract(events("read")?);
    typed.enqueue(Envelope::new("read", reading(7)).to_payload()?).await?;
    is_refused(typed.enqueue(Envelope::new("read", reading("secret")).to_payload()?).await)?;
    assert!(typed.enqueue_json(&reading(7)).await.is_err());
    assert_eq!(typed.stats().await?.ready, 2);
    #[cfg(feature = "cron")]
    {
        use fanfare::queue::Schedule;
        let schedules = fanfare.task_queue("readings").contract(readings()?).schedules();
        schedules.set("good", &Schedule::new("0 3 * * *", Job::json(&reading(3))?)?).await?;
        let bad = Schedule::new("0 3 * * *", Job::json(&reading("secret"))?)?;
        is_refused(schedules.set("bad", &bad).await)?;
        assert_eq!(schedules.list().await?.len(), 1);
    }
    Ok(())
}

async fn requests_are_sent_only_if_they_fit(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let responder = fanfare
        .respond("rounded", async |Json(it): Json<serde_json::Value>| Json(it))
        .start()
        .await?;
    let requester = fanfare.requester().await?.deadline(PATIENCE);
    let strict = requester.clone().contract(events("request")?);
    assert_eq!(
        strict.request("rounded", &reading(7)).await?.json::<serde_json::Value>()?,
        reading(7)
    );
    is_refused(strict.request("rounded", &reading("secret")).await)?;
    is_refused(strict.request(To::Stream("rounded".into()), &reading("secret")).await)?;
    is_refused(strict.request_many("rounded", &reading("secret"), Gather::new()).await)?;
    assert_eq!(fanfare.stream("rounded").len().await?, 0);
    // Of the other handle nothing was said.
    requester.request("rounded", &reading("secret")).await?;
    assert_eq!(responder.stop().await.answered, 2);
    Ok(())
}

async fn requests_are_answered_only_with_what_fits(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let echo = async |Json(it): Json<serde_json::Value>| Json(it);
    let responder = fanfare.respond("answers", echo).contract(readings()?).start().await?;
    let requester = fanfare.requester().await?.deadline(PATIENCE);
    let answer = requester.request("answers", &reading(7)).await?;
    assert_eq!(answer.json::<serde_json::Value>()?, reading(7));
    let refused = requester.request("answers", &reading("secret")).await;
    let error = refused.err().ok_or("it was answered")?;
    assert_eq!(error.kind(), ErrorKind::Refused);
    let text = error.to_string();
    assert!(text.contains(r#"at "/celsius""#) && !text.contains("secret"), "{text}");
    let stats = responder.stop().await;
    assert_eq!((stats.answered, stats.refused, stats.unsent), (1, 1, 0), "{stats:?}");
    // Of a stream, and by the type of answers.
    let answering = fanfare.answering(echo, ()).contract(events("reply")?);
    let worker = fanfare.stream("answers").group("echo").worker();
    let worker = worker.spawn_service(answering.clone())?;
    requester.request(To::Stream("answers".into()), &reading(7)).await?;
    let refused = requester.request(To::Stream("answers".into()), &reading("secret")).await;
    assert_eq!(refused.err().ok_or("it was answered")?.kind(), ErrorKind::Refused);
    worker.stop().await;
    let stats = answering.stats();
    assert_eq!((stats.answered, stats.refused), (1, 1), "{stats:?}");
    // They are told what is wrong with them; so nothing is left to be tried again.
    let left = fanfare.stream("answers").group("echo").pending(Pending::new()).await?;
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

async fn events_are_emitted_only_if_they_fit(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let service = Service::new(&fanfare, "strict").prefix("strict").contract(events("read")?);
    // What a service says of itself is in no contract of the program.
    let service = service.start().await?;
    let emitter = service.emitter();
    emitter.emit(Scope::Global, "read", &reading(7)).await?;
    is_refused(emitter.emit(Scope::Global, "read", &reading("secret")).await)?;
    is_refused(emitter.emit(Scope::Service("other".into()), "read", &reading("secret")).await)?;
    assert!(emitter.emit(Scope::Global, "not known", &reading(7)).await.is_err());
    emitter.hint(Scope::Global, "read", &reading(7)).await?;
    is_refused(emitter.hint(Scope::Global, "read", &reading("secret")).await)?;
    let stopped = service.stop(PATIENCE).await;
    assert!(stopped.announced.is_ok());
    // The one that fits, and that it has started and stopped.
    let counts = stopped.stats.counts;
    assert_eq!((counts.emitted, counts.emit_failed), (3, 3), "{counts:?}");
    assert_eq!(fanfare.stream("strict:events:other").len().await?, 0);
    Ok(())
}

async fn a_spool_takes_only_what_fits(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let folder = format!("contract-{}-{}", std::process::id(), since.as_nanos());
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let spool = fanfare.spool(&folder).open().await?;
    let to = Destination::stream("spooled").contract(events("read")?);
    spool.publish(&to, &Envelope::new("read", reading(7))).await?;
    is_refused(spool.publish(&to, &Envelope::new("read", reading("secret"))).await)?;
    let channel = Destination::channel("spooled").contract(events("read")?);
    is_refused(spool.publish(&channel, &Envelope::new("read", reading("secret"))).await)?;
    let plain = Destination::stream("spooled").contract(readings()?);
    spool.add(&plain, [("data", reading(8).to_string())]).await?;
    is_refused(spool.add(&plain, [("data", reading("secret").to_string())]).await)?;
    let stats = spool.close(PATIENCE).await;
    assert_eq!((stats.sent, stats.waiting), (2, 0), "{stats:?}");
    assert_eq!(fanfare.stream("spooled").len().await?, 2);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

#[cfg(feature = "embedded")]
#[test]
fn the_blocking_twins_keep_to_theirs() -> TestResult {
    let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
    let publisher: fanfare::blocking::Publisher<Json<serde_json::Value>> =
        fanfare.publisher("readings");
    let publisher = publisher.contract(readings()?);
    publisher.publish(reading(7))?;
    is_refused(publisher.publish(reading("secret")))?;
    let stream = fanfare.stream("twins").contract(readings()?);
    stream.add_json("data", &reading(7))?;
    is_refused(stream.add_json("data", &reading("secret")))?;
    assert_eq!(stream.len()?, 1);
    let queue = fanfare.task_queue("twins of tasks").contract(readings()?);
    queue.enqueue_json(&reading(7))?;
    is_refused(queue.enqueue_json(&reading("secret")))?;
    assert_eq!(queue.stats()?.ready, 1);
    let requester = fanfare.requester()?.contract(readings()?);
    is_refused(requester.request("nobody", &reading("secret")))?;
    let tells = |_: fanfare::Call| Json(reading("secret"));
    let responder = fanfare.respond("twins", tells).contract(readings()?).start()?;
    let asked = fanfare.requester()?.deadline(PATIENCE).request("twins", &());
    assert_eq!(asked.err().map(|it| it.kind()), Some(ErrorKind::Refused));
    assert_eq!(responder.stop().refused, 1);
    let error = requester.request("nobody", &reading(7)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoResponders);
    let options = PublisherOptions::new().contract(readings()?);
    let data = fanfare.data_publisher_with("stream:twins of data", options)?;
    data.publish(&reading(7))?;
    is_refused(data.publish(&reading("secret")))?;
    Ok(())
}
