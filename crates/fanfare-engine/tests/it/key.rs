//! Commands on keys of any type, and on databases.
//!
//! docs/differences.md: D20

use fanfare_engine::Version;

use crate::check::check;
use crate::world::World;

#[test]
fn del_and_exists_count() {
    check(
        "
> SET a 1
< +OK
> SET b 2
< +OK
> EXISTS a a b c
< :3
> DEL a a c
< :1
> UNLINK b c
< :1
> EXISTS a b
< :0
> TYPE a
< +none
> SET a 1 PX 5
< +OK
> TYPE a
< +string
+5
> DEL a
< :0
",
    );
}

#[test]
fn expire_and_ttl() {
    check(
        "
> TTL a
< :-2
> EXPIRETIME a
< :-2
> EXPIRE a 10
< :0
> SET a 1
< +OK
> PTTL a
< :-1
> PEXPIRETIME a
< :-1
> PEXPIRE a 1499
< :1
> TTL a
< :1
+1
> TTL a
< :1
> PEXPIRE a 1500
< :1
> TTL a
< :2
> PERSIST a
< :1
> PERSIST a
< :0
> PERSIST b
< :0
> EXPIREAT a 1700000002
< :1
> EXPIRETIME a
< :1700000002
> PEXPIREAT a 1700000002600
< :1
> EXPIRETIME a
< :1700000003
> PEXPIRETIME a
< :1700000002600
+2599
> TTL a
< :-2
",
    );
}

#[test]
fn a_time_that_has_passed_removes_the_key() {
    check(
        "
> SET a 1
< +OK
> EXPIRE a 0
< :1
> EXISTS a
< :0
> SET a 1
< +OK
> EXPIRE a -1
< :1
> EXISTS a
< :0
> SET a 1
< +OK
> PEXPIREAT a -9223372036854775808
< :1
> DBSIZE
< :0
",
    );
}

#[test]
fn expire_obeys_its_conditions() {
    check(
        "
> SET a 1
< +OK
> EXPIRE a 10 XX
< :0
> EXPIRE a 10 GT
< :0
> EXPIRE a 10 LT
< :1
> EXPIRE a 5 NX
< :0
> EXPIRE a 5 GT
< :0
> EXPIRE a 10 GT
< :0
> EXPIRE a 10 LT
< :0
> EXPIRE a 20 xx gt
< :1
> TTL a
< :20
> EXPIRE a 15 LT XX
< :1
> TTL a
< :15
> EXPIRE a 1 GT GT
< :0
> EXPIRE a -1 LT
< :1
> EXISTS a
< :0
",
    );
}

#[test]
fn expire_refuses_in_the_order_of_redis() {
    check(
        "
> EXPIRE a
< -ERR wrong number of arguments for 'expire' command
> EXPIRE a x FOO
< -ERR Unsupported option FOO
> EXPIRE a x NX XX
< -ERR NX and XX, GT or LT options at the same time are not compatible
> EXPIRE a x LT NX
< -ERR NX and XX, GT or LT options at the same time are not compatible
> EXPIRE a x GT LT
< -ERR GT and LT options at the same time are not compatible
> EXPIRE a x
< -ERR value is not an integer or out of range
> EXPIRE a 9223372036854775807
< -ERR invalid expire time in 'expire' command
> EXPIRE a -9223372036854775807
< -ERR invalid expire time in 'expire' command
> EXPIREAT a 9223372036854776
< -ERR invalid expire time in 'expireat' command
> PEXPIRE a 9223372036854775807
< -ERR invalid expire time in 'pexpire' command
> PEXPIREAT a 9223372036854775807
< :0
",
    );
}

#[test]
fn flush_empties_databases() {
    check(
        "
> SET a 1
< +OK
> SET b 1
< +OK
> DBSIZE
< :2
> FLUSHDB FOO
< -ERR syntax error
> FLUSHALL SYNC ASYNC
< -ERR syntax error
> DBSIZE
< :2
> FLUSHDB async
< +OK
> DBSIZE
< :0
> SET a 1
< +OK
> FLUSHALL SYNC
< +OK
> EXISTS a
< :0
> DBSIZE x
< -ERR wrong number of arguments for 'dbsize' command
",
    );
}

#[test]
fn what_is_left_to_free_goes_to_the_host_once_per_command() {
    let mut world = World::new(Version::Resp3);
    let large = "x".repeat(2 << 20);
    for line in ["DEL a", "FLUSHALL", "SET a 1", "UNLINK a"] {
        world.line(line);
    }
    assert!(world.host.diary.is_empty(), "{:?}", world.host.diary);
    for line in [
        &format!("SET a {large}"),
        &format!("SET b {large}"),
        "SET c 1",
        "UNLINK a b c",
        &format!("SET a {large}"),
        "EXPIRE a 0",
        "SET a 1",
        "SET b 1",
        "FLUSHDB",
        "SET a 1",
        "SELECT 1",
        "SET a 1",
        "MULTI",
        "FLUSHDB",
        "SET b 1",
        "FLUSHALL ASYNC",
        "DBSIZE",
        "EXEC",
    ] {
        world.line(line);
    }
    // Both values and not `c`; the value whose time had come; two keys; and all that the transaction took, at its end.
    assert_eq!(world.host.diary, ["discard 2", "discard 1", "discard 2", "discard 3"]);
}

#[test]
fn memory_is_that_which_is_counted() {
    let mut world = World::new(Version::Resp2);
    world.line("SET small v");
    world.call(0, &[b"SET".to_vec(), b"large".to_vec(), vec![b'x'; 10_000]]);
    let mut usage = |key: &str| -> i64 {
        let answer = world.line(&format!("MEMORY USAGE {key}"));
        answer.trim_start_matches(':').parse().expect("a number of bytes")
    };
    let (small, large) = (usage("small"), usage("large"));
    assert!((64..512).contains(&small), "{small}");
    assert!((10_000..11_000).contains(&large), "{large}");
    assert_eq!(world.line("MEMORY USAGE nokey"), "$-1");
    assert!(world.line("MEMORY STATS").contains("keys.count :2"));
}
