//! Each alert is raised by what it is about, with its value, and resolved when that is over.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fanfare::{
    monitor::{GroupLook, Metric, Rule, Severity, Snapshot},
    stream::Position,
};
use fanfare_testkit::{FanfareServer, RawClient};
use tokio::sync::Semaphore;

use crate::{
    monitor::{SOON, notice, raised, resolved, until_seen},
    support::{Target, TestResult, on_everything},
    worker_support::quick,
};

on_everything!(
    entries_that_are_stuck_are_alerts_until_they_are_acknowledged,
    a_handler_that_hangs_is_seen_though_its_lease_is_renewed,
    what_a_rule_names_is_looked_at_though_nothing_else_asks_for_it,
    silence_is_an_alert_and_so_is_a_channel_without_subscribers,
    memory_near_its_limit_is_an_alert_until_there_is_room,
    too_many_clients_are_an_alert_and_so_are_those_that_are_refused,
);

fn ids(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.alerts.iter().map(|it| &*it.id).collect()
}

/// The only group of the only stream.
fn group(snapshot: &Snapshot) -> GroupLook {
    let stream = snapshot.streams.first();
    stream.and_then(|it| it.groups.first()).cloned().unwrap_or_default()
}

fn pending(n: u64) -> impl Fn(&Snapshot) -> bool {
    move |it| group(it).pending == n
}

async fn entries_that_are_stuck_are_alerts_until_they_are_acknowledged(
    server: Target,
) -> TestResult {
    let fanfare = server.connect().await?;
    let orders = fanfare.stream("orders");
    let billing = orders.group("billing");
    billing.create(Position::Start).await?;
    let add = async || orders.add([("a", "b")]).await;
    let (first, second, third, fourth) = (add().await?, add().await?, add().await?, add().await?);
    let rules = [
        Rule::new(Metric::Pending, Severity::Warning, 2.0).resolve_at(1.0),
        Rule::new(Metric::PendingAge, Severity::Critical, 1_800.0),
        Rule::new(Metric::Redelivered, Severity::Warning, 1.0),
    ];
    let monitor = fanfare.broker_monitor().every(SOON).streams(["orders"]).rules(rules);
    let mut monitor = monitor.start()?;
    let mut notices = monitor.notices();
    let two = ["XREADGROUP", "GROUP", "billing", "me", "COUNT", "2", "STREAMS", "orders", ">"];

    // At the limit, it is not beyond it.
    fanfare.command(two).await?;
    let seen = until_seen(&mut monitor, pending(2)).await?;
    let look = group(&seen);
    assert_eq!((look.redelivered, look.deliveries_max), (Some(0), Some(1)));
    let age = look.pending_ms.ok_or("no age")?;
    assert!(age < 1_800_000 && seen.alerts.is_empty(), "{seen:?}");
    until_seen(&mut monitor, |it| Some(age) < group(it).pending_ms).await?;

    fanfare.command(two).await?;
    let told = notice(&mut notices, raised(Metric::Pending)).await?;
    let alert = told.alert().ok_or("no alert")?;
    assert_eq!((&*alert.subject, alert.value, alert.limit), ("orders/billing", 4.0, 2.0));

    // One was delivered three times, another one twice; and it is an hour since.
    for id in [first, first, second] {
        let claim = ["XCLAIM", "orders", "billing", "you", "0", &id.to_string()];
        fanfare.command([&claim[..], &["IDLE", "3600000"]].concat()).await?;
    }
    let told = notice(&mut notices, raised(Metric::PendingAge)).await?;
    assert!(told.alert().is_some_and(|it| 3_600.0 <= it.value), "{told:?}");
    let told = notice(&mut notices, raised(Metric::Redelivered)).await?;
    assert_eq!(told.alert().map(|it| it.value), Some(2.0));
    let seen = until_seen(&mut monitor, |it| group(it).redelivered == Some(2)).await?;
    let look = group(&seen);
    assert_eq!((look.pending, look.deliveries_max, look.consumers), (4, Some(3), 2));
    assert!(Some(3_600_000) <= look.pending_ms, "{look:?}");
    let (age, many) = ("pending-age/critical/orders/billing", "pending/warning/orders/billing");
    assert_eq!(ids(&seen), [age, many, "redelivered/warning/orders/billing"]);

    // Each goes when it is over, and not before.
    billing.acknowledge([first]).await?;
    let told = notice(&mut notices, resolved(Metric::Redelivered)).await?;
    assert_eq!(told.alert().map(|it| it.value), Some(1.0));
    let seen = until_seen(&mut monitor, pending(3)).await?;
    assert_eq!((ids(&seen), group(&seen).deliveries_max), (vec![age, many], Some(2)));
    billing.acknowledge([second]).await?;
    let told = notice(&mut notices, resolved(Metric::PendingAge)).await?;
    assert!(told.alert().is_some_and(|it| it.value < 1_800.0), "{told:?}");
    let seen = until_seen(&mut monitor, pending(2)).await?;
    assert_eq!(ids(&seen), [many], "between its limits it stays");
    billing.acknowledge([third]).await?;
    let told = notice(&mut notices, resolved(Metric::Pending)).await?;
    assert_eq!(told.alert().map(|it| it.value), Some(1.0));
    billing.acknowledge([fourth]).await?;
    let seen = until_seen(&mut monitor, |it| pending(0)(it) && it.is_whole()).await?;
    assert_eq!((group(&seen).pending_ms, group(&seen).redelivered), (None, Some(0)));
    assert!(seen.alerts.is_empty(), "{seen:?}");
    Ok(())
}

