//! A process that stands still for longer than its claim lasts, in the middle of a handler.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use fanfare::{
    Fanfare,
    commands::{Hashes, Strings},
    layers::{Fence, Idempotency, Layer, Overtaken},
    testing,
};
use fanfare_testkit::{ClusterGroup, FanfareServer, RedisServer, SentinelGroup};

use super::{event, run};
use crate::support::{Target, TestResult, run as run_test, run_for};

const URL: &str = "FANFARE_SUSPENDED_URL";

/// What is left of a claim when nobody renews it.
const LEASE: Duration = Duration::from_millis(500);

/// What is written to does not take what is written under an earlier claim than the one before.
const EFFECT: &str = "
    local highest = tonumber(redis.call('HGET', KEYS[1], 'fence') or 0)
    if tonumber(ARGV[1]) < highest then return 'refused' end
    redis.call('HSET', KEYS[1], 'fence', ARGV[1])
    redis.call('HINCRBY', KEYS[1], 'effects', 1)
    return 'done'";

#[test]
fn has_no_effect_on_redis_server() {
    run_test(one_effect(Target::Redis(RedisServer::start(&[]))));
}

#[test]
fn has_no_effect_on_fanfare() {
    run_test(one_effect(Target::Fanfare(FanfareServer::start(&[]))));
}

#[test]
fn has_no_effect_with_sentinels() {
    run_test(one_effect(Target::Sentinel(SentinelGroup::start())));
}

#[test]
fn has_no_effect_on_a_cluster() {
    run_test(one_effect(Target::Cluster(ClusterGroup::start())));
}

/// Not a test by itself: a process that begins to handle a message, and is done when it is told to.
#[test]
fn late_process() {
    if let Ok(url) = std::env::var(URL) {
        run_for(Duration::from_secs(3_600), late(url));
    }
}

fn once(fanfare: &Fanfare) -> Idempotency {
    Idempotency::new(fanfare, "billing").lease(LEASE)
}

async fn write(fanfare: &Fanfare, fence: &Fence) -> Result<String, fanfare::Error> {
    let number = fence.number().to_string();
    let answer = fanfare.command(&["EVAL", EFFECT, "1", "account", &number]).await?;
    Ok(answer.as_str().unwrap_or_default().to_owned())
}

async fn late(url: String) -> TestResult {
    let fanfare = Fanfare::connect(&url).await?;
    let inner = fanfare.clone();
    let handler = move |fence: Fence| {
        let fanfare = inner.clone();
        async move {
            fanfare.client().set("begun", "1").await?;
            while fanfare.client().get::<Option<String>>("go-on").await?.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let answer = write(&fanfare, &fence).await?;
            fanfare.client().set("late-write", &answer).await
        }
    };
    let service = once(&fanfare).layer(fanfare::service(handler, ()));
    let result = run(&service, event("e1")?).await;
    let overtaken = result.is_err_and(|error| error.is::<Overtaken>());
    fanfare.client().set("late-end", if overtaken { "overtaken" } else { "well" }).await?;
    Ok(())
}

/// It is killed when this is dropped.
struct Process(Child);

impl Process {
    fn start(url: &str) -> std::io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["--exact", "layers::suspended::late_process", "--nocapture"])
            .env(URL, url)
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

/// The broker's own clock ends the claim; whoever has the next one has the effect, and what is written late is
/// refused by its number.
async fn one_effect(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let text = async |key: &str| match fanfare.command(&["GET", key]).await {
        Ok(value) => value.as_str().map(str::to_owned),
        Err(_) => None,
    };
    let late = Process::start(&server.url())?;
    testing::eventually("it has begun", async || text("begun").await.is_some()).await;
    late.signal("STOP")?;

    // It waits for the end of the claim that is not renewed any more.
    let once = once(&fanfare);
    let inner = fanfare.clone();
    let handler = move |fence: Fence| {
        let fanfare = inner.clone();
        async move { write(&fanfare, &fence).await.map(drop) }
    };
    let service = once.layer(fanfare::service(handler, ()));
    testing::eventually("it is taken over", async || match event("e1") {
        Ok(event) => run(&service, event).await.is_ok(),
        Err(_) => false,
    })
    .await;
    let stats = once.stats();
    assert_eq!((stats.taken_over, stats.recorded), (1, 1), "{stats:?}");

    fanfare.client().set("go-on", "1").await?;
    late.signal("CONT")?;
    testing::eventually("the late one is done", async || text("late-end").await.is_some()).await;
    assert_eq!(text("late-write").await.as_deref(), Some("refused"));
    let effects: Option<u64> = fanfare.client().hget("account", "effects").await?;
    assert_eq!(effects, Some(1));
    // Its message is done, by the other one: that is no failure.
    assert_eq!(text("late-end").await.as_deref(), Some("well"));
    Ok(())
}
