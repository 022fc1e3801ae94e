//! Queues without a runtime.

use std::{
    sync::{Mutex, PoisonError, mpsc},
    time::Duration,
};

use fanfare::{
    Backoff, Json, State,
    blocking::{self, Fanfare},
    layers::{Layer, Stack},
    queue::{Ending, Failing, Job, QueueWorkerEvent, Settled, Task, TaskState},
    worker::WorkerState,
};

use super::{PATIENCE, until};
use crate::support::{Target, TestResult};

on_everything!(tasks_are_put_in_taken_and_run);

const HOUR: Duration = Duration::from_secs(3_600);
const SHORT: Backoff = Backoff { first: Duration::from_millis(10), cap: Duration::from_millis(50) };

fn tasks_are_put_in_taken_and_run(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    by_hand(&fanfare)?;
    by_kinds(&fanfare)?;
    by_workers(&fanfare)?;
    by_services(&fanfare)
}

fn by_hand(fanfare: &Fanfare) -> TestResult {
    let queue = fanfare.task_queue("hand").lease(HOUR).result_ttl(HOUR).deliveries_max(2);
    assert_eq!(queue.name(), b"hand");
    assert!(queue.take(1)?.is_empty());
    let tickets = queue.enqueue_many(["a", "b", "c"].map(Job::new))?;
    let [a, b, c] = &queue.take_within(3, PATIENCE)?[..] else {
        return Err("not all were taken".into());
    };
    a.task().set_result("done");
    assert_eq!((a.renew()?, a.complete()?), (Settled::Yes, Settled::Yes));
    let ticket = tickets.first().ok_or("no ticket")?;
    assert!(ticket.is_new() && ticket.id() == a.task().id());
    assert_eq!(ticket.outcome(PATIENCE)?, Some(Ending::Done(Some("done".into()))));
    assert_eq!(b.give_up("no")?, Failing::Dead);
    assert_eq!(c.release_for(HOUR)?, Settled::Yes);
    let delayed = queue.delayed(10)?;
    assert_eq!(delayed.first().map(|(id, _)| id), Some(c.task().id()));
    assert!(queue.reschedule_in(c.task().id(), Duration::ZERO)? && queue.cancel(c.task().id())?);
    assert_eq!(queue.ticket(c.task().id().clone()).outcome(PATIENCE)?, Some(Ending::Cancelled));
    let dead = queue.dead_letters();
    assert_eq!((dead.len()?, dead.is_empty()?), (1, false));
    let letter = dead.list(10)?.pop().ok_or("no letter")?;
    assert_eq!(letter.error.as_deref(), Some("no"));
    assert!(dead.show(&letter.id)?.is_some() && dead.requeue(&letter.id)?);
    let taken = queue.take(1)?.pop().ok_or("it was not sent back")?;
    assert_eq!(taken.fail_for("no", Duration::ZERO)?, Failing::Again);
    let taken = queue.take_within(1, PATIENCE)?.pop().ok_or("it does not come again")?;
    assert_eq!(taken.fail("no")?, Failing::Dead);
    assert_eq!((dead.requeue_all()?, dead.purge([letter.id])?), (1, 0));
    let stats = queue.stats()?;
    assert_eq!((stats.ready, stats.counts.done, stats.counts.dead), (1, 1, 2));
    Ok(())
}

fn by_kinds(fanfare: &Fanfare) -> TestResult {
    let unique = fanfare.unique_queue("unique").window(HOUR);
    let first = unique.enqueue("k", "1")?;
    let second = unique.enqueue("k", "2")?;
    assert!(first.is_new() && !second.is_new() && first.id() == second.id());
    let taken = unique.take(2)?;
    assert_eq!(taken.len(), 1);
    for taken in taken {
        assert_eq!(taken.complete()?, Settled::Yes);
    }
    assert!(!unique.enqueue("k", "3")?.is_new(), "the window");
    let priority = fanfare.priority_queue("priority");
    priority.enqueue(0, "low")?;
    priority.enqueue(9, "high")?;
    let order: Vec<_> = priority.take(2)?.iter().map(|it| it.task().payload().clone()).collect();
    assert_eq!(order, ["high", "low"]);
    let delay = fanfare.delay_queue("delay");
    let later = delay.enqueue_in(HOUR, "later")?;
    assert!(delay.due(later.id())?.is_some());
    delay.enqueue_at(std::time::SystemTime::now() + Duration::from_millis(30), "soon")?;
    let taken = delay.take_within(2, PATIENCE)?;
    assert_eq!(taken.iter().map(|it| it.task().text()).collect::<Result<Vec<_>, _>>()?, ["soon"]);
    let info = delay.show(later.id())?.ok_or("it is gone")?;
    assert_eq!(info.state, TaskState::Delayed);
    Ok(())
}

