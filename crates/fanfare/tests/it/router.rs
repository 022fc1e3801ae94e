//! Many handlers on one subscription: each gets what it asks for, in order, and harms only itself.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use fanfare::{
    BoxError, Channel, Error, ErrorKind, Failed, FailedReason, HandlerService, Json, Kind, Message,
    Overflow, Raw, RouteStats, RouterStats, RunningRouter, State, Text, Tolerance, service,
};
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::support::{Target, TestResult, on_every_broker, on_everything, until};

on_everything!(handlers_get_what_they_ask_for, whatever_happens_in_a_handler_the_others_go_on, a_slow_handler_loses_only_its_own_messages_and_counts_them, handlers_come_and_go_while_it_runs, a_fallback_gets_what_nobody_names, stopping_begins_nothing_and_finishing_handles_all, a_stuck_handler_makes_health_bad; not embedded: killed_connections_are_gaps_and_it_goes_on,);

// Nodes of a cluster may lose plain messages on their way to each other, and there are no sharded
// patterns: what a pattern's handler gets there, `killed_connections_are_gaps_and_it_goes_on` tries.
on_every_broker!(channels_keep_their_order_and_wait_for_no_other);

/// On every kind of broker, with patience: it is much work for a busy machine.
mod blast {
    use std::time::Duration;

    use fanfare_testkit::{ClusterGroup, FanfareServer, RedisServer, SentinelGroup};

    use crate::support::{Target, run_for};

    fn blast(server: Target) {
        run_for(Duration::from_secs(1_200), super::half_a_million_messages_are_handled(server));
    }

    #[test]
    fn redis_server() {
        blast(Target::Redis(RedisServer::start(&[])));
    }

    #[test]
    fn fanfare() {
        blast(Target::Fanfare(FanfareServer::start(&[])));
    }

    #[test]
    fn sentinel() {
        blast(Target::Sentinel(SentinelGroup::start()));
    }

    #[test]
    fn cluster() {
        blast(Target::Cluster(ClusterGroup::start()));
    }
}

/// What handlers have seen, in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sorted(&self) -> Vec<String> {
        let mut all = self.all();
        all.sort_unstable();
        all
    }
}

/// Whether every message that came is counted once.
fn check(stats: &RouteStats) {
    let finished = stats.handled + stats.failed + stats.undecodable + stats.panicked;
    let waiting = u64::try_from(stats.queued_messages + stats.running).unwrap_or(u64::MAX);
    assert_eq!(stats.received, finished + stats.dropped + waiting, "{stats:?}");
}

#[derive(serde::Deserialize)]
struct Order {
    id: u64,
}