/// On Fanfare's broker: Redis tells of it since 7.4 only.
#[test]
fn a_subscriber_that_is_cut_off_for_what_it_does_not_read_is_an_alert() {
    let server = FanfareServer::start(&["--client-output-buffer-limit", "pubsub 1mb 0 0"]);
    crate::support::run(async {
        let fanfare = fanfare::Fanfare::connect(&server.url()).await?;
        let monitor = fanfare.broker_monitor().every(SOON).window(Duration::from_secs(2));
        let mut monitor = monitor.start()?;
        let mut notices = monitor.notices();
        let kills = |it: &Snapshot| it.nodes.first().and_then(|it| it.totals.output_buffer_kills);
        let before = monitor.next().await.ok_or("no look")?;
        assert_eq!((kills(&before), before.alerts.len()), (Some(0), 0));
        let mut slow = server.client();
        slow.call(&["SUBSCRIBE", "c"]);
        let message = "x".repeat(100_000);
        // Until the server has cut it off, it counts.
        while 0 < fanfare.publish("c", &message).await? {}
        let told = notice(&mut notices, raised(Metric::OutputBufferKills)).await?;
        let alert = told.alert().ok_or("no alert")?;
        assert!(0.0 < alert.value && alert.subject == server.addr().to_string(), "{alert:?}");
        assert!(alert.cure.contains("client-output-buffer-limit"), "{alert:?}");
        let seen = until_seen(&mut monitor, |it| kills(it) != Some(0)).await?;
        assert_eq!(kills(&seen), Some(1));
        notice(&mut notices, resolved(Metric::OutputBufferKills)).await?;
        Ok(())
    });
}

