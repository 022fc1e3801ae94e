//! Services: who gets which event, once; who may order them about; how they start and stop.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fanfare::{
    Backoff, Envelope, ErrorKind, Fanfare, Head, Json, Sealed, State,
    layers::TraceParent,
    request::Gather,
    service::{
        Confirmation, Console, ControlKeys, Emitter, RefusedOrder, Retention, RunningService,
        Scope, Service, ServiceEvent, Target, Unknown,
    },
    testing,
    worker::Worker,
};
use futures_util::FutureExt;
use tokio::sync::{Barrier, Semaphore};

use crate::{
    support::{Target as Server, TestResult, on_everything, until},
    worker_support::{MS, settled},
};

on_everything!(
    every_scope_reaches_those_it_is_for,
    replicas_share_and_who_was_away_misses_nothing,
    orders_are_obeyed_only_of_those_who_may,
    what_starts_is_heard_and_what_stops_gives_back,
    what_nobody_knows_is_counted_and_kept,
    a_full_stream_refuses_or_forgets_the_oldest,
    answers_about_health_find_their_questions,
);

const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

/// What a handler got: whose it was, the event's head, its data.
type Got = (&'static str, Head, String);

/// What handlers got.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Got>>>);

impl Seen {
    fn push(&self, who: &'static str, event: Envelope<String>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push((who, event.head, event.data));
    }

    fn all(&self) -> Vec<Got> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn texts(&self) -> Vec<String> {
        let mut texts: Vec<_> =
            self.all().into_iter().map(|(who, _, data)| format!("{who}: {data}")).collect();
        texts.sort();
        texts
    }
}

type Shared = (&'static str, Seen);

/// A service that notes what it gets, and answers what is a question.
fn noting(fanfare: &Fanfare, name: &'static str, seen: &Seen) -> Service<Shared> {
    let note = async |State((who, seen)): State<Shared>, event: Envelope<String>| {
        seen.push(who, event);
    };
    Service::new(fanfare, name)
        .state((name, seen.clone()))
        .on("happened", note)
        .on("answered", note)
        .on("asked", async |event: Envelope<String>, emitter: Emitter| {
            let whom = Scope::Service(event.head.source().to_owned());
            emitter.emit(whom, "answered", &event.data).await.map(drop)
        })
        .on_hint("stale", note)
        .worker(patient)
}

fn patient(worker: Worker) -> Worker {
    worker.lease(Duration::from_secs(60)).retry(Backoff { first: MS(20), cap: MS(100) })
}

async fn every_scope_reaches_those_it_is_for(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let seen = Seen::default();
    // Two on one handle, and a replica of one elsewhere.
    let users = noting(&here, "users", &seen).start().await?;
    let orders = noting(&here, "orders", &seen).start().await?;
    let replica = noting(&there, "orders", &seen).start().await?;
    let emitter = users.emitter();
    let to_orders = || Scope::Service("orders".to_owned());
    emitter.emit(Scope::Global, "happened", "to all").await?;
    emitter.emit(Scope::Other, "happened", "to the others").await?;
    emitter.emit(to_orders(), "happened", "to orders").await?;
    orders.emitter().emit(Scope::Other, "happened", "to those who are not orders").await?;
    replica.emitter().emit(to_orders(), "happened", "to ourselves").await?;
    let asked = emitter.emit(to_orders(), "asked", "a question").await?;
    // A hint goes to every instance.
    emitter.hint(Scope::Other, "stale", "hint to the others").await?;
    emitter.hint(Scope::Global, "stale", "hint to all").await?;
    let expected = [
        "orders: hint to all",
        "orders: hint to all",
        "orders: hint to the others",
        "orders: hint to the others",
        "orders: to all",
        "orders: to orders",
        "orders: to ourselves",
        "orders: to the others",
        "users: a question",
        "users: hint to all",
        "users: to all",
        "users: to those who are not orders",
    ];
    until("all have theirs", || expected.len() <= seen.texts().len()).await?;
    for service in ["users", "orders"] {
        settled(&here.stream("services:events").group(service)).await?;
    }
    until("the own hint is heard", || users.stats().counts.hints_own == 1).await?;
    assert_eq!(seen.texts(), expected);
    assert!(1 <= users.stats().counts.own);

    let all = seen.all();
    let (_, head, _) = all.iter().find(|it| it.1.kind() == "answered").ok_or("it is there")?;
    assert_eq!((head.source(), head.version()), ("orders", "1.0"));
    assert!([orders.instance(), replica.instance()].map(Some).contains(&head.text("instance")));
    assert_eq!(head.text("causation_id"), Some(asked.event_id.as_str()));
    assert_eq!(head.text("correlation_id"), Some(asked.event_id.as_str()));
    assert_eq!(head.text("scope"), Some("service"));
    let _: TraceParent = head.text("traceparent").ok_or("a trace")?.parse()?;
    for service in [users, orders, replica] {
        assert!(service.stop(PATIENCE).await.announced.is_ok());
    }
    Ok(())
}

async fn replicas_share_and_who_was_away_misses_nothing(server: Server) -> TestResult {
    const N: usize = 20;
    let (here, there) = (server.connect().await?, server.connect().await?);
    let seen = Seen::default();
    // Each handler waits for one of the other replica: neither can do without it.
    let both = Arc::new(Barrier::new(2));
    let sharing = |fanfare: &Fanfare, who: &'static str| {
        let (both, seen) = (both.clone(), seen.clone());
        Service::new(fanfare, "orders")
            .state((both, who, seen))
            .on(
                "happened",
                async |State((both, who, seen)): State<(Arc<Barrier>, &'static str, Seen)>,
                       event: Envelope<String>| {
                    both.wait().await;
                    seen.push(who, event);
                },
            )
            .layers(|_| fanfare::layers::Stack::empty())
            .worker(|worker| patient(worker).concurrency(1).prefetch(0))
            .start()
    };
    let (one, other) = (sharing(&here, "one").await?, sharing(&there, "other").await?);
    let users = Service::new(&here, "users").start().await?;
    for n in 0..N {
        users.emitter().emit(Scope::Other, "happened", &n.to_string()).await?;
    }
    until("all are handled", || N <= seen.all().len()).await?;
    let group = here.stream("services:events").group("orders");
    settled(&group).await?;
    let mut numbers: Vec<usize> =
        seen.all().iter().map(|it| it.2.parse()).collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..N).collect::<Vec<_>>());
    assert_eq!(seen.all().iter().filter(|it| it.0 == "one").count(), N / 2);
    one.stop(PATIENCE).await;
    other.stop(PATIENCE).await;

    let away = Seen::default();
    for n in 0..N {
        users.emitter().emit(Scope::Other, "happened", &n.to_string()).await?;
    }
    let back = noting(&there, "orders", &away).start().await?;
    until("what was missed is handled", || N <= away.all().len()).await?;
    settled(&group).await?;
    assert_eq!(away.all().len(), N);
    back.stop(PATIENCE).await;
    users.stop(PATIENCE).await;
    Ok(())
}

