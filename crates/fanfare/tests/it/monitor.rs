//! A monitor sees what is there, says what it can not see, and tells when something is too much.

use std::{error::Error, sync::Arc, time::Duration};

use fanfare::{
    Fanfare, Json,
    monitor::{Metric, Notice, Notices, Rule, RunningMonitor, Severity, Snapshot},
    stream::Position,
};
use fanfare_testkit::RedisServer;

use crate::support::{Target, TestResult, next, on_everything, run};

on_everything!(
    a_broker_is_seen_with_all_that_is_in_it,
    what_is_evicted_raises_an_alert_and_resolves,
    alerts_are_published_where_they_were_asked_for,
    beyond_the_bounds_it_counts,
    inboxes_are_counted_together;
    not embedded: an_outage_is_an_alert_until_it_is_over,
);

pub(crate) const SOON: Duration = Duration::from_millis(50);

/// Snapshots until one is as it should be.
pub(crate) async fn until_seen(
    monitor: &mut RunningMonitor,
    is_wanted: impl Fn(&Snapshot) -> bool,
) -> Result<Arc<Snapshot>, Box<dyn Error>> {
    let mut last = None;
    let seen = tokio::time::timeout(Duration::from_secs(60), async {
        while let Some(snapshot) = monitor.next().await {
            if is_wanted(&snapshot) {
                return Some(snapshot);
            }
            last = Some(snapshot);
        }
        None
    });
    match seen.await {
        Ok(Some(snapshot)) => Ok(snapshot),
        _ => Err(format!("it was not seen within a minute; the last was {last:#?}").into()),
    }
}

pub(crate) async fn notice(
    notices: &mut Notices,
    is_wanted: impl Fn(&Notice) -> bool,
) -> Result<Notice, Box<dyn Error>> {
    let found = tokio::time::timeout(Duration::from_secs(120), async {
        loop {
            match notices.next().await {
                Some(notice) if is_wanted(&notice) => return Some(notice),
                Some(_) => {}
                None => return None,
            }
        }
    });
    found.await?.ok_or_else(|| "the monitor has ended".into())
}

pub(crate) fn raised(metric: Metric) -> impl Fn(&Notice) -> bool {
    move |it| matches!(it, Notice::Raised(alert) if alert.metric == metric)
}

pub(crate) fn resolved(metric: Metric) -> impl Fn(&Notice) -> bool {
    move |it| matches!(it, Notice::Resolved(alert) if alert.metric == metric)
}

async fn a_broker_is_seen_with_all_that_is_in_it(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let orders = fanfare.stream("orders");
    let billing = orders.group("billing");
    billing.create(Position::Start).await?;
    orders.add_batch((0..3).map(|n| [("n", n.to_string())])).await;
    let read = ["XREADGROUP", "GROUP", "billing", "me", "COUNT", "2", "STREAMS", "orders", ">"];
    fanfare.command(read).await?;
    billing.dead_letters().stream().add([("x", "y")]).await?;
    let _news = fanfare.subscriber().channels(["news"]).sharded(["shard"]).connect().await?;
    let mut monitor =
        fanfare.broker_monitor().every(SOON).find_streams("ord*").listen(["heard.*"]).start()?;
    // What is published before it listens is not heard.
    until_seen(&mut monitor, |it| it.nodes.iter().any(|it| 0 < it.patterns.unwrap_or(0))).await?;
    for _ in 0..5 {
        fanfare.publish("heard.a", "12345").await?;
    }
    let heard = |it: &Snapshot| it.channels.iter().any(|it| it.messages == Some(5));
    let seen = until_seen(&mut monitor, heard).await?;
    assert!(seen.is_whole(), "{:?}", seen.blind);
    for node in &seen.nodes {
        assert!(node.clients.is_some_and(|it| 0 < it) && node.memory.is_some(), "{node:?}");
        assert!(node.totals.commands.is_some() && node.persistence.failed.is_empty(), "{node:?}");
        assert!(node.server.is_some() && node.replication.role.as_deref() == Some("master"));
    }
    let of = |name: &str| seen.channels.iter().find(|it| it.name == name);
    assert_eq!(of("news").and_then(|it| it.subscribers), Some(1));
    assert_eq!(of("shard").map(|it| (it.subscribers, it.is_sharded)), Some((Some(1), true)));
    assert_eq!(of("heard.a").and_then(|it| it.subscribers), Some(0));
    let [stream] = &seen.streams[..] else { return Err(format!("{:?}", seen.streams).into()) };
    assert_eq!((&*stream.name, stream.length, stream.entries_added), ("orders", Some(3), Some(3)));
    assert!(stream.silent_ms.is_some_and(|it| it < 60_000), "{stream:?}");
    let [group] = &stream.groups[..] else { return Err(format!("{stream:?}").into()) };
    assert_eq!(
        (&*group.name, group.lag, group.pending, group.consumers),
        ("billing", Some(1), 2, 1)
    );
    assert_eq!((group.redelivered, group.deliveries_max), (Some(0), Some(1)));
    assert_eq!(group.dead_letters, Some(1));
    let alerts: Vec<_> = seen.alerts.iter().map(|it| &*it.id).collect();
    assert_eq!(alerts, ["dead-letters/warning/orders/billing"]);
    assert!(seen.alerts.iter().all(|it| it.cure.contains("fanfare dlq")), "{:?}", seen.alerts);
    // As JSON and back; the last digits of rates may differ.
    let read: Snapshot = serde_json::from_str(&serde_json::to_string(&*seen)?)?;
    assert_eq!((&read.alerts, read.at_ms), (&seen.alerts, seen.at_ms));
    let totals = |it: &Snapshot| it.nodes.iter().map(|it| it.totals.clone()).collect::<Vec<_>>();
    assert_eq!(totals(&read), totals(&seen));
    Ok(())
}

