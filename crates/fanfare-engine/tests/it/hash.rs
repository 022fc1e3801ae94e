//! Fields that expire: commands that redis-server 7.0.15 does not know. Replies and texts are those of
//! <https://redis.io/docs/latest/commands/hexpire/> and the other pages of the group, and of Redis 8.2.
//!
//! docs/differences.md: D16

use std::collections::BTreeSet;

use fanfare_engine::ctx::announce_expired;
use fanfare_engine::notify::Classes;
use fanfare_engine::{Now, Version};
use fanfare_testkit::{Rng, seed};

use crate::check::check;
use crate::world::World;

#[test]
fn hexpire_obeys_its_conditions() {
    check(
        "
> HSET h a 1 b 2 c 3
< :3
> HEXPIRE h 10 FIELDS 2 a x
< *2 :1 :-2
> HTTL h FIELDS 3 a b x
< *3 :10 :-1 :-2
> HPTTL h FIELDS 1 a
< *1 :10000
> HEXPIRETIME h FIELDS 2 a b
< *2 :1700000010 :-1
> HPEXPIRETIME h FIELDS 1 a
< *1 :1700000010000
> HEXPIRE h 20 NX FIELDS 2 a b
< *2 :0 :1
> HEXPIRE h 20 XX FIELDS 2 a c
< *2 :1 :0
> HEXPIRE h 20 gt FIELDS 2 a c
< *2 :0 :0
> HEXPIRE h 21 GT FIELDS 1 a
< *1 :1
> HEXPIRE h 21 LT FIELDS 1 a
< *1 :0
> HPEXPIRE h 1500 LT FIELDS 2 a c
< *2 :1 :1
# Seconds are rounded up.
> HTTL h FIELDS 1 a
< *1 :2
> HEXPIRETIME h FIELDS 1 a
< *1 :1700000002
> HPEXPIREAT h 1700000000500 FIELDS 1 a
< *1 :1
> HEXPIREAT h 1700000003 FIELDS 1 c
< *1 :1
> HPTTL h FIELDS 2 a c
< *2 :500 :3000
# A time that has passed removes.
> HPEXPIREAT h 1700000000000 FIELDS 2 a x
< *2 :2 :-2
> HEXPIRE h 0 XX FIELDS 2 c b
< *2 :2 :2
> EXISTS h
< :0
> HEXPIRE h 10 FIELDS 2 a b
< *2 :-2 :-2
> HTTL h FIELDS 1 a
< *1 :-2
> HPERSIST h FIELDS 1 a
< *1 :-2
",
    );
}

#[test]
fn a_field_is_gone_when_its_time_has_come() {
    check(
        "
> HSET h a 1 b 2 c 3
< :3
> HPEXPIRE h 10 FIELDS 1 a
< *1 :1
> HPEXPIRE h 20 FIELDS 1 b
< *1 :1
+9
> HLEN h
< :3
> HGET h a
< $1 1
+1
> HLEN h
< :2
> HGET h a
<2 $-1
<3 _
> HMGET h a b
<2 *2 $-1 $1 2
<3 *2 _ $1 2
> HEXISTS h a
< :0
> HSETNX h a 7
< :1
> HTTL h FIELDS 1 a
< *1 :-1
+10
> HGETALL h
<2 *4 $1 c $1 3 $1 a $1 7
<3 %2 $1 c $1 3 $1 a $1 7
> HINCRBY h b 1
< :1
> HPEXPIRE h 5 FIELDS 3 a b c
< *3 :1 :1 :1
+5
> EXISTS h
< :0
> DBSIZE
< :0
> HRANDFIELD h
<2 $-1
<3 _
> HRANDFIELD h 3
< *0
",
    );
}

#[test]
fn what_sets_a_field_ends_or_keeps_its_time() {
    check(
        "
> HSET h a 1 b 2 c 3 d 4
< :4
> HEXPIRE h 10 FIELDS 4 a b c d
< *4 :1 :1 :1 :1
> HSET h a 2
< :0
> HINCRBY h b 2
< :4
> HINCRBYFLOAT h c 1.5
< $3 4.5
> HSETNX h d 2
< :0
> HTTL h FIELDS 4 a b c d
< *4 :-1 :10 :10 :10
> HPERSIST h FIELDS 4 a b x b
< *4 :-1 :1 :-2 :-1
> HTTL h FIELDS 1 b
< *1 :-1
> HDEL h c d
< :2
+10000
> HLEN h
< :2
",
    );
}