async fn handlers_get_what_they_ask_for(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let seen = Seen::default();
    let router = fanfare
        .router()
        .channel("orders", {
            let seen = seen.clone();
            move |Json(order): Json<Order>| {
                let seen = seen.clone();
                async move { seen.add(format!("json {}", order.id)) }
            }
        })
        .state(seen.clone())
        .channel("orders", async |State(seen): State<Seen>, message: Message| {
            seen.add(format!("message {:?} {:?}", message.kind, message.payload));
        })
        .channel("orders", async |State(seen): State<Seen>, order: Result<Json<Order>, Error>| {
            seen.add(order.map_or_else(|it| it.code().to_owned(), |it| format!("id {}", it.0.id)));
        })
        .pattern("p.*", async |State(seen): State<Seen>, at: Channel, Text(text): Text| {
            seen.add(format!("{} {text}", at.name()));
            Ok::<_, Error>(())
        })
        .sharded("s", async |State(seen): State<Seen>, Raw(bytes): Raw| {
            seen.add(format!("raw {bytes:?}"));
        })
        .channel("ping", async || {})
        .start()
        .await?;
    fanfare.publish("orders", r#"{"id":7}"#).await?;
    fanfare.publish("orders", "bad").await?;
    fanfare.publish("p.1", "text").await?;
    assert_eq!(fanfare.spublish("s", b"\xff").await?, 1);
    fanfare.publish("ping", "").await?;
    let stats = router.wait_finished(9).await;
    assert_eq!(
        seen.sorted(),
        [
            "FF-6002",
            "id 7",
            "json 7",
            "message Channel b\"bad\"",
            "message Channel b\"{\\\"id\\\":7}\"",
            "p.1 text",
            "raw b\"\\xff\"",
        ]
    );
    stats.routes.iter().for_each(check);
    assert_eq!(
        stats.routes.iter().map(|it| it.undecodable).collect::<Vec<_>>(),
        [1, 0, 0, 0, 0, 0]
    );
    assert_eq!((stats.unrouted, stats.subscription.received), (0, 5));
    // One subscription of each name, however many handlers it has.
    assert_eq!(server.n_subscribers("orders"), 1);
    drop(router);
    until("it is unsubscribed", || server.n_subscribers("orders") == 0).await
}

async fn whatever_happens_in_a_handler_the_others_go_on(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let seen = Seen::default();
    let router = fanfare
        .router()
        .sharded("numbers", |Text(text): Text| {
            // Even the call itself may panic, before there is a future.
            assert!(text != "panic early", "early");
            async move {
                if text == "panic" {
                    std::panic::resume_unwind(Box::new("late"));
                }
                if text == "100" { Err("too large") } else { Ok(()) }
            }
        })
        .sharded("numbers", async || {})
        .on_error({
            let seen = seen.clone();
            move |failed: Failed| {
                let kind = match &failed.reason {
                    FailedReason::Undecodable(error) => error.code(),
                    FailedReason::Failed(_) => "failed",
                    FailedReason::Panicked(_) => "panicked",
                    _ => "?",
                };
                seen.add(format!("{kind} {}", failed.reason));
                // It may do the same as what it hears of.
                assert!(failed.message.payload != "panic", "told");
                std::future::ready(())
            }
        })
        .start()
        .await?;
    for _ in 0..10 {
        for payload in [&b"\xff\xfe"[..], b"panic", b"panic early", b"100", b"7"] {
            fanfare.spublish("numbers", payload).await?;
        }
    }
    let stats = router.wait_finished(100).await;
    let first = stats.routes.first().ok_or("no route")?;
    let counts = (first.handled, first.failed, first.undecodable, first.panicked);
    assert_eq!(counts, (10, 10, 10, 20));
    assert_eq!(stats.routes.get(1).map(|it| it.handled), Some(50));
    stats.routes.iter().for_each(check);
    let told = seen.all();
    assert_eq!(told.len(), 40);
    assert_eq!(
        told.get(1..4),
        Some(
            &["panicked panicked: late", "panicked panicked: early", "failed too large"]
                .map(str::to_owned)[..]
        )
    );
    assert_eq!(router.error().map(|error| error.to_string()), None);
    Ok(())
}

async fn channels_keep_their_order_and_wait_for_no_other(server: Target) -> TestResult {
    const EACH: u64 = 100;
    let fanfare = server.connect().await?;
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let n_running = Arc::new(AtomicU64::new(0));
    let router = fanfare
        .router()
        .state((seen.clone(), gate.clone(), n_running.clone()))
        .concurrency(3)
        .pattern("p.*", async |State((seen, gate, n_running)), at: Channel, Text(text): Text| {
            let (seen, gate, n_running): (Seen, Arc<Semaphore>, Arc<AtomicU64>) =
                (seen, gate, n_running);
            assert!(n_running.fetch_add(1, Ordering::SeqCst) < 3, "too many at once");
            if at.name() == "p.slow" {
                gate.acquire().await.map_err(|it| it.to_string())?.forget();
            }
            tokio::task::yield_now().await;
            seen.add(format!("{} {text}", at.name()));
            n_running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, String>(())
        })
        .start()
        .await?;
    let channels = ["p.slow", "p.1", "p.2", "p.3", "p.4"];
    for n in 0..EACH {
        for channel in channels {
            fanfare.publish(channel, n.to_string()).await?;
        }
    }
    // The four others are done, although the first has not moved.
    let stats = router.wait_finished(4 * EACH).await;
    assert!(seen.all().iter().all(|it| !it.starts_with("p.slow")));
    stats.routes.iter().for_each(check);
    gate.add_permits(usize::try_from(EACH)?);
    router.wait_finished(5 * EACH).await;
    let mut next = HashMap::<String, u64>::new();
    for line in seen.all() {
        let (channel, n) = line.split_once(' ').ok_or("no number")?;
        let expected = next.entry(channel.to_owned()).or_default();
        assert_eq!(n.parse::<u64>()?, *expected, "{channel}");
        *expected += 1;
    }
    assert_eq!(next.len(), channels.len());
    Ok(())
}

/// A handler that waits for permits, each for one message.
async fn gated(State(gate): State<Arc<Semaphore>>) -> Result<(), tokio::sync::AcquireError> {
    gate.acquire().await.map(|permit| permit.forget())
}

async fn a_slow_handler_loses_only_its_own_messages_and_counts_them(server: Target) -> TestResult {
    const N: u64 = 5_000;
    let fanfare = server.connect().await?;
    let gate = Arc::new(Semaphore::new(0));
    let router = fanfare
        .router()
        .state(gate.clone())
        .sharded("c", async || {})
        .queue(Overflow::DropOldest, 10, 1 << 20)
        .sharded("c", gated)
        .queue(Overflow::DropNewest, 10, 1 << 20)
        .sharded("c", gated)
        .queue(Overflow::Disconnect, 10, 1 << 20)
        .sharded("c", gated)
        .start()
        .await?;
    let numbers = fanfare.publisher::<Text>("c").sharded();
    for outcome in numbers.publish_batch((0..N).map(|n| n.to_string())).await {
        assert_eq!(outcome?, 1);
    }
    let of = |router: &RunningRouter<_>| {
        let mut routes = router.stats().routes;
        let last = routes.pop();
        (routes, last)
    };
    until("everything has come", || of(&router).0.iter().all(|it| it.received == N)).await?;
    until("the quick one is done", || of(&router).0.first().is_some_and(|it| it.handled == N))
        .await?;
    let (routes, last) = of(&router);
    let last = last.ok_or("no route")?;
    for stats in routes.iter().chain([&last]) {
        check(stats);
    }
    assert_eq!(routes.first().map(|it| it.dropped), Some(0));
    for stats in routes.iter().skip(1) {
        assert_eq!((stats.queued_messages, stats.running, stats.dropped), (10, 1, N - 11));
    }
    assert_eq!(last.error.map(|it| it.kind()), Some(ErrorKind::SlowConsumer));
    assert!(router.error().is_none());
    gate.add_permits(Semaphore::MAX_PERMITS / 2);
    let stats = router.finish().await;
    assert_eq!(stats.routes.get(1).map(|it| it.handled), Some(11));
    let blocking = fanfare.router().queue(Overflow::Block, 1, 1).channel("c", async || {});
    let refused = blocking.start().await.err().ok_or("it was allowed")?;
    assert_eq!(refused.kind(), ErrorKind::InvalidOption);
    let empty = fanfare.router().start().await.err().ok_or("it was allowed")?;
    assert_eq!(empty.kind(), ErrorKind::InvalidRequest);
    Ok(())
}

async fn handlers_come_and_go_while_it_runs(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let router = fanfare.router().channel("first", async || {}).start().await?;
    let second = router.channel("second", async || {}).await?;
    let twin = router.channel("second", async || {}).await?;
    let pattern = router.pattern("p.*", async || {}).await?;
    let shard = router.sharded("s", async || {}).await?;
    for channel in ["first", "second", "p.1"] {
        server.check_receivers(fanfare.publish(channel, "x").await?, 1);
    }
    assert_eq!(fanfare.spublish("s", "x").await?, 1);
    router.wait_finished(5).await;
    let gone = router.remove(second).await.ok_or("it was there")?;
    assert_eq!((gone.handled, gone.name.as_ref()), (1, &b"second"[..]));
    assert!(router.remove(second).await.is_none());
    assert_eq!(server.n_subscribers("second"), 1, "its twin is still there");
    for id in [twin, pattern, shard] {
        assert_eq!(router.remove(id).await.map(|it| it.handled), Some(1));
    }
    until("nobody wants them any more", || {
        server.n_subscribers("second") == 0 && server.say(&["PUBSUB", "NUMPAT"]) == ":0\r\n"
    })
    .await?;
    assert_eq!(fanfare.spublish("s", "x").await?, 0);
    fanfare.publish("first", "x").await?;
    let stats = router.wait_finished(2).await;
    assert_eq!(stats.routes.iter().map(|it| it.handled).collect::<Vec<_>>(), [2]);
    fanfare.close().await;
    until("its end is told", || router.error().is_some()).await?;
    let late = router.channel("late", async || {}).await.err().ok_or("it was added")?;
    assert_eq!((late.kind(), router.stats().routes.len()), (ErrorKind::Closed, 1));
    Ok(())
}

async fn a_fallback_gets_what_nobody_names(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let seen = Seen::default();
    let router = fanfare
        .router()
        .state(seen.clone())
        .channel("orders.new", async |State(seen): State<Seen>| seen.add("named"))
        .pattern("orders.*", async |State(seen): State<Seen>, at: Channel| {
            seen.add(format!("pattern {}", at.name()));
        })
        .fallback("orders.*", async |State(seen): State<Seen>, at: Channel| {
            seen.add(format!("fallback {}", at.name()));
        })
        .start()
        .await?;
    fanfare.publish("orders.new", "x").await?;
    fanfare.publish("orders.old", "x").await?;
    router.wait_finished(4).await;
    let expected = ["fallback orders.old", "named", "pattern orders.new", "pattern orders.old"];
    assert_eq!(seen.sorted(), expected);
    Ok(())
}

async fn half_a_million_messages_are_handled(server: Target) -> TestResult {
    const BLAST: u64 = 500_000;
    server.say(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"]);
    let fanfare = server.connect().await?;
    let (next, is_ordered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
    let router = fanfare
        .router()
        .state((next.clone(), is_ordered.clone()))
        .queue(Overflow::DropOldest, usize::try_from(BLAST)?, 256 << 20)
        .sharded("c", async |State(state), message: Message| {
            let (next, is_ordered): (Arc<AtomicU64>, Arc<AtomicBool>) = state;
            let expected = next.fetch_add(1, Ordering::Relaxed);
            if message.text()?.parse().ok() != Some(expected) {
                is_ordered.store(false, Ordering::Relaxed);
            }
            Ok::<_, Error>(())
        })
        .start()
        .await?;
    let publisher = server.connect().await?;
    let numbers = publisher.publisher::<Text>("c").sharded();
    for outcome in numbers.publish_batch((0..BLAST).map(|n| format!("{n:0100}"))).await {
        assert_eq!(outcome?, 1);
    }
    // However long that takes on a busy machine.
    let is_lost = |it: &RouterStats| it.subscription.dropped != 0 || it.subscription.gaps != 0;
    while router.stats().finished() < BLAST && !is_lost(&router.stats()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stats = router.finish().await;
    let route = stats.routes.first().ok_or("no route")?;
    assert_eq!((route.handled, stats.subscription.dropped, stats.subscription.gaps), (BLAST, 0, 0));
    assert!(is_ordered.load(Ordering::Relaxed));
    Ok(())
}

async fn killed_connections_are_gaps_and_it_goes_on(mut server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let n_gaps = Arc::new(AtomicU64::new(0));
    let router = fanfare
        .router()
        .channel("a", async || {})
        .pattern("p.*", async || {})
        .sharded("s", async || {})
        .on_gap({
            let n_gaps = n_gaps.clone();
            move |gap| {
                assert!(gap.outage.is_some());
                n_gaps.fetch_add(1, Ordering::SeqCst);
                // Nobody is harmed by that.
                std::panic::resume_unwind(Box::new("on_gap"));
            }
        })
        .start()
        .await?;
    assert_ne!(server.kill_clients("pubsub"), 0);
    until("the gap is told", || 1 <= n_gaps.load(Ordering::SeqCst)).await?;
    until("all is well", || router.stats().subscription.is_up).await?;
    let before = n_gaps.load(Ordering::SeqCst);
    server.stop();
    until("the outage is seen", || !router.stats().subscription.is_up).await?;
    server.restart();
    until("the second gap is told", || before < n_gaps.load(Ordering::SeqCst)).await?;
    // From any program, whenever it can publish again.
    let publisher = server.connect().await?;
    for n in 0..3 {
        until("it goes on", || router.stats().subscription.is_up).await?;
        loop {
            let sent = match n {
                0 => publisher.publish("a", "x").await,
                1 => publisher.publish("p.1", "x").await,
                _ => publisher.spublish("s", "x").await,
            };
            // What fails is sent again in the next round.
            drop(sent);
            tokio::time::sleep(Duration::from_millis(20)).await;
            if router.stats().routes.get(n).is_some_and(|it| 1 <= it.handled) {
                break;
            }
        }
    }
    router.stats().routes.iter().for_each(check);
    Ok(())
}

async fn stopping_begins_nothing_and_finishing_handles_all(server: Target) -> TestResult {
    for must_finish in [false, true] {
        let fanfare = server.connect().await?;
        let gate = Arc::new(Semaphore::new(0));
        let router = fanfare.router().state(gate.clone()).sharded("c", gated).start().await?;
        for _ in 0..10 {
            fanfare.spublish("c", "x").await?;
        }
        until("all have come", || router.stats().routes.iter().all(|it| it.received == 10)).await?;
        until("one is being handled", || router.stats().routes.iter().all(|it| it.running == 1))
            .await?;
        let ending = tokio::spawn(async move {
            if must_finish { router.finish().await } else { router.stop().await }
        });
        // Nothing more can come.
        while fanfare.count_subscribers(Kind::Shard, ["c"]).await? != [0] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!ending.is_finished(), "it waits for what is being handled");
        gate.add_permits(10);
        let stats = ending.await?;
        let route = stats.routes.first().ok_or("no route")?;
        check(route);
        let expected = if must_finish { (10, 0) } else { (1, 9) };
        assert_eq!((route.handled, route.queued_messages), expected);
    }
    Ok(())
}

async fn a_stuck_handler_makes_health_bad(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let gate = Arc::new(Semaphore::new(0));
    let router = fanfare.router().state(gate.clone()).sharded("c", gated).start().await?;
    for _ in 0..3 {
        fanfare.spublish("c", "x").await?;
    }
    let minute = Duration::from_secs(60);
    let impatient = Tolerance::new(minute, Duration::from_millis(50));
    until("the stall is seen", || {
        let told = fanfare.health().check(impatient);
        told.is_err_and(|it| it.to_string().contains("handler \"c\" has taken nothing for"))
    })
    .await?;
    gate.add_permits(3);
    router.wait_finished(3).await;
    fanfare.health().check(impatient)?;
    drop(router);
    until("it is no longer listed", || fanfare.health().live.is_empty()).await?;

    // Channels that go on do not hide one that does not.
    let handler = async |State(gate): State<Arc<Semaphore>>, channel: Channel| {
        if channel.name() == "stuck" {
            drop(gate.acquire().await);
        }
    };
    let router = fanfare.router().state(gate).concurrency(2).pattern("*", handler).start().await?;
    let publishing = tokio::spawn({
        let fanfare = fanfare.clone();
        async move {
            loop {
                for channel in ["stuck", "other"] {
                    // What gets lost comes again.
                    let _ = fanfare.publish(channel, "x").await;
                }
            }
        }
    });
    until("the stall is seen", || fanfare.health().check(impatient).is_err()).await?;
    publishing.abort();
    assert!(0 < router.stats().finished(), "others went on");
    let told = fanfare.health().check(impatient).err().ok_or("it is well")?;
    assert!(told.to_string().contains("handler \"*\" has taken nothing for"), "{told}");
    Ok(())
}

/// A layer as those of tower are: it passes each second message on.
#[derive(Clone)]
struct EachSecond {
    inner: HandlerService,
    n: Arc<AtomicU64>,
}

impl Service<Message> for EachSecond {
    type Response = ();
    type Error = BoxError;
    type Future = futures_util::future::BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        if self.n.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            Box::pin(async { Err("not this one".into()) })
        } else {
            self.inner.call(message)
        }
    }
}

#[test]
fn services_and_handlers_are_the_same() {
    let server = fanfare_testkit::FanfareServer::start(&[]);
    crate::support::run(async {
        let server = Target::Fanfare(server);
        let fanfare = server.connect().await?;
        let inner = service(async |Json(_): Json<Order>| {}, ());
        let layered = EachSecond { inner, n: Arc::default() };
        let router = fanfare.router().service(Kind::Channel, "c", layered).start().await?;
        for payload in ["skipped", "bad", "skipped", r#"{"id":1}"#] {
            fanfare.publish("c", payload).await?;
        }
        let stats = router.wait_finished(4).await;
        let route = stats.routes.first().ok_or("no route")?;
        assert_eq!((route.handled, route.failed, route.undecodable), (1, 2, 1));
        Ok(())
    });
}