async fn an_outage_is_an_alert_until_it_is_over(mut server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let deadline = Duration::from_secs(2);
    let mut monitor =
        fanfare.broker_monitor().every(SOON).deadline(deadline).window(4 * deadline).start()?;
    let mut notices = monitor.notices();
    let before =
        until_seen(&mut monitor, |it| it.nodes.iter().all(|it| it.rates.commands.is_some()));
    let before = before.await?;
    assert!(before.alerts.is_empty(), "{:?}", before.alerts);
    server.stop();
    let told = notice(&mut notices, raised(Metric::Unreachable)).await?;
    let alert = told.alert().ok_or("no alert")?;
    assert_eq!((alert.severity, alert.value), (Severity::Critical, 1.0));
    assert!(alert.text.contains("can not be asked"), "{alert:?}");
    let during =
        until_seen(&mut monitor, |it| it.nodes.iter().any(|it| it.error.is_some())).await?;
    assert_eq!(during.worst(), Some(Severity::Critical));
    server.restart();
    notice(&mut notices, resolved(Metric::Unreachable)).await?;
    // Everything is counted anew, and nothing is negative.
    let after = until_seen(&mut monitor, |it| {
        it.is_whole() && it.nodes.iter().all(|it| it.rates.commands.is_some())
    });
    let after = after.await?;
    assert!(after.nodes.iter().all(|it| it.rates.commands.is_some_and(|it| 0.0 <= it)));
    Ok(())
}

