//! Commands on the connection: HELLO, AUTH, SELECT, RESET, CLIENT.

use fanfare_engine::Version;
use fanfare_engine::client::Replies;

use crate::check::check;
use crate::world::World;

const HELLO_NO_AUTH: &str = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";

#[test]
fn hello_switches_the_protocol_and_says_what_it_is() {
    let mut world = World::new(Version::Resp2);
    let greeting = world.line("HELLO 3");
    let version = fanfare_engine::FANFARE_VERSION;
    assert_eq!(
        greeting,
        format!(
            "%8 $6 server $5 redis $7 version $5 7.2.4 $5 proto :3 $2 id :1 $4 mode $10 standalone $4 role $6 master $7 modules *0 $15 fanfare_version ${} {version}",
            version.len()
        )
    );
    assert_eq!(world.line("GET nothing"), "_");
    assert!(world.line("HELLO 2").starts_with("*16 $6 server"));
    assert_eq!(world.line("GET nothing"), "$-1");
}

#[test]
fn hello_without_arguments_keeps_the_version() {
    let mut world = World::new(Version::Resp3);
    assert!(world.line("HELLO").starts_with("%8 "));
}

#[test]
fn hello_refuses_in_the_words_of_redis() {
    check(
        "
> HELLO x
< -ERR Protocol version is not an integer or out of range
> HELLO 4
< -NOPROTO unsupported protocol version
> HELLO 1
< -NOPROTO unsupported protocol version
> HELLO 3 AUTH default
< -ERR Syntax error in HELLO option 'AUTH'
> HELLO 3 SETNAME
< -ERR Syntax error in HELLO option 'SETNAME'
> HELLO 3 nonsense
< -ERR Syntax error in HELLO option 'nonsense'
> HELLO 3 SETNAME \u{1}
< -ERR Client names cannot contain spaces, newlines or special characters.
> HELLO 3 AUTH bob x
< -WRONGPASS invalid username-password pair or user is disabled.
> CLIENT GETNAME
<2 $-1
<3 _
",
    );
}

#[test]
fn authentication() {
    let mut world = World::new(Version::Resp2);
    world.host.password = Some(b"secret");
    world.clients[0].authenticated = false;
    assert_eq!(world.line("PING"), "-NOAUTH Authentication required.");
    assert_eq!(world.line("HELLO 3"), HELLO_NO_AUTH);
    assert_eq!(world.line("HELLO 3 SETNAME me"), HELLO_NO_AUTH);
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.";
    assert_eq!(world.line("AUTH nope"), wrong);
    assert_eq!(world.line("AUTH default nope"), wrong);
    assert_eq!(world.line("AUTH bob secret"), wrong);
    assert_eq!(world.line("AUTH a b c"), "-ERR syntax error");
    assert_eq!(world.clients[0].version, Version::Resp2);
    assert!(world.clients[0].name.is_empty());
    assert!(world.line("HELLO 3 AUTH default secret SETNAME me").starts_with("%8 "));
    assert_eq!(world.line("CLIENT GETNAME"), "$2 me");
    // A failed attempt does not take back what a client had.
    assert_eq!(world.line("AUTH nope"), wrong);
    assert_eq!(world.line("PING"), "+PONG");
    assert_eq!(world.line("RESET"), "+RESET");
    assert_eq!(world.line("PING"), "-NOAUTH Authentication required.");
    assert_eq!(world.line("AUTH secret"), "+OK");
    assert_eq!(world.line("PING"), "+PONG");
}

#[test]
fn auth_without_a_password() {
    check(
        "
> AUTH x
< -ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
> AUTH default anything
< +OK
> AUTH bob anything
< -WRONGPASS invalid username-password pair or user is disabled.
> AUTH
< -ERR wrong number of arguments for 'auth' command
",
    );
}

#[test]
fn select() {
    check(
        "
> SELECT 15
< +OK
> SET a 1
< +OK
> SELECT 0
< +OK
> EXISTS a
< :0
> SELECT 16
< -ERR DB index is out of range
> SELECT -1
< -ERR DB index is out of range
> SELECT x
< -ERR value is not an integer or out of range
> SELECT 99999999999
< -ERR value is out of range, value must between -2147483648 and 2147483647
> MULTI
< +OK
> SELECT 15
< +QUEUED
> GET a
< +QUEUED
> EXEC
< *2 +OK $1 1
> EXISTS a
< :1
",
    );
}

