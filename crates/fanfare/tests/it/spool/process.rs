//! A process that is killed at random while the broker comes and goes.

use std::{path::Path, process::Child, time::Duration};

use fanfare::{
    Fanfare,
    spool::{Accepted, Fsync},
};
use fanfare_testkit::{ClusterGroup, FanfareServer, RedisServer};

use super::{Directory, order, orders};
use crate::support::{Target, TestResult, rng, run, run_for, until};

const URL: &str = "FANFARE_SPOOL_URL";
const DIRECTORY: &str = "FANFARE_SPOOL_DIRECTORY";

#[test]
fn what_was_accepted_arrives_once_on_redis_server() {
    run(killed_at_random(Target::Redis(RedisServer::start(&[]))));
}

#[test]
fn what_was_accepted_arrives_once_on_fanfare() {
    run(killed_at_random(Target::Fanfare(FanfareServer::start(&[]))));
}

#[test]
fn what_was_accepted_arrives_once_on_a_cluster() {
    run(killed_at_random(Target::Cluster(ClusterGroup::start())));
}

#[test]
fn what_was_accepted_arrives_once_with_sentinels() {
    run(killed_at_random(Target::Sentinel(super::patient_sentinels())));
}

/// The broker is gone, not only slow: for a minute with FANFARE_FULL=1, for seconds otherwise.
mod gone {
    use std::time::Duration;

    use fanfare_testkit::{ClusterGroup, FanfareServer, RedisServer};

    use super::{super::patient_sentinels, killed_while_the_broker_is_gone};
    use crate::support::{Target, run_for};

    const PATIENCE: Duration = Duration::from_secs(400);

    /// What it has said yes to before is in its file.
    #[test]
    fn redis_server() {
        let server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
        run_for(PATIENCE, killed_while_the_broker_is_gone(Target::Redis(server), true));
    }

    #[test]
    fn fanfare() {
        let server = Target::Fanfare(FanfareServer::start(&[]));
        run_for(PATIENCE, killed_while_the_broker_is_gone(server, false));
    }

    #[test]
    fn sentinel() {
        let group = Target::Sentinel(patient_sentinels());
        run_for(PATIENCE, killed_while_the_broker_is_gone(group, false));
    }

    #[test]
    fn cluster() {
        let group = Target::Cluster(ClusterGroup::start());
        run_for(PATIENCE, killed_while_the_broker_is_gone(group, false));
    }
}

/// Not a test by itself: a process that publishes one number after the other, and notes in files which it
/// has tried and which were accepted.
#[test]
fn spool_process() {
    if let (Ok(url), Ok(directory)) = (std::env::var(URL), std::env::var(DIRECTORY)) {
        run_for(Duration::from_secs(3_600), work(url, directory.into()));
    }
}

async fn work(url: String, directory: std::path::PathBuf) -> TestResult {
    let fanfare = Fanfare::builder(&url).connect_lazy().await?;
    let spool = fanfare
        .spool(directory.join("spool"))
        .try_for(Duration::from_millis(100))
        .fsync(Fsync::Never)
        .segment_bytes(4_096)
        .open()
        .await?;
    let mut next = numbers(&directory, "tried")?.last().map_or(0, |it| it + 1);
    loop {
        note(&directory, "tried", next)?;
        let accepted: Accepted = spool.publish("orders", &order(next)).await?;
        note(&directory, "accepted", next)?;
        let waiting = spool.stats().waiting;
        // Far below what a spool may have, however long the broker is away.
        if accepted == Accepted::Sent || waiting % 50 == 0 || 100_000 < waiting {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        next += 1;
    }
}

/// Appends a number to a file. One write, so a process that is killed leaves whole lines.
fn note(directory: &Path, name: &str, n: u64) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::options().append(true).create(true).open(directory.join(name))?;
    file.write_all(format!("{n}\n").as_bytes())
}

fn numbers(directory: &Path, name: &str) -> Result<Vec<u64>, Box<dyn std::error::Error>> {
    let text = match std::fs::read_to_string(directory.join(name)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    Ok(text.lines().map(str::parse).collect::<Result<_, _>>()?)
}

struct Process(Child);

impl Process {
    fn start(url: &str, directory: &Path) -> std::io::Result<Self> {
        let child = std::process::Command::new(std::env::current_exe()?)
            .args(["--exact", "spool::process::spool_process", "--nocapture"])
            .env(URL, url)
            .env(DIRECTORY, directory)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn killed_at_random(server: Target) -> TestResult {
    let (fanfare, directory, mut rng) = (server.connect().await?, Directory::new(), rng());
    let n_rounds = if std::env::var_os("FANFARE_FULL").is_some() { 60 } else { 6 };
    std::fs::create_dir_all(directory.path())?;
    for round in 0..n_rounds {
        let process = Process::start(&server.url(), directory.path())?;
        // Some are killed at once, some in the middle of an outage, some after it.
        let pause = async |ms| tokio::time::sleep(Duration::from_millis(ms)).await;
        pause(100 + rng.below(400)).await;
        server.freeze().await?;
        pause(rng.below(500)).await;
        if rng.below(2) == 0 {
            server.sigcont();
            pause(rng.below(200)).await;
        }
        drop(process);
        server.sigcont();
        println!("round {round}: {} tried", numbers(directory.path(), "tried")?.len());
    }
    check(&fanfare, &directory).await
}

async fn killed_while_the_broker_is_gone(mut server: Target, keeps: bool) -> TestResult {
    let directory = Directory::new();
    std::fs::create_dir_all(directory.path())?;
    let is_full = std::env::var_os("FANFARE_FULL").is_some();
    let third = Duration::from_secs(if is_full { 20 } else { 1 });
    let url = server.url();
    if !keeps {
        server.stop();
    }
    let mut process = Process::start(&url, directory.path())?;
    if keeps {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.stop();
    }
    for _ in 0..2 {
        tokio::time::sleep(third).await;
        drop(process);
        process = Process::start(&url, directory.path())?;
    }
    tokio::time::sleep(third).await;
    let n_before = numbers(directory.path(), "accepted")?.len();
    server.restart();
    let n = || numbers(directory.path(), "accepted").map_or(0, |it| it.len());
    until("more is accepted", || n_before + 100 < n()).await?;
    drop(process);
    let fanfare = server.connect().await?;
    check(&fanfare, &directory).await
}

/// Everything that was accepted arrives, once and in order.
async fn check(fanfare: &Fanfare, directory: &Directory) -> TestResult {
    // What is left is sent by who comes next.
    let spool = fanfare.spool(directory.path().join("spool")).open().await?;
    println!("{:?}", spool.recovery());
    assert!(spool.recovery().quarantined.is_empty());
    super::drained(&spool).await?;
    let (tried, accepted) =
        (numbers(directory.path(), "tried")?, numbers(directory.path(), "accepted")?);
    let arrived = orders(fanfare).await?;
    assert!(arrived.is_sorted_by(|a, b| a < b), "once and in order");
    for n in &accepted {
        assert!(arrived.binary_search(n).is_ok(), "{n} was accepted and is lost");
    }
    assert!(arrived.len() <= tried.len() && 100 < accepted.len());
    println!("{} tried, {} accepted, {} arrived", tried.len(), accepted.len(), arrived.len());
    Ok(())
}
