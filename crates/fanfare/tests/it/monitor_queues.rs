//! A monitor sees queues of tasks, and dead letters wherever they are.

use std::{sync::Arc, time::Duration};

use fanfare::{
    Fanfare,
    monitor::{GroupLook, Metric, QueueLook, Rule, Severity, Snapshot},
    queue::{Job, Task},
    stream::Position,
};
use fanfare_testkit::RedisServer;
use tokio::sync::Semaphore;

use crate::{
    monitor::{SOON, notice, raised, resolved, until_seen},
    queue_support::{HOUR, take_one},
    support::{Target, TestResult, on_everything, run, until},
    worker_support::quick,
};

on_everything!(
    queues_are_found_with_what_waits_in_them,
    a_queue_that_nobody_serves_is_an_alert_until_somebody_does,
    a_task_whose_handler_hangs_is_seen_though_its_lease_is_renewed,
    what_is_gone_is_not_in_the_text_any_more,
    dead_letters_are_seen_wherever_workers_put_them,
    a_namespace_has_its_own_queues_and_dead_letters,
);

fn queue(snapshot: &Snapshot, name: &str) -> QueueLook {
    snapshot.queues.iter().find(|it| it.name == name).cloned().unwrap_or_default()
}

async fn queues_are_found_with_what_waits_in_them(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mails = fanfare.task_queue("mails").lease(HOUR).deliveries_max(1);
    mails.enqueue_many((0..5).map(|n| Job::new(n.to_string()))).await?;
    let _ = take_one(&mails).await?.complete().await?;
    let _ = take_one(&mails).await?.fail("no such address").await?;
    let _held = take_one(&mails).await?;
    mails.enqueue(Job::new("later").delay(HOUR)).await?;
    // Each kind, in slots of their own, and with a tag of its own.
    fanfare.delay_queue("reminders").enqueue_in(Duration::from_millis(1), "now").await?;
    fanfare.priority_queue("calls:{eu}").enqueue(-9, "newsletter").await?;
    fanfare.unique_queue("reindex").enqueue("user:7", "").await?;
    // No queues, though they have such keys.
    fanfare.command(["HSET", "{user:7}:meta", "name", "ada"]).await?;
    fanfare.command(["SET", "{user:7}:ready", "yes"]).await?;
    fanfare.command(["HSET", "page:meta", "enqueued", "1"]).await?;

    let monitor = fanfare.broker_monitor().every(SOON).find_queues("*").queues(["empty"]);
    let mut monitor = monitor.start()?;
    let is_due = |it: &Snapshot| 4 < it.queues.len() && queue(it, "reminders").due == Some(1);
    let seen = until_seen(&mut monitor, is_due).await?;
    assert!(seen.is_whole(), "{:?}", seen.blind);
    let names: Vec<_> = seen.queues.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["calls:{eu}", "empty", "mails", "reindex", "reminders"]);
    let it = queue(&seen, "mails");
    assert_eq!((it.ready, it.delayed, it.due), (Some(2), Some(1), Some(0)));
    assert_eq!((it.leased, it.lapsed, it.dead), (Some(1), Some(0), Some(1)));
    assert_eq!((it.enqueued, it.done, it.waiting()), (Some(6), Some(1), Some(2)));
    assert!(it.waiting_ms.is_some_and(|it| it < 3_600_000), "{it:?}");
    let it = queue(&seen, "reminders");
    assert_eq!((it.ready, it.delayed, it.waiting()), (Some(0), Some(1), Some(1)));
    // Its place in line is nine minutes behind; it has been there for a moment.
    let it = queue(&seen, "calls:{eu}");
    assert!(it.waiting_ms.is_some_and(|it| it < 540_000) && it.waiting() == Some(1), "{it:?}");
    let it = queue(&seen, "empty");
    assert_eq!((it.waiting(), it.dead, it.waiting_ms), (Some(0), Some(0), None));
    let alerts: Vec<_> = seen.alerts.iter().map(|it| &*it.id).collect();
    assert_eq!(alerts, ["queue-dead/warning/mails"]);
    let text = seen.prometheus();
    for line in [
        "fanfare_broker_queue_waiting{queue=\"mails\"} 2\n",
        "fanfare_broker_queue_dead{queue=\"mails\"} 1\n",
        "fanfare_broker_queue_due{queue=\"reminders\"} 1\n",
        "fanfare_broker_queue_enqueued_total{queue=\"mails\"} 6\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }

    // By a pattern, and not more than there is room for.
    let look =
        fanfare.broker_monitor().find_queues("re*").queues_max(1).look(Duration::ZERO).await?;
    assert_eq!((look.queues.len(), look.other_queues, look.unlisted()), (1, 1, 1));
    let alerts: Vec<_> = look.alerts.iter().map(|it| &*it.text).collect();
    let expected =
        "broker: streams, groups and queues beyond the monitor's bounds 1, more than 0 (1 queues)";
    assert_eq!(alerts, [expected]);
    let wrong = fanfare.broker_monitor().queues([""]).look(Duration::ZERO).await;
    assert!(wrong.is_err_and(|it| it.to_string().contains("a queue has a name")));
    Ok(())
}

