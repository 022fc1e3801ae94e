//! `INFO` has the sections and fields of redis-server 7.0.15, in its order and with values of the same form.

#![expect(clippy::expect_used, reason = "a test that can not go on ends")]

use std::net::SocketAddr;

use fanfare_broker::Broker;
use fanfare_testkit::{RawClient, RedisServer, escape};

use crate::peer::PATIENCE;

/// Fields that redis-server 7.0.15 does not print, and why we do.
const ADDED: &[(&str, &str)] = &[
    ("fanfare_version", "what redis_version does not tell"),
    ("fanfare_reactors", "threads that serve connections"),
    ("fanfare_reactors_active", "threads that run commands; the others have subscribers only"),
    ("fanfare_clients_carried", "clients that went from one reactor to another"),
    ("listener0", "of 7.2: where it listens"),
    ("total_blocking_keys", "of 7.2, read by exporters"),
    ("total_blocking_keys_on_nokey", "of 7.2, read by exporters"),
    ("pubsub_clients", "of 7.4, read by exporters"),
    ("watching_clients", "of 7.4, read by exporters"),
    ("acl_access_denied_auth", "of 7.2, read by exporters"),
    ("acl_access_denied_cmd", "of 7.2, read by exporters"),
    ("acl_access_denied_key", "of 7.2, read by exporters"),
    ("acl_access_denied_channel", "of 7.2, read by exporters"),
    ("client_query_buffer_limit_disconnections", "of 7.4: who is cut off"),
    ("client_output_buffer_limit_disconnections", "of 7.4: who is cut off"),
    ("expired_subkeys", "of 7.4: fields of hashes"),
    ("client_panic_disconnections", "who is cut off by a bug of ours"),
];

/// Fields whose values have another form, and why.
const FORM_DIFFERS: &[(&str, &str)] = &[
    ("redis_build_id", "there is no build id"),
    ("monotonic_clock", "the texts describe the build"),
    ("atomicvar_api", "the texts describe the build"),
    ("mem_allocator", "the embedding program chooses it"),
];

const OUR_SECTION: &str = "Pubsub";

fn broker() -> (Broker, SocketAddr) {
    let broker = Broker::builder().any_port().start().expect("the broker starts");
    let addr = broker.addr().expect("it listens on TCP");
    (broker, addr)
}

fn connect(addr: SocketAddr) -> RawClient {
    RawClient::connect(addr).expect("it accepts")
}

/// The text in a bulk string.
fn info(client: &mut RawClient, sections: &[&str]) -> String {
    let command: Vec<&str> = ["INFO"].iter().chain(sections).copied().collect();
    let reply = client.call(&command);
    let text = String::from_utf8(reply).expect("it is text");
    let (header, body) = text.split_once("\r\n").expect("there is a header");
    assert!(header.starts_with('$'), "{}", escape(text.as_bytes()));
    body.strip_suffix("\r\n").expect("there is an end").to_owned()
}

/// Names and values.
fn fields(text: &str) -> Vec<(&str, &str)> {
    text.split("\r\n").filter_map(|line| line.split_once(':')).collect()
}

fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let found = fields(text).into_iter().find(|it| it.0 == name);
    found.map_or_else(|| panic!("there is no {name}:\n{text}"), |it| it.1)
}

fn titles(text: &str) -> Vec<&str> {
    text.split("\r\n").filter_map(|line| line.strip_prefix("# ")).collect()
}

/// The form of a value: what stands for a number is `0`, letters that scale it are `K`.
fn form(value: &str) -> String {
    let mut form = String::new();
    let number = value.trim_end_matches(|it: char| "BKMGT".contains(it));
    if number.parse::<f64>().is_err() && !value.ends_with('%') {
        return "text".to_owned();
    }
    if value.len() != number.len() {
        return "human".to_owned();
    }
    for char in value.trim_start_matches('-').chars() {
        if !(char.is_ascii_digit() && form == "0") {
            form.push(if char.is_ascii_digit() { '0' } else { char });
        }
    }
    form
}

