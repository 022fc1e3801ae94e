//! Commands for operators. What they show is the host's; here is how they ask and in what form they answer.

use fanfare_engine::Version;

use crate::check::check;
use crate::world::World;

#[test]
fn time_and_role() {
    check(
        "
+1234
> TIME
< *2 $10 1700000001 $6 234000
> ROLE
< *3 $6 master :0 *0
",
    );
}

#[test]
fn config() {
    check(
        "
> CONFIG GET max* port
<2 *4 $10 maxclients $5 10000 $4 port $4 6379
<3 %2 $10 maxclients $5 10000 $4 port $4 6379
> CONFIG GET nope
<2 *0
<3 %0
> CONFIG SET a b c
< -ERR syntax error
> CONFIG SET a
< -ERR wrong number of arguments for 'config|set' command
> CONFIG NOPE
< -ERR unknown subcommand 'NOPE'. Try CONFIG HELP.
",
    );
    let mut world = World::new(Version::Resp2);
    assert_eq!(world.line("CONFIG SET a 1 b 2"), "+OK");
    assert_eq!(world.line("CONFIG RESETSTAT"), "+OK");
    assert_eq!(world.host.diary, ["set a=1 b=2", "resetstat"]);
}

#[test]
fn info_takes_sections_in_any_case() {
    check(
        "
> INFO Server PUBSUB
<2 $13 server pubsub
<3 =17 txt:server pubsub
> INFO
<2 $0
<3 =4 txt:
",
    );
}

#[test]
fn shutdown() {
    check(
        "
> SHUTDOWN nope
< -ERR syntax error
> SHUTDOWN SAVE NOSAVE
< -ERR syntax error
> SHUTDOWN NOSAVE ABORT
< -ERR syntax error
> SHUTDOWN ABORT
< -ERR No shutdown in progress.
> MULTI
< +OK
> SHUTDOWN
< -ERR Command not allowed inside a transaction
> DISCARD
< +OK
",
    );
    let mut world = World::new(Version::Resp2);
    assert_eq!(world.line("SHUTDOWN nosave NOW force"), "");
    assert_eq!(
        world.host.diary,
        ["Shutdown { nosave: true, save: false, now: true, force: true, abort: false }"]
    );
}

#[test]
fn monitor() {
    check(
        "
> MULTI
< +OK
> MONITOR
< +QUEUED
> EXEC
< *1 -ERR MONITOR isn't allowed for DENY BLOCKING client
> MONITOR
< +OK
> MONITOR
",
    );
}

#[test]
fn slowlog() {
    check(
        "
> SLOWLOG GET 1
< *1 *6 :11 :1700000000 :15 *2 $3 get $1 a $11 127.0.0.1:1 $0
> SLOWLOG GET 0
< *0
> SLOWLOG GET -2
< -ERR count should be greater than or equal to -1
> SLOWLOG GET x
< -ERR count should be greater than or equal to -1
> SLOWLOG GET 1 2
< -ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.
> SLOWLOG LEN
< :0
> SLOWLOG RESET
< +OK
",
    );
    let mut world = World::new(Version::Resp2);
    assert!(world.line("SLOWLOG GET").starts_with("*10 "));
    assert!(world.line("SLOWLOG GET -1").starts_with("*12 "));
}

#[test]
fn latency() {
    check(
        "
> LATENCY LATEST
< *0
> LATENCY HISTORY command
< *0
> LATENCY GRAPH command
< -ERR No samples available for event 'command'
> LATENCY HISTOGRAM config nope get
<2 *4 $10 config|get *4 $5 calls :3 $14 histogram_usec *4 :1 :2 :4 :3
<3 %2 $10 config|get %2 $5 calls :3 $14 histogram_usec %2 :1 :2 :4 :3
<2 $3 get *4 $5 calls :3 $14 histogram_usec *4 :1 :2 :4 :3
<3 $3 get %2 $5 calls :3 $14 histogram_usec %2 :1 :2 :4 :3
> LATENCY HISTOGRAM config|get config|nope
<2 *2 $10 config|get *4 $5 calls :3 $14 histogram_usec *4 :1 :2 :4 :3
<3 %1 $10 config|get %2 $5 calls :3 $14 histogram_usec %2 :1 :2 :4 :3
",
    );
    let mut world = World::new(Version::Resp2);
    world.host.latency = vec![(1_699_999_990, 30), (1_700_000_000, 20)];
    assert_eq!(world.line("LATENCY LATEST"), "*1 *4 $7 command :1700000000 :20 :30");
    assert_eq!(world.line("LATENCY HISTORY command"), "*2 *2 :1699999990 :30 *2 :1700000000 :20");
    let graph = world.line("LATENCY GRAPH command");
    assert!(graph.contains("command - high 30 ms, low 20 ms (all time high 30 ms)\n"), "{graph}");
    assert!(world.line("LATENCY HISTOGRAM").starts_with("*4 $10 config|get "));
    assert_eq!(world.line("LATENCY RESET command"), ":1");
}