async fn a_queue_that_nobody_serves_is_an_alert_until_somebody_does(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mails = fanfare.task_queue("mails").lease(Duration::from_millis(100));
    let rules = [
        Rule::new(Metric::QueueAge, Severity::Critical, 0.2).only("mails"),
        Rule::new(Metric::QueueWaiting, Severity::Warning, 1.0).only("mails"),
    ];
    // What a rule names is looked at.
    let mut monitor = fanfare.broker_monitor().every(SOON).rules(rules).start()?;
    let mut notices = monitor.notices();
    let empty = monitor.next().await.ok_or("no look")?;
    assert_eq!((queue(&empty, "mails").waiting(), empty.alerts.len()), (Some(0), 0));
    // One that is due, one in line, and one that was left behind.
    mails.enqueue("left behind").await?;
    let _dropped = take_one(&mails).await?;
    mails.enqueue(Job::new("due").delay(Duration::from_millis(1))).await?;
    mails.enqueue("in line").await?;
    let told = notice(&mut notices, raised(Metric::QueueAge)).await?;
    assert!(
        told.alert().is_some_and(|it| 0.2 < it.value && it.cure.contains("workers")),
        "{told:?}"
    );
    let seen = until_seen(&mut monitor, |it| queue(it, "mails").waiting() == Some(3)).await?;
    let it = queue(&seen, "mails");
    assert_eq!((it.ready, it.due, it.lapsed), (Some(1), Some(1), Some(1)), "nobody has moved them");
    let worker = mails.worker().spawn(async |_: Task| {})?;
    notice(&mut notices, resolved(Metric::QueueAge)).await?;
    until_seen(&mut monitor, |it| queue(it, "mails").done == Some(3) && it.alerts.is_empty())
        .await?;
    worker.stop().await;
    Ok(())
}

async fn a_task_whose_handler_hangs_is_seen_though_its_lease_is_renewed(
    server: Target,
) -> TestResult {
    let fanfare = server.connect().await?;
    let gate = Arc::new(Semaphore::new(0));
    let mails = fanfare.task_queue("mails").lease(Duration::from_secs(3));
    mails.enqueue("to ada").await?;
    let handler = {
        let gate = gate.clone();
        move |_: Task| {
            let gate = gate.clone();
            async move { gate.acquire().await.map(|it| it.forget()) }
        }
    };
    let worker = mails.worker().spawn(handler)?;
    // Longer than a lease.
    let rule = Rule::new(Metric::QueueRunning, Severity::Warning, 3.5);
    let mut monitor =
        fanfare.broker_monitor().every(SOON).queues(["mails"]).rules([rule]).start()?;
    let mut notices = monitor.notices();
    let told = notice(&mut notices, raised(Metric::QueueRunning)).await?;
    assert!(told.alert().is_some_and(|it| 3.5 < it.value && it.cure.contains("hangs")), "{told:?}");
    let seen = monitor.snapshot().ok_or("no look")?;
    let it = queue(&seen, "mails");
    assert_eq!((it.leased, it.waiting_ms), (Some(1), None), "nobody else could have it");
    gate.add_permits(1);
    notice(&mut notices, resolved(Metric::QueueRunning)).await?;
    until_seen(&mut monitor, |it| queue(it, "mails").done == Some(1)).await?;
    assert_eq!(queue(&*monitor.snapshot().ok_or("no look")?, "mails").running_ms, None);
    worker.stop().await;
    Ok(())
}