/// A request to the control channel of the service `orders`, as anybody could send it, and what it is
/// answered with.
async fn refusal(
    fanfare: &Fanfare,
    channel: &str,
    request: Sealed,
) -> Result<String, fanfare::Error> {
    let requester = fanfare.requester().await?.deadline(PATIENCE);
    match requester.request_sealed(channel, request).await {
        Ok(answer) => Ok(format!("obeyed: {:?}", answer.json::<Confirmation>()?)),
        Err(error) if error.kind() == ErrorKind::Refused => Ok(error.to_string()),
        Err(error) => Err(error),
    }
}

/// Who has no key, or another one, and who signs nothing.
async fn forgers_are_refused(
    there: &Fanfare,
    console: &Console,
    one: &RunningService,
) -> TestResult {
    use RefusedOrder::{UnknownKey, Unsigned, WrongSender, WrongSignature};
    let mut events = one.events();
    let channel = format!("services:control:orders:{}", one.instance());
    let of_one =
        Target::Instance { service: "orders".to_owned(), instance: one.instance().to_owned() };
    let single = Gather::new().at_most(1);
    let error = console.shutdown(of_one.clone(), "x", single).await.err().ok_or("no key")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let bare = Envelope::new("control", serde_json::json!({"command": "shutdown"})).seal()?;
    let told = refusal(there, &channel, bare).await?;
    assert!(told.contains("not signed"), "{told}");
    for (sender, key, secret, expected) in [
        ("ops", "new", [9; 32], "signature is wrong"),
        ("ops", "gone", SECRET, "not known here"),
        ("eve", "new", SECRET, "sender"),
    ] {
        let forger = console.clone().sign_as(sender, key, secret);
        let answers = forger.shutdown(of_one.clone(), "x", single).await?;
        let refused = answers.into_iter().find_map(Result::err);
        let told = refused.ok_or("it is refused")?.to_string();
        assert!(told.contains(expected), "{told}");
    }
    assert!(one.shutdown().now_or_never().is_none());
    assert_eq!((one.stats().counts.orders_refused, one.stats().counts.orders_obeyed), (4, 0));
    let mut reasons = Vec::new();
    while let Some(Some(event)) = events.next().now_or_never() {
        if let ServiceEvent::OrderRefused { reason, .. } = event {
            reasons.push(reason);
        }
    }
    assert_eq!(reasons, [Unsigned, WrongSignature, UnknownKey, WrongSender]);
    Ok(())
}

