//! Groups of streams: what transcripts beside redis-server 7.0 can not show.
//!
//! docs/differences.md: D32
//! docs/differences.md: D33
//! docs/differences.md: D34
//! docs/differences.md: D36

use fanfare_engine::notify::Classes;
use fanfare_engine::{Reply, Version};
use fanfare_testkit::{Rng, seed};

use crate::check::check;
use crate::world::World;

/// As redis-server 8.2.3 answered (D34).
#[test]
#[expect(clippy::too_many_lines, reason = "one step after the other")]
fn entries_are_deleted_with_or_without_what_refers_to_them() {
    check(
        r#"
> XADD s 1-0 n 1
< $3 1-0
> XADD s 2-0 n 2
< $3 2-0
> XADD s 3-0 n 3
< $3 3-0
> XADD s 4-0 n 4
< $3 4-0
> XADD s 5-0 n 5
< $3 5-0
> XDELEX s DELREF IDS 1
< -ERR The `numids` parameter must match the number of arguments
> XDELEX s KEEPREF IDS 2 1-0
< -ERR The `numids` parameter must match the number of arguments
> XDELEX s IDS 1 1-0 2-0
< -ERR syntax error
> XDELEX s IDS 0 1-0
< -ERR Number of IDs must be a positive integer
> XDELEX s IDS abc 1-0
< -ERR Number of IDs must be a positive integer
> XDELEX s IDS 9223372036854775808 1-0
< -ERR Number of IDs must be a positive integer
> XDELEX s KEEPREF KEEPREF IDS 1 1-0
< -ERR syntax error
> XDELEX s KEEPREF 1-0 2-0
< -ERR syntax error
> XDELEX s IDS 2 1-0 x
< -ERR Invalid stream ID specified as stream command argument
> XDELEX s ACKED KEEPREF IDS
< -ERR syntax error
> XDELEX s KEEPREF ACKED 1
< -ERR syntax error
> XDELEX s KEEPREF IDS IDS
< -ERR Number of IDs must be a positive integer
# Without a stream, IDs are not read.
> XDELEX nokey IDS 2 x y
< *2 :-1 :-1
> XDELEX nokey IDS 2 x
< -ERR The `numids` parameter must match the number of arguments
> XDELEX s IDS 2 9-9 1-0
< *2 :-1 :1
> XDELEX s ids 2 2-0 2-0 keepref
< *2 :1 :-1
> XDELEX s IDS 1 3-0 IDS 1 4-0
< *1 :1
> XRANGE s - +
< *2 *2 $3 3-0 *2 $1 n $1 3 *2 $3 5-0 *2 $1 n $1 5
> XGROUP CREATE s g 0
< +OK
> XDELEX s ACKED IDS 3 3-0 9-9 5-0
< *3 :2 :2 :2
> XREADGROUP GROUP g c COUNT 1 STREAMS s >
<2 *1 *2 $1 s *1 *2 $3 3-0 *2 $1 n $1 3
<3 %1 $1 s *1 *2 $3 3-0 *2 $1 n $1 3
> XDELEX s ACKED IDS 3 3-0 1-0 5-0
< *3 :2 :-1 :2
> XDELEX s KEEPREF IDS 1 3-0
< *1 :1
> XPENDING s g
< *4 :1 $3 3-0 $3 3-0 *1 *2 $1 c $1 1
> XDELEX s ACKED IDS 1 3-0
< *1 :2
> XDELEX s DELREF IDS 2 3-0 3-0
< *2 :-1 :-1
> XPENDING s g
<2 *4 :0 $-1 $-1 *-1
<3 *4 :0 _ _ _
> XREADGROUP GROUP g c COUNT 1 STREAMS s >
<2 *1 *2 $1 s *1 *2 $3 5-0 *2 $1 n $1 5
<3 %1 $1 s *1 *2 $3 5-0 *2 $1 n $1 5
> XACK s g 5-0
< :1
> XDELEX s ACKED IDS 1 5-0
< *1 :1
> XLEN s
< :0
> EXISTS s
< :1
> SET str v
< +OK
> XDELEX str FOO 1 1
< -WRONGTYPE Operation against a key holding the wrong kind of value
"#,
    );
}

