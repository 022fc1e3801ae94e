//! SET, GET and the counters.

use fanfare_engine::Version;

use crate::check::check;
use crate::world::World;

#[test]
fn set_obeys_its_conditions() {
    check(
        "
> SET a 1 XX
<2 $-1
<3 _
> SET a 1 NX
< +OK
> SET a 2 nx
<2 $-1
<3 _
> SET a 3 xx
< +OK
> GET a
< $1 3
> SET a 4 GET NX
< $1 3
> SET a 5 XX GET
< $1 3
> SET b 6 NX GET
<2 $-1
<3 _
> SET c 7 GET XX
<2 $-1
<3 _
> EXISTS a b c
< :2
> GET a
< $1 5
> SET a 6 NX NX
<2 $-1
<3 _
",
    );
}

#[test]
fn set_obeys_its_expiry() {
    check(
        "
> SET a 1 EX 10
< +OK
> PTTL a
< :10000
> SET a 2 KEEPTTL
< +OK
> PTTL a
< :10000
> SET a 3
< +OK
> PTTL a
< :-1
> SET a 4 PX 10 GET
< $1 3
+9
> GET a
< $1 4
+1
> GET a
<2 $-1
<3 _
> SET a 5 KEEPTTL
< +OK
> PTTL a
< :-1
> SET a 6 EX 1 EX 20
< +OK
> TTL a
< :20
> SET a 7 EXAT 1700000100
< +OK
> EXPIRETIME a
< :1700000100
> SET a 8 PXAT 1700000100007
< +OK
> PEXPIRETIME a
< :1700000100007
# Redis accepts a time that has passed; the key is gone when next looked at.
> SET a 9 EXAT 5
< +OK
> DBSIZE
< :1
> GET a
<2 $-1
<3 _
> DBSIZE
< :0
",
    );
}

#[test]
fn set_refuses_in_the_order_of_redis() {
    check(
        "
> SET a
< -ERR wrong number of arguments for 'set' command
> SET a 1 EX
< -ERR syntax error
> SET a 1 NX XX
< -ERR syntax error
> SET a 1 XX NX
< -ERR syntax error
> SET a 1 EX 10 KEEPTTL
< -ERR syntax error
> SET a 1 KEEPTTL PX 10
< -ERR syntax error
> SET a 1 EX abc PX 10
< -ERR syntax error
> SET a 1 PERSIST
< -ERR syntax error
> SET a 1 EX abc
< -ERR value is not an integer or out of range
> SET a 1 EX 0
< -ERR invalid expire time in 'set' command
> SET a 1 PXAT -1
< -ERR invalid expire time in 'set' command
> SET a 1 EX 9223372036854775807
< -ERR invalid expire time in 'set' command
> SET a 1 PX 9223372036854775807
< -ERR invalid expire time in 'set' command
> SET a 1 EXAT 9223372036854776
< -ERR invalid expire time in 'set' command
> SET a 1 PXAT 9223372036854775807
< +OK
",
    );
}

#[test]
fn integers_are_the_text_they_were() {
    check(
        r#"
> SET a 007
< +OK
> GET a
< $3 007
> INCR a
< -ERR value is not an integer or out of range
> SET a -0
< +OK
> GET a
< $2 -0
> SET a ""
< +OK
> GET a
< $0
> INCR a
< -ERR value is not an integer or out of range
> INCRBYFLOAT a 1
< -ERR value is not a valid float
> SET a -12
< +OK
> GET a
< $3 -12
"#,
    );
}

#[test]
fn counters() {
    check(
        "
> INCR n
< :1
> DECR n
< :0
> INCRBY n 10
< :10
> DECRBY n 4
< :6
> GET n
< $1 6
> DECR m
< :-1
> INCRBY n x
< -ERR value is not an integer or out of range
> INCRBY n 9223372036854775807
< -ERR increment or decrement would overflow
> DECRBY n -9223372036854775808
< -ERR decrement would overflow
> DECRBY n -9223372036854775807
< -ERR increment or decrement would overflow
> GET n
< $1 6
> SET n 9223372036854775807 PX 500
< +OK
> INCR n
< -ERR increment or decrement would overflow
> DECR n
< :9223372036854775806
> PTTL n
< :500
+500
> INCR n
< :1
",
    );
}

#[test]
fn float_counters() {
    check(
        "
> SET f 10.50
< +OK
> INCRBYFLOAT f 0.1
< $4 10.6
> INCRBYFLOAT f -5
< $3 5.6
> SET f 5.0e3 PX 100
< +OK
> INCRBYFLOAT f 2.0e2
< $4 5200
> PTTL f
< :100
> INCR f
< :5201
> INCRBYFLOAT f x
< -ERR value is not a valid float
> INCRBYFLOAT f inf
< -ERR increment would produce NaN or Infinity
> INCRBYFLOAT new 0.1
< $3 0.1
> INCRBYFLOAT new 0.2
< $3 0.3
> SET bad x
< +OK
> INCRBYFLOAT bad 1
< -ERR value is not a valid float
",
    );
}

/// As redis-server 7.0.15 says with `OBJECT ENCODING`.
#[test]
fn a_float_that_looks_like_an_integer_is_kept_as_text() {
    let mut world = World::new(Version::Resp2);
    for (line, expected, encoding) in [
        ("SET k 5", "+OK", "int"),
        ("INCRBYFLOAT k 1", "$1 6", "embstr"),
        ("INCRBY k 1", ":7", "int"),
        ("INCRBYFLOAT j 2", "$1 2", "embstr"),
    ] {
        assert_eq!(world.line(line), expected);
        let snapshot = world.keyspace.snapshot().expect("no script runs");
        let key = line.split(' ').nth(1).expect("a key");
        let mut entries = snapshot.entries(0);
        let entry = entries.find(|it| **it.key() == *key.as_bytes()).expect("it is there");
        assert_eq!(entry.value().encoding(), encoding, "{line}");
    }
}