/// The same traffic for both servers.
fn use_server(client: &mut RawClient) {
    for command in ["SET a 1", "GET a", "GET a", "GET b", "SET c 1 EX 1000", "NOSUCH"] {
        client.call(&command.split(' ').collect::<Vec<_>>());
    }
}

#[test]
fn fields_are_those_of_redis_in_its_order() {
    let redis_server = RedisServer::start(&[]);
    let (_broker, addr) = broker();
    let (mut redis, mut ours) = (connect(redis_server.addr()), connect(addr));
    use_server(&mut redis);
    use_server(&mut ours);
    let sections = [
        "server",
        "clients",
        "memory",
        "persistence",
        "stats",
        "replication",
        "cpu",
        "modules",
        "errorstats",
        "cluster",
        "keyspace",
    ];
    for section in sections {
        let (expected, actual) = (info(&mut redis, &[section]), info(&mut ours, &[section]));
        let is_added = |name: &str| ADDED.iter().any(|it| it.0 == name);
        let names = |text: &str| -> Vec<String> {
            let names = fields(text).into_iter().map(|it| it.0);
            names.filter(|it| !is_added(it)).map(str::to_owned).collect()
        };
        assert_eq!(names(&actual), names(&expected), "# {section}");
        for (name, expected) in fields(&expected) {
            if FORM_DIFFERS.iter().all(|it| it.0 != name) {
                let actual = value(&actual, name);
                assert_eq!(form(actual), form(expected), "{name}: {actual} for {expected}");
            }
        }
    }
    let everything = info(&mut ours, &["everything"]);
    for (name, why) in ADDED {
        assert!(
            everything.contains(&format!("\r\n{name}:")),
            "{name} ({why}) is not added any more"
        );
    }
}

#[test]
fn sections_are_chosen_as_in_redis() {
    let redis_server = RedisServer::start(&[]);
    let (_broker, addr) = broker();
    let (mut redis, mut ours) = (connect(redis_server.addr()), connect(addr));
    let choices = [
        "",
        "all",
        "everything",
        "default",
        "DEFAULT commandstats",
        "modules",
        "module_list",
        "keyspace nosuch CPU server cpu",
        "all modules",
        "nosuch",
        "latencystats commandstats",
    ];
    for choice in choices {
        let words: Vec<&str> = choice.split_whitespace().collect();
        let (expected, actual) = (info(&mut redis, &words), info(&mut ours, &words));
        let shown: Vec<&str> =
            titles(&actual).into_iter().filter(|it| *it != OUR_SECTION).collect();
        assert_eq!(shown, titles(&expected), "INFO {choice}");
        let has_ours = titles(&actual).contains(&OUR_SECTION);
        let is_everything = choice.contains("all") || choice.contains("everything");
        assert_eq!(has_ours, is_everything, "INFO {choice}");
    }
    let blank_lines = |text: &str| text.matches("\r\n\r\n# ").count() + 1 == titles(text).len();
    assert!(blank_lines(&info(&mut redis, &[])) && blank_lines(&info(&mut ours, &[])));
    assert_eq!(info(&mut ours, &["nosuch"]), "");
    assert_eq!(info(&mut ours, &["keyspace"]), "# Keyspace\r\n");
}

