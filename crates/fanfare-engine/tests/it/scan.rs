//! SCAN, KEYS and RANDOMKEY while keys come and go.
//!
//! docs/differences.md: D21

use std::collections::{BTreeMap, BTreeSet};

use fanfare_engine::Version;
use fanfare_testkit::{Rng, seed};

use crate::check::check;
use crate::world::World;

/// The strings of an answer without their lengths.
fn strings(answer: &str) -> Vec<String> {
    let words = answer.split(' ').filter(|it| !it.starts_with(['*', '$']));
    words.map(String::from).collect()
}

/// One step of a scan: the cursor, and the keys.
fn scan(world: &mut World, cursor: &str, options: &str) -> (String, Vec<String>) {
    let mut found = strings(&world.line(&format!("SCAN {cursor} {options}")));
    let keys = found.split_off(1);
    (found.remove(0), keys)
}

#[test]
fn what_is_there_from_the_first_call_to_the_last_is_returned_once() {
    let mut rng = Rng::new(seed());
    for round in 0..12 {
        let mut world = World::new(Version::Resp2);
        let n_staying = [0, 1, 40, 700, 6000][usize::try_from(rng.below(5)).expect("small")];
        let staying: BTreeSet<String> = (0..n_staying).map(|it| format!("stay:{it}")).collect();
        for key in &staying {
            world.line(&format!("SET {key} 1"));
        }
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut cursor = "0".to_owned();
        let mut n_calls = 0;
        loop {
            let count = 1 + rng.below(60);
            let (next, keys) = scan(&mut world, &cursor, &format!("COUNT {count}"));
            keys.into_iter().for_each(|key| *seen.entry(key).or_default() += 1);
            assert!(next.parse::<u64>().expect("a cursor") < 1 << 48, "{next}");
            n_calls += 1;
            cursor = next;
            if cursor == "0" {
                break;
            }
            disturb(&mut world, &mut rng);
        }
        let missed: Vec<_> = staying.iter().filter(|it| seen.get(*it) != Some(&1)).collect();
        assert!(missed.is_empty(), "round {round}, {n_calls} calls: {missed:?}");
        assert!(seen.keys().all(|it| it.starts_with("stay:") || it.starts_with("guest:")));
    }
}

/// Others come and go, many at a time.
fn disturb(world: &mut World, rng: &mut Rng) {
    for _ in 0..rng.below(80) {
        let (guest, other) = (rng.below(2000), rng.below(2000));
        let line = match rng.below(6) {
            0..3 => format!("SET guest:{guest} 1"),
            3 => format!("DEL guest:{guest}"),
            4 => format!("SET guest:{guest} 1 PX 5"),
            _ => format!("RENAME guest:{guest} guest:{other}"),
        };
        world.line(&line);
    }
    world.now_ms += rng.below(3);
}

#[test]
fn a_scan_of_another_database_or_from_nowhere_ends() {
    check(
        "
> SCAN 0
< *2 $1 0 *0
> SCAN 281474976710656
< *2 $1 0 *0
> SCAN -1
< *2 $1 0 *0
> SET a 1
< +OK
> SCAN 0 COUNT 2
< *2 $1 0 *1 $1 a
> SELECT 9
< +OK
> SCAN 0
< *2 $1 0 *0
> MULTI
< +OK
> SCAN 0
< +QUEUED
> SET b 1
< +QUEUED
> SCAN 0
< +QUEUED
> KEYS *
< +QUEUED
> RANDOMKEY
< +QUEUED
> SELECT 0
< +QUEUED
> SCAN 0
< +QUEUED
> EXEC
< *7 *2 $1 0 *0 +OK *2 $1 0 *1 $1 b *1 $1 b $1 b +OK *2 $1 0 *1 $1 a
",
    );
}

#[test]
fn due_keys_are_not_returned() {
    check(
        "
> SET a 1 PX 10
< +OK
> SET b 1
< +OK
+10
> SCAN 0
< *2 $1 0 *1 $1 b
> KEYS *
< *1 $1 b
> RANDOMKEY
< $1 b
> DEL b
< :1
> RANDOMKEY
<2 $-1
<3 _
",
    );
}

#[test]
fn each_key_has_the_same_chance() {
    let mut world = World::new(Version::Resp2);
    (0..50).for_each(|it| assert_eq!(world.line(&format!("SET {it} 1")), "+OK"));
    let mut n_found: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..50 * 200 {
        *n_found.entry(world.line("RANDOMKEY")).or_default() += 1;
    }
    assert_eq!(n_found.len(), 50);
    // 200 each; one in a million leaves this range, and FakeHost's numbers are always the same.
    assert!(n_found.values().all(|it| (130..270).contains(it)), "{n_found:?}");
}

#[test]
fn hscan_answers_names_alone_if_asked() {
    let mut world = World::new(Version::Resp2);
    world.line("HSET h one 1 two 2");
    assert_eq!(world.line("HSCAN h 0 NOVALUES"), "*2 $1 0 *2 $3 one $3 two");
    assert_eq!(world.line("HSCAN h 0 MATCH o* NOVALUES"), "*2 $1 0 *1 $3 one");
}

#[test]
fn a_script_scans_what_it_holds() {
    let mut world = World::new(Version::Resp2);
    world.line("SET k v");
    let script = "local found, at = {}, '0'; repeat local r = redis.call('SCAN', at); at = r[1]; \
                  for _, key in ipairs(r[2]) do table.insert(found, key) end until at == '0'; return found";
    let args = ["EVAL", script, "0"].map(|it| it.as_bytes().to_vec());
    assert_eq!(world.call(0, &args), b"*1\r\n$1\r\nk\r\n");
}
