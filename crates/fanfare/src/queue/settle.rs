//! Telling the server what became of a task.

use std::time::Duration;

use fanfare_client::{Error, ErrorKind};

use super::{Failing, QueueWorkerEvent, Settled, Task, TaskQueue, held::Shared};
use crate::worker::{Ending, Patience, Stage, says_full};

/// How long a worker that is being stopped tries to tell of a task. Then others get it when the lease has
/// ended.
const STOPPING_MAX: Duration = Duration::from_secs(10);

/// Tells the server until it answers, or the worker is being stopped and it does not answer for long.
pub(crate) async fn settle(shared: &Shared, queue: &TaskQueue, task: &Task, ending: Ending) {
    let too_long = async {
        let mut stage = shared.life.watch();
        // The sender lives as long as this.
        let _ = stage.wait_for(|it| Stage::Working < *it).await;
        tokio::time::sleep(STOPPING_MAX).await;
    };
    tokio::select! {
        biased;
        () = tell(shared, queue, task, ending) => shared.books().handle_settled(task),
        () = too_long => {}
    }
}

async fn tell(shared: &Shared, queue: &TaskQueue, task: &Task, mut ending: Ending) {
    let mut patience = Patience::default();
    loop {
        let Err(error) = tell_once(shared, queue, task, &ending).await else { return };
        tracing::warn!(id = %task.id(), %error, "the server could not be told of a task");
        shared.handle_failed("to tell what became of a task", &error);
        if error.is_retryable() || says_full(&error) {
            tokio::time::sleep_until(patience.handle_failure().into()).await;
        } else if error.kind() != ErrorKind::Closed && ending == Ending::Handled {
            // A result that is too large, say: it will be no smaller the next time.
            let text = format!("it was run well, but that could not be told: {error}");
            ending = Ending::Permanent(text);
        } else {
            // Others get it when the lease has ended.
            return;
        }
    }
}

async fn tell_once(
    shared: &Shared,
    queue: &TaskQueue,
    task: &Task,
    ending: &Ending,
) -> Result<(), Error> {
    let is_ours = match ending {
        Ending::Handled => {
            let settled = queue.complete(task).await?;
            shared.books().counts.completed += u64::from(settled == Settled::Yes);
            settled == Settled::Yes
        }
        Ending::Refused(refusal) => {
            queue.release(task, false, Some(refusal.wait)).await? == Settled::Yes
        }
        Ending::Failed(_) | Ending::Permanent(_) | Ending::Panicked(_) | Ending::TimedOut(_) => {
            let is_final = matches!(ending, Ending::Permanent(_));
            let rest = (!is_final).then(|| queue.rest(task.deliveries()));
            let error = ending.text().unwrap_or_default();
            let failing = queue.fail(task, &error, rest).await?;
            if failing == Failing::Dead {
                shared.handle_dead(task.id().clone(), error);
            }
            failing != Failing::Lost
        }
    };
    if !is_ours {
        shared.books().counts.lost += 1;
        if !task.is_lost() {
            task.lose();
            shared.announce(QueueWorkerEvent::Lost { ids: vec![task.id().clone()] });
        }
    }
    Ok(())
}

/// Says once what became of the tasks that are left when the handlers are gone.
pub(crate) async fn give_back(shared: &Shared, queue: &TaskQueue) {
    let held = shared.books().held();
    let told = held.into_iter().map(|(task, ending)| async move {
        match ending {
            Some(ending) => settle(shared, queue, &task, ending).await,
            None => give_back_one(shared, queue, &task, true).await,
        }
    });
    futures_util::future::join_all(told).await;
}

/// A task goes back to where it was in line.
pub(crate) async fn give_back_one(
    shared: &Shared,
    queue: &TaskQueue,
    task: &Task,
    was_begun: bool,
) {
    match queue.release(task, was_begun, None).await {
        Ok(_) => shared.books().counts.returned += 1,
        Err(error) => shared.handle_failed("to give a task back", &error),
    }
    shared.books().handle_settled(task);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fanfare, layers::fixture};

    #[tokio::test(start_paused = true)]
    async fn who_is_stopped_does_not_wait_for_ever_for_a_server_that_is_away() {
        let fanfare = Fanfare::builder("redis://127.0.0.1:1").connect_lazy().await.unwrap();
        let queue = fanfare.task_queue("q");
        let shared = Shared::new("q".to_owned());
        let (_, task) = fixture::task("x", "[]");
        shared.handle_taken(std::slice::from_ref(&task));
        let telling = settle(&shared, &queue, &task, Ending::Handled);
        let stopping = async {
            // As long as it works, it tries on.
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            assert!(1 < shared.books().counts.errors);
            shared.life.reach(Stage::Draining);
        };
        let begun = tokio::time::Instant::now();
        tokio::join!(telling, stopping);
        assert_eq!(begun.elapsed(), Duration::from_secs(3_600) + STOPPING_MAX);
        let held = shared.books().held();
        assert_eq!(held.len(), 1, "it is left to its lease");
    }
}