async fn memory_near_its_limit_is_an_alert_until_there_is_room(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let value = vec![b'x'; 1 << 20];
    // All of them at one node of a cluster.
    for n in 0..16 {
        fanfare.command([&b"SET"[..], format!("{{k}}{n}").as_bytes(), &value]).await?;
    }
    let mut owner = server.client_for("{k}");
    let fullest = |it: &Snapshot| it.nodes.iter().max_by_key(|it| it.memory).cloned();
    let full = Rule::new(Metric::Memory, Severity::Critical, 80.0).resolve_at(40.0);
    let mut monitor = fanfare.broker_monitor().every(SOON).rules([full]).start()?;
    let mut notices = monitor.notices();
    let unlimited = monitor.next().await.ok_or("no look")?;
    assert!(
        unlimited.alerts.is_empty() && unlimited.nodes.iter().all(|it| it.memory_max.is_none())
    );
    // What is used stays; how much it may be changes.
    for (percent, n_alerts) in [(60, 0), (95, 1), (60, 1), (20, 0)] {
        let now = monitor.next().await.ok_or("no look")?;
        let used = fullest(&now).and_then(|it| it.memory).ok_or("no memory")?;
        let limit = used * 100 / percent;
        owner.call(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
        let has_limit = |it: &Snapshot| fullest(it).is_some_and(|it| it.memory_max == Some(limit));
        let seen = until_seen(&mut monitor, has_limit);
        assert_eq!(seen.await?.alerts.len(), n_alerts, "{percent} %");
    }
    let told = notice(&mut notices, raised(Metric::Memory)).await?;
    assert!(told.alert().is_some_and(|it| (81.0..120.0).contains(&it.value)), "{told:?}");
    let told = notice(&mut notices, resolved(Metric::Memory)).await?;
    assert!(told.alert().is_some_and(|it| it.value < 40.0 && it.limit == 80.0), "{told:?}");
    Ok(())
}

async fn too_many_clients_are_an_alert_and_so_are_those_that_are_refused(
    server: Target,
) -> TestResult {
    const REFUSED: u64 = 3;
    let fanfare = server.connect().await?;
    let many = Rule::new(Metric::Clients, Severity::Warning, 80.0).resolve_at(75.0);
    let refused = Rule::new(Metric::RejectedConnections, Severity::Critical, 0.0);
    server.say_to_all(&["CONFIG", "SET", "maxclients", "40"]);
    // Of a cluster one of the nodes.
    let info = fanfare.command(["CLIENT", "INFO"]).await?;
    let mut fields = info.as_str().unwrap_or_default().split(' ');
    let address = fields.find_map(|it| it.strip_prefix("laddr=")).ok_or("no address")?.to_owned();
    let node = |it: &Snapshot| {
        let mut nodes = it.nodes.iter();
        nodes.find(|node| node.name == address || it.nodes.len() == 1).cloned()
    };
    let monitor = fanfare.broker_monitor().every(SOON).window(Duration::from_secs(2));
    let mut monitor = monitor.rules([many, refused]).start()?;
    let mut notices = monitor.notices();
    let before = monitor.next().await.ok_or("no look")?;
    assert!(before.alerts.is_empty(), "{before:?}");
    assert!(before.nodes.iter().all(|it| it.clients_max == Some(40)), "{before:?}");
    let (mut clients, mut n_refused) = (Vec::new(), 0);
    while n_refused < REFUSED {
        let mut client = RawClient::connect(address.parse()?)?;
        if client.call(&["PING"]) == b"+PONG\r\n" {
            clients.push(client);
        } else {
            n_refused += 1;
        }
    }
    let told = notice(&mut notices, raised(Metric::Clients)).await?;
    assert!(told.alert().is_some_and(|it| (80.0..=100.0).contains(&it.value)), "{told:?}");
    let told = notice(&mut notices, raised(Metric::RejectedConnections)).await?;
    assert!(told.alert().is_some_and(|it| 0.0 < it.value && it.cure.contains("maxclients")));
    // Others may have been refused as well: sentinels, and nodes of the cluster.
    let rejected = |it: &Snapshot| node(it).and_then(|it| it.totals.rejected_connections);
    until_seen(&mut monitor, |it| Some(REFUSED) <= rejected(it)).await?;
    // The window forgets those that were refused, though it is still full.
    notice(&mut notices, resolved(Metric::RejectedConnections)).await?;
    let full = until_seen(&mut monitor, |it| it.alerts.len() == 1).await?;
    assert!(
        node(&full).and_then(|it| it.clients_percent()).is_some_and(|it| 80.0 < it),
        "{full:?}"
    );
    drop(clients);
    let told = notice(&mut notices, resolved(Metric::Clients)).await?;
    assert!(told.alert().is_some_and(|it| it.value <= 75.0), "{told:?}");
    Ok(())
}

/// A worker renews the lease of what its handlers have: by idle times alone, one that hangs is never seen.
async fn a_handler_that_hangs_is_seen_though_its_lease_is_renewed(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let gate = Arc::new(Semaphore::new(0));
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    // An entry of an hour ago, and one whose ID is no time.
    for (stream, id) in [("orders", format!("{}-0", now_ms - 3_600_000)), ("old", "7-1".to_owned())]
    {
        fanfare.command(["XADD", stream, &id, "a", "b"]).await?;
    }
    let workers = ["orders", "old"].map(|stream| {
        let (group, gate) = (fanfare.stream(stream).group("billing"), gate.clone());
        quick(&group).start(Position::Start).spawn(move |_, _| {
            let gate = gate.clone();
            async move { gate.acquire().await.map(|it| it.forget()) }
        })
    });
    let rules = [
        Rule::new(Metric::PendingAge, Severity::Critical, 1_800.0),
        Rule::new(Metric::OldestPending, Severity::Warning, 1_800.0),
    ];
    let monitor = fanfare.broker_monitor().every(SOON).streams(["orders", "old"]).rules(rules);
    let mut monitor = monitor.start()?;
    let mut notices = monitor.notices();
    let told = notice(&mut notices, raised(Metric::OldestPending)).await?;
    let alert = told.alert().ok_or("no alert")?;
    assert_eq!(&*alert.subject, "orders/billing");
    assert!(3_600.0 <= alert.value && alert.cure.contains("fanfare group show"), "{alert:?}");
    // The idle time begins anew, again and again; the age does not.
    let of = |it: &Snapshot, name: &str| {
        let stream = it.streams.iter().find(|it| it.name == name);
        stream.and_then(|it| it.groups.first()).cloned().unwrap_or_default()
    };
    let (mut n_renewed, mut before) = (0, GroupLook::default());
    while n_renewed < 2 {
        let seen = monitor.next().await.ok_or("no look")?;
        let now = of(&seen, "orders");
        n_renewed += u32::from(now.pending_ms < before.pending_ms);
        assert!(before.oldest_pending_ms <= now.oldest_pending_ms, "{before:?} {now:?}");
        assert_eq!(ids(&seen), ["oldest-pending/warning/orders/billing"]);
        before = now;
    }
    let seen = until_seen(&mut monitor, |it| of(it, "old").pending == 1).await?;
    assert_eq!(of(&seen, "old").oldest_pending_ms, None, "nobody knows when 7-1 was");
    // Enough for handlers that begin anew.
    gate.add_permits(100);
    notice(&mut notices, resolved(Metric::OldestPending)).await?;
    for worker in workers {
        worker?.drain(Duration::from_secs(60)).await;
    }
    Ok(())
}

async fn what_a_rule_names_is_looked_at_though_nothing_else_asks_for_it(
    server: Target,
) -> TestResult {
    let fanfare = server.connect().await?;
    let rules = [
        Rule::new(Metric::Subscribers, Severity::Critical, 1.0).only("news"),
        Rule::new(Metric::Length, Severity::Warning, 2.0).only("orders"),
        Rule::new(Metric::Lag, Severity::Warning, 2.0).only("bills/printer"),
    ];
    // Others are busier, and those that are listed are none of these.
    let _others = fanfare.subscribe(["other.1", "other.2"]).await?;
    let monitor = fanfare.broker_monitor().every(SOON).channels("other.*").channels_max(1);
    let mut monitor = monitor.rules(rules).start()?;
    let mut notices = monitor.notices();
    let told = notice(&mut notices, raised(Metric::Subscribers)).await?;
    let alert = told.alert().ok_or("no alert")?;
    assert_eq!(alert.text, "news: subscribers 0, fewer than 1");
    let subscription = fanfare.subscribe(["news"]).await?;
    notice(&mut notices, resolved(Metric::Subscribers)).await?;
    drop(subscription);
    notice(&mut notices, raised(Metric::Subscribers)).await?;
    // Nothing says which kind of channel is meant: whoever subscribes is there.
    let _subscription = fanfare.subscriber().sharded(["news"]).connect().await?;
    notice(&mut notices, resolved(Metric::Subscribers)).await?;
    let seen = until_seen(&mut monitor, |it| it.alerts.is_empty()).await?;
    let names: Vec<_> = seen.channels.iter().map(|it| (&*it.name, it.is_sharded)).collect();
    assert_eq!((names, seen.other_channels.channels), (vec![("news", true)], 2));

    fanfare.stream("bills").group("printer").create(Position::Start).await?;
    for n in 0..3_u8 {
        fanfare.stream("orders").add([("n", [n])]).await?;
        fanfare.stream("bills").add([("n", [n])]).await?;
    }
    let mut names = Vec::new();
    for _ in 0..2 {
        let told = notice(&mut notices, |it| it.alert().is_some()).await?;
        names.extend(told.alert().map(|it| it.text.clone()));
    }
    names.sort();
    assert_eq!(names, ["bills/printer: lag 3, more than 2", "orders: length 3, more than 2"]);
    Ok(())
}

async fn silence_is_an_alert_and_so_is_a_channel_without_subscribers(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let rules = [
        Rule::new(Metric::Subscribers, Severity::Critical, 1.0).only("news"),
        Rule::new(Metric::ChannelSilence, Severity::Warning, 1.0).only("news"),
        Rule::new(Metric::StreamSilence, Severity::Warning, 1_800.0),
    ];
    let monitor = fanfare.broker_monitor().every(SOON).streams(["orders"]).listen(["news"]);
    let mut monitor = monitor.rules(rules).start()?;
    let mut notices = monitor.notices();
    let of = |it: &Snapshot| it.channels.iter().find(|it| it.name == "news").cloned();
    until_seen(&mut monitor, |it| it.nodes.iter().any(|it| it.patterns == Some(1))).await?;
    let subscription = fanfare.subscribe(["news"]).await?;
    let subscribed = |it: &Snapshot| of(it).is_some_and(|it| it.subscribers == Some(1));
    until_seen(&mut monitor, subscribed).await?;

    // Nothing was ever published, since it listens.
    let told = notice(&mut notices, raised(Metric::ChannelSilence)).await?;
    assert!(told.alert().is_some_and(|it| 1.0 < it.value && it.subject == "news"), "{told:?}");
    let seen =
        until_seen(&mut monitor, |it| of(it).is_some_and(|it| it.messages == Some(0))).await?;
    assert_eq!(ids(&seen), ["channel-silence/warning/news"]);
    fanfare.publish("news", "first").await?;
    notice(&mut notices, resolved(Metric::ChannelSilence)).await?;

    // A message, and then no more, until there are some again.
    let told = notice(&mut notices, raised(Metric::ChannelSilence)).await?;
    assert!(told.alert().is_some_and(|it| 1.0 < it.value && it.subject == "news"), "{told:?}");
    let is_silent = |it: &Snapshot| !it.alerts.is_empty();
    while is_silent(&*monitor.next().await.ok_or("no look")?) {
        fanfare.publish("news", "again").await?;
    }
    let told = notice(&mut notices, resolved(Metric::ChannelSilence)).await?;
    assert!(told.alert().is_some_and(|it| it.value <= 1.0), "{told:?}");

    drop(subscription);
    let told = notice(&mut notices, raised(Metric::Subscribers)).await?;
    let alert = told.alert().ok_or("no alert")?;
    assert_eq!(alert.text, "news: subscribers 0, fewer than 1");
    let _subscription = fanfare.subscribe(["news"]).await?;
    let told = notice(&mut notices, resolved(Metric::Subscribers)).await?;
    assert_eq!(told.alert().map(|it| it.value), Some(1.0));

    // The last entry is an hour old, and then there is a new one.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let old = format!("{}-0", now_ms - 3_600_000);
    fanfare.command(["XADD", "orders", &old, "a", "b"]).await?;
    let told = notice(&mut notices, raised(Metric::StreamSilence)).await?;
    let alert = told.alert().ok_or("no alert")?;
    assert!(3_590.0 < alert.value && alert.subject == "orders", "{alert:?}");
    fanfare.stream("orders").add([("a", "b")]).await?;
    let told = notice(&mut notices, resolved(Metric::StreamSilence)).await?;
    assert!(told.alert().is_some_and(|it| it.value < 1_800.0), "{told:?}");
    Ok(())
}