async fn orders_are_obeyed_only_of_those_who_may(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let (sender, mut configured) = tokio::sync::mpsc::channel(16);
    let keys = ControlKeys::new().allow("ops", "old", [7; 32]).allow("ops", "new", SECRET);
    let controlled = || {
        let sender = sender.clone();
        Service::new(&here, "orders").control(keys.clone()).on_config(
            move |Json(limit): Json<u64>| {
                let _ = sender.try_send(limit);
                async move { if limit == 0 { Err("0 is too little") } else { Ok(()) } }
            },
        )
    };
    let (one, two) = (controlled().start().await?, controlled().start().await?);
    let console = Console::connect(&there).await?.deadline(PATIENCE);
    let of_one =
        Target::Instance { service: "orders".to_owned(), instance: one.instance().to_owned() };
    let single = Gather::new().at_most(1);

    forgers_are_refused(&there, &console, &one).await?;

    // Who may: by the old key and by the new one, to all instances and to one.
    let ops = console.clone().sign_as("ops", "old", [7; 32]);
    let both = Gather::new().at_most(2);
    let obeyed = ops.configure(Target::Service("orders".to_owned()), &5, both).await?;
    assert_eq!(obeyed.iter().filter(|it| it.is_ok()).count(), 2, "{obeyed:?}");
    assert_eq!([configured.recv().await, configured.recv().await], [Some(5), Some(5)]);
    let failed = ops.configure(of_one.clone(), &0, single).await?;
    let failed = failed.into_iter().find_map(Result::err).ok_or("it is too little")?;
    assert!(failed.to_string().contains("too little"), "{failed}");
    let channel = format!("services:control:orders:{}", one.instance());
    let mut overheard = there.subscribe([&channel]).await?;
    let ops = console.sign_as("ops", "new", SECRET);
    let obeyed = ops.shutdown(of_one, "maintenance", single).await?;
    let instances: Vec<_> = obeyed.iter().flatten().map(|it| it.instance.as_str()).collect();
    assert_eq!(instances, [one.instance()]);
    let order = one.shutdown().await;
    assert_eq!((order.sender.as_str(), order.reason.as_str()), ("ops", "maintenance"));
    assert!(two.shutdown().now_or_never().is_none());

    // What was overheard is of no use: neither again, nor to somebody else.
    // The nodes of a cluster hand on late what was sent before somebody subscribed.
    let mut heard = crate::support::next(&mut overheard).await?;
    while !heard.text()?.contains("maintenance") {
        heard = crate::support::next(&mut overheard).await?;
    }
    let again = Sealed::from_payload(&heard.payload)?;
    let told = refusal(&there, &channel, again.clone()).await?;
    assert!(told.contains("come before"), "{told}");
    let elsewhere = format!("services:control:orders:{}", two.instance());
    let told = refusal(&there, &elsewhere, again).await?;
    assert!(told.contains("somebody else"), "{told}");
    assert!(two.shutdown().now_or_never().is_none());
    one.run_until(std::future::pending::<()>(), PATIENCE).await;
    two.stop(PATIENCE).await;
    Ok(())
}