async fn what_is_gone_is_not_in_the_text_any_more(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    fanfare.stream("orders").add([("a", "b")]).await?;
    fanfare.task_queue("mails").enqueue("to ada").await?;
    let subscription = fanfare.subscribe(["news"]).await?;
    let monitor = fanfare.broker_monitor().every(SOON).find_streams("*").find_queues("*");
    let mut monitor = monitor.start()?;
    assert_eq!(monitor.prometheus(), None, "before the first look");
    let labels = ["stream=\"orders\"", "queue=\"mails\"", "channel=\"news\""];
    let has = |it: &Snapshot, wanted: bool| {
        let text = it.prometheus();
        labels.iter().all(|it| text.contains(it) == wanted)
    };
    until_seen(&mut monitor, |it| has(it, true)).await?;
    drop(subscription);
    fanfare.command(["DEL", "orders"]).await?;
    fanfare.command(["DEL", "{mails}:meta"]).await?;
    until_seen(&mut monitor, |it| has(it, false)).await?;
    let text = monitor.prometheus().ok_or("no look")?;
    assert!(text.contains("\nfanfare_broker_up{") && !text.contains("NaN"), "{text}");
    Ok(())
}

async fn dead_letters_are_seen_wherever_workers_put_them(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let orders = fanfare.stream("{orders}");
    let dead = "{orders}:given-up";
    for group in ["billing", "packing"] {
        let group = orders.group(group);
        let worker = quick(&group).deliveries_max(1);
        // The one puts them where they are by default, the other one was told otherwise.
        let worker = if group.name() == b"billing" { worker.dead_letters(dead) } else { worker };
        let worker = worker.start(Position::Start).spawn(async |_, _| Err::<(), _>("bad"))?;
        orders.add([("a", "b")]).await?;
        until("they are dead", || 0 < worker.stats().counts.dead_lettered).await?;
        worker.drain(Duration::from_secs(60)).await;
    }
    let of = |it: &Snapshot, name: &str| -> GroupLook {
        let mut groups = it.streams.iter().flat_map(|it| &it.groups);
        groups.find(|it| it.name == name).cloned().unwrap_or_default()
    };
    let found = fanfare.broker_monitor().find_streams("*").look(Duration::ZERO).await?;
    let stream = |it: &Snapshot, name: &str| it.streams.iter().find(|it| it.name == name).cloned();
    // Nobody has said whose they are: they are seen all the same, and those of the other group only once.
    assert_eq!(of(&found, "billing").dead_letters, Some(0));
    assert_eq!(stream(&found, dead).and_then(|it| it.dead_letters), Some(1));
    let packing = of(&found, "packing").dead_letters;
    assert!(Some(1) <= packing, "{found:?}");
    assert_eq!(stream(&found, "{orders}:packing:dead").map(|it| it.dead_letters), Some(None));
    assert_eq!(stream(&found, "{orders}").map(|it| it.dead_letters), Some(None));
    let told = |it: &Snapshot| -> Vec<_> { it.alerts.iter().map(|it| it.id.clone()).collect() };
    let expected = [dead, "{orders}/packing"].map(|it| format!("dead-letters/warning/{it}"));
    let mut ids = told(&found);
    ids.sort();
    let mut expected = Vec::from(expected);
    expected.sort();
    assert_eq!(ids, expected);

    let monitor = fanfare.broker_monitor().find_streams("*");
    let said = monitor.dead_letters_in("{orders}", "billing", dead).look(Duration::ZERO).await?;
    let billing = of(&said, "billing");
    assert_eq!((billing.dead_letters, billing.dead_letters_in.as_deref()), (Some(1), Some(dead)));
    assert_eq!(stream(&said, dead).map(|it| it.dead_letters), Some(None));
    let text = "{orders}/billing: dead letters 1, more than 0 (in {orders}:given-up)";
    assert!(said.alerts.iter().any(|it| it.text == text), "{:?}", said.alerts);
    Ok(())
}