async fn what_is_evicted_raises_an_alert_and_resolves(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let window = Duration::from_secs(2);
    let mut monitor = fanfare.broker_monitor().every(SOON).window(window).start()?;
    let mut notices = monitor.notices();
    monitor.next().await.ok_or("no look")?;
    server.say_to_all(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    server.say_to_all(&["CONFIG", "SET", "maxmemory", "20mb"]);
    let value = vec![b'x'; 1 << 20];
    for n in 0..30 {
        // All of them at one node of a cluster.
        let key = format!("{{k}}{n}");
        fanfare.command([&b"SET"[..], key.as_bytes(), &value]).await?;
    }
    let told = notice(&mut notices, raised(Metric::EvictedKeys)).await?;
    assert!(told.alert().is_some_and(|it| 0.0 < it.value && it.cure.contains("noeviction")));
    let full =
        until_seen(&mut monitor, |it| it.nodes.iter().all(|it| it.memory_percent().is_some()));
    assert_eq!(full.await?.nodes.first().and_then(|it| it.memory_max), Some(20 << 20));
    // When nothing more is evicted, the window forgets it.
    notice(&mut notices, resolved(Metric::EvictedKeys)).await?;
    Ok(())
}

async fn alerts_are_published_where_they_were_asked_for(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut ops = fanfare.subscribe(["ops"]).await?;
    let long = Rule::new(Metric::Length, Severity::Critical, 2.0).resolve_at(1.0).only("work");
    let mut monitor = fanfare
        .broker_monitor()
        .every(SOON)
        .streams(["work", "other"])
        .rules([long])
        .alerts_to_channel("ops")
        .start()?;
    for stream in ["work", "other"] {
        fanfare.stream(stream).add_batch((0..3).map(|n| [("n", n.to_string())])).await;
    }
    let Notice::Raised(alert) = next(&mut ops).await?.json::<Notice>()? else {
        return Err("it was not raised".into());
    };
    assert_eq!((&*alert.id, alert.value, alert.limit), ("length/critical/work", 3.0, 2.0));
    // Between the limits it stays.
    fanfare.command(["XTRIM", "work", "MAXLEN", "2"]).await?;
    let between =
        |it: &Snapshot| it.streams.iter().any(|it| it.name == "work" && it.length == Some(2));
    let seen = until_seen(&mut monitor, between).await?;
    assert_eq!(seen.alerts.len(), 1);
    fanfare.command(["XTRIM", "work", "MAXLEN", "1"]).await?;
    let Notice::Resolved(alert) = next(&mut ops).await?.json::<Notice>()? else {
        return Err("it was not resolved".into());
    };
    assert_eq!((alert.value, seen.alerts_lost), (1.0, 0));
    Ok(())
}

async fn beyond_the_bounds_it_counts(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let names: Vec<String> = (0..20).map(|n| format!("c{n:02}")).collect();
    let _all = fanfare.subscribe(&names).await?;
    for n in 0..7 {
        let stream = fanfare.stream(format!("s{n}"));
        stream.add([("a", "b")]).await?;
        for group in ["g1", "g2", "g3"] {
            stream.group(group).create(Position::Start).await?;
        }
    }
    let monitor = fanfare.broker_monitor().every(SOON).find_streams("s*").listen(["*"]);
    let bounded = monitor.channels_max(3).streams_max(4).groups_max(1).window(SOON);
    let bounded = bounded.channels("c*");
    let mut monitor = bounded.start()?;
    until_seen(&mut monitor, |it| it.nodes.iter().any(|it| it.patterns == Some(1))).await?;
    for name in &names {
        fanfare.publish(name, "x").await?;
    }
    let heard = |it: &Snapshot| it.other_channels.messages == 17;
    let seen = until_seen(&mut monitor, heard).await?;
    assert_eq!((seen.channels.len(), seen.other_channels.channels), (3, 17));
    assert!(seen.channels.iter().all(|it| it.messages == Some(1)), "{:?}", seen.channels);
    assert_eq!((seen.streams.len(), seen.other_streams), (4, 3));
    assert!(seen.streams.iter().all(|it| it.groups.len() == 1 && it.other_groups == 2));
    let told: Vec<_> = seen.alerts.iter().map(|it| (&*it.id, &*it.text)).collect();
    let text = "broker: streams, groups and queues beyond the monitor's bounds 11, more than 0 \
                (3 streams, 8 groups)";
    assert_eq!(told, [("unlisted/warning/broker", text)]);
    // What is new does not put out what was looked at, or its alerts would be resolved.
    let names: Vec<_> = seen.streams.iter().map(|it| it.name.clone()).collect();
    fanfare.stream("s").add([("a", "b")]).await?;
    let seen = until_seen(&mut monitor, |it| it.other_streams == 4).await?;
    assert_eq!(seen.streams.iter().map(|it| it.name.clone()).collect::<Vec<_>>(), names);
    // Those that are silent make room for one that is not, and nothing is lost of the sum.
    let mut n_sent = 20;
    loop {
        fanfare.publish("busy", "x").await?;
        n_sent += 1;
        let seen = monitor.next().await.ok_or("no look")?;
        let busy = seen.channels.iter().find(|it| it.name == "busy");
        if busy.is_some_and(|it| Some(1) < it.messages) {
            break;
        }
    }
    let sum = |it: &Snapshot| {
        let listed: u64 = it.channels.iter().filter_map(|it| it.messages).sum();
        listed + it.other_channels.messages
    };
    let seen = until_seen(&mut monitor, |it| sum(it) == n_sent).await?;
    assert!(0 < seen.other_channels.evicted && seen.channels.len() == 3, "{seen:?}");
    Ok(())
}

/// Each requester has an inbox: they would fill the list of channels with names that say nothing.
async fn inboxes_are_counted_together(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let _responder =
        fanfare.respond("double", async |Json(n): Json<u32>| Json(n * 2)).start().await?;
    let monitor = fanfare.broker_monitor().every(SOON).listen(["[df]*"]).channels_max(2);
    let mut monitor = monitor.start()?;
    until_seen(&mut monitor, |it| it.nodes.iter().any(|it| 0 < it.patterns.unwrap_or(0))).await?;
    let mut requesters = Vec::new();
    for n in 0..5_u32 {
        let requester = fanfare.requester().await?.deadline(Duration::from_secs(60));
        assert_eq!(requester.request("double", &n).await?.json::<u32>()?, n * 2);
        requesters.push(requester);
    }
    let heard = |it: &Snapshot| it.private_channels.messages == 5;
    let seen = until_seen(&mut monitor, heard).await?;
    assert_eq!(seen.private_channels.channels, 5);
    // Sentinels have a channel, too.
    let listed = seen.channels.iter().filter(|it| !it.name.starts_with("__"));
    let names: Vec<_> = listed.map(|it| (&*it.name, it.messages)).collect();
    assert_eq!((names, seen.other_channels.channels), (vec![("double", Some(5))], 0));
    drop(requesters);
    until_seen(&mut monitor, |it| it.private_channels.channels == 0).await?;
    Ok(())
}

#[test]
fn a_user_who_may_only_read_sees_everything_and_one_who_may_not_is_told() {
    let server = RedisServer::start(&[]);
    let mut admin = server.client();
    let eye = ["ACL", "SETUSER", "eye", "on", ">pw", "~*", "&*", "-@all", "+@read", "+@connection"];
    admin.call(&[&eye[..], &["+info", "+pubsub", "+scan"]].concat());
    admin.call(&["ACL", "SETUSER", "none", "on", ">pw", "~*", "&*", "-@all", "+@connection"]);
    admin.call(&["XADD", "orders", "*", "a", "b"]);
    admin.call(&["XGROUP", "CREATE", "orders", "billing", "0"]);
    run(async {
        let look = async |user: &str| {
            let url = format!("redis://{user}:pw@{}", server.addr());
            let fanfare = Fanfare::connect(&url).await?;
            fanfare.broker_monitor().find_streams("*").streams(["orders"]).look(SOON).await
        };
        let all = look("eye").await?;
        assert!(all.is_whole() && all.alerts.is_empty(), "{all:#?}");
        let lag = all.streams.first().and_then(|it| it.groups.first()?.lag);
        assert_eq!((lag, all.nodes.len()), (Some(1), 1));
        assert!(all.nodes.iter().all(|it| it.rates.commands.is_some_and(|it| 0.0 < it)));

        let nothing = look("none").await?;
        let hidden: Vec<_> = nothing.blind.iter().map(|it| &*it.what).collect();
        let node = format!("INFO of {}", server.addr());
        for what in [&*node, "the channels", "the stream orders"] {
            assert!(hidden.contains(&what), "{what}: {hidden:?}");
        }
        assert!(nothing.blind.iter().all(|it| it.why.contains("NOPERM")), "{:?}", nothing.blind);
        let ids: Vec<_> = nothing.alerts.iter().map(|it| &*it.id).collect();
        assert_eq!(ids, ["blind/warning/broker"]);
        assert!(nothing.nodes.iter().all(|it| it.clients.is_none()), "not seen is not zero");
        assert!(nothing.streams.iter().all(|it| it.length.is_none()), "not seen is not zero");
        Ok(())
    });
}

#[test]
fn a_broker_that_is_not_there_is_an_alert_and_not_an_error() {
    run(async {
        let server = RedisServer::start(&[]);
        let url = server.url();
        drop(server);
        let fanfare = Fanfare::builder(&url).connect_lazy().await?;
        let monitor = fanfare.broker_monitor().deadline(Duration::from_secs(1));
        let seen = monitor.look(Duration::ZERO).await?;
        let ids: Vec<_> = seen.alerts.iter().map(|it| it.metric).collect();
        assert_eq!(ids, [Metric::Unreachable]);
        assert!(!seen.is_whole() && seen.streams.is_empty());
        let refused = fanfare.broker_monitor().deadline(Duration::ZERO).start();
        assert!(refused.is_err_and(|it| it.to_string().contains("deadline")));
        Ok(())
    });
}

#[cfg(feature = "webhook")]
#[test]
fn a_webhook_is_called_again_until_it_answers_well() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    run(async {
        let server = RedisServer::start(&[]);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/alerts", listener.local_addr()?);
        let fanfare = Fanfare::connect(&server.url()).await?;
        let rule = Rule::new(Metric::Length, Severity::Warning, 0.0);
        let monitor = fanfare.broker_monitor().every(SOON).streams(["work"]).rules([rule]);
        let _monitor = monitor.alerts_to_webhook(&url).start()?;
        fanfare.stream("work").add([("a", "b")]).await?;
        let mut bodies = Vec::new();
        for status in ["503 Busy", "200 OK"] {
            let (mut socket, _) = listener.accept().await?;
            let (mut text, mut buffer) = (String::new(), [0; 4096]);
            while !text.ends_with('}') {
                let n = socket.read(&mut buffer).await?;
                text.push_str(&String::from_utf8_lossy(buffer.get(..n).unwrap_or_default()));
            }
            assert!(text.starts_with("POST /alerts HTTP/1.1\r\n"), "{text}");
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).await?;
            bodies.push(text.rsplit("\r\n").next().unwrap_or_default().to_owned());
        }
        assert_eq!(bodies.first(), bodies.last());
        let notice: Notice = serde_json::from_str(bodies.first().ok_or("no body")?)?;
        assert_eq!(notice.alert().map(|it| &*it.id), Some("length/warning/work"));
        let wrong = fanfare.broker_monitor().alerts_to_webhook("ftp://host").start();
        assert!(wrong.is_err_and(|it| it.to_string().contains("webhook")));
        Ok(())
    });
}
