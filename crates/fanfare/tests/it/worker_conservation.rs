//! Worker processes that are killed at random while handlers fail, panic, hang and take long: every
//! entry is handled or ends among the dead letters, and none is taken from a live handler.

use std::{
    collections::HashSet,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use fanfare::{
    Backoff, Fanfare, Value,
    stream::{Entry, Group},
    worker::Context,
};

use crate::support::{Target, TestResult, rng, run_for};

/// A worker process is this test program, run with this variable.
const URL: &str = "FANFARE_WORKER_URL";

/// Longer than this machine may stop a process that is alive, however busy it is.
const LEASE: Duration = Duration::from_secs(8);

/// How many entries: a few, or as many as a release has to stand.
fn n_entries() -> u64 {
    if std::env::var_os("FANFARE_FULL").is_some() { 100_000 } else { 300 }
}

#[test]
fn nothing_is_lost_on_redis_server() {
    let server = fanfare_testkit::RedisServer::start(&[]);
    run_for(Duration::from_secs(3_600), conserve(Target::Redis(server)));
}

#[test]
fn nothing_is_lost_on_fanfare() {
    let server = fanfare_testkit::FanfareServer::start(&[]);
    run_for(Duration::from_secs(3_600), conserve(Target::Fanfare(server)));
}

/// Not a test by itself: what a worker process runs, until it is killed.
#[test]
fn worker_process() {
    if let Ok(url) = std::env::var(URL) {
        run_for(Duration::from_secs(3_600), work(url));
    }
}

async fn work(url: String) -> TestResult {
    let fanfare = Fanfare::connect(&url).await?;
    let stream = fanfare.stream("s");
    let worker = stream
        .group("g")
        .worker()
        .concurrency(20)
        .lease(LEASE)
        .timeout(LEASE * 2)
        .deliveries_max(20)
        .retry(Backoff { first: Duration::from_millis(50), cap: Duration::from_secs(1) })
        .spawn(move |entry: Arc<Entry>, context| handle(fanfare.clone(), entry, context))?;
    worker.ended().await;
    Ok(())
}

async fn handle(fanfare: Fanfare, entry: Arc<Entry>, context: Context) -> Result<(), String> {
    let say = async |args: &[&str]| fanfare.command(args).await.map_err(|it| it.to_string());
    let n = entry.text("n").map_err(|error| error.to_string())?;
    let me = std::process::id().to_string();
    // Whoever is running it already must be dead.
    let other = say(&["HGET", "running", n]).await?;
    if let Some(other) = other.as_str()
        && std::fs::exists(format!("/proc/{other}")).unwrap_or(true)
    {
        say(&["RPUSH", "robbed", &format!("{n} from {other} by {me}")]).await?;
    }
    say(&["HSET", "running", n, &me]).await?;
    let number: u64 = n.parse().map_err(|_| "no number")?;
    let is_first = context.deliveries() == 1;
    let outcome = match number % 50 {
        7 => Err("always".to_owned()),
        13 if is_first => Err("panic".to_owned()),
        21 if is_first => Err("hang".to_owned()),
        33 => {
            tokio::time::sleep(LEASE + LEASE / 2).await;
            Ok(())
        }
        _ => Ok(()),
    };
    if outcome.is_ok() {
        say(&["SADD", "handled", n]).await?;
    }
    say(&["HDEL", "running", n]).await?;
    match outcome {
        Err(what) if what == "panic" => panic!("{n} is one that panics"),
        Err(what) if what == "hang" => std::future::pending().await,
        outcome => outcome,
    }
}

/// A worker process that is killed when this is dropped.
struct Process(Child);

impl Process {
    fn start(url: &str) -> std::io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["--exact", "worker_conservation::worker_process", "--nocapture"])
            .env(URL, url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
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

async fn conserve(server: Target) -> TestResult {
    let mut rng = rng();
    let fanfare = server.connect().await?;
    let (group, n_entries) = (fanfare.stream("s").group("g"), n_entries());
    let mut processes = Vec::new();
    for _ in 0..3 {
        processes.push(Process::start(&server.url())?);
    }
    let mut n_killed = 0_u32;
    for first in (0..n_entries).step_by(100) {
        let entries = (first..first + 100).map(|n| [("n", n.to_string())]);
        for outcome in group.stream().add_batch(entries).await {
            outcome?;
        }
    }
    loop {
        tokio::time::sleep(Duration::from_millis(200 + rng.below(800))).await;
        // After some kills they are left alone, so that it ends even with very few entries.
        let is_settled = is_settled(&group).await?;
        if is_settled && 5 <= n_killed {
            break;
        }
        if n_killed < 5 || (!is_settled && 1_000 < n_entries && rng.below(4) == 0) {
            drop(processes.swap_remove(usize::try_from(rng.below(3))?));
            processes.push(Process::start(&server.url())?);
            n_killed += 1;
        }
    }
    drop(processes);
    check(&fanfare, &group, n_entries).await?;
    println!("{n_entries} entries, {n_killed} processes killed");
    Ok(())
}

async fn is_settled(group: &Group) -> Result<bool, fanfare::Error> {
    let info = group.info().await?;
    Ok(info.is_some_and(|it| it.pending == 0 && it.lag == Some(0)))
}

async fn check(fanfare: &Fanfare, group: &Group, n_entries: u64) -> TestResult {
    let robbed = fanfare.command(["LRANGE", "robbed", "0", "-1"]).await?;
    assert_eq!(robbed, Value::Array(Vec::new()), "taken from a live handler");
    let members = fanfare.command(["SMEMBERS", "handled"]).await?;
    let members = match members {
        Value::Set(members) | Value::Array(members) => members,
        other => return Err(format!("no members: {other:?}").into()),
    };
    let number = |it: &Value| it.as_str().and_then(|text| text.parse::<u64>().ok());
    let handled: HashSet<u64> = members.iter().filter_map(number).collect();
    let mut dead: HashSet<u64> = HashSet::new();
    for letter in group.dead_letters().list(None, n_entries).await? {
        let n =
            letter.fields.first().and_then(|(_, it)| std::str::from_utf8(it).ok()?.parse().ok());
        dead.insert(n.ok_or("a dead letter without a number")?);
    }
    for n in 0..n_entries {
        assert!(handled.contains(&n) || dead.contains(&n), "{n} is lost");
        if n % 50 == 7 {
            assert!(dead.contains(&n), "{n} always fails");
        }
    }
    Ok(())
}
