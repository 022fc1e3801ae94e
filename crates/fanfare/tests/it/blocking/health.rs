//! Health, events and looks at the server, without a runtime.

use std::time::Duration;

use fanfare::{
    Delivery, ErrorKind, Event, Kind, LiveKind, LiveState, Role,
    blocking::Fanfare,
    doctor::Doctor,
    stream::{self, Position},
};

use super::{PATIENCE, until};
use crate::support::{Target, TestResult};

on_everything!(
    health_is_told_and_watched,
    what_happens_to_connections_is_told,
    who_listens_is_counted,
);

fn health_is_told_and_watched(server: &Target) -> TestResult {
    let fanfare = Fanfare::builder(&server.url()).connect_lazy()?;
    assert!(Duration::ZERO < fanfare.self_test()?.arrived_in);
    let _tail = fanfare.stream("t").tail(Position::New)?;
    until("all is well", || fanfare.health().is_healthy(PATIENCE))?;
    let pulse = fanfare.pulse("billing");
    let kinds: Vec<_> = fanfare.health().live.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [LiveKind::Tail, LiveKind::Task]);
    let mut monitor = fanfare.monitor(PATIENCE, Duration::from_millis(5));
    monitor.judgement()?;
    assert_eq!(monitor.changed_within(Duration::from_millis(10)), None);
    pulse.set_state(LiveState::Down);
    let unwell = monitor.changed().err().ok_or("it is down")?;
    assert!(unwell.to_string().contains("task \"billing\" is down"), "{unwell}");
    pulse.set_state(LiveState::Up);
    assert_eq!(monitor.changed_within(PATIENCE), Some(Ok(())));
    Ok(())
}

fn what_happens_to_connections_is_told(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let mut subscription = fanfare.subscribe(["c"])?;
    let mut tail = fanfare.stream("t").tail(Position::New)?;
    let mut events = fanfare.events();
    assert_ne!(server.kill_clients("pubsub"), 0);
    let mut next = |wanted: &dyn Fn(&Event) -> bool| {
        while let Some(event) = events.next_within(PATIENCE) {
            if wanted(&event) {
                return Ok(());
            }
        }
        Err("no such event within a minute")
    };
    next(&|it| matches!(it, Event::Down { role: Role::Subscriptions, .. }))?;
    next(&|it| matches!(it, Event::Up { role: Role::Subscriptions }))?;
    match subscription.next_delivery_within(PATIENCE) {
        Some(Delivery::Gap(gap)) => assert!(gap.outage.is_some()),
        other => return Err(format!("no gap but {other:?}").into()),
    }
    fanfare.publish("c", "x")?;
    let mut batch = Vec::new();
    assert_eq!(subscription.next_many(&mut batch, 10), 1);
    assert!(matches!(batch.as_slice(), [Delivery::Message(message)] if message.payload == "x"));
    assert_ne!(server.kill_clients("normal"), 0);
    until("an entry is added", || fanfare.stream("t").add([("n", "1")]).is_ok())?;
    let is_entry = |it: &stream::Delivery| matches!(it, stream::Delivery::Entry(_));
    while !is_entry(&tail.next_delivery_within(PATIENCE).ok_or("no entry within a minute")?) {}
    fanfare.close();
    assert_eq!(subscription.deliveries().count(), 0);
    tail.deliveries().for_each(drop);
    assert_eq!(tail.error().map(|it| it.kind()), Some(ErrorKind::Closed));
    drop((fanfare, subscription, tail));
    // What happened until the end, and the end.
    while events.next().is_some() {}
    Ok(())
}

fn who_listens_is_counted(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let subscription = fanfare.subscribe(["news.a", "news.b"])?;
    let shards = fanfare.ssubscribe(["news.s"])?;
    let names = |found: Vec<fanfare::ActiveChannel>| {
        found.into_iter().map(|it| (it.name, it.n_subscribers)).collect::<Vec<_>>()
    };
    let active = names(fanfare.active_channels("news.*")?);
    assert_eq!(active, [("news.a".into(), 1), ("news.b".into(), 1)]);
    assert_eq!(names(fanfare.active_sharded_channels("*")?), [("news.s".into(), 1)]);
    assert_eq!(fanfare.count_subscribers(Kind::Channel, ["news.b", "x"])?, [1, 0]);
    // Another thread changes what this one reads.
    let changing = subscription.names();
    std::thread::spawn(move || changing.add([(Kind::Channel, "news.c".into())]))
        .join()
        .map_err(|_| "it panicked")??;
    assert_eq!(fanfare.count_subscribers(Kind::Channel, ["news.c"])?, [1]);
    subscription.names().remove([(Kind::Channel, "news.c".into())]);
    until("it is gone", || server.n_subscribers("news.c") == 0)?;
    assert_ne!(subscription.id(), shards.id());
    let snapshot = fanfare.look_at_broker(|it| it.channels("news.*"), Duration::ZERO)?;
    let seen: Vec<_> = snapshot.channels.iter().map(|it| (&*it.name, it.subscribers)).collect();
    assert_eq!(seen, [("news.a", Some(1)), ("news.b", Some(1)), ("news.s", Some(1))]);
    let mut monitor = fanfare.broker_monitor(|it| it.every(PATIENCE))?;
    assert_eq!(monitor.next().ok_or("no look")?.nodes.len(), snapshot.nodes.len());
    assert_eq!(monitor.notices().next_within(Duration::from_millis(10)), None);
    let diagnosis = fanfare::blocking::examine(Doctor::new(server.url()).looks_at_host(false))?;
    assert_eq!(diagnosis.nodes.len(), snapshot.nodes.len());
    Ok(())
}
