//! Schedules: each firing becomes one task, however many programs run them.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use fanfare::{
    ErrorKind, Fanfare,
    queue::{Job, Missed, Schedule, Settled, Task, TaskQueue},
    testing,
};

use crate::{
    queue_support::{HOUR, take_one},
    support::{Target, TestResult, on_everything, until},
};

on_everything!(each_firing_is_one_task_however_many_schedulers_run, what_was_missed_is_made_up_for, a_schedule_that_is_set_again_keeps_what_it_owes, what_can_not_be_read_holds_up_nothing; not embedded: a_scheduler_goes_on_after_the_server_was_away,);

/// A sketch fired from a timer in each program: three replicas sent three mails.
async fn each_firing_is_one_task_however_many_schedulers_run(server: Target) -> TestResult {
    let mut schedulers = Vec::new();
    for _ in 0..3 {
        let fanfare = server.connect().await?;
        let schedules = fanfare.task_queue("q").schedules();
        // What each program does that starts.
        let job = Job::new(&b"\xff\0"[..]).header("a", "b").priority(4).deliveries_max(7);
        let schedule = Schedule::new("* * * * * *", job)?.missed(Missed::All(100));
        schedules.set("beat", &schedule).await?;
        schedulers.push(schedules.spawn()?);
    }
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR);
    let mut seen = BTreeSet::new();
    while seen.len() < 4 {
        let taken = take_one(&queue).await?;
        let at = taken.task().header("scheduled-for").unwrap_or_default().to_owned();
        assert_eq!(taken.task().header("schedule"), Some("beat"));
        assert_eq!(
            (taken.task().payload(), taken.task().header("a")),
            (&(&b"\xff\0"[..]).into(), Some("b"))
        );
        assert_eq!(taken.task().priority(), 4);
        assert!(seen.insert(at.clone()), "{at} was fired twice");
        assert_eq!(taken.complete().await?, Settled::Yes);
    }
    let mut n_fired = 0;
    for scheduler in schedulers {
        let stats = scheduler.stop().await;
        assert_eq!(stats.errors, 0, "{:?}", stats.last_error);
        n_fired += stats.fired;
    }
    let counts = queue.stats().await?.counts;
    assert_eq!((counts.enqueued, counts.duplicates), (n_fired, 0));
    // None was left out.
    let seconds: Vec<i64> = seen.iter().filter_map(|it| second(it)).collect();
    assert!(seconds.iter().zip(seconds.iter().skip(1)).all(|(a, b)| a + 1 == *b), "{seen:?}");
    Ok(())
}

/// The second of the hour of a time in RFC 3339.
fn second(at: &str) -> Option<i64> {
    let minute: i64 = at.get(14..16)?.parse().ok()?;
    let second: i64 = at.get(17..19)?.parse().ok()?;
    let of_hour = minute * 60 + second;
    // The hour may have been full in between.
    Some(if of_hour < 1_800 { of_hour + 3_600 } else { of_hour })
}

fn ms(at: SystemTime) -> Result<u128, std::time::SystemTimeError> {
    Ok(at.duration_since(SystemTime::UNIX_EPOCH)?.as_millis())
}

/// As if nobody had run the schedule for so long.
async fn owe(fanfare: &Fanfare, name: &str, since: Duration) -> TestResult {
    let at = ms(SystemTime::now() - since)?.to_string();
    fanfare.command(["ZADD", "{q}:cron", &at, name]).await?;
    Ok(())
}