#[test]
fn hgetdel_and_hgetex_answer_values() {
    check(
        "
> HSET h a 1 b 2 c 3
< :3
> HGETEX h FIELDS 2 a x
<2 *2 $1 1 $-1
<3 *2 $1 1 _
> HGETEX h EX 10 FIELDS 2 a x
<2 *2 $1 1 $-1
<3 *2 $1 1 _
> HGETEX h px 500 FIELDS 1 b
< *1 $1 2
> HPTTL h FIELDS 3 a b c
< *3 :10000 :500 :-1
> HGETEX h PERSIST FIELDS 3 a c x
<2 *3 $1 1 $1 3 $-1
<3 *3 $1 1 $1 3 _
> HGETEX h EXAT 1700000100 FIELDS 1 c
< *1 $1 3
> HGETEX h PXAT 1700000100001 FIELDS 1 b
< *1 $1 2
> HPEXPIRETIME h FIELDS 3 a b c
< *3 :-1 :1700000100001 :1700000100000
> HGETEX h PXAT 5 FIELDS 1 b
< *1 $1 2
> HLEN h
< :2
> HGETDEL h FIELDS 3 a b a
<2 *3 $1 1 $-1 $-1
<3 *3 $1 1 _ _
> HGETDEL h FIELDS 1 c
< *1 $1 3
> EXISTS h
< :0
> HGETDEL h FIELDS 1 c
<2 *1 $-1
<3 *1 _
> HGETEX h EX 10 FIELDS 1 c
<2 *1 $-1
<3 *1 _
",
    );
}

#[test]
fn hsetex_sets_all_or_nothing() {
    check(
        "
> HSETEX h FXX FIELDS 1 a 1
< :0
> EXISTS h
< :0
> HSETEX h EX 10 FIELDS 2 a 1 b 2
< :1
> HSETEX h FNX FIELDS 2 c 1 a 2
< :0
> HSETEX h FXX FIELDS 2 a 1 c 2
< :0
> HMGET h a b c
<2 *3 $1 1 $1 2 $-1
<3 *3 $1 1 $1 2 _
> HSETEX h FXX KEEPTTL FIELDS 1 a 5
< :1
> HSETEX h FIELDS 1 b 5
< :1
> HTTL h FIELDS 2 a b
< *2 :10 :-1
> HSETEX h PX 1500 fnx FIELDS 1 c 5
< :1
> HSETEX h EXAT 1700000100 FIELDS 1 d 5
< :1
> HPTTL h FIELDS 2 c d
< *2 :1500 :100000
# A time that has passed.
> HSETEX h PXAT 1 FIELDS 2 a 1 e 1
< :1
> HLEN h
< :3
> HSETEX h EX 0 FIELDS 3 b 1 c 1 d 1
< :1
> EXISTS h
< :0
> HSETEX h EX 0 FIELDS 1 b 1
< :1
> EXISTS h
< :0
",
    );
}

