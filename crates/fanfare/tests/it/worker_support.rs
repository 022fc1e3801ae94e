//! What tests of workers have in common.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fanfare::{
    Backoff,
    stream::{Entry, Group, Pending, PendingEntry},
    worker::{Context, RunningWorker, Worker},
};

use crate::support::TestResult;

pub(crate) const MS: fn(u64) -> Duration = Duration::from_millis;

/// What handlers got, in order: the value of field `n`, and the number of deliveries.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<(String, u64)>>>);

impl Seen {
    pub(crate) fn push(&self, entry: &Entry, context: &Context) {
        let n = entry.text("n").unwrap_or("?").to_owned();
        self.lock().push((n, context.deliveries()));
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn has(&self, n: &str) -> bool {
        self.lock().iter().any(|(it, _)| it == n)
    }
}

pub(crate) fn quick(group: &Group) -> Worker {
    group.worker().lease(MS(800)).retry(Backoff { first: MS(20), cap: MS(100) })
}

/// A worker that notes what it gets.
pub(crate) fn noting(worker: Worker, seen: &Seen) -> Result<RunningWorker, fanfare::Error> {
    let seen = seen.clone();
    worker.spawn(move |entry, context| {
        seen.push(&entry, &context);
        async {}
    })
}

pub(crate) async fn add(group: &Group, numbers: impl Iterator<Item = u32>) -> TestResult {
    let entries = numbers.map(|n| [("n", n.to_string())]);
    for outcome in group.stream().add_batch(entries).await {
        outcome?;
    }
    Ok(())
}

pub(crate) async fn pending(group: &Group) -> Result<Vec<PendingEntry>, fanfare::Error> {
    group.pending(Pending::new().limit(1_000)).await
}

/// Waits, for at most a minute, until nothing is pending.
pub(crate) async fn settled(group: &Group) -> TestResult {
    for _ in 0..1_200 {
        let info = group.info().await?;
        if info.as_ref().is_some_and(|it| it.pending == 0 && it.lag.is_none_or(|lag| lag == 0)) {
            return Ok(());
        }
        tokio::time::sleep(MS(50)).await;
    }
    Err(format!("not settled: {:?}", pending(group).await?).into())
}
