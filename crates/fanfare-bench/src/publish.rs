//! Publishing: one message after the other from some tasks, and many at once.

use std::{cell::Cell, process::Command};

use anyhow::{Context, Result, bail};
use fanfare::{Fanfare, Raw};
use futures_util::future::try_join_all;

use crate::{
    Site,
    clock::Clock,
    peers,
    row::{Contender, MANY, PAYLOAD, Sample},
};

const CHANNEL: &str = "news";

/// Each task publishes one message at a time; all share one connection.
pub(crate) async fn one_by_one(
    site: Site<'_>,
    contender: Contender,
    n_tasks: usize,
) -> Result<Sample> {
    let n = Cell::new(0_u64);
    match contender {
        Contender::Fanfare => {
            let fanfare = Fanfare::connect(&site.url()).await?;
            let clock = Clock::start();
            let task = || async {
                while clock.elapsed() < site.duration {
                    fanfare.publish(CHANNEL, PAYLOAD).await?;
                    n.set(n.get() + 1);
                }
                anyhow::Ok(())
            };
            try_join_all((0..n_tasks).map(|_| task())).await?;
            Ok(clock.stop(n.get()))
        }
        Contender::RedisRs => {
            let connection = peers::connect(site).await?;
            let clock = Clock::start();
            let task = || async {
                let mut connection = connection.clone();
                while clock.elapsed() < site.duration {
                    let mut publish = redis::cmd("PUBLISH");
                    publish.arg(CHANNEL).arg(&PAYLOAD);
                    publish.query_async::<u64>(&mut connection).await?;
                    n.set(n.get() + 1);
                }
                anyhow::Ok(())
            };
            try_join_all((0..n_tasks).map(|_| task())).await?;
            Ok(clock.stop(n.get()))
        }
        Contender::RedisPy | Contender::Loop | Contender::OneByOne | Contender::Bare => {
            bail!("takes no part")
        }
    }
}

/// One task publishes [`MANY`] at once, and waits for the answers.
pub(crate) async fn batches(site: Site<'_>, contender: Contender) -> Result<Sample> {
    let mut n = 0;
    match contender {
        Contender::Fanfare => {
            let fanfare = Fanfare::connect(&site.url()).await?;
            let publisher = fanfare.publisher::<Raw>(CHANNEL);
            let clock = Clock::start();
            while clock.elapsed() < site.duration {
                let batch = std::iter::repeat_n(&PAYLOAD[..], MANY);
                for outcome in publisher.publish_batch(batch).await {
                    outcome?;
                    n += 1;
                }
            }
            Ok(clock.stop(n))
        }
        Contender::RedisRs => {
            let mut connection = peers::connect(site).await?;
            let clock = Clock::start();
            while clock.elapsed() < site.duration {
                let mut batch = redis::pipe();
                for _ in 0..MANY {
                    batch.cmd("PUBLISH").arg(CHANNEL).arg(&PAYLOAD);
                }
                let outcomes: Vec<u64> = batch.query_async(&mut connection).await?;
                n += outcomes.len() as u64;
            }
            Ok(clock.stop(n))
        }
        Contender::RedisPy => python(site),
        Contender::Loop | Contender::OneByOne | Contender::Bare => bail!("takes no part"),
    }
}

const SCRIPT: &str = "
import sys, time, redis
port, seconds, many = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
client = redis.Redis(port=port)
client.ping()
payload = b'x' * 64
n, start = 0, time.perf_counter()
while time.perf_counter() - start < seconds:
    pipeline = client.pipeline(transaction=False)
    for _ in range(many):
        pipeline.publish('news', payload)
    n += len(pipeline.execute())
print(n, time.perf_counter() - start)
";

fn python(site: Site<'_>) -> Result<Sample> {
    let output = Command::new(site.python.context("no python")?)
        .args(["-c", SCRIPT, &site.server.port().to_string()])
        .args([site.duration.as_secs_f64().to_string(), MANY.to_string()])
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut words = printed.split_whitespace();
    let (Some(n), Some(seconds)) = (words.next(), words.next()) else {
        bail!("redis-py: {}", String::from_utf8_lossy(&output.stderr));
    };
    Ok(Sample { n: n.parse()?, seconds: seconds.parse()?, cpu_seconds: None })
}