#[test]
fn hexpire_refuses_in_the_words_of_redis() {
    check(
        "
> SET s 1
< +OK
> HEXPIRE s x FIELDS 0 a
< -WRONGTYPE Operation against a key holding the wrong kind of value
> HTTL s FIELDS 0 a
< -WRONGTYPE Operation against a key holding the wrong kind of value
> HPERSIST s FIELDS 0 a
< -WRONGTYPE Operation against a key holding the wrong kind of value
> HGETDEL s FIELDS 0 a
< -WRONGTYPE Operation against a key holding the wrong kind of value
> HGETEX s EX x FIELDS 1 a
< -WRONGTYPE Operation against a key holding the wrong kind of value
> HSETEX s FIELDS 1 a 1
< -WRONGTYPE Operation against a key holding the wrong kind of value
> HSETEX s EX x FIELDS 1 a 1
< -ERR value is not an integer or out of range
> HEXPIRE h 10 FIELDS 1
< -ERR wrong number of arguments for 'hexpire' command
> HEXPIRE h x FIELDS 1 a
< -ERR value is not an integer or out of range
> HEXPIRE h -1 FIELDS 1 a
< -ERR invalid expire time, must be >= 0
> HEXPIRE h 70368744178 FIELDS 1 a
< -ERR invalid expire time in 'hexpire' command
> HPEXPIREAT h 70368744177664 FIELDS 1 a
< -ERR invalid expire time in 'hpexpireat' command
> HPEXPIREAT h 70368744177663 FIELDS 1 a
< *1 :-2
> HEXPIRE h 10 FOO 1 a
< -ERR Mandatory argument FIELDS is missing or not at the right position
> HEXPIRE h 10 NX FIELDS 1
< -ERR The `numfields` parameter must match the number of arguments
> HEXPIRE h 10 FIELDS 0 a
< -ERR Parameter `numFields` should be greater than 0
> HEXPIRE h 10 FIELDS x a
< -ERR Parameter `numFields` should be greater than 0
> HEXPIRE h 10 FIELDS 2 a
< -ERR The `numfields` parameter must match the number of arguments
",
    );
}

#[test]
fn the_others_refuse_in_the_words_of_redis() {
    check(
        "
> HTTL h FIELD 1 a
< -ERR Mandatory argument FIELDS is missing or not at the right position
> HTTL h FIELDS -1 a
< -ERR Number of fields must be a positive integer
> HPTTL h FIELDS 2 a
< -ERR The `numfields` parameter must match the number of arguments
> HPERSIST h FIELDS 0 a
< -ERR Number of fields must be a positive integer
> HGETDEL h FIELDS 3 a
< -ERR The `numfields` parameter must match the number of arguments
> HGETEX h EX FIELDS 1 a
< -ERR value is not an integer or out of range
> HGETEX h EX 10 PX 10 FIELDS 1 a
< -ERR Mandatory argument FIELDS is missing or not at the right position
> HGETEX h EX 10 FIELDS
< -ERR Number of fields must be a positive integer
> HSETEX h FXX EX 60 KEEPTTL FIELDS 1 a 1
< -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
> HSETEX h FXX FNX FIELDS 1 a 1
< -ERR Only one of FXX or FNX arguments can be specified
> HSETEX h FOO FIELDS 1 a 1
< -ERR unknown argument: FOO
> HSETEX h FNX KEEPTTL FXX EX
< -ERR Only one of FXX or FNX arguments can be specified
> HSETEX h FIELDS 0 a 1
< -ERR invalid number of fields
> HSETEX h FIELDS 2 a 1
< -ERR wrong number of arguments for 'hsetex' command
> HSETEX h FIELDS 1 a 1 b
< -ERR wrong number of arguments for 'hsetex' command
> HSETEX h FNX KEEPTTL FIELDS 1
< -ERR wrong number of arguments for 'hsetex' command
> EXISTS h
< :0
",
    );
}

#[test]
fn hrandfield_refuses_an_answer_that_is_too_long() {
    check(
        "
> HRANDFIELD h -16777217
< *0
> HSET h a 1
< :1
> HRANDFIELD h -16777217
< -ERR value is out of range
> HRANDFIELD h -2
< *2 $1 a $1 a
",
    );
}

/// Removes what is due, as the server does in the background.
fn sweep(world: &mut World) {
    let now = Now { unix_us: world.now_ms * 1000 };
    let World { keyspace, host, .. } = world;
    keyspace.expire_due(now, usize::MAX, |db, expired, _| {
        announce_expired(host, keyspace.tuning(), db, expired);
    });
}

