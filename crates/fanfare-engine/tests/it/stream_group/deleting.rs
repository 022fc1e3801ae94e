//! XDELEX and XACKDEL.
//!
//! docs/differences.md: D34

use super::check_five;

/// As redis-server 8.2.3 answered (D34).
#[test]
#[expect(clippy::too_many_lines, reason = "one step after the other")]
fn entries_are_deleted_with_or_without_what_refers_to_them() {
    check_five(
        r#"
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
    check_five(
        r#"
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
