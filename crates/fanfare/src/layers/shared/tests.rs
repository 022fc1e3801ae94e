//! The script of a shared rate against the bucket that a program has for itself, with time as an argument.

use std::time::Instant;

use fanfare_testkit::Rng;

use super::*;
use crate::{
    bucket::Bucket,
    client::Ttl,
    commands::{Keys, Strings},
};

/// The bucket adds a millisecond to each wait. Turns are a hundred seconds apart, or more.
const NEARLY: Duration = Duration::from_millis(300);

const N_STEPS: u32 = 200;

fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// The next turn of a bucket.
fn turn_of(bucket: &mut Bucket, mut at: Instant) -> Instant {
    while let Err(later) = bucket.take(at) {
        at = later;
    }
    at
}

fn limit(fanfare: &Fanfare, rng: &mut Rng, n: u32) -> SharedRateLimit {
    let interval_s = 100 + rng.below(2_000);
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    let limit = SharedRateLimit::new(fanfare, n.to_string(), 1.0 / interval_s as f64);
    let burst = u32::try_from(1 + rng.below(5)).unwrap();
    let wait_max = [0, 1, interval_s / 2, 3 * interval_s, 20 * interval_s];
    let wait_max = wait_max[usize::try_from(rng.below(5)).unwrap()];
    limit.burst(burst).wait_max(Duration::from_secs(wait_max))
}

#[tokio::test]
async fn turns_are_those_of_a_bucket() {
    let mut rng = Rng::new(fanfare_testkit::seed());
    let fanfare = Fanfare::connect("embedded:").await.unwrap();
    let client = fanfare.client();
    let code = TURN.text().replace("redis.call('TIME')", "{ ARGV[4], ARGV[5] }");
    assert_ne!(code, TURN.text());
    let script = Script::new(code);
    let (mut n_at_once, mut n_waits, mut n_refused) = (0, 0, 0);
    for n in 0..20 {
        let limit = limit(&fanfare, &mut rng, n);
        let (key, interval) =
            (format!("turns:{n}"), Duration::from_secs_f64(1.0 / limit.per_second));
        let (origin, mut passed) = (Instant::now(), Duration::from_secs(1_700_000_000));
        let start = passed;
        let mut bucket = Bucket::with_capacity(limit.per_second, limit.burst.into(), origin);
        let (mut last_turn, mut used) = (origin, Duration::ZERO);
        for step in 0..N_STEPS {
            passed += match rng.below(10) {
                0..4 => Duration::ZERO,
                4..9 => interval.mul_f64(rng.below(1_000) as f64 / 500.0),
                _ => interval * 10,
            };
            let now = origin + (passed - start);
            // The broker forgets it when all turns that were given are used up.
            if used <= passed && rng.below(2) == 0 {
                client.del([&key]).await.unwrap();
            }
            let mut args = limit.turn().to_vec();
            args.extend([passed.as_secs().to_string(), passed.subsec_micros().to_string()]);
            let said: i64 = client.run_script(&script, [&key], &args).await.unwrap();

            let mut next = bucket.clone();
            let at = turn_of(&mut next, now.max(last_turn));
            let (wait, wait_max) = (at - now, limit.common.wait_max);
            let what =
                format!("limit {n}, step {step}: {said}, and {wait:?} of {wait_max:?}, {limit:?}");
            if wait.abs_diff(wait_max) > NEARLY {
                assert_eq!(0 <= said, wait <= wait_max, "{what}");
            }
            let said_us = micros(said.unsigned_abs());
            if said < 0 {
                n_refused += 1;
                assert!(said_us.abs_diff(wait.saturating_sub(wait_max)) <= NEARLY, "{what}");
                continue;
            }
            *(if said == 0 { &mut n_at_once } else { &mut n_waits }) += 1;
            assert!(said_us.abs_diff(wait) <= NEARLY, "{what}");
            (bucket, last_turn) = (next, at);
            let Ttl::Left(ttl) = client.ttl(&key).await.unwrap() else { panic!("no end: {what}") };
            used = micros(client.get::<u64>(&key).await.unwrap().expect("it is kept"));
            let left = used.saturating_sub(passed);
            assert!(ttl <= left + micros(2_000) && left <= ttl + 60 * micros(1_000_000), "{what}");
        }
    }
    let all = [n_at_once, n_waits, n_refused];
    assert!(all.iter().all(|n| 100 < *n), "not everything was seen: {all:?}");
}

/// The script of places against a list of holders, by a clock that now and then is set.
#[tokio::test]
async fn places_are_those_of_a_model() {
    let mut rng = Rng::new(fanfare_testkit::seed());
    let fanfare = Fanfare::connect("embedded:").await.unwrap();
    let client = fanfare.client();
    let code = PLACE.text().replace("redis.call('TIME')", "{ ARGV[4], ARGV[5] }");
    assert_ne!(code, PLACE.text());
    let script = Script::new(code);
    let (mut n_taken, mut n_kept, mut n_refused, mut n_late) = (0, 0, 0, 0);
    for n in 0..20 {
        let (key, places_max) = (format!("places:{n}"), 1 + rng.below(4));
        // In the year 2100: the broker, which goes by its own clock, must not forget it meanwhile.
        let mut now_ms: u64 = 4_102_444_800_000;
        let mut holders: Vec<(String, u64)> = Vec::new();
        for step in 0..300 {
            now_ms = match rng.below(20) {
                0 => now_ms - rng.below(5_000),
                1 => now_ms + 60_000,
                2..10 => now_ms,
                _ => now_ms + rng.below(400),
            };
            let token = format!("token:{}", rng.below(8));
            let lease_ms = 1 + rng.below(1_000);
            let what = format!("limit {n} of {places_max}, step {step}: {token}, {holders:?}");
            let args = [token.clone(), lease_ms.to_string(), places_max.to_string()];
            let (now_s, now_us) = (now_ms / 1_000, now_ms % 1_000 * 1_000);
            let args = args.into_iter().chain([now_s.to_string(), now_us.to_string()]);
            let said: u64 =
                client.run_script(&script, [&key], args.collect::<Vec<_>>()).await.unwrap();

            let n_before = holders.len();
            holders.retain(|(_, until_ms)| now_ms < *until_ms);
            n_late += n_before - holders.len();
            let own = holders.iter().position(|(holder, _)| *holder == token);
            let expected = match own {
                Some(at) => {
                    n_kept += 1;
                    holders[at].1 = now_ms + lease_ms;
                    0
                }
                None if (holders.len() as u64) < places_max => {
                    n_taken += 1;
                    holders.push((token, now_ms + lease_ms));
                    0
                }
                None => {
                    n_refused += 1;
                    holders.iter().map(|(_, until_ms)| until_ms - now_ms).min().unwrap()
                }
            };
            assert_eq!(said, expected, "{what}");
            assert!(holders.len() as u64 <= places_max);
        }
    }
    let all = [n_taken, n_kept, n_refused, n_late];
    assert!(all.iter().all(|n| 100 < *n), "not everything was seen: {all:?}");
}
