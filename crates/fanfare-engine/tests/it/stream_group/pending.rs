//! What is pending: XPENDING and XAUTOCLAIM.
//!
//! docs/differences.md: D36

use fanfare_engine::Version;
use fanfare_testkit::{Rng, seed};

use super::check_five_of_six;
use crate::world::World;

/// redis-server reserves memory for as many entries as are asked for, and refuses what it can not reserve.
#[test]
fn any_number_of_entries_may_be_asked_for() {
    check_five_of_six(
        r#"
> XAUTOCLAIM s g d 0 (3-0 COUNT 576460752303423487 JUSTID
< *3 $3 0-0 *2 $3 4-0 $3 5-0 *0
> XAUTOCLAIM s g d 0 (3-0 COUNT 576460752303423488 JUSTID
< -ERR COUNT must be > 0
"#,
    );
}

/// What was idle for long is found among what was not, whichever way is the shorter one.
#[test]
fn idle_entries_are_those_that_a_look_at_all_of_them_finds() {
    let seed = seed();
    let mut rng = Rng::new(seed);
    for _ in 0..30 {
        let mut world = World::new(Version::Resp2);
        world.line("XGROUP CREATE k g $ MKSTREAM");
        let n_entries = 1 + rng.below(60);
        let often = 1 + rng.below(20);
        for id in 1..=n_entries {
            world.line(&format!("XADD k {id} n 1"));
            let idle_max = if rng.below(20) < often { 5 } else { 1000 };
            let idle = rng.below(idle_max);
            let consumer = if rng.below(2) == 0 { "a" } else { "b" };
            world.line(&format!("XCLAIM k g {consumer} 0 {id} FORCE JUSTID IDLE {idle}"));
            if rng.below(10) == 0 {
                world.line(&format!("XNACK k g FAIL IDS 1 {id}"));
            }
        }
        let rows = |reply: &str| -> Vec<String> {
            let (_, rows) = reply.split_once(' ').unwrap_or_default();
            rows.split("*4 ").skip(1).map(|it| it.trim().to_owned()).collect()
        };
        for _ in 0..30 {
            let (first, last) = (rng.below(n_entries + 1), rng.below(n_entries + 2));
            let (idle, count) = (rng.below(1100), rng.below(12));
            let consumer = ["", " a", " b"][usize::try_from(rng.below(3)).unwrap()];
            let all = rows(&world.line(&format!("XPENDING k g {first} {last} 100{consumer}")));
            let is_idle = |row: &String| {
                let ms = row.split(" :").nth(1).and_then(|it| it.parse::<i64>().ok());
                ms.is_some_and(|it| it == -1 || idle.cast_signed() <= it)
            };
            let expected: Vec<_> =
                all.into_iter().filter(is_idle).take(usize::try_from(count).unwrap()).collect();
            let line = format!("XPENDING k g IDLE {idle} {first} {last} {count}{consumer}");
            assert_eq!(rows(&world.line(&line)), expected, "{line} (seed {seed})");
        }
    }
}
