//! "Stays up but silently stops" must be seen: health turns bad when something is wrong, says what,
//! and turns good again.

use std::time::Duration;

use fanfare::{
    ErrorKind, Event, Fanfare, LiveKind, LiveState, Overflow, Role, Tolerance, stream::Position,
};

use crate::support::{
    Target, TestResult, is_up, next, on_every_broker, on_everything, run, until, wait_event,
};

on_everything!(a_message_to_oneself_comes_back, who_lives_is_listed_and_who_was_dropped_is_not; not embedded: a_hung_server_makes_health_bad_until_it_goes_on, an_outage_is_told_by_events_and_counted,);

on_every_broker!(
    a_program_that_takes_nothing_is_seen,
    a_loop_that_stops_beating_is_seen,
    what_is_bad_from_the_start_is_told,
);

const SILENCE: Duration = Duration::from_secs(6);

/// With a heartbeat that lets nothing pass for longer than [`SILENCE`].
async fn connect(server: &Target) -> Result<Fanfare, fanfare::Error> {
    let second = Duration::from_secs(1);
    Fanfare::builder(&server.url())
        .options(|options| options.heartbeat(second, 2 * second))
        .connect()
        .await
}

async fn a_message_to_oneself_comes_back(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let took = fanfare.self_test().await?;
    assert!(Duration::ZERO < took.arrived_in, "{took:?}");
    until("nobody is left on the private channel", || {
        server.say(&["PUBSUB", "CHANNELS", "fanfare:*"]) == "*0\r\n"
    })
    .await
}

async fn a_hung_server_makes_health_bad_until_it_goes_on(server: Target) -> TestResult {
    let fanfare = connect(&server).await?;
    let _subscription = fanfare.subscriber().channels(["c"]).sharded(["s"]).connect().await?;
    let _tail = fanfare.stream("t").tail(Position::New).await?;
    until("all is well", || fanfare.health().is_healthy(SILENCE)).await?;
    server.freeze().await?;
    for what in ["the command connection", "subscription \"c, s\"", "tail \"t\""] {
        until(what, || {
            let judgement = fanfare.health().check(SILENCE);
            judgement.is_err_and(|it| it.reasons.iter().any(|reason| reason.starts_with(what)))
        })
        .await?;
    }
    server.sigcont();
    until("all is well again", || fanfare.health().is_healthy(SILENCE)).await?;
    fanfare.self_test().await?;
    Ok(())
}

async fn an_outage_is_told_by_events_and_counted(mut server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let subscription = fanfare.subscribe(["c"]).await?;
    let mut events = fanfare.events();
    let mut monitor =
        fanfare.monitor(Tolerance::new(4 * SILENCE, SILENCE), Duration::from_millis(5));
    monitor.judgement()?;
    server.stop();
    let seen = wait_event(&mut events, |it| matches!(it, Event::Unwell { .. })).await?;
    let Some(Event::Unwell { reasons }) = seen.last() else { return Err("no reasons".into()) };
    assert!(!reasons.is_empty());
    assert_eq!(monitor.changed().await.err(), monitor.judgement().err(), "it turned bad before");
    server.restart();
    wait_event(&mut events, |it| matches!(it, Event::Well)).await?;
    while monitor.changed().await.is_err() {}
    // Killed connections come back at once, and leave their marks.
    let reconnects = || fanfare.health().live.iter().map(|it| it.reconnects).sum::<u64>();
    let before = reconnects();
    assert!(1 <= before);
    assert_ne!(server.kill_clients("pubsub"), 0);
    until("it was restored", || before < reconnects()).await?;
    until("all is well", || fanfare.health().is_healthy(4 * SILENCE)).await?;
    let live = fanfare.health().live;
    let vitals = live.first().ok_or("the subscription is not listed")?;
    assert_eq!(vitals.gaps, subscription.stats().gaps);
    assert!(1 <= vitals.gaps);
    Ok(())
}

async fn who_lives_is_listed_and_who_was_dropped_is_not(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let subscription = fanfare.subscribe(["a", "b", "c", "d"]).await?;
    let tail = fanfare.stream("t").tail(Position::New).await?;
    let small = fanfare.subscriber().channels(["e"]);
    let hasty = small.queue(Overflow::Disconnect, 1, 1_000).connect().await?;
    let names = || {
        let live = fanfare.health().live;
        live.into_iter().map(|it| (it.kind, it.name)).collect::<Vec<_>>()
    };
    let subscribed = (LiveKind::Subscription, "a, b, c and 1 more".to_owned());
    let tailing = (LiveKind::Tail, "t".to_owned());
    let ended = (LiveKind::Subscription, "e".to_owned());
    assert_eq!(names(), [subscribed.clone(), tailing, ended.clone()]);
    drop(tail);
    assert_eq!(names(), [subscribed, ended]);
    drop(subscription);
    for _ in 0..3 {
        fanfare.publish("e", "too much").await?;
    }
    until("its end is told", || {
        let told = fanfare.health().check(10 * SILENCE);
        told.is_err_and(|it| it.to_string().contains("subscription \"e\" has ended"))
    })
    .await?;
    drop(hasty);
    assert_eq!(names(), []);
    Ok(())
}

