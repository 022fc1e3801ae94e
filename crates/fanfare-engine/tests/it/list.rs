//! Lists: what blocking commands tell, and what they say they did.

use fanfare_engine::Version;

use crate::world::World;

/// Runs lines of clients, `2> BLPOP k 0`; returns what they did, and who was served what.
fn run(lines: &[&str]) -> (Vec<String>, Vec<String>) {
    let mut world = World::new(Version::Resp2);
    for line in lines {
        world.line(line);
    }
    (world.recorded(), world.served())
}

#[test]
fn effects_are_those_of_commands_that_do_not_wait() {
    let (effects, served) = run(&[
        "1> RPUSH k 1 2 3 4 5 6",
        "1> BLPOP nokey k 0",
        "1> BRPOP k 0",
        "1> BLMPOP 0 1 k LEFT COUNT 2",
        "1> LMPOP 1 k RIGHT COUNT 9",
        "1> LMPOP 1 k RIGHT",
        "1> RPUSH k 1 2",
        "1> BLMOVE k l right LEFT 0",
        "1> BRPOPLPUSH k l 0",
    ]);
    assert!(served.is_empty());
    assert_eq!(
        effects,
        [
            "RPUSH k 1 2 3 4 5 6",
            "LPOP k",
            "RPOP k",
            "LPOP k 2",
            "RPOP k 2",
            "RPUSH k 1 2",
            "LMOVE k l RIGHT LEFT",
            "RPOPLPUSH k l",
        ]
    );
}

#[test]
fn a_push_serves_a_chain_of_clients() {
    let (effects, served) = run(&[
        "2> BLMOVE a b LEFT RIGHT 0",
        "3> BLPOP b c 0",
        "1> RPUSH a 1",
        "2> BLPOP a a 0",
        "1> RPUSH a 1 2",
    ]);
    assert_eq!(effects, ["RPUSH a 1", "LMOVE a b LEFT RIGHT", "LPOP b", "RPUSH a 1 2", "LPOP a"]);
    assert_eq!(served, ["2: $1 1", "3: *2 $1 b $1 1", "2: *2 $1 a $1 1"]);
}

#[test]
fn who_finds_nothing_goes_on_waiting() {
    let (effects, served) = run(&[
        "2> BLPOP k 0",
        "3> BLMOVE k s LEFT LEFT 0",
        "1> SET k v",
        "1> SET s v",
        "1> DEL k",
        "1> MULTI",
        "1> RPUSH k 1",
        "1> DEL k",
        "1> EXEC",
        "1> RPUSH k 1",
        "1> RPUSH k 2",
    ]);
    assert_eq!(
        effects,
        ["SET k v", "SET s v", "DEL k", "RPUSH k 1", "DEL k", "RPUSH k 1", "LPOP k", "RPUSH k 2"]
    );
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!(served, ["2: *2 $1 k $1 1".to_owned(), format!("3: {wrong_type}")]);
}
