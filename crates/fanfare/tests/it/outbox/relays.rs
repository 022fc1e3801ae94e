//! Several relays of one outbox.

use std::time::Duration;

use fanfare::{
    Fanfare,
    outbox::{Relay, RelayEvent},
};
use fanfare_testkit::RedisServer;

use super::{LONG, check, database::Database, on, orders};
use crate::support::{Target, TestResult, rng, run, until};

on!([postgres, sqlite]:
    closing_sends_what_waits_and_gives_the_lease_back,
    one_of_three_sends_and_the_next_takes_over,
    one_that_ends_while_it_asks_for_the_lease_does_not_keep_it,
);

#[test]
fn two_that_believe_to_have_the_lease_send_nothing_twice_from_postgres() {
    run(async { two_that_believe_to_have_the_lease(Database::postgres().await?).await });
}

#[test]
fn two_that_believe_to_have_the_lease_send_nothing_twice_from_sqlite() {
    run(async { two_that_believe_to_have_the_lease(Database::sqlite().await?).await });
}

fn active(relays: &[Relay]) -> Vec<usize> {
    let active = relays.iter().enumerate().filter(|it| it.1.stats().is_active);
    active.map(|it| it.0).collect()
}

async fn closing_sends_what_waits_and_gives_the_lease_back(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    // Nobody looks by himself, or waits for a lease to end.
    let hour = Duration::from_secs(3_600);
    let start = async || database.relay(&fanfare).poll(hour).lease(hour).start().await;
    let relay = start().await?;
    until("it is active", || relay.stats().is_active).await?;
    database.publish(0..300).await?;
    relay.wake();
    until("it is sent", || relay.stats().sent == 300).await?;
    database.publish(300..900).await?;
    let clone = relay.clone();
    drop(relay);
    let stats = clone.close(LONG).await;
    assert_eq!((stats.sent, stats.is_active), (900, false));
    assert!(clone.events().next().await.is_none());
    let relay = start().await?;
    until("the next one is active", || relay.stats().is_active).await?;
    // Dropped, not closed.
    drop(relay);
    database.publish(900..905).await?;
    let mut last = start().await?;
    fanfare::testing::eventually("the last one is active", async || {
        if !last.stats().is_active {
            // It may have looked before the dropped one was gone.
            last.close(Duration::ZERO).await;
            match start().await {
                Ok(relay) => last = relay,
                Err(error) => panic!("{error}"),
            }
        }
        last.stats().is_active
    })
    .await;
    last.close(LONG).await;
    assert_eq!(orders(&fanfare).await?, (0..905).collect::<Vec<_>>());
    Ok(())
}

async fn one_of_three_sends_and_the_next_takes_over(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let mut relays = Vec::new();
    for _ in 0..3 {
        // What it is given back is not waited for.
        relays.push(database.relay(&fanfare).lease(Duration::from_secs(8)).start().await?);
    }
    let mut begin = 0;
    while !relays.is_empty() {
        until("one is active", || active(&relays).len() == 1).await?;
        let sent: u64 = relays.iter().map(|it| it.stats().sent).sum();
        database.publish(begin..begin + 50).await?;
        begin += 50;
        let sum = || relays.iter().map(|it| it.stats().sent).sum::<u64>();
        until("it is sent", || sum() == sent + 50).await?;
        let [at] = active(&relays)[..] else { return Err("not one".into()) };
        let relay = relays.remove(at);
        let mut events = relay.events();
        let stats = relay.close(LONG).await;
        assert_eq!((stats.sent, stats.duplicates, stats.database_errors), (sent + 50, 0, 0));
        assert!(events.next().await.is_none_or(|it| !matches!(it, RelayEvent::Active)));
    }
    assert_eq!(orders(&fanfare).await?, (0..150).collect::<Vec<_>>());
    check(&database, &fanfare).await?;
    Ok(())
}

/// Whatever it was doing when it was told to end, and whoever did not hear the answer.
async fn one_that_ends_while_it_asks_for_the_lease_does_not_keep_it(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let mut rng = rng();
    let hour = Duration::from_secs(3_600);
    for _ in 0..40 {
        let relays = [
            database.relay(&fanfare).lease(hour).start().await?,
            database.relay(&fanfare).lease(hour).start().await?,
        ];
        tokio::time::sleep(Duration::from_micros(rng.below(2_000))).await;
        tokio::join!(relays[0].close(Duration::ZERO), relays[1].close(Duration::ZERO));
    }
    let relay = database.relay(&fanfare).lease(hour).start().await?;
    until("the last one is active", || relay.stats().is_active).await
}

/// The broker hangs for longer than the lease, so that the active relay can not renew it while it sends.
async fn two_that_believe_to_have_the_lease(database: Database) -> TestResult {
    let server = Target::Redis(RedisServer::start(&[]));
    let (one, other) = (server.connect().await?, server.connect().await?);
    let start = async |fanfare: &Fanfare| {
        let relay = database.relay(fanfare).lease(Duration::from_millis(300)).try_for(LONG);
        relay.start().await
    };
    let first = start(&one).await?;
    until("the first one is active", || first.stats().is_active).await?;
    let second = start(&other).await?;
    server.freeze().await?;
    database.publish(0..100).await?;
    until("the second one takes over", || second.stats().is_active).await?;
    assert!(first.stats().is_active, "it has not noticed");
    database.publish(100..200).await?;
    // It sends, too.
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.sigcont();
    database.drained().await;
    let sum = || {
        let (first, second) = (first.stats(), second.stats());
        (first.sent + second.sent, first.duplicates + second.duplicates)
    };
    until("both know what was sent", || sum().0 == 200 && 0 < sum().1).await?;
    database.publish(200..250).await?;
    until("it goes on", || sum().0 == 250).await?;
    until("one is active", || first.stats().is_active != second.stats().is_active).await?;
    assert_eq!(orders(&one).await?, (0..250).collect::<Vec<_>>());
    println!("{:?} sent, known", sum());
    Ok(())
}
