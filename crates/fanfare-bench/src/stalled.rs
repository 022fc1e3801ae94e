//! What a worker holds in memory while its handlers hang and a long stream lies before it.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use fanfare::{Fanfare, stream::Entry, worker::Context};

use crate::{
    Site,
    clock::Clock,
    row::{MANY, Sample},
    work,
};

/// Returns the entries that are held, as the number of operations.
pub(crate) async fn measure(site: Site<'_>) -> Result<Sample> {
    let n = work::fill(site, 200, &[b'x'; 1024])?;
    let clock = Clock::start();
    let fanfare = Fanfare::connect(&site.url()).await?;
    let group = fanfare.stream("orders").group("billing");
    let worker = group.worker().concurrency(MANY).spawn(async |_: Arc<Entry>, _: Context| {
        std::future::pending::<Result<(), fanfare::Error>>().await
    })?;
    tokio::time::sleep(site.duration).await;
    let held = worker.stats().held;
    let sample = clock.stop(u64::try_from(held)?);
    anyhow::ensure!(MANY <= held && sample.n < n, "{held} of {n} entries are held");
    worker.drain(Duration::ZERO).await;
    Ok(sample)
}
