//! Routers without a runtime: plain functions on threads apart.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use fanfare::{
    Channel, Error, ErrorKind, Failed, Gap, Json, Overflow, State, Text, blocking::Fanfare,
};

use super::{PATIENCE, until};
use crate::support::{Target, TestResult};

on_everything!(
    arguments_failures_and_panics_are_each_handlers_own,
    a_handler_that_blocks_delays_nobody_else,
    handlers_come_and_go,
    gaps_are_told_and_may_take_their_time,
);

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn add(&self, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn arguments_failures_and_panics_are_each_handlers_own(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let (seen, failed) = (Seen::default(), Seen::default());
    let router = fanfare
        .router()
        .state(seen.clone())
        .channel("numbers", |State(seen): State<Seen>, Json(n): Json<u32>| match n {
            7 => panic!("as asked"),
            8 => Err("too large"),
            n => {
                seen.add(n.to_string());
                Ok(())
            }
        })
        .channel("numbers", |State(seen): State<Seen>, n: Result<Json<u32>, Error>| {
            seen.add(format!("any {}", n.is_ok()));
        })
        .fallback("num*", |State(seen): State<Seen>, channel: Channel, Text(text): Text| {
            seen.add(format!("{} {text}", channel.name()));
        })
        .sharded("shard", || {})
        .on_error({
            let failed = failed.clone();
            move |it: Failed| failed.add(it.reason.to_string())
        })
        .start()?;
    for payload in ["1", "7", "no number", "8", "2"] {
        fanfare.publish("numbers", payload)?;
    }
    fanfare.publish("numbness", "x")?;
    fanfare.spublish("shard", "x")?;
    let stats = router.wait_finished(12);
    let [numbers, any, rest, shard] = stats.routes.as_slice() else {
        return Err(format!("{stats:?}").into());
    };
    let of = |it: &fanfare::RouteStats| (it.handled, it.failed, it.undecodable, it.panicked);
    assert_eq!((of(numbers), of(any)), ((2, 1, 1, 1), (5, 0, 0, 0)));
    assert_eq!((of(rest), of(shard)), ((1, 0, 0, 0), (1, 0, 0, 0)));
    let seen = seen.all();
    let only = |prefix: &str| seen.iter().filter(|it| it.starts_with(prefix)).count();
    assert_eq!((only("any true"), only("any false"), only("numbness x")), (4, 1, 1));
    let numbers: Vec<_> = seen.iter().filter(|it| it.parse::<u32>().is_ok()).collect();
    assert_eq!(numbers, ["1", "2"], "in their order");
    let failed = failed.all();
    assert_eq!(failed.len(), 3, "{failed:?}");
    assert_eq!(failed.first().map(String::as_str), Some("panicked: as asked"));
    assert_eq!(failed.last().map(String::as_str), Some("too large"));
    assert!(router.error().is_none());
    assert_eq!(router.stop().finished(), 12);
    Ok(())
}

fn a_handler_that_blocks_delays_nobody_else(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let router = fanfare
        .router()
        .queue(Overflow::DropOldest, 2, 10_000)
        .channel("c", move || {
            let gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
            // An error: the gate is open for ever.
            let _ = gate.recv_timeout(PATIENCE);
        })
        .queue(Overflow::DropOldest, 1_000, 1_000_000)
        .concurrency(4)
        .pattern("c*", || {})
        .start()?;
    for n in 0..200 {
        fanfare.publish("c", n.to_string())?;
    }
    let numbers = || {
        let stats = router.stats();
        (stats.routes.first().cloned(), stats.routes.last().map(|it| it.handled))
    };
    until("the others are handled", || numbers().1 == Some(200))?;
    until("the slow one's are dropped", || {
        numbers().0.is_some_and(|it| (it.running, it.queued_messages, it.dropped) == (1, 2, 197))
    })?;
    drop(open);
    let stats = router.finish();
    let slow = stats.routes.first().ok_or("no counts")?;
    assert_eq!((slow.handled, slow.dropped), (3, 197));
    Ok(())
}

fn handlers_come_and_go(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let n = Arc::new(AtomicU64::new(0));
    let count = |by: u64| {
        let n = n.clone();
        move || {
            n.fetch_add(by, Ordering::SeqCst);
        }
    };
    let router = fanfare.router().channel("a", count(1)).start()?;
    let b = router.channel("b", count(10))?;
    let pattern = router.pattern("?", count(100))?;
    router.sharded("s", count(1_000))?;
    fanfare.publish("b", "x")?;
    fanfare.spublish("s", "x")?;
    router.wait_finished(3);
    assert_eq!(n.load(Ordering::SeqCst), 1_110);
    assert_eq!(router.remove(pattern).ok_or("it was there")?.handled, 1);
    assert_eq!(router.remove(b).ok_or("it was there")?.handled, 1);
    assert!(router.remove(b).is_none());
    fanfare.publish("b", "x")?;
    server.check_receivers(fanfare.publish("a", "x")?, 1);
    router.wait_finished(2);
    assert_eq!(n.load(Ordering::SeqCst), 1_111);
    fanfare.close();
    until("its end is told", || router.error().is_some())?;
    assert_eq!(router.error().map(|it| it.kind()), Some(ErrorKind::Closed));
    Ok(())
}

fn gaps_are_told_and_may_take_their_time(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let (sender, told) = mpsc::channel();
    let router = fanfare
        .router()
        .channel("c", || {})
        .on_gap(move |gap: &Gap| {
            // Whoever listens may have gone.
            let _ = sender.send((thread::current().name().map(str::to_owned), gap.clone()));
            panic!("as asked");
        })
        .start()?;
    for n in 1..=2 {
        assert_ne!(server.kill_clients("pubsub"), 0);
        let (thread, gap) = told.recv_timeout(PATIENCE)?;
        assert_eq!(thread.as_deref(), Some("fanfare-handler"));
        assert!(gap.outage.is_some());
        // It is subscribed again when the message arrives.
        until("a message arrives", || {
            fanfare.publish("c", "x").is_ok() && n <= router.stats().finished()
        })?;
    }
    drop(router);
    until("nobody is subscribed", || server.n_subscribers("c") == 0)
}
