//! What happens when memory is full.

use fanfare_engine::Version;
use fanfare_engine::keyspace::Policy;
use fanfare_engine::notify::Classes;
use fanfare_testkit::{Rng, seed};

use crate::world::World;

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";

fn world(policy: Policy, memory_max: u64) -> World {
    let world = World::new(Version::Resp2);
    world.keyspace.tuning().set_policy(policy);
    world.keyspace.tuning().set_memory_max(memory_max);
    world
}

#[test]
fn without_eviction_what_needs_memory_is_refused() {
    let mut world = world(Policy::NoEviction, 1);
    assert_eq!(world.line("SET a 1"), "+OK", "the first byte is not too many");
    assert_eq!(world.line("SET a 1"), OOM);
    assert_eq!(world.line("GET a"), "$1 1");
    assert_eq!(world.line("MULTI"), "+OK");
    assert_eq!(world.line("GET a"), OOM, "a queue takes memory");
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(world.line("EXEC"), aborted);
    world.keyspace.tuning().set_memory_max(0);
    assert_eq!(world.line("MULTI"), "+OK");
    assert_eq!(world.line("SET a 2"), "+QUEUED");
    world.keyspace.tuning().set_memory_max(1);
    let aborted = format!("-EXECABORT Transaction discarded because of: {}", &OOM[1..]);
    assert_eq!(world.line("EXEC"), aborted);
    assert_eq!(world.line("DEL a"), ":1");
    assert_eq!(world.line("SET a 1"), "+OK");
}

#[test]
fn every_policy_keeps_the_keyspace_within_its_bound() {
    let mut rng = Rng::new(seed());
    for policy in Policy::ALL.into_iter().filter(|it| *it != Policy::NoEviction) {
        let mut world = world(policy, 200_000);
        world.line("SET stays 1");
        let mut n_refused = 0;
        for _ in 0..5000 {
            world.now_ms += 1000;
            world.line(&format!("SELECT {}", rng.below(3)));
            let (key, len) = (rng.below(100_000), rng.below(200));
            let value = "x".repeat(usize::try_from(len).expect("small"));
            let reply = world.line(&format!("SET {key} v{value} EX 100000000"));
            n_refused += usize::from(reply == OOM);
            // What was there before this command fits; what it added is on top.
            assert!(world.keyspace.n_bytes() < 201_000 + 8_000, "{policy:?}");
        }
        assert_eq!(n_refused, 0, "{policy:?}");
        let n_evicted = world.keyspace.totals().n_evicted;
        assert!(1000 < n_evicted, "{policy:?}: {n_evicted}");
        if policy.is_volatile() {
            world.line("SELECT 0");
            assert_eq!(world.line("GET stays"), "$1 1", "{policy:?}");
        }
    }
}

#[test]
fn with_nothing_that_expires_a_volatile_policy_refuses() {
    let mut world = world(Policy::VolatileLru, 1);
    assert_eq!(world.line("SET a 1"), "+OK");
    assert_eq!(world.line("SET b 1"), OOM);
    assert_eq!(world.line("EXISTS a"), ":1");
}

#[test]
fn an_eviction_is_told() {
    let mut world = world(Policy::AllkeysRandom, 0);
    let classes = Classes::EVICTED.with(Classes::KEYEVENT);
    world.keyspace.tuning().set_notify(classes);
    world.call(1, &[b"PSUBSCRIBE".to_vec(), b"*".to_vec()]);
    assert_eq!(world.line("SET a 1"), "+OK");
    world.call(2, &[b"WATCH".to_vec(), b"a".to_vec()]);
    world.host.effects.clear();
    world.keyspace.tuning().set_memory_max(1);
    assert_eq!(world.line("PING"), "+PONG", "any command is a reason");
    world.keyspace.tuning().set_memory_max(0);
    assert_eq!(world.line("EXISTS a"), ":0");
    assert_eq!(world.recorded(), ["DEL a"]);
    world.call(2, &[b"MULTI".to_vec()]);
    assert_eq!(world.call(2, &[b"EXEC".to_vec()]), b"*-1\r\n");
}

