//! Limits against naive models, on the runtime's clock.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use proptest::{collection::vec, prelude::*};
use tokio::time::{Instant, sleep};
use tower_layer::Layer;

use super::{super::fixture::run, *};

/// Runs on a clock that is paused.
fn on_paused_clock<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(test)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// When each handler began, in milliseconds; `None`: it was refused. Each call comes so long after the one
/// before, and its handler takes so long.
async fn starts<L>(limit: L, calls: &[(u64, u64)]) -> Vec<Option<u64>>
where
    L: Layer<crate::HandlerService<Call>, Service: CallService>,
{
    let begun = Instant::now();
    let elapsed = move || u64::try_from(begun.elapsed().as_millis()).unwrap();
    let starts = Arc::new(Mutex::new(vec![None; calls.len()]));
    let handler = {
        let (starts, calls) = (starts.clone(), calls.to_vec());
        move |crate::Text(n): crate::Text| {
            let n: usize = n.parse().unwrap();
            starts.lock().unwrap_or_else(PoisonError::into_inner)[n] = Some(elapsed());
            sleep(ms(calls[n].1))
        }
    };
    let service = limit.layer(crate::service(handler, ()));
    let mut at = 0;
    let running = calls.iter().enumerate().map(|(n, (gap, _))| {
        at += gap;
        let (comes, service) = (sleep(ms(at)), service.clone());
        async move {
            comes.await;
            let result = run(&service, crate::layers::fixture::call(n.to_string())).await;
            result.is_ok()
        }
    });
    let passed = join_all(running).await;
    let starts = starts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(starts.iter().map(Option::is_some).collect::<Vec<_>>(), passed);
    starts
}

/// When each comes.
fn arrivals(calls: &[(u64, u64)]) -> Vec<u64> {
    calls
        .iter()
        .scan(0, |at, (gap, _)| {
            *at += gap;
            Some(*at)
        })
        .collect()
}

/// Each begins as soon as fewer than `n` of those that came before it run, if that is soon enough. `None`: two
/// things happen in the same millisecond, and either may be first.
fn places(n: usize, wait_max: u64, calls: &[(u64, u64)]) -> Option<Vec<Option<u64>>> {
    let mut runs: Vec<Option<(u64, u64)>> = Vec::new();
    for (at, (_, takes)) in arrivals(calls).into_iter().zip(calls) {
        let earlier: Vec<(u64, u64)> = runs.iter().flatten().copied().collect();
        let n_running = |t| earlier.iter().filter(|(from, to)| *from <= t && t < *to).count();
        if earlier.iter().any(|(_, to)| *to == at || *to == at + wait_max) {
            return None;
        }
        let moments = earlier.iter().map(|(_, to)| *to).filter(|to| at < *to).chain([at]);
        let start = moments.filter(|t| n_running(*t) < n).min()?;
        runs.push((start <= at + wait_max).then_some((start, start + takes)));
    }
    Some(runs.into_iter().map(|run| run.map(|(from, _)| from)).collect())
}

/// When the next one may begin at the earliest: from any one before it on, there are never more than the burst and
/// what comes in that time.
fn turn(per_second: f64, burst: u32, at: u64, before: &[u64]) -> f64 {
    let last = before.last().copied().unwrap_or(0).max(at);
    let n = before.len();
    before.iter().enumerate().fold(last as f64, |turn, (j, from)| {
        let beyond = (n - j + 1) as f64 - f64::from(burst);
        turn.max(*from as f64 + beyond.max(0.0) * 1_000.0 / per_second)
    })
}

proptest! {
    #[test]
    fn places_are_given_as_a_naive_model_does(
        n in 1_usize..4,
        wait_max in prop_oneof![Just(0), 1_u64..600, Just(100_000)],
        calls in vec((1_u64..300, 1_u64..900), 1..30),
    ) {
        let expected = places(n, wait_max, &calls);
        prop_assume!(expected.is_some());
        let limit = ConcurrencyLimit::new(n).wait_max(ms(wait_max));
        let seen = on_paused_clock(starts(limit.clone(), &calls));
        prop_assert_eq!(Some(&seen), expected.as_ref());
        let late = seen.iter().zip(arrivals(&calls)).filter(|(start, at)| **start != Some(*at));
        let refused = seen.iter().filter(|it| it.is_none()).count() as u64;
        let stats = limit.stats();
        prop_assert_eq!((stats.passed, stats.refused), (calls.len() as u64 - refused, refused));
        prop_assert_eq!(stats.waited, if wait_max == 0 { 0 } else { late.count() as u64 });
    }

    #[test]
    fn turns_are_given_as_a_naive_model_does(
        per_second in 0.5_f64..50.0,
        burst in 1_u32..6,
        wait_max in prop_oneof![Just(0), 1_u64..3_000, Just(10_000_000)],
        calls in vec((1_u64..800, 0_u64..300), 1..40),
    ) {
        /// The bucket adds a millisecond, and the runtime's clock rounds up.
        const NEARLY_MS: f64 = 3.0;
        let limit = RateLimit::per_second(per_second).burst(burst).wait_max(ms(wait_max));
        let seen = on_paused_clock(starts(limit.clone(), &calls));
        let mut before = Vec::new();
        for (start, at) in seen.iter().zip(arrivals(&calls)) {
            let turn = turn(per_second, burst, at, &before);
            let latest = (at + wait_max) as f64;
            if NEARLY_MS < (turn - latest).abs() && (wait_max != 0 || NEARLY_MS < turn - at as f64) {
                prop_assert_eq!(start.is_some(), turn <= latest, "{} at {} in {:?}", turn, at, seen);
            }
            if let Some(start) = *start {
                // What is seen is cut to whole milliseconds.
                let late = start as f64 - turn;
                prop_assert!((-1.001..=NEARLY_MS).contains(&late), "{} for {}", start, turn);
                before.push(start);
            }
        }
        let stats = limit.stats();
        let passed = before.len() as u64;
        prop_assert_eq!((stats.passed, stats.refused), (passed, calls.len() as u64 - passed));
    }
}