async fn a_program_that_takes_nothing_is_seen(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut subscription = fanfare.subscribe(["c"]).await?;
    let impatient = Tolerance::new(10 * SILENCE, Duration::from_millis(50));
    fanfare.publish("c", "x").await?;
    until("the stall is seen", || {
        let told = fanfare.health().check(impatient);
        told.is_err_and(|it| it.to_string().contains("has taken nothing for"))
    })
    .await?;
    next(&mut subscription).await?;
    fanfare.health().check(impatient)?;
    Ok(())
}

async fn a_loop_that_stops_beating_is_seen(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let pulse = fanfare.pulse("billing");
    let impatient = Duration::from_millis(200);
    until("its silence is seen", || {
        let told = fanfare.health().check(impatient);
        told.is_err_and(|it| it.to_string().contains("task \"billing\" has read nothing for"))
    })
    .await?;
    pulse.beat();
    pulse.set_lag(Some(7));
    pulse.set_queued(3, true);
    let vitals = fanfare.health().live.pop().ok_or("it is not listed")?;
    assert_eq!((vitals.lag, vitals.queued), (Some(7), 3));
    until("its stall is seen", || {
        let told = fanfare.health().check(Tolerance::new(10 * SILENCE, impatient));
        told.is_err_and(|it| it.to_string().contains("while 3 wait"))
    })
    .await?;
    drop(pulse);
    assert!(fanfare.health().live.is_empty());
    Ok(())
}

async fn what_is_bad_from_the_start_is_told(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let pulse = fanfare.pulse("billing");
    pulse.set_state(LiveState::Down);
    let mut events = fanfare.events();
    let monitor = fanfare.monitor(60 * SILENCE, Duration::from_millis(5));
    assert!(monitor.judgement().is_err());
    wait_event(&mut events, |it| matches!(it, Event::Unwell { .. })).await?;
    pulse.set_state(LiveState::Up);
    wait_event(&mut events, |it| matches!(it, Event::Well)).await?;
    monitor.judgement()?;
    Ok(())
}

#[test]
fn a_dead_shard_makes_health_bad_until_its_replica_serves() {
    let mut group = fanfare_testkit::ClusterGroup::start();
    run(async {
        let fanfare = Fanfare::connect(&group.url()).await?;
        let _subscription = fanfare.ssubscribe(["{a}s", "{b}s", "{c}s"]).await?;
        until("all is well", || fanfare.health().is_healthy(10 * SILENCE)).await?;
        let port = group.owner("{b}s").port();
        group.owner_mut("{b}s").stop();
        until("the lost shard is seen", || {
            let told = fanfare.health().check(10 * SILENCE);
            told.is_err_and(|it| {
                it.to_string().contains("subscription \"{a}s, {b}s, {c}s\" is down")
            })
        })
        .await?;
        tokio::task::block_in_place(|| group.wait_switched("{b}s", port));
        let judgement = || fanfare.health().check(10 * SILENCE);
        let recovered = until("all is well again", || judgement().is_ok()).await;
        recovered.map_err(|error| format!("{error}: {:?}", judgement()).into())
    });
}

#[test]
fn a_self_test_names_where_it_failed() {
    let server = fanfare_testkit::RedisServer::start(&[]);
    run(async {
        let server = Target::Redis(server);
        for (rights, part) in [
            ("-subscribe", "the subscription was not confirmed"),
            ("-publish", "the message could not be published"),
        ] {
            server.say(&["ACL", "SETUSER", "bob", "reset", "on", ">pw", "+@all", "&*", rights]);
            let url = server.url().replace("redis://", "redis://bob:pw@");
            let error = Fanfare::connect(&url).await?.self_test().await;
            let error = error.err().ok_or("it was allowed")?;
            assert_eq!(error.kind(), ErrorKind::Server);
            assert_eq!(error.to_string(), format!("self-test: {part}"));
        }
        // What is published does not come back: the subscription's connection hangs.
        let fanfare = Fanfare::builder(&server.url())
            .options(|it| {
                it.request_timeout(Duration::from_secs(3))
                    .heartbeat(Duration::from_secs(1), Duration::from_secs(1))
            })
            .connect()
            .await?;
        let _subscription = fanfare.subscribe(["c"]).await?;
        let mut events = fanfare.events();
        server.freeze().await?;
        let error = fanfare.self_test().await.err().ok_or("a hung server answered")?;
        assert!(error.to_string().starts_with("self-test: "), "{error}");
        server.sigcont();
        wait_event(&mut events, is_up(Role::Subscriptions)).await?;
        fanfare.self_test().await?;
        Ok(())
    });
}

#[cfg(feature = "metrics")]
mod gauges;