const KEYS: [&str; 3] = ["h", "i", "j"];
const FIELDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What is in the hashes, and when it goes away.
fn contents(world: &mut World) -> Vec<(BTreeSet<String>, String)> {
    let mut contents = Vec::new();
    for key in KEYS {
        let values = FIELDS.map(|it| format!("{it}={}", world.line(&format!("HGET {key} {it}"))));
        let fields = FIELDS.join(" ");
        let times = world.line(&format!("HPEXPIRETIME {key} FIELDS 6 {fields}"));
        let n_fields = world.line(&format!("HLEN {key}"));
        contents.push((values.into(), format!("{times} {n_fields}")));
    }
    contents
}

fn random_line(rng: &mut Rng, now_ms: u64) -> String {
    let mut below = |n: usize| usize::try_from(rng.below(n as u64)).expect("small");
    let key = KEYS[below(3)];
    let (one, two) = (FIELDS[below(6)], FIELDS[below(6)]);
    let number = below(50);
    let at_ms = now_ms + u64::try_from(number).expect("small") - 5;
    let condition = ["", "NX", "XX", "GT", "LT"][below(5)];
    let exists = ["", "FNX", "FXX"][below(3)];
    let time = [format!("PX {number}"), format!("PXAT {at_ms}"), String::new()][below(3)].clone();
    match below(14) {
        0 | 1 => format!("HSET {key} {one} {number} {two} x{number}"),
        2 => format!("HSETNX {key} {one} {number}"),
        3 => format!("HDEL {key} {one} {two}"),
        4 => format!("HINCRBY {key} {one} {number}"),
        5 => format!("HINCRBYFLOAT {key} {one} 0.{number}"),
        6 => format!("HPEXPIRE {key} {number} {condition} FIELDS 2 {one} {two}"),
        7 => format!("HPEXPIREAT {key} {at_ms} {condition} FIELDS 2 {one} {two}"),
        8 => format!("HPERSIST {key} FIELDS 2 {one} {two}"),
        9 => format!("HGETEX {key} {time} FIELDS 2 {one} {two}"),
        10 => format!("HGETEX {key} PERSIST FIELDS 1 {one}"),
        11 => format!("HGETDEL {key} FIELDS 1 {one}"),
        12 => format!("HSETEX {key} {exists} {time} FIELDS 2 {one} {number} {two} y"),
        _ => format!("HSETEX {key} {exists} KEEPTTL FIELDS 1 {one} {number}"),
    }
}

#[test]
fn effects_lead_to_the_same_fields_at_another_time() {
    let seed = seed();
    for walk in 0..100 {
        let mut rng = Rng::new(seed.wrapping_add(walk));
        let mut world = World::new(Version::Resp2);
        world.keyspace.tuning().set_hash_entries_max(4);
        for _ in 0..300 {
            world.now_ms += rng.below(4);
            if rng.below(8) == 0 {
                sweep(&mut world);
            }
            let line = random_line(&mut rng, world.now_ms);
            let wire = world.line(&line);
            let is_expected = !wire.starts_with('-') || line.starts_with("HINCR");
            assert!(is_expected, "{line}: {wire}");
        }
        sweep(&mut world);
        let mut copy = World::new(Version::Resp2);
        // Long before anything is due.
        copy.now_ms = 1;
        copy.follow(&mut world);
        assert_eq!(contents(&mut copy), contents(&mut world), "walk {walk}");
    }
}

/// What the commands did, and the notifications, each on a line.
fn told(lines: &str) -> (String, String) {
    let mut world = World::new(Version::Resp2);
    let classes = Classes::parse("EghxK").expect("letters");
    world.keyspace.tuning().set_notify(classes);
    for line in lines.trim().lines() {
        if let Some(passed_ms) = line.strip_prefix('+') {
            world.now_ms += passed_ms.parse::<u64>().expect("a number");
            sweep(&mut world);
        } else if let Some(passed_ms) = line.strip_prefix('~') {
            world.now_ms += passed_ms.parse::<u64>().expect("a number");
        } else {
            world.line(line);
        }
    }
    let effects = world.recorded();
    let events = world.host.published.iter();
    let events: Vec<_> =
        events.map(|it| it.split(' ').next().expect("a word").to_owned()).collect();
    (effects.join("\n"), events.join(" "))
}

#[track_caller]
fn check_told(lines: &str, effects: &[&str], events: &str) {
    let (all_effects, all_events) = told(lines);
    assert_eq!(all_effects, effects.join("\n"));
    assert_eq!(all_events, events);
}