/// As redis-server 8.2.3 answered.
#[test]
fn entries_are_acknowledged_and_deleted_at_once() {
    check(
        r#"
> XADD s 1-0 n 1
< $3 1-0
> XADD s 2-0 n 2
< $3 2-0
> XADD s 3-0 n 3
< $3 3-0
> XADD s 4-0 n 4
< $3 4-0
> XADD s 5-0 n 5
< $3 5-0
> XGROUP CREATE s g 0
< +OK
> XGROUP CREATE s h 0
< +OK
> XCLAIM s g c 0 1-0 2-0 3-0 4-0 5-0 FORCE JUSTID LASTID 5
< *5 $3 1-0 $3 2-0 $3 3-0 $3 4-0 $3 5-0
> XCLAIM s h c 0 1-0 2-0 3-0 FORCE JUSTID LASTID 3
< *3 $3 1-0 $3 2-0 $3 3-0
> XACKDEL s g IDS 1
< -ERR wrong number of arguments for 'xackdel' command
> XACKDEL s g FOO 1 1
< -ERR syntax error
> XACKDEL s g DELREF ACKED IDS 1 1-0
< -ERR syntax error
> XACKDEL s g IDS 2 1-0 x
< -ERR Invalid stream ID specified as stream command argument
> XACKDEL s nogroup IDS 2 x y
< *2 :-1 :-1
> XACKDEL nokey g IDS 2 x y
< *2 :-1 :-1
> XACKDEL nokey g IDS 2 x
< -ERR The `numids` parameter must match the number of arguments
> XACKDEL s g IDS 3 1-0 1-0 9-9
< *3 :1 :-1 :-1
> XPENDING s h
< *4 :3 $3 1-0 $3 3-0 *1 *2 $1 c $1 3
> XACKDEL s h ACKED IDS 1 1-0
< *1 :1
> XACKDEL s g DELREF IDS 1 2-0
< *1 :1
> XPENDING s h
< *4 :1 $3 3-0 $3 3-0 *1 *2 $1 c $1 1
> XACKDEL s g ACKED IDS 2 3-0 4-0
< *2 :2 :2
> XACKDEL s h ACKED IDS 2 3-0 4-0
< *2 :1 :-1
> XRANGE s - +
< *2 *2 $3 4-0 *2 $1 n $1 4 *2 $3 5-0 *2 $1 n $1 5
> XPENDING s g
< *4 :1 $3 5-0 $3 5-0 *1 *2 $1 c $1 1
> XPENDING s h
<2 *4 :0 $-1 $-1 *-1
<3 *4 :0 _ _ _
> SET str v
< +OK
> XACKDEL str g FOO 1 1
< -WRONGTYPE Operation against a key holding the wrong kind of value
"#,
    );
}

/// Five entries of `s`, all of which the consumer `c` of the group `g` has, and one that nobody has.
const FIVE_OF_SIX: &str = "
> XADD s 1-0 n 1
< $3 1-0
> XADD s 2-0 n 2
< $3 2-0
> XADD s 3-0 n 3
< $3 3-0
> XADD s 4-0 n 4
< $3 4-0
> XADD s 5-0 n 5
< $3 5-0
> XADD s 6-0 n 6
< $3 6-0
> XGROUP CREATE s g 0
< +OK
> XCLAIM s g c 0 1-0 2-0 3-0 4-0 5-0 FORCE JUSTID LASTID 5 RETRYCOUNT 3
< *5 $3 1-0 $3 2-0 $3 3-0 $3 4-0 $3 5-0
";

fn check_five_of_six(transcript: &str) {
    check(&[FIVE_OF_SIX, transcript].concat());
}

