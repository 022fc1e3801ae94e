//! Working through a stream: each entry is read in a group, handled and acknowledged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use fanfare::{Fanfare, stream::Entry, worker::Context};
use redis::{
    AsyncCommands,
    streams::{StreamReadOptions, StreamReadReply},
};

use crate::{
    Site,
    clock::Clock,
    peers::{self, Feeder, command},
    row::{Contender, MANY, PAYLOAD, Sample},
};

const STREAM: &str = "orders";
const GROUP: &str = "billing";

/// Entries of the stream, in hundreds.
const N_HUNDREDS: u64 = 1_000;
const N_HUNDREDS_ONE_BY_ONE: u64 = 50;

/// From before it connects until all entries are acknowledged.
pub(crate) async fn measure(site: Site<'_>, contender: Contender) -> Result<Sample> {
    let n_hundreds = match contender {
        Contender::OneByOne => N_HUNDREDS_ONE_BY_ONE,
        Contender::Fanfare
        | Contender::Loop
        | Contender::RedisRs
        | Contender::RedisPy
        | Contender::Bare => N_HUNDREDS,
    };
    let n = fill(site, n_hundreds, &PAYLOAD)?;
    let sample = match contender {
        Contender::Fanfare => by_worker(site, n).await?,
        Contender::Loop => by_loop(site, n, MANY).await?,
        Contender::OneByOne => by_loop(site, n, 1).await?,
        Contender::RedisRs | Contender::RedisPy | Contender::Bare => bail!("takes no part"),
    };
    let pending = site.server.client().call(&["XPENDING", STREAM, GROUP]);
    anyhow::ensure!(pending.starts_with(b"*4\r\n:0\r\n"), "not all entries are acknowledged");
    Ok(sample)
}

/// Makes the stream, and its group; returns how many entries there are.
pub(crate) fn fill(site: Site<'_>, n_hundreds: u64, payload: &[u8]) -> Result<u64> {
    let mut feeder = Feeder::connect(site)?;
    // The answer to XADD is two lines.
    let chunk = command(&[b"XADD", STREAM.as_bytes(), b"*", b"item", payload]).repeat(100);
    for _ in 0..n_hundreds {
        feeder.send(&chunk, 200)?;
    }
    feeder.send(&command(&[b"XGROUP", b"CREATE", STREAM.as_bytes(), GROUP.as_bytes(), b"0"]), 1)?;
    Ok(n_hundreds * 100)
}

/// A worker with handlers that do next to nothing.
async fn by_worker(site: Site<'_>, n: u64) -> Result<Sample> {
    let n_handled = Arc::new(AtomicU64::new(0));
    let clock = Clock::start();
    let fanfare = Fanfare::connect(&site.url()).await?;
    let worker = fanfare.stream(STREAM).group(GROUP).worker().concurrency(MANY).spawn({
        let n_handled = n_handled.clone();
        move |entry: Arc<Entry>, _: Context| {
            let n_bytes = entry.fields.first().map_or(0, |it| it.1.len());
            n_handled.fetch_add(u64::from(n_bytes == PAYLOAD.len()), Ordering::Relaxed);
            async { Ok::<_, fanfare::Error>(()) }
        }
    })?;
    while worker.stats().counts.acknowledged < n {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let sample = clock.stop(n_handled.load(Ordering::Relaxed));
    worker.stop().await;
    Ok(sample)
}

/// What people write by hand.
async fn by_loop(site: Site<'_>, n: u64, count: usize) -> Result<Sample> {
    let clock = Clock::start();
    let mut connection = peers::connect(site).await?;
    let options = StreamReadOptions::default().group(GROUP, "me").count(count).block(0);
    let mut n_handled = 0;
    while n_handled < n {
        let read: StreamReadReply = connection.xread_options(&[STREAM], &[">"], &options).await?;
        for stream in read.keys {
            let mut ids = Vec::with_capacity(stream.ids.len());
            for entry in stream.ids {
                let payload: Option<Vec<u8>> = entry.get("item");
                n_handled += u64::from(payload.is_some_and(|it| it.len() == PAYLOAD.len()));
                ids.push(entry.id);
            }
            let _: u64 = connection.xack(STREAM, GROUP, &ids).await?;
        }
    }
    Ok(clock.stop(n_handled))
}