#[test]
fn effects_have_absolute_times_and_only_fields_that_changed() {
    check_told(
        "
HSET h a 1 b 2 c 3
HEXPIRE h 10 FIELDS 3 a x b
HEXPIRE h 10 NX FIELDS 2 a b
HPERSIST h FIELDS 2 a c
HGETEX h PX 7 FIELDS 2 a x
HGETEX h PERSIST FIELDS 2 a c
HINCRBYFLOAT h b 1
HINCRBYFLOAT h c 1
HSETEX h EX 1 FIELDS 1 d 4
HSETEX h FXX KEEPTTL FIELDS 1 d 5
HSETEX h FNX FIELDS 1 d 5
HGETDEL h FIELDS 2 d x
HEXPIRE h 0 FIELDS 2 b x",
        &[
            "HSET h a 1 b 2 c 3",
            "HPEXPIREAT h 1700000010000 FIELDS 2 a b",
            "HPERSIST h FIELDS 2 a c",
            "HPEXPIREAT h 1700000000007 FIELDS 1 a",
            "HPERSIST h FIELDS 1 a",
            "HSETEX h KEEPTTL FIELDS 1 b 3",
            "HSET h c 4",
            "HSETEX h PXAT 1700000001000 FIELDS 1 d 4",
            "HSETEX h FXX KEEPTTL FIELDS 1 d 5",
            "HDEL h d",
            "HDEL h b",
        ],
        "hset hexpire hpersist hexpire hpersist hincrbyfloat hincrbyfloat hset hexpire hset hdel hdel",
    );
}

#[test]
fn fields_go_away_though_nobody_looks() {
    check_told(
        "
HSET h a 1 b 2
HPEXPIRE h 10 FIELDS 1 a
HSET i a 1
HPEXPIRE i 20 FIELDS 1 a
+9
+1
+10
HGETALL i",
        &[
            "HSET h a 1 b 2",
            "HPEXPIREAT h 1700000000010 FIELDS 1 a",
            "HSET i a 1",
            "HPEXPIREAT i 1700000000020 FIELDS 1 a",
            "HDEL h a",
            "DEL i",
        ],
        "hset hexpire hset hexpire hexpired hexpired del",
    );
}

#[test]
fn whoever_looks_tells_of_fields_that_are_gone() {
    check_told(
        "
HSET h a 1 b 2 c 3
HPEXPIRE h 10 FIELDS 2 a b
~10
HGET h c
HPEXPIRE h 10 FIELDS 1 c
~10
HSET h a 2
SET k 1 PX 10
~10
GET k",
        &[
            "HSET h a 1 b 2 c 3",
            "HPEXPIREAT h 1700000000010 FIELDS 2 a b",
            "HDEL h a b",
            "HPEXPIREAT h 1700000000020 FIELDS 1 c",
            "DEL h",
            "HSET h a 2",
            "SET k 1 PXAT 1700000000030",
            "DEL k",
        ],
        "hset hexpire hexpired hexpire hexpired del hset expire expired",
    );
}

#[test]
fn a_hash_that_was_replaced_does_not_expire() {
    check_told(
        "
HSET h a 1
HPEXPIRE h 10 FIELDS 1 a
SET h 1
HSET i a 1
HPEXPIRE i 10 FIELDS 1 a
HPERSIST i FIELDS 1 a
HSET j a 1
HPEXPIRE j 10 FIELDS 1 a
HDEL j a
HSET j a 1
+10
",
        &[
            "HSET h a 1",
            "HPEXPIREAT h 1700000000010 FIELDS 1 a",
            "SET h 1",
            "HSET i a 1",
            "HPEXPIREAT i 1700000000010 FIELDS 1 a",
            "HPERSIST i FIELDS 1 a",
            "HSET j a 1",
            "HPEXPIREAT j 1700000000010 FIELDS 1 a",
            "HDEL j a",
            "HSET j a 1",
        ],
        "hset hexpire hset hexpire hpersist hset hexpire hdel del hset",
    );
}