/// <https://redis.io/docs/latest/commands/xnack/>: it came with Redis 8.8.
#[test]
#[expect(clippy::too_many_lines, reason = "one step after the other")]
fn what_is_given_back_is_nobodys() {
    check_five_of_six(
        r#"
> XNACK s g SILENT IDS 1 1-0
< :1
> XNACK s g fail ids 2 2-0 6-0
< :1
> XNACK s g FATAL IDS 1 3-0
< :1
> XNACK s g FAIL IDS 2 4-0 4-0 RETRYCOUNT 9
< :2
> XPENDING s g - + 10
< *5
< *4 $3 1-0 $0  :-1 :2
< *4 $3 2-0 $0  :-1 :3
< *4 $3 3-0 $0  :-1 :9223372036854775807
< *4 $3 4-0 $0  :-1 :9
< *4 $3 5-0 $1 c :0 :3
> XPENDING s g
< *4 :5 $3 1-0 $3 5-0 *1 *2 $1 c $1 1
# However long is asked for, they have waited for longer.
> XPENDING s g IDLE 9223372036854775807 - + 10
< *4
< *4 $3 1-0 $0  :-1 :2
< *4 $3 2-0 $0  :-1 :3
< *4 $3 3-0 $0  :-1 :9223372036854775807
< *4 $3 4-0 $0  :-1 :9
> XPENDING s g IDLE 9223372036854775807 (1-0 + 1
< *1 *4 $3 2-0 $0  :-1 :3
> XPENDING s g - + 10 c
< *1 *4 $3 5-0 $1 c :0 :3
# Once more, and never below 0.
> XNACK s g SILENT IDS 3 1-0 1-0 1-0
< :3
> XPENDING s g - + 1
< *1 *4 $3 1-0 $0  :-1 :0
# Who claims gets them at once.
> XCLAIM s g d 1000000 1-0 5-0
< *1 *2 $3 1-0 *2 $1 n $1 1
> XAUTOCLAIM s g e 1000000 - COUNT 2
< *3 $3 4-0
< *2 *2 $3 2-0 *2 $1 n $1 2 *2 $3 3-0 *2 $1 n $1 3
< *0
> XPENDING s g - + 10
< *5
< *4 $3 1-0 $1 d :0 :1
< *4 $3 2-0 $1 e :0 :4
< *4 $3 3-0 $1 e :0 :9223372036854775807
< *4 $3 4-0 $0  :-1 :9
< *4 $3 5-0 $1 c :0 :3
# A consumer that goes takes none of them with it, and they can be acknowledged.
> XNACK s g FAIL IDS 1 5-0
< :1
> XGROUP DELCONSUMER s g c
< :0
> XACK s g 4-0 5-0
< :2
> XACKDEL s g IDS 1 1-0
< *1 :1
> XNACK s g FAIL IDS 2 2-0 3-0
< :2
> XPENDING s g
< *4 :2 $3 2-0 $3 3-0 *0
> XDELEX s ACKED IDS 1 2-0
< *1 :2
> XDELEX s DELREF IDS 1 2-0
< *1 :1
> XDEL s 3-0
< :1
> XCLAIM s g c 0 3-0
< *0
> XPENDING s g
<2 *4 :0 $-1 $-1 *-1
<3 *4 :0 _ _ _
"#,
    );
}

/// <https://redis.io/docs/latest/commands/xnack/>.
#[test]
fn what_was_not_delivered_is_given_back_by_force() {
    check_five_of_six(
        r#"
> XNACK s g FAIL IDS 2 6-0 7-0 FORCE
< :1
> XNACK s g FATAL FORCE IDS 1 6-0
< :1
> XACK s g 6-0
< :1
> XNACK s g FATAL IDS 1 6-0 force
< :1
> XPENDING s g 6-0 6-0 1
< *1 *4 $3 6-0 $0  :-1 :9223372036854775807
> XACK s g 6-0
< :1
> XNACK s g SILENT IDS 1 6-0 FORCE RETRYCOUNT 4
< :1
> XPENDING s g 6-0 6-0 1
< *1 *4 $3 6-0 $0  :-1 :4
# The group has come no further by that.
> XINFO GROUPS s
<2 *1 *12
<3 *1 %6
< $4 name $1 g $9 consumers :1 $7 pending :6 $17 last-delivered-id $3 5-0
<2 $12 entries-read $-1 $3 lag $-1
<3 $12 entries-read _ $3 lag _
"#,
    );
}

/// <https://redis.io/docs/latest/commands/xnack/>.
#[test]
fn what_can_not_be_given_back() {
    check_five_of_six(
        r#"
> XNACK s g FAIL IDS 1
< -ERR wrong number of arguments for 'xnack' command
> XNACK nokey g NOSUCH IDS 1 x
< -NOGROUP No such key 'nokey' or consumer group 'g'
> XNACK s nogroup NOSUCH IDS 1 x
< -NOGROUP No such key 's' or consumer group 'nogroup'
> XNACK s g NOSUCH IDS 0 x
< -ERR mode must be SILENT, FAIL, or FATAL
> XNACK s g FAIL IDS 0 1-0
< -ERR numids must be a positive integer
> XNACK s g FAIL IDS x 1-0
< -ERR numids must be a positive integer
> XNACK s g FAIL IDS 2147483648 1-0
< -ERR numids must be a positive integer
> XNACK s g FAIL IDS 2 1-0
< -ERR number of IDs doesn't match numids
> XNACK s g FAIL IDS 1 1-0 2-0
< -ERR Unrecognized XNACK option '2-0'
> XNACK s g FAIL IDS 1 1-0 RETRYCOUNT
< -ERR Unrecognized XNACK option 'RETRYCOUNT'
> XNACK s g FAIL IDS 1 1-0 RETRYCOUNT x
< -ERR value is not an integer or out of range
> XNACK s g FAIL IDS 1 1-0 RETRYCOUNT -1
< -ERR Invalid RETRYCOUNT value, must be >= 0
> XNACK s g FAIL FORCE RETRYCOUNT 1
< -ERR syntax error, expected IDS keyword
> XNACK s g FAIL IDS 2 1-0 x
< -ERR Invalid stream ID specified as stream command argument
> SET str v
< +OK
> XNACK str g NOSUCH IDS 1 x
< -WRONGTYPE Operation against a key holding the wrong kind of value
# Nothing of all that changed anything.
> XPENDING s g
< *4 :5 $3 1-0 $3 5-0 *1 *2 $1 c $1 5
"#,
    );
}

/// Fields that came with Redis 7.2 (`active-time`, `inactive`), 8.6 (`idmp-…`, `iids-…`, `pids-…`) and 8.8
/// (`nacked-count`); the latter two where there is something to tell (D32). There is no radix tree (D33), and a COUNT is
/// only a number (D36).
#[test]
#[expect(clippy::too_many_lines, reason = "one step after the other")]
fn newer_fields_tell_more() {
    check(
        r#"
> XADD s 1-0 n 1
< $3 1-0
> XADD s 2-0 n 2
< $3 2-0
> XGROUP CREATE s g 0
< +OK
> XGROUP CREATECONSUMER s g a
< :1
> XCLAIM s g b 0 1-0 2-0 FORCE JUSTID LASTID 2
< *2 $3 1-0 $3 2-0
> XNACK s g FAIL IDS 1 1-0
< :1
+1500
> XINFO CONSUMERS s g
<2 *2 *8
<3 *2 %4
< $4 name $1 a $7 pending :0 $4 idle :1500 $8 inactive :-1
<2 *8
<3 %4
< $4 name $1 b $7 pending :1 $4 idle :1500 $8 inactive :1500
# Who tries in vain was seen, and not active.
> XAUTOCLAIM s g a 1000000 2
< *3 $3 0-0 *0 *0
> XCLAIM s g b 1000000 2-0
< *0
> XCLAIM s g nobody 1000000 2-0
< *0
> XINFO CONSUMERS s g
<2 *3 *8
<3 *3 %4
< $4 name $1 a $7 pending :0 $4 idle :0 $8 inactive :-1
<2 *8
<3 %4
< $4 name $1 b $7 pending :1 $4 idle :0 $8 inactive :1500
<2 *8
<3 %4
< $4 name $6 nobody $7 pending :0 $4 idle :0 $8 inactive :-1
> XGROUP DELCONSUMER s g nobody
< :0
> XINFO STREAM s
<2 *20
<3 %10
< $6 length :2 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 2-0
< $20 max-deleted-entry-id $3 0-0 $13 entries-added :2 $23 recorded-first-entry-id $3 1-0
< $6 groups :1
< $11 first-entry *2 $3 1-0 *2 $1 n $1 1 $10 last-entry *2 $3 2-0 *2 $1 n $1 2
> XINFO STREAM s FULL COUNT 1
<2 *18
<3 %9
< $6 length :2 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 2-0
< $20 max-deleted-entry-id $3 0-0 $13 entries-added :2 $23 recorded-first-entry-id $3 1-0
< $7 entries *1 *2 $3 1-0 *2 $1 n $1 1
<2 $6 groups *1 *16
<3 $6 groups *1 %8
< $4 name $1 g $17 last-delivered-id $3 2-0
<2 $12 entries-read $-1 $3 lag :0
<3 $12 entries-read _ $3 lag :0
< $9 pel-count :2 $12 nacked-count :1
< $7 pending *1 *4 $3 1-0 $0  :0 :1
<2 $9 consumers *2 *10
<3 $9 consumers *2 %5
< $4 name $1 a $9 seen-time :1700000001500 $11 active-time :-1 $9 pel-count :0 $7 pending *0
<2 *10
<3 %5
< $4 name $1 b $9 seen-time :1700000001500 $11 active-time :1700000000000 $9 pel-count :1
< $7 pending *1 *3 $3 2-0 :1700000000000 :1
> XCFGSET s IDMP-DURATION 50
< +OK
> XADD s IDMP p i * n 3
< $15 1700000001500-0
> XADD s IDMP p i * n 3
< $15 1700000001500-0
> XTRIM s MAXLEN 0
< :3
> XINFO STREAM s
<2 *32
<3 %16
< $6 length :0 $15 radix-tree-keys :0 $16 radix-tree-nodes :1
< $17 last-generated-id $15 1700000001500-0
< $20 max-deleted-entry-id $3 0-0 $13 entries-added :3 $23 recorded-first-entry-id $3 0-0
< $13 idmp-duration :50 $12 idmp-maxsize :100 $12 pids-tracked :1 $12 iids-tracked :1
< $10 iids-added :1 $15 iids-duplicates :1 $6 groups :1
<2 $11 first-entry $-1 $10 last-entry $-1
<3 $11 first-entry _ $10 last-entry _
"#,
    );
}

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

fn effects(world: &mut World) -> Vec<String> {
    let effects = std::mem::take(&mut world.host.effects);
    let line = |args: Vec<Box<[u8]>>| {
        let words: Vec<_> = args.iter().map(|it| it.escape_ascii().to_string()).collect();
        words.join(" ")
    };
    effects.into_iter().map(|it| line(it.args)).collect()
}

/// Run again, effects make the same stream and the same groups.
#[test]
fn what_is_recorded_does_the_same_again() {
    let (mut world, mut copy) = (World::new(Version::Resp2), World::new(Version::Resp2));
    let claim = |who: &str, id: u64, n: u64| {
        format!(
            "XCLAIM s g {who} 0 {id}-0 TIME 1700000000000 RETRYCOUNT {n} FORCE JUSTID LASTID 4-0"
        )
    };
    let (c1, d1, d2) = (claim("c", 1, 1), claim("d", 1, 2), claim("d", 2, 7));
    let (gone, auto, auto_gone) = (claim("c", 3, 1), claim("e", 1, 3), claim("d", 2, 7));
    let given = [1, 2, 3, 4].map(|id| claim("c", id, 1));
    let given: Vec<&str> = given.iter().map(|it| &**it).collect();
    for (line, expected) in [
        (
            "XGROUP CREATE m g $ MKSTREAM ENTRIESREAD 0",
            &["XGROUP CREATE m g $ MKSTREAM ENTRIESREAD 0"][..],
        ),
        ("XGROUP CREATE m g $ MKSTREAM", &[]),
        ("XADD s 1-0 n 1", &["XADD s 1-0 n 1"]),
        ("XADD s 2-0 n 2", &["XADD s 2-0 n 2"]),
        ("XADD s 3-0 n 3", &["XADD s 3-0 n 3"]),
        ("XADD s 4-0 n 4", &["XADD s 4-0 n 4"]),
        ("XGROUP CREATE s g $", &["XGROUP CREATE s g $"]),
        ("XGROUP CREATE s h -", &[]),
        ("XGROUP SETID s g 0", &["XGROUP SETID s g 0"]),
        ("XCLAIM s g c 0 9-0", &["XGROUP CREATECONSUMER s g c"]),
        ("XCLAIM s g c 0 9-0 LASTID 2", &["XGROUP SETID s g 2-0 ENTRIESREAD -1"]),
        ("XCLAIM s g c 0 9-0 LASTID 1", &[]),
        ("XCLAIM s g c 0 1-0 2-0 3-0 4-0 9-0 FORCE JUSTID LASTID 4", &given),
        ("XCLAIM s g d 0 1-0", &[&d1]),
        ("XCLAIM s g d 5 1-0", &[]),
        ("XCLAIM s g d 0 2-0 RETRYCOUNT 7", &[&d2]),
        ("XDEL s 3-0", &["XDEL s 3-0"]),
        ("XCLAIM s g d 5 3-0", &[&gone]),
        ("XDEL s 2-0", &["XDEL s 2-0"]),
        ("XAUTOCLAIM s g e 0 - COUNT 2", &[&auto, &auto_gone]),
        ("XAUTOCLAIM s g nobody 5 -", &["XGROUP CREATECONSUMER s g nobody"]),
        ("XNACK s g FAIL IDS 1 4-0", &["XNACK s g FAIL IDS 1 4-0"]),
        ("XNACK s g FAIL IDS 1 2-0", &[]),
        ("XNACK s g SILENT IDS 1 1-0 FORCE", &["XNACK s g SILENT IDS 1 1-0 FORCE"]),
        ("XGROUP CREATECONSUMER s g f", &["XGROUP CREATECONSUMER s g f"]),
        ("XGROUP CREATECONSUMER s g f", &[]),
        ("XGROUP DELCONSUMER s g d", &["XGROUP DELCONSUMER s g d"]),
        ("XGROUP DELCONSUMER s g d", &[]),
        ("XCLAIM s g c 0 1-0 JUSTID RETRYCOUNT 1", &[&c1]),
        ("XACK s g 2-0 9-0", &[]),
        ("XACK s g 1-0 9-0", &["XACK s g 1-0 9-0"]),
        ("XDEL s 4-0", &["XDEL s 4-0"]),
        // It was given back, so nobody had it.
        ("XAUTOCLAIM s g e 0 -", &["XACK s g 4-0"]),
        ("XADD s 5-0 n 5", &["XADD s 5-0 n 5"]),
        ("XADD s 6-0 n 6", &["XADD s 6-0 n 6"]),
        ("XNACK s g FAIL IDS 2 5-0 6-0 FORCE", &["XNACK s g FAIL IDS 2 5-0 6-0 FORCE"]),
        ("XDEL s 5-0", &["XDEL s 5-0"]),
        // It only stops being pending.
        ("XDELEX s DELREF IDS 1 5-0", &["XDELEX s DELREF IDS 1 5-0"]),
        ("XDELEX s DELREF IDS 1 5-0", &[]),
        ("XDELEX s ACKED IDS 1 6-0", &[]),
        ("XGROUP CREATE s h 6", &["XGROUP CREATE s h 6"]),
        ("XACKDEL s h IDS 1 6-0", &[]),
        ("XACKDEL s g ACKED IDS 1 6-0", &["XACKDEL s g ACKED IDS 1 6-0"]),
        ("XGROUP DESTROY s h", &["XGROUP DESTROY s h"]),
        ("XGROUP DESTROY s h", &[]),
    ] {
        world.line(line);
        let recorded = effects(&mut world);
        assert_eq!(recorded, expected, "{line}");
        for effect in &recorded {
            copy.line(effect);
        }
        for question in ["XINFO STREAM s FULL COUNT 0", "XINFO STREAM m FULL COUNT 0"] {
            assert_eq!(copy.line(question), world.line(question), "{question} after {line}");
        }
    }
}

fn random_line(rng: &mut Rng) -> String {
    let pick = |rng: &mut Rng, words: &[&str]| {
        words[usize::try_from(rng.below(words.len() as u64)).expect("few")].to_owned()
    };
    let group = pick(rng, &["g", "g", "h"]);
    let consumer = pick(rng, &["a", "b", "c"]);
    let [one, two] = [0; 2].map(|_| 1 + rng.below(40));
    let idle = rng.below(200);
    let references = pick(rng, &["KEEPREF", "DELREF", "ACKED"]);
    match rng.below(20) {
        0..=3 => "XADD k * n 1".into(),
        4 => format!("XDEL k {one}"),
        5 => format!("XDELEX k {references} IDS 2 {one} {two}"),
        6 => format!("XACKDEL k {group} {references} IDS 2 {one} {two}"),
        7 => format!("XACK k {group} {one} {two}"),
        8 => {
            format!("XNACK k {group} {} IDS 2 {one} {two}", pick(rng, &["SILENT", "FAIL", "FATAL"]))
        }
        9 => format!("XNACK k {group} FAIL IDS 1 {one} RETRYCOUNT {idle} FORCE"),
        10 | 11 => format!("XCLAIM k {group} {consumer} {idle} {one} {two}"),
        12 => format!(
            "XCLAIM k {group} {consumer} 0 {one} {two} FORCE JUSTID IDLE {idle} LASTID {one}"
        ),
        13 | 14 => format!("XAUTOCLAIM k {group} {consumer} {idle} {one} COUNT 3"),
        15 | 16 => format!("XREADGROUP GROUP {group} {consumer} COUNT 5 STREAMS k >"),
        17 => {
            format!("XGROUP {} k {group} {consumer}", pick(rng, &["CREATECONSUMER", "DELCONSUMER"]))
        }
        18 => format!("XGROUP SETID k {group} {one}"),
        _ => pick(rng, &["XGROUP CREATE k h 0", "XGROUP CREATE k h $", "XGROUP DESTROY k h"]),
    }
}

#[test]
fn effects_lead_to_the_same_groups() {
    let seed = seed();
    for walk in 0..40 {
        let mut rng = Rng::new(seed.wrapping_add(walk));
        let (mut world, mut copy) = (World::new(Version::Resp2), World::new(Version::Resp2));
        (world.now_ms, copy.now_ms) = (1, 1);
        for line in ["XGROUP CREATE k g $ MKSTREAM", "XGROUP CREATE k h $"] {
            world.line(line);
        }
        for n_line in 0..200 {
            world.now_ms += rng.below(2);
            let line = random_line(&mut rng);
            let reply = world.line(&line);
            let is_expected = !reply.starts_with('-')
                || reply.starts_with("-NOGROUP")
                || reply.starts_with("-BUSYGROUP");
            assert!(is_expected, "{line}: {reply}");
            copy.now_ms = world.now_ms;
            for effect in std::mem::take(&mut world.host.effects) {
                let args: Vec<Vec<u8>> = effect.args.iter().map(|it| it.to_vec()).collect();
                let wire = copy.call(0, &args);
                assert!(!wire.starts_with(b"-"), "{args:?}: {}", wire.escape_ascii());
            }
            if n_line % 10 != 9 {
                continue;
            }
            for question in [
                "XINFO STREAM k",
                "XINFO GROUPS k",
                "XRANGE k - +",
                "XPENDING k g - + 100",
                "XPENDING k h - + 100",
                "XPENDING k g",
                "XPENDING k h",
            ] {
                let (is, should) = (copy.line(question), world.line(question));
                assert_eq!(
                    is, should,
                    "{question} after line {n_line}, {line} (seed {seed}, walk {walk})"
                );
            }
        }
    }
}

/// The events are those that redis-server 7.0.15 and, for `XDELEX` and `XACKDEL`, 8.2.3 published for these commands.
#[test]
fn changes_are_published_as_by_redis() {
    let mut world = World::new(Version::Resp2);
    let classes = [Classes::STREAM, Classes::GENERIC, Classes::KEYEVENT];
    let classes = classes.into_iter().fold(Classes::NONE, Classes::with);
    world.keyspace.tuning().set_notify(classes);
    for (line, expected) in [
        ("XGROUP CREATE m g $ MKSTREAM", &["xgroup-create m"][..]),
        ("XGROUP CREATE m g $ MKSTREAM", &[]),
        ("XADD k 1-1 a 1", &["xadd k"]),
        ("XADD k 2-1 a 2", &["xadd k"]),
        ("XGROUP CREATE k g 0", &["xgroup-create k"]),
        ("XGROUP CREATECONSUMER k g c", &["xgroup-createconsumer k"]),
        ("XGROUP CREATECONSUMER k g c", &[]),
        ("XCLAIM k g d 0 1-1 2-1 FORCE", &["xgroup-createconsumer k"]),
        ("XCLAIM k g c 0 1-1", &[]),
        ("XCLAIM k g e 100000 1-1", &["xgroup-createconsumer k"]),
        ("XCLAIM k g e 0 9-1 LASTID 7", &[]),
        ("XAUTOCLAIM k g e 100000 -", &[]),
        ("XAUTOCLAIM k g f 0 -", &["xgroup-createconsumer k"]),
        ("XNACK k g FAIL IDS 1 1-1", &[]),
        ("XACK k g 1-1", &[]),
        ("XGROUP SETID k g 0", &["xgroup-setid k"]),
        ("XGROUP DELCONSUMER k g d", &["xgroup-delconsumer k"]),
        ("XGROUP DELCONSUMER k g d", &[]),
        ("XDELEX k IDS 2 1-1 9-9", &["xdel k"]),
        ("XDELEX k ACKED IDS 1 2-1", &[]),
        ("XACKDEL k g ACKED IDS 1 2-1", &[]),
        ("XADD k 3-1 a 3", &["xadd k"]),
        ("XCLAIM k g c 0 3-1 FORCE", &[]),
        ("XACKDEL k g IDS 1 3-1", &["xdel k"]),
        ("XGROUP DESTROY k g", &["xgroup-destroy k"]),
        ("XGROUP DESTROY k g", &[]),
    ] {
        world.host.published.clear();
        world.line(line);
        assert_eq!(world.host.published, expected, "{line}");
    }
}

/// As in Redis, who watches a stream watches its entries.
#[test]
fn groups_are_not_watched() {
    let mut world = World::new(Version::Resp2);
    for line in ["XADD k 1-0 a 1", "XADD k 2-0 a 2", "XADD k 3-0 a 3"] {
        world.line(line);
    }
    for (line, is_seen) in [
        ("XGROUP CREATE k g 0", false),
        ("XGROUP SETID k g 0 ENTRIESREAD 0", false),
        ("XGROUP CREATECONSUMER k g c", false),
        ("XCLAIM k g c 0 1-0 2-0 3-0 FORCE", false),
        ("XAUTOCLAIM k g d 0 -", false),
        ("XNACK k g FAIL IDS 1 1-0", false),
        ("XACK k g 1-0", false),
        ("XACKDEL k g IDS 1 9-0", false),
        ("XDELEX k IDS 1 9-0", false),
        ("XACKDEL k g IDS 1 2-0", true),
        ("XDELEX k IDS 1 3-0", true),
        ("XDELEX k DELREF IDS 1 3-0", false),
        ("XGROUP DELCONSUMER k g d", false),
        ("XGROUP DESTROY k g", false),
        ("DEL k", true),
        ("XGROUP CREATE k g $ MKSTREAM", true),
    ] {
        let n_changes = world.keyspace.totals().n_changes;
        world.line("WATCH k");
        let args: Vec<Vec<u8>> = line.split(' ').map(Into::into).collect();
        world.call(1, &args);
        world.line("MULTI");
        world.line("PING");
        let reply = world.line("EXEC");
        assert_eq!(reply == "*-1", is_seen, "{line}: {reply}");
        let is_change = world.keyspace.totals().n_changes != n_changes;
        let was_nothing = matches!(line, "XACKDEL k g IDS 1 9-0" | "XDELEX k IDS 1 9-0");
        assert_eq!(is_change, !was_nothing, "{line}");
    }
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

/// As bytes: how a name is held makes no difference.
fn shown(reply: &Reply) -> String {
    let mut wire = Vec::new();
    reply.write(&mut fanfare_resp::Writer::new(&mut wire, Version::Resp2));
    String::from_utf8_lossy(&wire).replace("\r\n", " ").trim_end().into()
}

#[test]
fn who_waits_to_claim_is_served_with_what_is_given_back() {
    let mut world = World::new(Version::Resp2);
    for line in
        ["XADD k 1-0 n 1", "XGROUP CREATE k g 0", "XCLAIM k g c 0 1-0 FORCE JUSTID LASTID 1"]
    {
        world.line(line);
    }
    let wait: Vec<Vec<u8>> =
        "XREADGROUP GROUP g d CLAIM 60000 BLOCK 0 STREAMS k >".split(' ').map(Into::into).collect();
    assert_eq!(world.call(1, &wait), b"");
    assert_eq!(world.line("XNACK k g FAIL IDS 1 9-0"), ":0");
    assert!(world.host.served.is_empty());
    assert_eq!(world.line("XNACK k g FAIL IDS 1 1-0"), ":1");
    let [(client, reply)] = &world.host.served[..] else {
        panic!("one is served: {:?}", world.host.served);
    };
    assert_eq!(*client, 2);
    let reply = shown(reply);
    assert!(reply.starts_with("*1 *2 $1 k *1 *4 $3 1-0 *2 $1 n $1 1"), "{reply}");
}

#[test]
fn who_waits_for_a_group_hears_that_it_is_destroyed() {
    let mut world = World::new(Version::Resp2);
    world.line("XGROUP CREATE k g $ MKSTREAM");
    let wait: Vec<Vec<u8>> =
        "XREADGROUP GROUP g d BLOCK 0 STREAMS k >".split(' ').map(Into::into).collect();
    assert_eq!(world.call(1, &wait), b"");
    assert_eq!(world.line("XGROUP DESTROY k g"), ":1");
    let [(client, reply)] = &world.host.served[..] else {
        panic!("one is served: {:?}", world.host.served);
    };
    assert_eq!(*client, 2);
    assert!(shown(reply).starts_with("-NOGROUP "), "{reply:?}");
}