/// What `service_started` and `service_stopped` say.
#[derive(serde::Deserialize)]
struct About {
    instance: String,
}

async fn what_starts_is_heard_and_what_stops_gives_back(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let seen = Seen::default();
    // Whoever answers `service_started` is heard, and `service_stopped` is told.
    let greeter = Service::new(&there, "greeter")
        .state(seen.clone())
        .on("service_started", async |event: Envelope<About>, emitter: Emitter| {
            let whom = Scope::Service(event.head.source().to_owned());
            let instance = &event.data.instance;
            emitter.emit(whom, "happened", instance).await.map(drop)
        })
        .on("service_stopped", async |State(seen): State<Seen>, event: Envelope<About>| {
            seen.push("greeter", Envelope { head: event.head, data: event.data.instance });
        })
        .worker(patient)
        .start()
        .await?;
    let users = noting(&here, "users", &seen).start().await?;
    let instance = users.instance().to_owned();
    until("it is greeted", || seen.texts().contains(&format!("users: {instance}"))).await?;
    users.stop(PATIENCE).await;
    until("its end is told", || seen.texts().contains(&format!("greeter: {instance}"))).await?;

    // One that hangs gives back what it had, and another replica has it at once: long before the lease
    // would end.
    let gate = Arc::new(Semaphore::new(0));
    let hanging = Service::new(&here, "orders")
        .state(gate.clone())
        .on("happened", async |State(gate): State<Arc<Semaphore>>| drop(gate.acquire().await))
        .layers(|_| fanfare::layers::Stack::empty())
        .worker(|worker| patient(worker).concurrency(2))
        .start()
        .await?;
    let mut emitted = Vec::new();
    for n in 0..3 {
        let to_orders = Scope::Service("orders".to_owned());
        let receipt = greeter.emitter().emit(to_orders, "happened", &n.to_string()).await?;
        emitted.push(receipt.event_id);
    }
    until("two are being handled", || {
        hanging.stats().workers.iter().map(|(_, stats)| stats.in_flight).sum::<usize>() == 2
    })
    .await?;
    let emitter = hanging.emitter();
    let stopped = hanging.stop(MS(50)).await;
    assert!(2 <= stopped.returned(), "{stopped:?}");
    let error = emitter.emit(Scope::Global, "happened", "x").await.err().ok_or("it has ended")?;
    assert_eq!(error.kind(), ErrorKind::Closed);
    let after = Seen::default();
    let replica = noting(&there, "orders", &after).start().await?;
    let got = || {
        let all = after.all();
        emitted.iter().all(|id| all.iter().any(|(_, head, _)| head.id() == id))
    };
    until("another one has them", got).await?;
    replica.stop(PATIENCE).await;
    greeter.stop(PATIENCE).await;
    Ok(())
}

async fn what_nobody_knows_is_counted_and_kept(server: Server) -> TestResult {
    let fanfare = server.connect().await?;
    let handler = async |_: Json<u64>| {};
    let double = Service::new(&fanfare, "orders").on("a", handler).on("a", handler).start().await;
    assert_eq!(double.err().map(|it| it.kind()), Some(ErrorKind::InvalidOption));
    let nameless = Service::new(&fanfare, "").start().await;
    assert_eq!(nameless.err().map(|it| it.kind()), Some(ErrorKind::InvalidOption));
    let short = Service::new(&fanfare, "orders").control(ControlKeys::new().allow("a", "b", "c"));
    assert_eq!(short.start().await.err().map(|it| it.kind()), Some(ErrorKind::InvalidOption));

    let orders = Service::new(&fanfare, "orders")
        .on_version("a", "2", handler)
        .unknown_kind(Unknown::DeadLetter)
        .unknown_version(Unknown::Retry)
        .worker(|worker| patient(worker).deliveries_max(2))
        .start()
        .await?;
    let emitter = orders.emitter();
    emitter.emit(Scope::Global, "a", &1).await?;
    emitter.emit(Scope::Global, "b", &2).await?;
    emitter.emit_envelope(Scope::Global, Envelope::new("a", 3).version("2.5")).await?;
    fanfare.stream("services:events").add([("no", "event")]).await?;
    let (_, dead) = orders.dead_letters().into_iter().next().ok_or("of what goes to all")?;
    testing::eventually("three are put aside", async || {
        dead.list(None, 10).await.is_ok_and(|it| it.len() == 3)
    })
    .await;
    let counts = orders.stop(PATIENCE).await.stats.counts;
    assert_eq!((counts.handled, counts.unknown_kinds, counts.unknown_versions), (1, 1, 2));
    assert_eq!((counts.malformed, counts.emitted), (1, 5));
    let errors: Vec<String> = dead.list(None, 10).await?.into_iter().map(|it| it.error).collect();
    let has = |text: &str| errors.iter().any(|it| it.contains(text));
    assert!(has("version 1.0 of \"a\"") && has("of the type \"b\"") && has("no envelope"));
    Ok(())
}

