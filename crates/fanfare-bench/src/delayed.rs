//! How late tasks are run that wait for their time, while others are put in and run.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::{Result, ensure};
use fanfare::{
    Fanfare,
    queue::{Job, Task},
};

use crate::{
    Site,
    clock::Clock,
    row::{MANY, Sample},
};

const N_DELAYED: u32 = 100_000;
/// Over so long their times are spread, evenly.
const SPREAD: Duration = Duration::from_secs(20);
/// Until the first of them is due, all are put in.
const HEAD_START: Duration = Duration::from_secs(15);
/// Meanwhile so many others are put in each time, which are due at once.
const OTHERS: usize = 10;
const OTHERS_EVERY: Duration = Duration::from_millis(10);

/// Returns the lateness that 99 of 100 do not exceed, in microseconds, as the number of operations. The
/// server runs on the same machine, so its clock is ours.
pub(crate) async fn measure(site: Site<'_>) -> Result<Sample> {
    let fanfare = Fanfare::connect(&site.url()).await?;
    let queue = fanfare.task_queue("delayed").result_ttl(Duration::ZERO);
    let first = SystemTime::now() + HEAD_START;
    let due = |n: u32| first + SPREAD * n / N_DELAYED;
    let jobs = (0..N_DELAYED).map(|n| Job::new(micros(due(n)).to_string()).at(due(n)));
    queue.enqueue_many(jobs).await?;
    ensure!(SystemTime::now() < first, "not all are in the queue before the first is due");
    let lateness = Arc::new(Mutex::new(Vec::new()));
    let noted = lateness.clone();
    let worker = queue.worker().concurrency(MANY).spawn(move |task: Task| {
        let late = task.text().ok().and_then(|it| it.parse::<i128>().ok());
        if let Some(due) = late {
            let late = micros(SystemTime::now()) - due;
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(late);
        }
        async {}
    })?;
    let clock = Clock::start();
    let n_run = || lateness.lock().unwrap_or_else(PoisonError::into_inner).len();
    while n_run() < usize::try_from(N_DELAYED)? {
        queue.enqueue_many((0..OTHERS).map(|_| Job::new("at once"))).await?;
        tokio::time::sleep(OTHERS_EVERY).await;
        ensure!(clock.elapsed() < 10 * (HEAD_START + SPREAD), "only {} have fired", n_run());
    }
    worker.drain(Duration::from_secs(10)).await;
    let mut late = std::mem::take(&mut *lateness.lock().unwrap_or_else(PoisonError::into_inner));
    late.sort_unstable();
    // Times are kept in whole milliseconds, rounded up.
    ensure!(late.first().is_some_and(|it| 0 <= *it), "one was early: {:?} µs", late.first());
    let at = late.len() - late.len() / 100 - 1;
    Ok(clock.stop(u64::try_from(late.get(at).copied().unwrap_or(i128::MAX))?))
}

fn micros(at: SystemTime) -> i128 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_micros()).unwrap_or(i128::MAX)
}