/// The keys of which half is evicted, and how many of the first half are left.
fn n_left(world: &mut World, use_first_half: &mut dyn FnMut(&mut World, &str)) -> (usize, usize) {
    (0..400)
        .for_each(|it| assert_eq!(world.line(&format!("SET key:{it} 1 EX {}", 9000 - it)), "+OK"));
    world.now_ms += 100_000;
    for it in 0..200 {
        use_first_half(world, &format!("key:{it}"));
    }
    world.keyspace.tuning().set_samples(10);
    let n_bytes = u64::try_from(world.keyspace.n_bytes()).expect("it fits");
    world.keyspace.tuning().set_memory_max(n_bytes * 7 / 10);
    world.line("PING");
    world.keyspace.tuning().set_memory_max(0);
    let mut left = |range: std::ops::Range<usize>| {
        range.filter(|it| world.line(&format!("EXISTS key:{it}")) == ":1").count()
    };
    (left(0..200), left(200..400))
}

#[test]
fn what_is_used_stays() {
    for policy in [Policy::AllkeysLru, Policy::VolatileLru, Policy::AllkeysLfu, Policy::VolatileLfu]
    {
        let mut world = world(policy, 0);
        let (used, unused) = n_left(&mut world, &mut |world, key| {
            (0..20).for_each(|_| assert_eq!(world.line(&format!("GET {key}")), "$1 1"));
        });
        assert!(
            unused + 60 < used,
            "{policy:?}: {used} of the used keys are left, {unused} others"
        );
    }
    // The first half expires later.
    let mut world = world(Policy::VolatileTtl, 0);
    let (later, sooner) = n_left(&mut world, &mut |_, _| {});
    assert!(sooner + 60 < later, "{later}, {sooner}");
}

#[test]
fn uses_are_counted_or_dated_as_the_policy_wants() {
    let mut world = world(Policy::AllkeysLru, 0);
    world.line("SET a text");
    world.now_ms += 90_000;
    assert_eq!(world.line("OBJECT IDLETIME a"), ":90");
    assert_eq!(world.line("TYPE a"), "+string");
    assert_eq!(world.line("OBJECT IDLETIME a"), ":90", "asking is no use");
    assert_eq!(world.line("RENAME a b"), "+OK");
    assert_eq!(world.line("OBJECT IDLETIME b"), ":0");
    world.now_ms += 5_000;
    assert_eq!(world.line("CLIENT NO-TOUCH on"), "+OK");
    assert_eq!(world.line("RENAME b c"), "+OK");
    assert_eq!(world.line("OBJECT IDLETIME c"), ":5");
    assert_eq!(world.line("TOUCH c"), ":1");
    assert_eq!(world.line("OBJECT IDLETIME c"), ":0");

    world.keyspace.tuning().set_policy(Policy::AllkeysLfu);
    world.keyspace.tuning().set_lfu_log_factor(0);
    assert_eq!(world.line("CLIENT NO-TOUCH off"), "+OK");
    assert_eq!(world.line("SET f text"), "+OK");
    assert_eq!(world.line("OBJECT FREQ f"), ":5");
    (0..10).for_each(|_| assert_eq!(world.line("GET f"), "$4 text"));
    assert_eq!(world.line("OBJECT FREQ f"), ":15");
    assert_eq!(world.line("MOVE f 1"), ":1");
    assert_eq!(world.line("SELECT 1"), "+OK");
    assert_eq!(world.line("OBJECT FREQ f"), ":16", "its uses go with it");
    assert_eq!(world.line("COPY f g"), ":1");
    assert_eq!(world.line("OBJECT FREQ g"), ":5", "a copy is a new key");
    world.now_ms += 120_000;
    assert_eq!(world.line("OBJECT FREQ f"), ":15");
}
