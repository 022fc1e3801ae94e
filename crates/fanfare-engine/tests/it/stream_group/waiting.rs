//! Clients that wait.

use fanfare_engine::Version;

use crate::world::World;

#[test]
fn who_waits_to_claim_is_served_with_what_is_given_back() {
    let mut world = World::new(Version::Resp2);
    for line in
        ["XADD k 1-0 n 1", "XGROUP CREATE k g 0", "XCLAIM k g c 0 1-0 FORCE JUSTID LASTID 1"]
    {
        world.line(line);
    }
    assert_eq!(world.line("2> XREADGROUP GROUP g d CLAIM 60000 BLOCK 0 STREAMS k >"), "");
    assert_eq!(world.line("XNACK k g FAIL IDS 1 9-0"), ":0");
    assert!(world.host.served.is_empty());
    assert_eq!(world.line("XNACK k g FAIL IDS 1 1-0"), ":1");
    let since_1970 = world.now_ms;
    let expected = format!("2: *1 *2 $1 k *1 *4 $3 1-0 *2 $1 n $1 1 :{since_1970} :1");
    assert_eq!(world.served(), [expected]);
}

#[test]
fn who_waits_for_a_group_hears_that_it_is_destroyed() {
    let mut world = World::new(Version::Resp2);
    world.line("XGROUP CREATE k g $ MKSTREAM");
    assert_eq!(world.line("2> XREADGROUP GROUP g d BLOCK 0 STREAMS k >"), "");
    assert_eq!(world.line("XGROUP DESTROY k g"), ":1");
    let [told] = &world.served()[..] else { panic!("one is served") };
    assert!(told.starts_with("2: -NOGROUP "), "{told}");
}

#[test]
fn who_waits_to_claim_is_served_in_time_or_told_that_it_is_over() {
    let mut world = World::new(Version::Resp2);
    world.line("XGROUP CREATE k g $ MKSTREAM");
    assert_eq!(world.line("2> XREADGROUP GROUP g a BLOCK 0 STREAMS k >"), "");
    assert_eq!(world.line("3> XREADGROUP GROUP g b CLAIM 100 BLOCK 500 STREAMS k >"), "");
    let pass = |world: &mut World, ms| {
        world.now_ms += ms;
        world.end_late_waits();
        world.served()
    };
    assert_eq!(pass(&mut world, 40), [""; 0]);
    world.line("XADD k 1-0 n 1");
    assert_eq!(world.served(), ["2: *1 *2 $1 k *1 *2 $3 1-0 *2 $1 n $1 1"]);
    for ms in [60, 39] {
        assert_eq!(pass(&mut world, ms), [""; 0]);
    }
    assert_eq!(pass(&mut world, 1), ["3: *1 *2 $1 k *1 *4 $3 1-0 *2 $1 n $1 1 :100 :1"]);
    assert_eq!(world.line("3> XREADGROUP GROUP g b CLAIM 1000 BLOCK 500 STREAMS k >"), "");
    assert_eq!(pass(&mut world, 499), [""; 0]);
    assert_eq!(pass(&mut world, 1), ["3: *-1"]);
}