#[test]
fn counts_are_those_of_redis() {
    let redis_server = RedisServer::start(&[]);
    let (_broker, addr) = broker();
    let (mut redis, mut ours) = (connect(redis_server.addr()), connect(addr));
    use_server(&mut redis);
    use_server(&mut ours);
    let (expected, actual) = (info(&mut redis, &["all"]), info(&mut ours, &["all"]));
    let same = [
        "connected_clients",
        "blocked_clients",
        "maxclients",
        "maxmemory",
        "maxmemory_policy",
        "loading",
        "rdb_changes_since_last_save",
        "keyspace_hits",
        "keyspace_misses",
        "rejected_connections",
        "total_error_replies",
        "errorstat_ERR",
        "role",
        "cluster_enabled",
        "redis_mode",
        "arch_bits",
        "hz",
        "config_file",
        "process_supervised",
    ];
    for name in same {
        assert_eq!(value(&actual, name), value(&expected, name), "{name}");
    }
    for name in ["cmdstat_get", "cmdstat_set"] {
        let calls = |text| value(text, name).split(',').next().map(str::to_owned);
        assert_eq!(calls(&actual), calls(&expected), "{name}");
        let keys = |text| -> Vec<String> {
            let pairs = value(text, name).split(',');
            pairs.map(|it| it.split('=').next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(keys(&actual), keys(&expected), "{name}");
    }
    let percentiles = value(&actual, "latency_percentiles_usec_get");
    let expected = ["p50", "p99", "p99.9"];
    let shown = percentiles.split(',').filter_map(|it| it.split_once('='));
    for ((name, micros), expected) in shown.zip(expected) {
        assert_eq!((name, form(micros)), (expected, "0.000".to_owned()), "{percentiles}");
    }
    assert_eq!(value(&actual, "db0"), "keys=2,expires=1,avg_ttl=0");
    assert_eq!(value(&actual, "tcp_port"), addr.port().to_string());
    assert_eq!(value(&actual, "process_id"), std::process::id().to_string());
    for id in ["run_id", "master_replid"] {
        let id = value(&actual, id);
        assert!(id.len() == 40 && id.chars().all(|it| it.is_ascii_hexdigit()), "{id}");
    }
}

#[test]
fn errors_are_counted_where_they_come_from() {
    let server = RedisServer::start(&[]);
    let (_broker, addr) = broker();
    let requests: &[&[&str]] = &[
        &["CONFIG", "RESETSTAT"],
        &["SET", "s", "x"],
        &["LPUSH", "s", "x"],
        &["MULTI"],
        &["LPUSH", "s", "x"],
        &["EVAL", "return redis.call('LPUSH', 's', 'x')", "0"],
        &["EXEC"],
        &["EVAL", "redis.pcall('LPUSH', 's', 'x') return 1", "0"],
        &["EVAL", "return redis.pcall('LPUSH', 's', 'x')", "0"],
        &["EVAL", "redis.call('LPUSH', 's', 'x')", "0"],
        &["EVAL", "redis.pcall('nosuch') redis.pcall('GET') redis.pcall('SUBSCRIBE', 'x')", "0"],
        &["EVAL", "return redis.call('nosuch')", "0"],
        &["EVAL", "return redis.error_reply('MINE is this')", "0"],
        &["EVAL", "return {err = 'MINE too'}", "0"],
        &["EVAL", "return {err = 'single'}", "0"],
        &["EVAL", "return {err = 'ANAMETHATISLONGERTHANITMAYBETOBECOUNTED so'}", "0"],
        &["EVAL", "error('x')", "0"],
        &["EVAL", "foo(", "0"],
        &["EVAL_RO", "return redis.call('SET', 's', 'x')", "0"],
        &["EVALSHA", "x", "0"],
        &["NOSUCH"],
        &["GET"],
    ];
    let counted = |addr| {
        let mut client = connect(addr);
        for request in requests {
            client.call(request);
        }
        let text = info(&mut client, &["everything"]);
        let is_counted = |it: &&str| {
            ["cmdstat_", "errorstat_", "total_error_replies"].iter().any(|w| it.starts_with(w))
        };
        let untimed = |it: &str| -> String {
            it.split([':', ',']).filter(|it| !it.starts_with("usec")).collect::<Vec<_>>().join(" ")
        };
        let mut lines: Vec<String> = text.split("\r\n").filter(is_counted).map(untimed).collect();
        lines.sort();
        lines
    };
    assert_eq!(counted(addr), counted(server.addr()));
}

#[test]
fn a_script_takes_as_long_as_its_commands_and_more() {
    let (_broker, addr) = broker();
    let mut client = connect(addr);
    client.call(&["CONFIG", "RESETSTAT"]);
    let script = "for i = 1, 1000 do redis.call('PING') end";
    for request in [&["EVAL", script, "0"][..], &["MULTI"], &["EVAL", script, "0"], &["EXEC"]] {
        client.call(request);
    }
    let text = info(&mut client, &["commandstats"]);
    let micros = |name: &str| -> u64 {
        let parts = value(&text, &format!("cmdstat_{name}")).split(',');
        let found = parts.filter_map(|it| it.strip_prefix("usec=")).next();
        found.and_then(|it| it.parse().ok()).expect("a number")
    };
    assert!(micros("ping") <= micros("eval"), "{text}");
}

#[test]
fn counts_are_zeroed_as_in_redis() {
    let redis_server = RedisServer::start(&[]);
    let (_broker, addr) = broker();
    let zeroed = |addr| {
        let mut client = connect(addr);
        use_server(&mut client);
        assert_eq!(client.call(&["CONFIG", "RESETSTAT"]), b"+OK\r\n");
        client.call(&["GET", "a"]);
        info(&mut client, &["all"])
    };
    let (expected, actual) = (zeroed(redis_server.addr()), zeroed(addr));
    let same = [
        "total_connections_received",
        "total_commands_processed",
        "keyspace_hits",
        "keyspace_misses",
        "expired_keys",
        "total_error_replies",
        "rdb_changes_since_last_save",
    ];
    for name in same {
        assert_eq!(value(&actual, name), value(&expected, name), "{name}");
    }
    for gone in ["cmdstat_set:", "errorstat_ERR:"] {
        assert!(!expected.contains(gone) && !actual.contains(gone), "{gone}");
    }
}

#[test]
fn subscriptions_and_messages_are_counted() {
    let (_broker, addr) = broker();
    let (mut subscriber, mut other) = (connect(addr), connect(addr));
    subscriber.send(b"SUBSCRIBE a b\r\nPSUBSCRIBE x*\r\nSSUBSCRIBE s\r\n");
    assert!(subscriber.wait_for_frames(4, PATIENCE));
    for _ in 0..3 {
        assert_eq!(other.call(&["PUBLISH", "a", "hello"]), b":1\r\n");
    }
    assert!(subscriber.wait_for_frames(7, PATIENCE));
    let text = info(&mut other, &["pubsub"]);
    assert_eq!(titles(&text), [OUR_SECTION]);
    let expected = [
        ("pubsub_channels", "2"),
        ("pubsub_patterns", "1"),
        ("pubsubshard_channels", "1"),
        ("pubsub_clients", "1"),
        ("pubsub_messages_published", "3"),
        ("pubsub_messages_delivered", "3"),
        ("pubsub_messages_lost_to_panics", "0"),
        ("pubsub_output_limit_kills", "0"),
        ("pubsub_output_bytes_lost", "0"),
        ("pubsub_mailbox_bytes", "0"),
        ("pubsub_mailbox_waits", "0"),
        ("stream_subscriptions", "0"),
        ("stream_subscriptions_reading", "0"),
        ("stream_push_fallbacks", "0"),
    ];
    assert_eq!(fields(&text), expected);
    let stats = info(&mut other, &["stats"]);
    for name in ["pubsub_channels", "pubsub_patterns", "pubsubshard_channels"] {
        assert_eq!(value(&stats, name), value(&text, name), "{name}");
    }
}

#[test]
fn a_transaction_that_holds_keys_can_ask() {
    let (_broker, addr) = broker();
    let mut client = connect(addr);
    for command in ["MULTI", "SET a 1", "FLUSHALL", "SET b 2", "INFO everything"] {
        client.call(&command.split(' ').collect::<Vec<_>>());
    }
    let reply = client.call(&["EXEC"]);
    let text = String::from_utf8_lossy(&reply);
    assert!(text.starts_with("*4\r\n") && text.contains("# Keyspace\r\n"), "{text}");
    assert_eq!(value(&info(&mut client, &["keyspace"]), "db0"), "keys=1,expires=0,avg_ttl=0");
}

#[test]
fn memory_adds_up() {
    let (_broker, addr) = broker();
    let text = info(&mut connect(addr), &["memory"]);
    let bytes = |name| value(&text, name).parse::<u64>().expect("a number");
    let used = bytes("used_memory");
    assert!(0 < used && used <= bytes("used_memory_rss"), "{text}");
    assert!(used <= bytes("used_memory_peak"), "{text}");
    assert_eq!(bytes("used_memory_overhead") + bytes("used_memory_dataset"), used);
    assert!(bytes("used_memory_startup") <= bytes("used_memory_overhead"), "{text}");
    assert!(used < bytes("total_system_memory"), "{text}");
}
