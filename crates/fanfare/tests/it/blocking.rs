//! The twin without a runtime, on every kind of broker.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use fanfare::{
    ErrorKind, Message,
    blocking::Fanfare,
    client::Script,
    commands::*,
    stream::{Pending, Position, Trim},
};

use crate::support::{Target, TestResult};

const PATIENCE: Duration = Duration::from_secs(60);

/// One test of each on every kind of broker and deployment, and in this process, without a runtime.
macro_rules! on_everything {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use fanfare_testkit::{ClusterGroup, FanfareServer, RedisServer, SentinelGroup};

            use crate::support::{Target, TestResult};

            #[test]
            fn redis_server() -> TestResult {
                super::$name(&Target::Redis(RedisServer::start(&[])))
            }

            #[test]
            fn fanfare() -> TestResult {
                super::$name(&Target::Fanfare(FanfareServer::start(&[])))
            }

            #[test]
            fn sentinel() -> TestResult {
                super::$name(&Target::Sentinel(SentinelGroup::start()))
            }

            #[test]
            fn cluster() -> TestResult {
                super::$name(&Target::Cluster(ClusterGroup::start()))
            }

            #[cfg(feature = "embedded")]
            #[test]
            fn embedded() -> TestResult {
                super::$name(&Target::Embedded(module_path!().replace("::", "-")))
            }
        }
    )+};
}