fn by_workers(fanfare: &Fanfare) -> TestResult {
    let queue = fanfare.task_queue("worker").retry(SHORT).result_ttl(HOUR).deliveries_max(2);
    let (arrive, arrived) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let worker = queue.worker().concurrency(4).name("me").spawn(move |task: Task| {
        match task.text().map_err(|error| error.to_string())? {
            "fails" => Err("as asked".to_owned()),
            "panics" if task.deliveries() == 1 => panic!("as asked"),
            "waits" => {
                arrive.send(()).map_err(|error| error.to_string())?;
                let gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
                // An error: the gate is open.
                let _ = gate.recv_timeout(PATIENCE);
                Ok(())
            }
            _ => Ok(()),
        }
    })?;
    let mut events = worker.events();
    assert_eq!(worker.name(), b"me");
    let tickets = queue.enqueue_many(["fails", "panics", "well"].map(Job::new))?;
    let endings = [Ending::Dead("as asked".to_owned()), Ending::Done(None), Ending::Done(None)];
    for (ticket, ending) in tickets.iter().zip(endings) {
        assert_eq!(ticket.outcome(PATIENCE)?, Some(ending));
    }
    let dead = events.next_within(PATIENCE).ok_or("no event")?;
    assert!(matches!(dead, QueueWorkerEvent::DeadLettered { error, .. } if error == "as asked"));
    // While threads are blocked, the connections are not.
    queue.enqueue_many((0..4).map(|_| Job::new("waits")))?;
    for _ in 0..4 {
        arrived.recv_timeout(PATIENCE)?;
    }
    assert!(worker.stats().is_held_back && queue.stats()?.leased == 4);
    drop(open);
    let stats = worker.drain(PATIENCE);
    assert_eq!((stats.state, stats.counts.completed, stats.held), (WorkerState::Stopped, 6, 0));
    assert!(events.next().is_none(), "they end with the worker");
    Ok(())
}

fn by_services(fanfare: &Fanfare) -> TestResult {
    let queue = fanfare.task_queue("services").result_ttl(HOUR);
    let handler = |Json(n): Json<u64>, State(m): State<u64>, task: Task| task.set_json(&(n * m));
    let worker = queue.worker().spawn_with(handler, 7)?;
    let ticket = queue.enqueue_json(&6)?;
    assert_eq!(ticket.outcome(PATIENCE)?, Some(Ending::Done(Some("42".into()))));
    worker.stop();
    let handler = |Json(n): Json<u64>, task: Task| task.set_json(&(n + 1));
    let service = Stack::new("adding").layer(blocking::service(handler, ()));
    let worker = queue.worker().spawn_service(service)?;
    let ticket = queue.enqueue_json(&41)?;
    until("it is done", || worker.stats().counts.completed == 1)?;
    assert_eq!(ticket.outcome(PATIENCE)?, Some(Ending::Done(Some("42".into()))));
    worker.stop();
    let (stop, stopped) = mpsc::channel();
    queue.enqueue("the last")?;
    let handler = move |_: Task| stop.send(()).map_err(|_| "nobody listens");
    let until = move || assert!(stopped.recv_timeout(PATIENCE).is_ok(), "nothing is run");
    let stats = queue.worker().run(handler, until, PATIENCE)?;
    assert_eq!((stats.counts.completed, stats.state), (1, WorkerState::Stopped));
    Ok(())
}
