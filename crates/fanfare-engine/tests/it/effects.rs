//! What commands record instead of their own request, because it would do something else when it is run again.

use fanfare_engine::Version;

use crate::world::World;

/// Runs lines; returns what they recorded, words separated by spaces.
fn effects(world: &mut World, lines: &[&str]) -> Vec<String> {
    world.host.effects.clear();
    for line in lines {
        world.line(line);
    }
    world.recorded()
}

/// Recorded by a line, after these lines.
fn recorded(before: &[&str], line: &str) -> Vec<String> {
    let mut world = World::new(Version::Resp2);
    effects(&mut world, before);
    effects(&mut world, &[line])
}

#[test]
fn relative_times_become_absolute() {
    assert_eq!(recorded(&[], "SETEX k 10 v"), ["SET k v PXAT 1700000010000"]);
    assert_eq!(recorded(&[], "PSETEX k 10 v"), ["SET k v PXAT 1700000000010"]);
    assert_eq!(recorded(&["SET k v"], "GETEX k EX 10"), ["PEXPIREAT k 1700000010000"]);
    assert_eq!(recorded(&["SET k v"], "GETEX k PXAT 1"), ["DEL k"]);
    assert_eq!(recorded(&["SETEX k 10 v"], "GETEX k PERSIST"), ["PERSIST k"]);
    assert_eq!(recorded(&["SET k v"], "GETEX k PERSIST"), [""; 0]);
    assert_eq!(recorded(&["SET k v"], "GETEX k"), [""; 0]);
}

#[test]
fn reads_that_write_are_writes() {
    assert_eq!(recorded(&["SET k v"], "GETSET k w"), ["SET k w"]);
    assert_eq!(recorded(&["SET k v"], "GETDEL k"), ["DEL k"]);
    assert_eq!(recorded(&[], "GETDEL k"), [""; 0]);
}

#[test]
fn nothing_is_recorded_where_nothing_changed() {
    for (before, line) in [
        ("SETBIT k 7 1", "SETBIT k 7 1"),
        ("SET k v", "SETNX k w"),
        ("SET k v", "MSETNX j 1 k 2"),
        ("SADD k 1", "SADD k 1"),
        ("SADD k 1", "SREM k 2"),
        ("SADD k 1", "SMOVE k j 2"),
        ("SADD k 1", "SINTERSTORE j k i"),
        ("SADD k 1", "SPOP k 0"),
        ("SADD k 1", "BITOP AND j i"),
    ] {
        assert_eq!(recorded(&[before], line), [""; 0], "{line}");
    }
}

#[test]
fn random_members_become_those_members() {
    for (add, n_members) in [("SADD k 1 2 3 4 5 6", 6), ("SADD k a b c d e f", 6)] {
        let mut world = World::new(Version::Resp2);
        effects(&mut world, &[add]);
        for n in [1, 3] {
            let before = world.line("SMEMBERS k");
            let line = if n == 1 { "SPOP k".to_owned() } else { format!("SPOP k {n}") };
            let effects = effects(&mut world, &[&line]);
            let [effect] = &effects[..] else { panic!("one effect, not {effects:?}") };
            let words: Vec<_> = effect.split(' ').collect();
            assert_eq!((words[0], words[1], words.len()), ("SREM", "k", 2 + n));
            let after = world.line("SMEMBERS k");
            for member in words[2..].iter().map(|it| format!("$1 {it}")) {
                assert!(before.contains(&member) && !after.contains(&member), "{member}");
            }
        }
        assert_eq!(world.line("SCARD k"), format!(":{}", n_members - 4));
        assert_eq!(effects(&mut world, &["SPOP k 2"]), ["DEL k"]);
        let effect = effects(&mut world, &["SADD k 7", "SPOP k"]);
        assert_eq!(effect, ["SADD k 7", "SREM k 7"]);
        assert_eq!(world.line("EXISTS k"), ":0");
    }
}