async fn what_was_missed_is_made_up_for(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR);
    let schedules = queue.schedules();
    // Half an hour from now, so the last one was half an hour ago.
    let minute = (ms(SystemTime::now())? / 60_000 + 30) % 60;
    let pattern = format!("{minute} * * * *");
    for (name, missed) in [("skip", Missed::Skip), ("one", Missed::One), ("all", Missed::All(3))] {
        let schedule = Schedule::new(pattern.clone(), name)?.missed(missed);
        assert!(SystemTime::now() < schedules.set(name, &schedule).await?);
        owe(&fanfare, name, 10 * HOUR).await?;
    }
    let scheduler = schedules.spawn()?;
    testing::eventually("all have moved on", async || {
        let now = SystemTime::now();
        schedules.list().await.is_ok_and(|it| it.iter().all(|it| now < it.next))
    })
    .await;
    let mut fired: Vec<_> = Vec::new();
    for taken in queue.take(10).await? {
        let task: &Task = taken.task();
        let at = task.header("scheduled-for").unwrap_or_default().to_owned();
        fired.push((task.text()?.to_owned(), at));
    }
    fired.sort();
    let names: Vec<_> = fired.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names, ["all", "all", "all", "one"]);
    let last: BTreeSet<_> = fired.iter().skip(2).map(|(_, at)| at).collect();
    assert_eq!(last.len(), 1, "the last one is among them: {fired:?}");
    until("it knows what it did", || scheduler.stats().fired == 4).await?;
    scheduler.stop().await;
    Ok(())
}

async fn a_schedule_that_is_set_again_keeps_what_it_owes(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue: TaskQueue = fanfare.task_queue("q");
    let schedules = queue.schedules();
    let hourly = Schedule::new("@hourly", "x")?.time_zone("Asia/Kolkata")?;
    let first = schedules.set("a", &hourly).await?;
    owe(&fanfare, "a", 2 * HOUR).await?;
    assert!(schedules.set("a", &hourly.clone().missed(Missed::All(2))).await? < SystemTime::now());
    let mut listed = schedules.list().await?;
    let info = listed.pop().ok_or("it is not kept")?;
    assert_eq!((listed.len(), info.missed), (0, Missed::All(2)));
    assert_eq!((&info.pattern[..], &info.time_zone[..]), ("@hourly", "Asia/Kolkata"));
    // Another time is another schedule.
    let other = schedules.set("a", &hourly.time_zone("UTC")?).await?;
    assert!(SystemTime::now() < other && other != first);
    assert!(schedules.remove("a").await? && !schedules.remove("a").await?);
    assert!(schedules.list().await?.is_empty());
    let past = Schedule::new("0 0 0 1 1 * 2020", "x")?;
    let error = schedules.set("past", &past).await.err().ok_or("it was taken")?;
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    Ok(())
}

async fn what_can_not_be_read_holds_up_nothing(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR);
    let schedules = queue.schedules();
    fanfare.command(["HSET", "{q}:schedule:odd", "pattern", "at tea time", "zone", "UTC"]).await?;
    owe(&fanfare, "odd", 2 * HOUR).await?;
    owe(&fanfare, "gone", 2 * HOUR).await?;
    schedules.set("good", &Schedule::new("@hourly", "x")?).await?;
    owe(&fanfare, "good", HOUR).await?;
    let scheduler = schedules.spawn()?;
    assert_eq!(take_one(&queue).await?.task().header("schedule"), Some("good"));
    let error = scheduler.stop().await.last_error.ok_or("nothing was wrong")?;
    assert!(error.to_string().contains("at tea time") || error.kind() == ErrorKind::InvalidOption);
    assert!(fanfare.command(["ZSCORE", "{q}:cron", "gone"]).await?.is_null());
    Ok(())
}

async fn a_scheduler_goes_on_after_the_server_was_away(mut server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let schedules = fanfare.task_queue("q").schedules();
    let schedule = Schedule::new("* * * * * *", "x")?;
    schedules.set("beat", &schedule).await?;
    let scheduler = schedules.spawn()?;
    until("it has fired", || 0 < scheduler.stats().fired).await?;
    server.stop();
    until("it fails", || 0 < scheduler.stats().errors).await?;
    server.restart();
    // The server has forgotten everything.
    testing::eventually("it is set again", async || schedules.set("beat", &schedule).await.is_ok())
        .await;
    let before = scheduler.stats().fired;
    until("it fires again", || before < scheduler.stats().fired).await?;
    let health = fanfare.health();
    assert!(health.live.iter().any(|it| it.name == "q schedules"), "{health:?}");
    scheduler.stop().await;
    Ok(())
}