#[test]
fn echo_and_ping() {
    check(
        "
> ECHO hello
< $5 hello
> ECHO
< -ERR wrong number of arguments for 'echo' command
> PING x
< $1 x
> PING x y
< -ERR wrong number of arguments for 'ping' command
",
    );
}

#[test]
fn quit_closes() {
    let mut world = World::new(Version::Resp2);
    assert_eq!(world.line("MULTI"), "+OK");
    assert_eq!(world.line("QUIT now please"), "+OK");
    assert!(world.clients[0].closing);
}

#[test]
fn reset_leaves_nothing_behind() {
    let mut world = World::new(Version::Resp3);
    for line in [
        "SELECT 3",
        "CLIENT SETNAME me",
        "CLIENT SETINFO LIB-NAME lib",
        "CLIENT NO-EVICT ON",
        "CLIENT NO-TOUCH ON",
        "SUBSCRIBE a",
        "PSUBSCRIBE a*",
        "SSUBSCRIBE a",
        "MONITOR",
        "WATCH a",
        "MULTI",
        "PING",
    ] {
        let reply = world.line(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    assert_eq!(world.line("RESET"), "+RESET");
    let client = &world.clients[0];
    assert_eq!((client.db, client.version), (0, Version::Resp2));
    assert!(client.name.is_empty() && !client.no_evict && !client.no_touch && !client.monitoring);
    assert_eq!((client.n_subscriptions, client.n_shard_subscriptions), (0, 0));
    assert!(client.watch.is_empty());
    assert_eq!(client.lib_name, b"lib");
    assert_eq!(world.host.diary, ["monitor true", "monitor false"]);
    assert_eq!(world.line("PUBLISH a x"), ":0");
    assert_eq!(world.line("EXEC"), "-ERR EXEC without MULTI");
}

#[test]
fn reset_ends_silence_unless_its_own_reply_is_skipped() {
    let mut world = World::new(Version::Resp2);
    world.clients[0].replies = Replies::Off;
    world.line("RESET");
    assert_eq!(world.clients[0].replies, Replies::On);
    world.clients[0].replies = Replies::Skipping;
    world.line("RESET");
    assert_eq!(world.clients[0].replies, Replies::Skipping);
}

#[test]
fn client_reply() {
    let mut world = World::new(Version::Resp2);
    for (before, word, after, reply) in [
        (Replies::On, "OFF", Replies::Off, ""),
        (Replies::On, "SKIP", Replies::SkipNext, ""),
        (Replies::Off, "SKIP", Replies::Off, ""),
        (Replies::Off, "ON", Replies::On, "+OK"),
        (Replies::Skipping, "ON", Replies::On, "+OK"),
        (Replies::Skipping, "SKIP", Replies::SkipNext, ""),
        (Replies::Off, "maybe", Replies::Off, "-ERR syntax error"),
    ] {
        world.clients[0].replies = before;
        assert_eq!(world.line(&format!("CLIENT REPLY {word}")), reply, "{before:?} {word}");
        assert_eq!(world.clients[0].replies, after, "{before:?} {word}");
    }
}

#[test]
fn client_names() {
    check(
        "
> CLIENT ID
< :1
2> CLIENT ID
< :2
> CLIENT SETNAME a\u{1}b
< -ERR Client names cannot contain spaces, newlines or special characters.
> CLIENT SETNAME worker-1
< +OK
> CLIENT GETNAME
< $8 worker-1
> CLIENT SETNAME \"\"
< +OK
> CLIENT GETNAME
<2 $-1
<3 _
> CLIENT SETINFO lib-name redis-py
< +OK
> CLIENT SETINFO LIB-VER 5.0
< +OK
> CLIENT SETINFO lib-flavour x
< -ERR Unrecognized option 'lib-flavour'
> CLIENT SETINFO LIB-VER \u{7f}
< -ERR LIB-VER cannot contain spaces, newlines or special characters.
> CLIENT INFO
<2 $4 id=1
<3 =8 txt:id=1
",
    );
}

#[test]
fn client_words_that_do_not_fit() {
    check(
        "
> CLIENT
< -ERR wrong number of arguments for 'client' command
> CLIENT NOPE
< -ERR unknown subcommand 'NOPE'. Try CLIENT HELP.
> CLIENT LIST TYPE nobody
< -ERR Unknown client type 'nobody'
> CLIENT LIST TYPE
< -ERR syntax error
> CLIENT LIST TYPE normal ID 1
< -ERR syntax error
> CLIENT LIST ID
< -ERR syntax error
> CLIENT LIST ID 1 x
< -ERR Invalid client ID
> CLIENT KILL 127.0.0.1:1
< -ERR No such client
> CLIENT KILL ID 0
< -ERR client-id should be greater than 0
> CLIENT KILL USER bob
< -ERR No such user 'bob'
> CLIENT KILL MAXAGE 0
< -ERR maxage should be greater than 0
> CLIENT KILL MAXAGE x
< -ERR maxage is not an integer or out of range
> CLIENT KILL SKIPME maybe
< -ERR syntax error
> CLIENT KILL ID 1 ADDR
< -ERR syntax error
> CLIENT KILL ID 1 NOPE 2
< -ERR syntax error
> CLIENT PAUSE x
< -ERR timeout is not an integer or out of range
> CLIENT PAUSE -1
< -ERR timeout is negative
> CLIENT PAUSE 1 SOME
< -ERR CLIENT PAUSE mode must be WRITE or ALL
> CLIENT PAUSE 1 ALL x
< -ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.
> CLIENT NO-EVICT maybe
< -ERR syntax error
> CLIENT NO-TOUCH maybe
< -ERR syntax error
> CLIENT GETREDIR
< :-1
> CLIENT TRACKINGINFO
<2 *6 $5 flags *1 $3 off $8 redirect :-1 $8 prefixes *0
<3 %3 $5 flags ~1 $3 off $8 redirect :-1 $8 prefixes *0
",
    );
}

#[test]
fn client_list_asks_the_host() {
    let mut world = World::new(Version::Resp2);
    let all = world.line("CLIENT LIST");
    assert!(all.contains("ids: None, addr: None, laddr: None, kind: None"), "{all}");
    assert!(world.line("CLIENT LIST TYPE slave").contains("kind: Some(Replica)"));
    assert!(world.line("CLIENT LIST ID 3 -1 4").contains("ids: Some([3, 4])"));
}

#[test]
fn client_kill_asks_the_host() {
    let mut world = World::new(Version::Resp2);
    assert_eq!(world.line("CLIENT KILL ID 7 TYPE pubsub USER default LADDR a:1 MAXAGE 5"), ":0");
    let asked = world.host.diary.pop().expect("the host was asked");
    assert_eq!(
        asked,
        "kill ClientFilter { ids: Some([7]), addr: None, laddr: Some([97, 58, 49]), kind: Some(PubSub), user: Some([100, 101, 102, 97, 117, 108, 116]), skip_me: true, age_s_min: Some(5) }"
    );
    assert!(!world.clients[0].closing);
    world.host.kills_caller = true;
    assert_eq!(world.line("CLIENT KILL 127.0.0.1:1"), "+OK");
    assert!(world.host.diary[0].contains("skip_me: false"));
    assert!(world.clients[0].closing);
    world.clients[0].closing = false;
    assert_eq!(world.line("CLIENT KILL SKIPME no"), ":1");
    assert!(world.clients[0].closing);
}

#[test]
fn client_pause_asks_the_host() {
    let mut world = World::new(Version::Resp2);
    let now_ms = world.now_ms;
    for line in [
        "CLIENT PAUSE 100",
        "CLIENT PAUSE 0 WRITE",
        "CLIENT PAUSE 9223372036854775807 all",
        "CLIENT UNPAUSE",
    ] {
        assert_eq!(world.line(line), "+OK");
    }
    assert_eq!(
        world.host.diary,
        [
            format!("pause {} false", now_ms + 100),
            format!("pause {now_ms} true"),
            format!("pause {} false", now_ms + i64::MAX.unsigned_abs()),
            "unpause".into(),
        ]
    );
}
