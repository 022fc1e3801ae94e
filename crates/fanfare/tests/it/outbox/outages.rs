//! The broker is away or hangs, or the database is.

use std::time::Duration;

use fanfare::{
    Fanfare,
    outbox::{RelayEvent, RelayEvents, sqlx},
};
use fanfare_testkit::ClusterGroup;

use super::{
    LONG, check,
    database::{Database, Outcome},
    on, orders,
};
use crate::support::{Target, TestResult, rng, run, until};

/// One test of each on every kind of broker and deployment. With sentinels no replica takes over: what
/// that would lose of what the master had is not the outbox's.
macro_rules! on_servers {
    ($($name:ident in $database:ident),+ $(,)?) => {$(
        mod $name {
            use crate::support::Target;

            fn on(target: Target) {
                crate::support::run(async {
                    let database = crate::outbox::database::Database::$database().await?;
                    super::$name(database, target).await
                });
            }

            #[test]
            fn redis_server() {
                on(Target::Redis(fanfare_testkit::RedisServer::start(&[])));
            }

            #[test]
            fn fanfare() {
                on(Target::Fanfare(fanfare_testkit::FanfareServer::start(&[])));
            }

            #[test]
            fn cluster() {
                on(Target::Cluster(fanfare_testkit::ClusterGroup::start()));
            }

            #[test]
            fn sentinel() {
                let patience = std::time::Duration::from_secs(60);
                let group = fanfare_testkit::SentinelGroup::start_with_timeout(patience);
                on(Target::Sentinel(group));
            }
        }
    )+};
}

on_servers!(
    a_broker_that_hangs_gets_everything_once_and_in_order in postgres,
    a_broker_that_was_away_gets_everything in sqlite,
);

on!([postgres]:
    a_database_that_is_killed_loses_nothing_that_it_committed,
    a_database_that_hangs_is_asked_again,
);

on!([postgres]: a_table_that_is_locked_does_not_take_the_whole_pool);
on!([sqlite]: a_database_that_is_locked_is_asked_again);

/// Waits for an event.
async fn event(events: &mut RelayEvents, wanted: impl Fn(&RelayEvent) -> bool) -> Outcome<()> {
    let found = async {
        while let Some(event) = events.next().await {
            if wanted(&event) {
                return Ok(());
            }
        }
        Err("the relay has ended".into())
    };
    tokio::time::timeout(LONG, found).await?
}

/// Answers are lost on the way: what was sent and not answered is sent again, and is there once.
async fn a_broker_that_hangs_gets_everything_once_and_in_order(
    database: Database,
    server: Target,
) -> TestResult {
    let fanfare = server.connect().await?;
    let relay = database.relay(&fanfare).start().await?;
    let mut events = relay.events();
    database.publish(0..20).await?;
    database.drained().await;
    event(&mut events, |it| matches!(it, RelayEvent::Drained { .. })).await?;
    server.freeze().await?;
    database.publish(20..120).await?;
    event(&mut events, |it| matches!(it, RelayEvent::BrokerFailed { .. })).await?;
    database.publish(120..350).await?;
    let stats = relay.stats();
    assert!(stats.last_error.is_some() && 0 < stats.broker_errors, "{stats:?}");
    assert_eq!((stats.sent, stats.database_errors), (20, 0));
    assert_eq!(database.contents().await?.waiting, 330);
    server.sigcont();
    database.publish(350..370).await?;
    database.drained().await;
    database.publish(370..380).await?;
    database.drained().await;
    assert_eq!(orders(&fanfare).await?, (0..380).collect::<Vec<_>>());
    let stats = relay.close(LONG).await;
    assert_eq!((stats.sent + stats.duplicates, stats.buried, stats.expired), (380, 0, 0));
    assert!(stats.last_error.is_none());
    Ok(())
}

