//! Worker processes that are killed at random, for tests that nothing is lost: what they run, and what must
//! hold in the end.

use std::{
    collections::HashSet,
    process::{Child, Command, Stdio},
    time::Duration,
};

use fanfare::{Fanfare, Value};

use crate::support::{TestResult, rng};

/// A worker process is this test program, run with this variable.
pub(crate) const URL: &str = "FANFARE_WORKER_URL";

/// Longer than this machine may stop a process that is alive, however busy it is.
pub(crate) const LEASE: Duration = Duration::from_secs(8);

/// How many entries: a few, or as many as a release has to stand.
pub(crate) fn n_entries() -> u64 {
    if std::env::var_os("FANFARE_FULL").is_some() { 100_000 } else { 300 }
}

/// Notes who is at it and what was done, and fails in all ways.
pub(crate) async fn handle_number(
    fanfare: &Fanfare,
    n: &str,
    deliveries: u64,
) -> Result<(), String> {
    let say = async |args: &[&str]| fanfare.command(args).await.map_err(|it| it.to_string());
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
    let is_first = deliveries == 1;
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
pub(crate) struct Process(Child);

impl Process {
    /// Runs this "test" with the URL of the server.
    pub(crate) fn start(test: &str, url: &str) -> std::io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["--exact", test, "--nocapture"])
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

/// Three worker processes, one of which is killed now and then.
pub(crate) struct Killing {
    rng: fanfare_testkit::Rng,
    test: &'static str,
    url: String,
    processes: Vec<Process>,
    pub(crate) n_killed: u32,
}

impl Killing {
    pub(crate) fn start(test: &'static str, url: &str) -> std::io::Result<Self> {
        let processes = (0..3).map(|_| Process::start(test, url)).collect::<Result<_, _>>()?;
        Ok(Self { rng: rng(), test, url: url.to_owned(), processes, n_killed: 0 })
    }

    /// Kills one, perhaps, and starts another one; `false` if all is settled and enough were killed.
    pub(crate) async fn goes_on(
        &mut self,
        is_settled: bool,
        n_entries: u64,
    ) -> Result<bool, Box<dyn std::error::Error>> {
        tokio::time::sleep(Duration::from_millis(200 + self.rng.below(800))).await;
        // After some kills they are left alone, so that it ends even with very few entries.
        if is_settled && 5 <= self.n_killed {
            return Ok(false);
        }
        if self.n_killed < 5 || (!is_settled && 1_000 < n_entries && self.rng.below(4) == 0) {
            drop(self.processes.swap_remove(usize::try_from(self.rng.below(3))?));
            self.processes.push(Process::start(self.test, &self.url)?);
            self.n_killed += 1;
        }
        Ok(true)
    }
}

/// All were handled or are dead, and none was taken from a live handler.
pub(crate) async fn check_numbers(
    fanfare: &Fanfare,
    dead: &HashSet<u64>,
    n_entries: u64,
) -> TestResult {
    let robbed = fanfare.command(["LRANGE", "robbed", "0", "-1"]).await?;
    assert_eq!(robbed, Value::Array(Vec::new()), "taken from a live handler");
    let members = fanfare.command(["SMEMBERS", "handled"]).await?;
    let members = match members {
        Value::Set(members) | Value::Array(members) => members,
        other => return Err(format!("no members: {other:?}").into()),
    };
    let number = |it: &Value| it.as_str().and_then(|text| text.parse::<u64>().ok());
    let handled: HashSet<u64> = members.iter().filter_map(number).collect();
    for n in 0..n_entries {
        assert!(handled.contains(&n) || dead.contains(&n), "{n} is lost");
        if n % 50 == 7 {
            assert!(dead.contains(&n), "{n} always fails");
        }
    }
    Ok(())
}