async fn a_namespace_has_its_own_queues_and_dead_letters(server: Target) -> TestResult {
    let connect = async |namespace: &str| {
        let namespace = namespace.to_owned();
        Fanfare::builder(&server.url()).options(|it| it.namespace(namespace)).connect().await
    };
    let (eu, us) = (connect("eu:").await?, connect("us:").await?);
    eu.task_queue("mails").enqueue("to ada").await?;
    us.task_queue("calls").enqueue("to bob").await?;
    let billing = eu.stream("orders").group("billing");
    billing.create(Position::Start).await?;
    billing.dead_letters().stream().add([("dead:stream", "orders")]).await?;
    let look = async |fanfare: &Fanfare| {
        let monitor = fanfare.broker_monitor().find_streams("*").find_queues("*");
        monitor.look(Duration::ZERO).await
    };
    let seen = look(&eu).await?;
    let names: Vec<_> = seen.queues.iter().map(|it| (&*it.name, it.waiting())).collect();
    assert_eq!(names, [("mails", Some(1))]);
    let groups = seen.streams.iter().flat_map(|it| &it.groups);
    assert_eq!(groups.map(|it| it.dead_letters).collect::<Vec<_>>(), [Some(1)]);
    let alerts: Vec<_> = seen.alerts.iter().map(|it| &*it.id).collect();
    assert_eq!(alerts, ["dead-letters/warning/orders/billing"]);
    let seen = look(&us).await?;
    assert_eq!((seen.queues.len(), seen.streams.len()), (1, 0));
    Ok(())
}

#[test]
fn a_user_who_may_only_read_sees_queues_and_one_who_may_not_is_told() {
    let server = RedisServer::start(&[]);
    let mut admin = server.client();
    let eye = ["ACL", "SETUSER", "eye", "on", ">pw", "~*", "&*", "-@all", "+@read", "+@connection"];
    admin.call(&[&eye[..], &["+info", "+pubsub", "+scan"]].concat());
    let half = ["ACL", "SETUSER", "half", "on", ">pw", "~{other}*", "&*", "-@all", "+@read"];
    admin.call(&[&half[..], &["+@connection", "+info", "+pubsub", "+scan"]].concat());
    run(async {
        Fanfare::connect(&server.url()).await?.task_queue("mails").enqueue("to ada").await?;
        let look = async |user: &str| {
            let fanfare = Fanfare::connect(&format!("redis://{user}:pw@{}", server.addr())).await?;
            fanfare.broker_monitor().find_queues("*").look(Duration::ZERO).await
        };
        let all = look("eye").await?;
        assert!(all.is_whole() && all.alerts.is_empty(), "{all:#?}");
        assert_eq!(queue(&all, "mails").waiting(), Some(1));
        let hidden = look("half").await?;
        let told: Vec<_> = hidden.blind.iter().map(|it| &*it.what).collect();
        assert_eq!(told, ["the queue mails"], "{hidden:?}");
        let it = queue(&hidden, "mails");
        assert_eq!(
            (it.waiting(), it.dead, it.enqueued),
            (None, None, None),
            "not seen is not zero"
        );
        Ok(())
    });
}
