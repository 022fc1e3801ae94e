//! Scripts in the engine: what is left when the host panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fanfare_engine::Version;

use crate::world::World;

#[test]
fn a_script_that_ends_by_a_panic_lets_others_in() {
    let mut world = World::new(Version::Resp2);
    world.host.panics_at_polls = true;
    let eval = |code: &str| ["EVAL", code, "0"].map(|it| it.as_bytes().to_vec());
    let long = eval("redis.call('SET', 'k', '1') for i = 1, 1000000 do end");
    let ran = catch_unwind(AssertUnwindSafe(|| world.call(0, &long)));
    assert!(ran.is_err(), "the script was not asked");
    assert!(!world.keyspace.gate().is_closed());
    assert!(world.keyspace.scripts().running().is_none());
    assert_eq!(world.host.diary, ["script ended"]);

    world.host.panics_at_polls = false;
    let next = eval("return redis.call('GET', 'k')");
    assert_eq!(world.call(1, &next), b"$1\r\n1\r\n");
}