/// The broker is away and back without what it had; meanwhile the relay is closed and started again.
async fn a_broker_that_was_away_gets_everything(
    database: Database,
    mut server: Target,
) -> TestResult {
    let fanfare = server.connect().await?;
    let relay = database.relay(&fanfare).start().await?;
    server.stop();
    let mut events = relay.events();
    database.publish(0..60).await?;
    event(&mut events, |it| matches!(it, RelayEvent::BrokerFailed { .. })).await?;
    assert_eq!(relay.close(Duration::ZERO).await.sent, 0);
    let lazy = Fanfare::builder(&server.url()).connect_lazy().await?;
    let relay = database.relay(&lazy).start().await?;
    database.publish(60..90).await?;
    server.restart();
    database.drained().await;
    assert_eq!(orders(&lazy).await?, (0..90).collect::<Vec<_>>());
    let stats = relay.close(LONG).await;
    assert_eq!((stats.sent, stats.duplicates, stats.buried), (90, 0, 0));
    Ok(())
}

#[test]
fn a_node_that_takes_nothing_holds_up_only_its_own() {
    let group = ClusterGroup::start();
    run(async { paused_node(Database::sqlite().await?, group).await });
}

async fn paused_node(database: Database, group: ClusterGroup) -> TestResult {
    let fanfare = Fanfare::connect(&group.url()).await?;
    let held = "orders";
    let names = (0..100).map(|n| format!("free {n}"));
    let free = names.into_iter().find(|it| group.owner(it).port() != group.owner(held).port());
    let free = free.ok_or("all streams are on one node")?;
    let node = group.owner(held);
    assert_eq!(node.client().call(&["CLIENT", "PAUSE", "100000", "WRITE"]), b"+OK\r\n");
    let mut transaction = database.begin().await?;
    // More than are read at once stand before those to the other node.
    for n in 0..400 {
        transaction.publish(held, n).await?;
    }
    for n in 400..700 {
        transaction.publish(free.as_str(), n).await?;
    }
    transaction.commit().await?;
    let relay = database.relay(&fanfare).start().await?;
    until("the other node has its own", || relay.stats().sent == 300).await?;
    until("the first one's failure is told", || relay.stats().last_error.is_some()).await?;
    database.publish(700..710).await?;
    assert_eq!(node.client().call(&["CLIENT", "UNPAUSE"]), b"+OK\r\n");
    database.drained().await;
    assert_eq!(orders(&fanfare).await?, (0..400).chain(700..710).collect::<Vec<_>>());
    let stats = relay.close(LONG).await;
    assert_eq!((stats.sent + stats.duplicates, stats.buried, stats.expired), (710, 0, 0));
    Ok(())
}