async fn a_full_stream_refuses_or_forgets_the_oldest(server: Server) -> TestResult {
    let fanfare = server.connect().await?;
    let nobody = || Scope::Service("nobody".to_owned());
    let start = |name: &str, retention| Service::new(&fanfare, name).retention(retention).start();
    let careful = start("careful", Retention::refuse_beyond(3)).await?;
    for n in 0..3 {
        careful.emitter().emit(nobody(), "happened", &n).await?;
    }
    let error = careful.emitter().emit(nobody(), "happened", &3).await.err().ok_or("it is full")?;
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.to_string().contains("services:events:nobody has 3"), "{error}");
    assert!(!error.may_have_been_delivered());
    let careless = start("careless", Retention::newest(3)).await?;
    assert_eq!(careless.emitter().emit(nobody(), "happened", &3).await?.trimmed, 1);
    assert_eq!(fanfare.stream("services:events:nobody").len().await?, 3);
    assert_eq!(careful.stop(PATIENCE).await.stats.counts.emit_failed, 1);
    assert!(1 <= careless.stop(PATIENCE).await.stats.counts.trimmed);
    Ok(())
}

async fn answers_about_health_find_their_questions(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let orders: Vec<RunningService> = [
        Service::new(&here, "orders").start().await?,
        Service::new(&there, "orders").check(|| Err("no disk".to_owned())).start().await?,
    ]
    .into();
    let users = Service::new(&here, "users").start().await?;
    let console = Console::connect(&there).await?.deadline(PATIENCE);
    let ask = async |service: &str, n: usize| {
        let target = Target::Service(service.to_owned());
        let reports = console.health(target, Gather::new().at_most(n)).await?;
        let of =
            |it: Result<fanfare::service::HealthReport, _>| it.map(|it| (it.service, it.instance));
        let mut reports: Vec<_> = reports.into_iter().map(of).collect::<Result<_, _>>()?;
        reports.sort();
        Ok::<_, fanfare::Error>(reports)
    };
    let name = |it: &RunningService| (it.name().to_owned(), it.instance().to_owned());
    let mut expected: Vec<_> = orders.iter().map(name).collect();
    expected.sort();
    for _ in 0..10 {
        let (of_orders, of_users) = tokio::try_join!(ask("orders", 2), ask("users", 1))?;
        assert_eq!((of_orders, of_users), (expected.clone(), vec![name(&users)]));
    }
    let all = console.health(Target::All, Gather::new().at_most(3)).await?;
    let all: Vec<_> = all.into_iter().collect::<Result<_, _>>()?;
    let sick: Vec<_> = all.iter().filter(|it| !it.is_healthy).collect();
    assert_eq!(all.len(), 3);
    let told: Vec<_> = sick.iter().map(|it| (it.reasons.join(";"), it.workers.len())).collect();
    assert_eq!(told, [("no disk".to_owned(), 2)]);
    // In a cluster, nobody can know that there are none before the deadline.
    let hasty = Console::connect(&there).await?.deadline(Duration::from_millis(200));
    let nobody = Target::Service("nobody".to_owned());
    assert!(hasty.health(nobody, Gather::new().at_most(1)).await?.is_empty());
    for service in orders.into_iter().chain([users]) {
        assert!(11 <= service.stop(PATIENCE).await.stats.counts.health_asked);
    }
    Ok(())
}
