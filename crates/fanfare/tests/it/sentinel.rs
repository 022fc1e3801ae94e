//! A master that moves: the link follows its sentinels.

use std::time::Duration;

use fanfare::{
    ErrorKind, Event, Fanfare, Role,
    stream::{Position, Tail},
};
use fanfare_testkit::SentinelGroup;

use crate::support::{is_down, is_up, next, next_gap, run, wait_event};

async fn next_text(tail: &mut Tail) -> Result<String, Box<dyn std::error::Error>> {
    let entry = tokio::time::timeout(Duration::from_secs(60), tail.next()).await?;
    let entry = entry.ok_or("the tail ended")?;
    Ok(entry.text("n")?.to_owned())
}

/// The master is killed: publishers, subscribers and tails go on at the new one by themselves.
#[test]
fn a_killed_master_is_followed_to_where_it_moved() {
    let mut group = SentinelGroup::start();
    run(async move {
        let fanfare = Fanfare::connect(&group.url()).await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let stream = fanfare.stream("s");
        stream.add([("n", "1")]).await?;
        let mut tail = stream.tail(Position::Start).await?;
        assert_eq!(next_text(&mut tail).await?, "1");
        let mut events = fanfare.events();
        group.wait_replicated();

        let old = group.master().addr();
        group.master_mut().stop();
        wait_event(&mut events, is_down(Role::Subscriptions)).await?;
        group.wait_switched(old);
        wait_event(&mut events, is_up(Role::Subscriptions)).await?;
        fanfare.publish("c", "after").await?;
        next_gap(&mut subscription).await?;
        assert_eq!(next(&mut subscription).await?.payload, "after");
        stream.add([("n", "2")]).await?;
        assert_eq!(next_text(&mut tail).await?, "2");
        Ok(())
    });
}

/// Its sockets stay open and nothing is answered: that the master has moved is learned from the
/// sentinels, long before the heartbeat gives it up.
#[test]
fn a_frozen_master_is_left_when_the_sentinels_say_so() {
    let group = SentinelGroup::start();
    run(async move {
        let fanfare = Fanfare::builder(&group.url())
            .options(|it| it.heartbeat(Duration::from_secs(600), Duration::from_secs(600)))
            .connect()
            .await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let mut events = fanfare.events();
        let old = group.master();
        old.sigstop();
        let seen = wait_event(&mut events, is_down(Role::Subscriptions)).await?;
        let Some(Event::Down { error, .. }) = seen.last() else { return Err("no Down".into()) };
        assert!(error.to_string().contains("the master moved from"), "{error}");
        wait_event(&mut events, is_up(Role::Subscriptions)).await?;
        fanfare.publish("c", "after").await?;
        next_gap(&mut subscription).await?;
        assert_eq!(next(&mut subscription).await?.payload, "after");
        old.sigcont();
        Ok(())
    });
}

/// A sentinel that slept through a failover still names the old master when it wakes.
#[test]
fn the_newest_configuration_counts() {
    let mut group = SentinelGroup::start();
    run(async move {
        let sleeper = group.sentinels_mut().next().map(|it| it.sigstop());
        sleeper.ok_or("no sentinel")?;
        let old = group.master().addr();
        group.master_mut().stop();
        group.wait_switched(old);
        group.sentinels_mut().take(1).for_each(|it| it.sigcont());
        for _ in 0..20 {
            let fanfare = Fanfare::connect(&group.url()).await?;
            assert_eq!(fanfare.publish("c", "x").await?, 0);
            fanfare.close().await;
        }
        Ok(())
    });
}

/// One sentinel is enough to learn of the others.
#[test]
fn sentinels_that_the_url_does_not_name_are_asked_too() {
    let mut group = SentinelGroup::start();
    run(async move {
        let first = group.sentinels_mut().next().ok_or("no sentinel")?.addr();
        let fanfare = Fanfare::connect(&format!("redis+sentinel://{first}/mymaster")).await?;
        let mut events = fanfare.events();
        // Two of three are left, which is enough to agree.
        group.sentinels_mut().take(1).for_each(|it| it.stop());
        let old = group.master().addr();
        group.master_mut().stop();
        group.wait_switched(old);
        wait_event(&mut events, is_up(Role::Commands)).await?;
        assert_eq!(fanfare.publish("c", "x").await?, 0);
        Ok(())
    });
}

/// A server that was the master and is a replica now is not written to, whatever it is taken for.
#[test]
fn a_replica_that_the_sentinels_call_the_master_is_shut_out() {
    let mut group = SentinelGroup::start();
    run(async move {
        // Nobody sets right what is done by hand.
        group.sentinels_mut().skip(1).for_each(|it| it.stop());
        let url = group.url();
        let master = group.servers_mut().next().ok_or("no server")?;
        let mut client = master.client();
        client.call(&["REPLICAOF", "127.0.0.1", "1"]);
        let error = Fanfare::connect(&url).await.err().ok_or("it was let in")?;
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains("has the role `slave`"), "{error}");
        client.call(&["REPLICAOF", "NO", "ONE"]);
        Fanfare::connect(&url).await?.ping().await?;
        Ok(())
    });
}

#[test]
fn what_is_wrong_is_said() {
    let group = SentinelGroup::start_with_passwords("of-servers", "of-sentinels");
    run(async move {
        let url = group.url();
        let with = |user: &str, query: &str| {
            format!("{}?{query}", url.replace("sentinel://", &format!("sentinel://{user}")))
        };
        let failed = async |url: String| match Fanfare::connect(&url).await {
            Ok(_) => Err("it connected"),
            Err(error) => Ok(error),
        };
        let good = with(":of-servers@", "sentinel_password=of-sentinels");
        Fanfare::connect(&good).await?.ping().await?;

        let error = failed(with(":of-servers@", "")).await?;
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.to_string().contains("sentinel_password"), "{error}");
        let error = failed(with(":of-servers@", "sentinel_password=wrong")).await?;
        assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
        let error = failed(with("", "sentinel_password=of-sentinels")).await?;
        assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
        assert!(error.to_string().contains("asks for a password"), "{error}");
        let error = failed(good.replace("/mymaster", "/other")).await?;
        assert!(error.to_string().contains("knows no master `other`"), "{error}");
        let nobody = "redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster".to_owned();
        let error = failed(nobody).await?;
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.is_retryable() && error.to_string().contains("nothing listens"), "{error}");
        let (server, login) = (group.master().addr(), "sentinel_password=of-servers");
        let error = failed(format!("redis+sentinel://{server}/mymaster?{login}")).await?;
        assert!(error.to_string().contains("no sentinel tells"), "{error}");
        Ok(())
    });
}