/// Writers that go on as well as they can: of a commit that fails nobody knows what became of it.
async fn write(database: &Database, writer: u64, until: &tokio::sync::watch::Receiver<bool>) {
    let mut n = writer * 1_000_000;
    while !*until.borrow() {
        let written = async {
            let mut transaction = database.begin().await?;
            for _ in 0..3 {
                transaction.publish("orders", n).await?;
                n += 1;
            }
            transaction.commit().await?;
            Outcome::Ok(())
        };
        if written.await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

async fn a_database_that_is_killed_loses_nothing_that_it_committed(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let relay = database.relay(&fanfare).start().await?;
    let mut events = relay.events();
    let (end, told) = tokio::sync::watch::channel(false);
    let mut rng = rng();
    let kill = async {
        for round in 0..3 {
            tokio::time::sleep(Duration::from_millis(100 + rng.below(400))).await;
            let before = relay.stats();
            database.server().kill();
            event(&mut events, |it| matches!(it, RelayEvent::DatabaseFailed { .. })).await?;
            let stats = relay.stats();
            assert!(before.database_errors < stats.database_errors, "{stats:?}");
            assert!(stats.database_error.is_some() && !stats.is_active, "{stats:?}");
            database.server().restart();
            until("it goes on", || before.sent + 30 < relay.stats().sent).await?;
            println!("round {round}: {} sent before", before.sent);
        }
        end.send_replace(true);
        Outcome::Ok(())
    };
    let writers = (0..4).map(|writer| write(&database, writer, &told));
    let (killed, _) = tokio::join!(kill, futures_util::future::join_all(writers));
    killed?;
    database.drained().await;
    let n = check(&database, &fanfare).await?;
    let stats = relay.close(LONG).await;
    println!("{n} committed, {stats:?}");
    assert!(stats.database_error.is_none() && stats.buried + stats.expired == 0, "{stats:?}");
    assert_eq!(stats.sent, u64::try_from(n)?);
    Ok(())
}

async fn a_database_that_hangs_is_asked_again(database: Database, fanfare: Fanfare) -> TestResult {
    let relay = database.relay(&fanfare).database_timeout(Duration::from_millis(500));
    let relay = relay.start().await?;
    let mut events = relay.events();
    database.publish(0..10).await?;
    database.drained().await;
    for begin in [10, 20] {
        database.server().sigstop();
        let late = database.publish(begin..begin + 10);
        let unfreeze = async {
            let failed = |it: &RelayEvent| matches!(it, RelayEvent::DatabaseFailed { .. });
            let noticed = event(&mut events, failed).await;
            let error = relay.stats().database_error.map(|it| it.to_string());
            database.server().sigcont();
            noticed.map(|()| error.unwrap_or_default())
        };
        let (published, noticed) = tokio::join!(late, unfreeze);
        published?;
        assert!(noticed?.contains("500ms"));
        database.drained().await;
    }
    // It can be ended while its database hangs.
    database.server().sigstop();
    let stats = relay.close(Duration::from_millis(10)).await;
    database.server().sigcont();
    assert_eq!((stats.sent, stats.duplicates), (30, 0));
    assert_eq!(orders(&fanfare).await?, (0..30).collect::<Vec<_>>());
    Ok(())
}

/// As `ALTER TABLE` and `VACUUM FULL` lock it. What the relay gives up waits in the database all the same; its
/// connections do not count for the pool any more.
async fn a_table_that_is_locked_does_not_take_the_whole_pool(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(2);
    let pool = pool.acquire_timeout(Duration::from_secs(20)).connect(&database.url()).await?;
    let relay = fanfare.relay(&fanfare::outbox::Outbox::new(), pool.clone());
    let relay = relay.poll(Duration::from_millis(10)).database_timeout(Duration::from_millis(200));
    let relay = relay.start().await?;
    let mut locking = database.begin().await?;
    locking.run("LOCK TABLE fanfare_outbox").await?;
    // As many as the pool has, and more.
    until("it is given up again and again", || 5 <= relay.stats().database_errors).await?;
    for _ in 0..10 {
        sqlx::query("SELECT 1").execute(&pool).await?;
    }
    locking.commit().await?;
    database.publish(0..10).await?;
    until("it is sent", || relay.stats().sent == 10).await?;
    assert_eq!(orders(&fanfare).await?, (0..10).collect::<Vec<_>>());
    let stats = relay.close(LONG).await;
    assert_eq!((stats.sent, stats.duplicates), (10, 0), "{stats:?}");
    Ok(())
}

/// Another process writes, and takes its time with it.
async fn a_database_that_is_locked_is_asked_again(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let options: sqlx::sqlite::SqliteConnectOptions = database.url().parse()?;
    let impatient = options.busy_timeout(Duration::from_millis(50));
    let pool = sqlx::SqlitePool::connect_with(impatient).await?;
    let relay = fanfare.relay(&fanfare::outbox::Outbox::new(), pool);
    let relay = relay.poll(Duration::from_millis(10)).start().await?;
    let mut events = relay.events();
    database.publish(0..10).await?;
    until("it is sent", || relay.stats().sent == 10).await?;
    let mut long = database.begin().await?;
    for n in 10..20 {
        long.publish("orders", n).await?;
    }
    // It does not write as long as nothing waits, but it renews its lease.
    event(&mut events, |it| matches!(it, RelayEvent::DatabaseFailed { .. })).await?;
    let stats = relay.stats();
    let error = stats.database_error.ok_or("none")?;
    assert!(error.to_string().contains("locked"), "{error}");
    assert_eq!(error.kind(), fanfare::ErrorKind::Database);
    long.commit().await?;
    database.publish(20..30).await?;
    until("it is sent", || relay.stats().sent == 30).await?;
    assert_eq!(orders(&fanfare).await?, (0..30).collect::<Vec<_>>());
    let stats = relay.close(LONG).await;
    assert!(stats.database_error.is_none() && 0 < stats.database_errors, "{stats:?}");
    Ok(())
}