#[test]
fn debug_is_off_by_default() {
    check(
        "
> DEBUG SLEEP 0
< -ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
",
    );
}

#[test]
fn debug() {
    let mut world = World::new(Version::Resp2);
    world.host.allows_debug = true;
    for (line, reply) in [
        ("SET a hello", "+OK"),
        (
            "DEBUG OBJECT a",
            "+Value at:0x0 refcount:1 encoding:embstr serializedlength:6 lru:0 lru_seconds_idle:0",
        ),
        ("SET a 70000", "+OK"),
        (
            "DEBUG OBJECT a",
            "+Value at:0x0 refcount:1 encoding:int serializedlength:5 lru:0 lru_seconds_idle:0",
        ),
        ("DEBUG OBJECT nothing", "-ERR no such key"),
        ("DEBUG ERROR WRONG", "-WRONG"),
        (
            "DEBUG ERROR",
            "-ERR unknown subcommand or wrong number of arguments for 'ERROR'. Try DEBUG HELP.",
        ),
        (
            "DEBUG nope",
            "-ERR unknown subcommand or wrong number of arguments for 'nope'. Try DEBUG HELP.",
        ),
        ("DEBUG SLEEP 0.5", "+OK"),
        ("DEBUG SLEEP -1", "+OK"),
        ("DEBUG SLEEP x", "+OK"),
        ("DEBUG SET-ACTIVE-EXPIRE 0", "+OK"),
        ("DEBUG SET-ACTIVE-EXPIRE 1", "+OK"),
        ("DEBUG CHANGE-REPL-ID", "+OK"),
        ("DEBUG PROTOCOL push", "-ERR RESP2 is not supported by this command"),
        ("DEBUG PROTOCOL attrib", "$39 Some real reply following the attribute"),
        ("DEBUG PROTOCOL map", "*6 :0 :0 :1 :1 :2 :0"),
        ("DEBUG PROTOCOL double", "$5 3.141"),
        (
            "DEBUG PROTOCOL nope",
            "-ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
        ),
    ] {
        assert_eq!(world.line(line), reply, "{line}");
    }
    assert_eq!(
        world.host.diary,
        ["sleep 500ms", "sleep 0ns", "sleep 0ns", "active expire false", "active expire true"]
    );
    world.clients[0].version = Version::Resp3;
    for (kind, reply) in [
        ("push", ">2 $16 server-cpu-usage :42 $40 Some real reply following the push reply"),
        (
            "attrib",
            "|1 $14 key-popularity *2 $7 key:123 :90 $39 Some real reply following the attribute",
        ),
        ("map", "%3 :0 #f :1 #t :2 #f"),
        ("set", "~3 :0 :1 :2"),
        ("double", ",3.141"),
        ("bignum", "(1234567999999999999999999999999999999"),
        ("verbatim", "=29 txt:This is a verbatim\nstring"),
        ("null", "_"),
        ("true", "#t"),
    ] {
        assert_eq!(world.line(&format!("DEBUG PROTOCOL {kind}")), reply, "{kind}");
    }
}

#[test]
fn a_dictated_error_can_not_forge_a_reply() {
    let mut world = World::new(Version::Resp2);
    world.host.allows_debug = true;
    let wire = world.call(0, &[b"DEBUG".into(), b"ERROR".into(), b"a\r\n+b".into()]);
    assert_eq!(wire, b"-a  +b\r\n");
}

#[test]
fn help_is_a_list_of_status_lines() {
    for container in ["CLIENT", "COMMAND", "CONFIG", "LATENCY", "PUBSUB", "SLOWLOG"] {
        let mut world = World::new(Version::Resp3);
        let help = world.line(&format!("{container} HELP"));
        let title =
            format!(" +{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are: +");
        assert!(help.starts_with('*') && help.contains(&title), "{help}");
        assert!(help.ends_with("+HELP +    Prints this help."), "{help}");
    }
}

#[test]
fn debug_object_in_a_database_that_was_never_used() {
    let mut world = World::new(Version::Resp3);
    world.host.allows_debug = true;
    for database in ["SELECT 0", "SELECT 7"] {
        world.line(database);
        assert_eq!(world.line("DEBUG OBJECT nokey"), "-ERR no such key");
    }
}
