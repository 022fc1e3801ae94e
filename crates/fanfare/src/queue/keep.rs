//! The task of a worker that keeps the leases.

use std::sync::Arc;

use super::{QueueWorkerEvent, Task, TaskQueue, held::Shared};

/// Leases that are renewed in one call.
const RENEWED_MAX: usize = 200;

/// Gives signs of life for all that the worker has.
pub(crate) async fn keep(shared: Arc<Shared>, queue: TaskQueue) {
    let every = queue.rules.lease / 3;
    let mut pause = every;
    loop {
        tokio::time::sleep(pause).await;
        pause = every;
        let tasks: Vec<Task> = shared.books().held().into_iter().map(|(task, _)| task).collect();
        for some in tasks.chunks(RENEWED_MAX) {
            match queue.renew(some).await {
                Ok(kept) => handle_kept(&shared, some, &kept),
                Err(error) => {
                    shared.handle_failed("to renew leases", &error);
                    pause = every / 4;
                }
            }
        }
    }
}

fn handle_kept(shared: &Shared, tasks: &[Task], kept: &[bool]) {
    let lost = tasks.iter().zip(kept).filter(|(_, is_kept)| !**is_kept).map(|(task, _)| task);
    let lost: Vec<&Task> = {
        // What has been settled meanwhile, or is about to be, is no loss: whoever settles it knows.
        let books = shared.books();
        lost.filter(|task| books.runs(task) && !task.is_lost()).collect()
    };
    if lost.is_empty() {
        return;
    }
    lost.iter().for_each(|task| task.lose());
    let ids = lost.into_iter().map(|task| task.id().clone()).collect();
    tracing::warn!(?ids, "tasks are not this worker's any more");
    shared.announce(QueueWorkerEvent::Lost { ids });
}