/// Waits, for at most some minutes, until `done` says so.
fn until(what: &str, mut done: impl FnMut() -> bool) -> TestResult {
    let end = Instant::now() + 4 * PATIENCE;
    while !done() {
        if end <= Instant::now() {
            return Err(format!("not in four minutes: {what}").into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

mod chat;
mod data;
mod health;
mod publisher;
mod queue;
mod request;
mod router;
mod service;
mod worker;

on_everything!(
    messages_come_to_iterators_and_handlers,
    streams_are_followed,
    commands_are_run_from_any_thread,
);

fn messages_come_to_iterators_and_handlers(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let mut news = fanfare.subscribe(["news"])?;
    assert_eq!(news.next_within(Duration::from_millis(10)), None);
    assert!(news.error().is_none());
    let (sender, handled) = mpsc::channel();
    let handler = fanfare.handle("news", move |message: Message| {
        // It may wait: it has a thread of its own.
        thread::sleep(Duration::from_millis(1));
        match message.text() {
            Ok("panic") => panic!("as asked"),
            Ok("fail") => Err("as asked"),
            _ => sender.send(message.payload).map_err(|_| "nobody listens"),
        }
    })?;
    let publisher = {
        let fanfare = fanfare.clone();
        thread::spawn(move || -> Result<(), fanfare::Error> {
            for payload in ["1", "panic", "fail", "2"] {
                fanfare.publish("news", payload)?;
            }
            let last = fanfare.publish_batch([("news", "3"), ("news", "4")]);
            last.into_iter().try_for_each(|outcome| outcome.map(drop))
        })
    };
    for expected in ["1", "panic", "fail", "2", "3", "4"] {
        let message = news.next_within(PATIENCE).ok_or("no message within a minute")?;
        assert_eq!(message.payload, expected);
    }
    publisher.join().map_err(|_| "the publisher panicked")??;
    for expected in ["1", "2", "3", "4"] {
        assert_eq!(handled.recv_timeout(PATIENCE)?, expected);
    }
    let stats = handler.wait_finished(6);
    assert_eq!((stats.handled, stats.failed, stats.panicked), (4, 1, 1));
    assert_eq!(handler.stop().finished(), 6);
    fanfare.close();
    assert_eq!(news.next(), None);
    assert_eq!(news.error().map(|error| error.kind()), Some(ErrorKind::Closed));
    let error = fanfare.publish("news", "5").err().ok_or("it is closed")?;
    assert_eq!(error.kind(), ErrorKind::Closed);
    Ok(())
}

fn streams_are_followed(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let stream = fanfare.stream("log").keep(Trim::maxlen(100));
    stream.add([("n", "0")])?;
    let mut tail = stream.tail(Position::Start)?;
    let writer = {
        let stream = stream.clone();
        thread::spawn(move || stream.add_batch((1..50).map(|n| [("n", n.to_string())])))
    };
    for n in 0..50 {
        let entry = tail.next_within(PATIENCE).ok_or("no entry within a minute")?;
        assert_eq!(entry.text("n")?, n.to_string());
    }
    assert!(tail.next_within(Duration::from_millis(10)).is_none());
    let ids: Result<Vec<_>, _> =
        writer.join().map_err(|_| "the writer panicked")?.into_iter().collect();
    assert_eq!(tail.last_id(), ids?.last().copied());
    assert_eq!((stream.len()?, stream.range(.., Some(3))?.len()), (50, 3));
    let group = stream.group("workers");
    assert!(group.create(Position::Start)?);
    let read = ["XREADGROUP", "GROUP", "workers", "me", "COUNT", "2", "STREAMS", "log", ">"];
    fanfare.command(read)?;
    let pending = group.pending(Pending::new())?;
    assert_eq!(group.acknowledge(pending.iter().map(|it| it.id))?, 2);
    assert!(group.delete()?);
    Ok(())
}

fn commands_are_run_from_any_thread(server: &Target) -> TestResult {
    let client = Fanfare::connect(&server.url())?.client();
    let n_tried = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (client, n_tried) = (client.with_timeout(PATIENCE), n_tried.clone());
            thread::spawn(move || -> Result<(), fanfare::Error> {
                for _ in 0..25 {
                    client.incr("n")?;
                }
                client.transact(["{t}n"], |watch| {
                    n_tried.fetch_add(1, Ordering::Relaxed);
                    let n: Option<u64> = watch.client().get("{t}n")?;
                    let transaction = watch.transaction();
                    let _ = transaction.set("{t}n", n.unwrap_or(0) + 1);
                    Ok((transaction, ()))
                })?;
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    assert_eq!((client.get("n")?, client.get("{t}n")?), (Some(100), Some(4)));
    assert!(4 <= n_tried.load(Ordering::Relaxed));
    let pipeline = client.pipeline();
    let (sum, wrong) = (pipeline.incr_by("n", 1), pipeline.lpush("n", [1]));
    let mut answers = pipeline.send()?;
    assert_eq!(answers.take(sum)?, 101);
    assert_eq!(answers.take(wrong).err().ok_or("it is")?.server_code(), Some("WRONGTYPE"));
    let waiting = {
        let client = client.clone();
        thread::spawn(move || client.blpop::<String>(["queue"], PATIENCE))
    };
    client.rpush("queue", ["x"])?;
    let popped = waiting.join().map_err(|_| "it panicked")??;
    assert_eq!(popped, Some(("queue".into(), "x".to_owned())));
    let script = Script::new("return KEYS[1] .. ARGV[1]");
    assert_eq!(client.run_script::<String>(&script, ["a"], ["b"])?, "ab");
    let keys: Result<Vec<_>, _> = client.scan(|client| client.scan().matching("n")).collect();
    assert_eq!(keys?, ["n"]);
    Ok(())
}

#[test]
fn a_call_on_a_runtime_is_refused_and_one_apart_from_it_is_not() -> TestResult {
    let server = fanfare_testkit::RedisServer::start(&[]);
    let url = server.url();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let apart = tokio::task::spawn_blocking({
            let url = url.clone();
            move || Fanfare::connect(&url)?.ping().map(drop)
        });
        apart.await??;
        let on_it = tokio::spawn(async move { Fanfare::connect(&url).map(drop) });
        Ok::<_, Box<dyn std::error::Error>>(on_it.await)
    })?;
    let panic = result.err().ok_or("it blocked the runtime")?.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
    let text = text.ok_or("it said nothing")?;
    assert!(text.contains("from within a runtime"), "{text}");
    Ok(())
}
