//! XNACK: <https://redis.io/docs/latest/commands/xnack/>. It came with Redis 8.8.
//!
//! docs/differences.md: D34
//! docs/differences.md: D35

use super::check_five_of_six;

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
