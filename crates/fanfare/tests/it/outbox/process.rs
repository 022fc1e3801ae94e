//! Relays in processes of their own that are killed, or suspended for longer than their lease, at random.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use fanfare::{Fanfare, outbox::Outbox};
use fanfare_testkit::{FanfareServer, RedisServer};
use tokio::sync::watch;

use super::{
    check,
    database::{Database, Outcome, pool_of},
};
use crate::support::{Target, TestResult, rng, run, run_for};

const BROKER: &str = "FANFARE_OUTBOX_BROKER";
const DATABASE: &str = "FANFARE_OUTBOX_DATABASE";

/// So that the next relay goes on soon.
const LEASE: Duration = Duration::from_millis(150);

#[test]
fn killed_relays_lose_nothing_of_postgres_and_send_it_once() {
    let server = Target::Redis(RedisServer::start(&[]));
    run(async { killed_at_random(Database::postgres().await?, server).await });
}

#[test]
fn killed_relays_lose_nothing_of_sqlite_and_send_it_once() {
    let server = Target::Fanfare(FanfareServer::start(&[]));
    run(async { killed_at_random(Database::sqlite().await?, server).await });
}

#[test]
fn suspended_relays_lose_nothing_of_postgres_and_send_it_once() {
    let server = Target::Fanfare(FanfareServer::start(&[]));
    run(async { suspended_at_random(Database::postgres().await?, server).await });
}

#[test]
fn suspended_relays_lose_nothing_of_sqlite_and_send_it_once() {
    let server = Target::Redis(RedisServer::start(&[]));
    run(async { suspended_at_random(Database::sqlite().await?, server).await });
}

/// Not a test by itself: a process that has a relay.
#[test]
fn relay_process() {
    if let (Ok(broker), Ok(database)) = (std::env::var(BROKER), std::env::var(DATABASE)) {
        run_for(Duration::from_secs(3_600), relay(broker, database));
    }
}

async fn relay(broker: String, database: String) -> TestResult {
    let fanfare = Fanfare::connect(&broker).await?;
    let relay = fanfare.relay(&Outbox::new(), pool_of(&database).await?);
    let relay = relay.poll(Duration::from_millis(1)).lease(LEASE).start().await?;
    let mut events = relay.events();
    while events.next().await.is_some() {}
    Ok(())
}

struct Process(Child);

impl Process {
    fn start(broker: &Target, database: &Database) -> std::io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["--exact", "outbox::process::relay_process", "--nocapture"])
            .env(BROKER, broker.url())
            .env(DATABASE, database.url())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    fn signal(&self, name: &str) -> std::io::Result<()> {
        let script = format!("kill -{name} {}", self.0.id());
        Command::new("sh").arg("-c").arg(script).status().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn n_rounds() -> u64 {
    if std::env::var_os("FANFARE_FULL").is_some() { 100 } else { 8 }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Transactions of one to five messages, one of which in eight is rolled back, until it is told to end.
async fn write(database: &Database, writer: u64, end: watch::Receiver<bool>) -> Outcome<u64> {
    let mut rng = fanfare_testkit::Rng::new(fanfare_testkit::seed() ^ writer);
    let mut n = 0;
    while !*end.borrow() {
        let mut transaction = database.begin().await?;
        for _ in 0..=rng.below(5) {
            transaction.publish("orders", writer * 1_000_000 + n).await?;
            n += 1;
        }
        pause(rng.below(4)).await;
        match rng.below(8) {
            0 => transaction.rollback().await?,
            _ => transaction.commit().await?,
        }
        pause(rng.below(8)).await;
    }
    Ok(n)
}

/// Writers write as long as `harm` takes; then a relay sends what is left.
async fn while_writing(
    database: &Database,
    server: &Target,
    harm: impl Future<Output = TestResult>,
) -> TestResult {
    let (end, told) = watch::channel(false);
    let harm = async {
        let harmed = harm.await;
        end.send_replace(true);
        harmed
    };
    let writers = (1..4).map(|writer| write(database, writer, told.clone()));
    let (harmed, written) = tokio::join!(harm, futures_util::future::join_all(writers));
    harmed?;
    let mut n_written = 0;
    for n in written {
        n_written += n?;
    }
    let fanfare = server.connect().await?;
    let relay = database.relay(&fanfare).start().await?;
    database.drained().await;
    let n = check(database, &fanfare).await?;
    println!("{n_written} written, {n} committed and arrived, {} at last", relay.stats().sent);
    assert!(100 < n);
    Ok(())
}

async fn killed_at_random(database: Database, server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut rng = rng();
    let kill = async {
        for round in 0..n_rounds() {
            let before = fanfare.stream("orders").len().await?;
            let process = Process::start(&server, &database)?;
            // Some are killed before they have sent anything.
            if round % 4 != 3 {
                fanfare::testing::eventually("it sends", async || {
                    fanfare.stream("orders").len().await.is_ok_and(|it| before < it)
                })
                .await;
            }
            pause(rng.below(120)).await;
            match round % 4 {
                // Just when it has sent something, which it has not deleted then.
                0 | 2 => {
                    let mut client = server.client();
                    let wait = ["XREAD", "BLOCK", "5000", "STREAMS", "orders", "$"];
                    tokio::task::spawn_blocking(move || client.call(&wait)).await?;
                }
                // While it waits for the answer to what the broker will have read.
                1 => {
                    server.sigstop();
                    pause(50).await;
                }
                _ => {}
            }
            drop(process);
            server.sigcont();
            println!("round {round}: {}", fanfare.stream("orders").len().await?);
        }
        Ok(())
    };
    while_writing(&database, &server, kill).await
}

/// Two processes: whoever is suspended, the other one goes on; and it is no harm when the first one believes
/// to have the lease still.
async fn suspended_at_random(database: Database, server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut rng = rng();
    let suspend = async {
        let mut process = Process::start(&server, &database)?;
        let mut other = Process::start(&server, &database)?;
        for _ in 0..n_rounds() {
            fanfare::testing::eventually("they send", async || {
                let before = fanfare.stream("orders").len().await.unwrap_or(u64::MAX);
                pause(20).await;
                fanfare.stream("orders").len().await.is_ok_and(|it| before < it)
            })
            .await;
            pause(rng.below(60)).await;
            process.signal("STOP")?;
            let before = fanfare.stream("orders").len().await?;
            // Either it was the other one that sent, or that takes over. But SQLite is locked for all as
            // long as one is suspended that is writing.
            match &database {
                Database::Sqlite { .. } => pause(500).await,
                Database::Postgres { .. } => {
                    fanfare::testing::eventually("the other one sends", async || {
                        fanfare.stream("orders").len().await.is_ok_and(|it| before + 50 < it)
                    })
                    .await;
                }
            }
            process.signal("CONT")?;
            std::mem::swap(&mut process, &mut other);
        }
        Ok(())
    };
    while_writing(&database, &server, suspend).await
}
