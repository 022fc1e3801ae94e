//! Subscribing to what another thread publishes as fast as the server takes it.

use std::thread;

use anyhow::{Context, Result, bail};
use fanfare::{Fanfare, Overflow};
use futures_util::StreamExt;

use crate::{
    Site,
    clock::Clock,
    peers::{Feeder, command},
    row::{Contender, MANY, PAYLOAD, Sample},
};

const CHANNEL: &str = "news";
const END: &[u8] = b"end";

/// From the first message that is published until the last one has arrived.
pub(crate) async fn measure(site: Site<'_>, contender: Contender) -> Result<Sample> {
    match contender {
        Contender::Fanfare => {
            let fanfare = Fanfare::connect(&site.url()).await?;
            // It may not drop anything, since redis-rs does not either.
            let builder = fanfare.subscriber().channels([CHANNEL]);
            let mut news = builder.queue(Overflow::Block, 65_536, 64 << 20).connect().await?;
            let feed = feed(site)?;
            let (clock, mut n) = (Clock::start(), 0);
            while news.next().await.context("no end")?.payload != END {
                n += 1;
            }
            end(&clock, n, feed)
        }
        Contender::RedisRs => {
            let mut news = redis::Client::open(site.url())?.get_async_pubsub().await?;
            news.subscribe(CHANNEL).await?;
            let mut news = news.into_on_message();
            let feed = feed(site)?;
            let (clock, mut n) = (Clock::start(), 0);
            while news.next().await.context("no end")?.get_payload_bytes() != END {
                n += 1;
            }
            end(&clock, n, feed)
        }
        Contender::RedisPy | Contender::Loop | Contender::OneByOne | Contender::Bare => {
            bail!("takes no part")
        }
    }
}

type Feed = thread::JoinHandle<Result<u64>>;

fn feed(site: Site<'_>) -> Result<Feed> {
    let mut feeder = Feeder::connect(site)?;
    let duration = site.duration;
    Ok(thread::spawn(move || {
        let publish = command(&[b"PUBLISH", CHANNEL.as_bytes(), &PAYLOAD]).repeat(MANY);
        let n = feeder.repeat(&publish, MANY, duration)?;
        feeder.send(&command(&[b"PUBLISH", CHANNEL.as_bytes(), END]), 1)?;
        Ok(n * MANY as u64)
    }))
}

fn end(clock: &Clock, n: u64, feed: Feed) -> Result<Sample> {
    let sample = clock.stop(n);
    let Ok(n_sent) = feed.join() else { bail!("the feeder has panicked") };
    let n_sent = n_sent?;
    anyhow::ensure!(n == n_sent, "{n} of {n_sent} messages arrived");
    Ok(sample)
}
