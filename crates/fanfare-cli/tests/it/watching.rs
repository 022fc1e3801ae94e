//! `fanfare check`, `doctor` and `top`.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use fanfare_testkit::RedisServer;
use serde_json::Value;

use crate::support::{Server, fails, free_addr, output_of, run, stderr, stdout};

/// A healthy broker with a stream and a group that is behind.
fn server() -> (RedisServer, String) {
    let args = [
        ["--requirepass", "pw"],
        ["--bind", "127.0.0.1"],
        ["--maxmemory", "1gb"],
        ["--appendonly", "yes"],
    ]
    .concat();
    let server = RedisServer::start(&args);
    let mut client = server.client();
    client.call(&["AUTH", "pw"]);
    for n in 1..=5 {
        client.call(&["XADD", "orders", &format!("{n}-0"), "a", "b"]);
    }
    client.call(&["XGROUP", "CREATE", "orders", "billing", "0"]);
    client.call(&["XREADGROUP", "GROUP", "billing", "me", "COUNT", "1", "STREAMS", "orders", ">"]);
    let url = format!("redis://:pw@{}", server.addr());
    (server, url)
}

#[track_caller]
fn ends(args: &[&str], code: i32) -> String {
    let output = run(args);
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {told}{}", stderr(&output));
    told
}

#[test]
fn check_has_the_exit_codes_that_monitoring_systems_expect() {
    let (_server, url) = server();
    let check =
        |more: &[&str], code| ends(&[&["check", &url, "--over", "0.05"], more].concat(), code);
    let well = check(&[], 0);
    assert!(
        well.starts_with("OK: ") && well.contains("1 stream") && !well.contains("pw"),
        "{well}"
    );
    let warned = check(&["--warn", "lag=3"], 1);
    let expected = "WARNING: warning orders/billing: lag 4, more than 3 (start more workers of the \
                    group billing of orders)\n";
    assert_eq!(warned, expected);
    let both = check(&["--warn", "lag=3", "--crit", "length@orders=4", "--crit", "length@x=0"], 2);
    assert!(both.starts_with("CRITICAL: critical orders: length 5") && both.contains("; warning"));
    assert_eq!(both.lines().count(), 1);
    assert!(check(&["--only-given"], 0).starts_with("OK"));
    let told: Value = serde_json::from_str(&check(&["--warn", "lag=3", "--json"], 1)).unwrap();
    assert_eq!(told["status"], "warning");
    assert_eq!(told["snapshot"]["streams"][0]["groups"][0]["lag"], 4);
    assert_eq!(told["snapshot"]["alerts"][0]["metric"], "lag");

    let away = format!("redis://{}", free_addr());
    let told = ends(&["check", &away, "--deadline", "0.5"], 3);
    assert!(told.starts_with("UNKNOWN: ") && told.contains("refused"), "{told}");
    let locked = url.replace(":pw@", "");
    assert!(ends(&["check", &locked, "--deadline", "0.5"], 3).contains("asks for a password"));
    fails(&["check", "--warn", "lug=1"], 3, &["lug", "dead-letters"]);
    fails(&["check", "redis://h:99999"], 3, &["99999"]);
    assert!(ends(&["check", "--help"], 0).contains("Exit codes"));
}

/// What is beyond the bounds is no silence: it is told, and a warning.
#[test]
fn check_tells_what_it_has_not_looked_at() {
    let (server, url) = server();
    let mut client = server.client();
    client.call(&["AUTH", "pw"]);
    for name in ["apples", "pears"] {
        client.call(&["XADD", name, "1-0", "a", "b"]);
    }
    client.call(&["XGROUP", "CREATE", "orders", "packing", "0"]);
    client.call(&["HSET", "{mails}:meta", "enqueued", "2", "stamp", "1"]);
    client.call(&["ZADD", "{mails}:dead", "1", "a"]);
    let check =
        |more: &[&str], code| ends(&[&["check", &url, "--over", "0.05"], more].concat(), code);
    let told = check(&["--streams-max", "1"], 1);
    assert!(told.contains("(2 streams)") && told.contains("--streams-max"), "{told}");
    let told = check(&["--groups-max", "1", "--only-given"], 0);
    assert!(told.contains("3 streams, 1 group (1 more), 1 queue"), "{told}");
    let told = check(&["--streams-max", "1", "--only-given", "--crit", "length=0"], 2);
    assert!(told.contains("; of 1 node, 1 stream (2 more), "), "{told}");
    let bounds = ["--streams-max", "2", "--groups-max", "0", "--queues-max", "0", "--prometheus"];
    let samples = parse(&check(&bounds, 1));
    for (name, n) in [("streams", 1.0), ("queues", 1.0)] {
        assert_eq!(samples.get(&format!("fanfare_broker_other_{name}")), Some(&n), "{samples:?}");
    }
    let samples = parse(&check(&["--groups-max", "0", "--prometheus"], 1));
    assert_eq!(samples.get("fanfare_broker_other_groups"), Some(&2.0));
    assert_eq!(samples.get("fanfare_broker_queue_dead{queue=\"mails\"}"), Some(&1.0));
    let told = check(&["--crit", "queue-dead=0", "--crit", "oldest-pending=1"], 2);
    assert!(told.starts_with("CRITICAL: critical mails: dead tasks 1, more than 0"), "{told}");
    assert!(!told.contains("oldest"), "1-0 is not fifty years old: {told}");
}

/// A channel can not be silent for longer than it was listened to: that is said, not passed over.
#[test]
fn check_hears_silence_if_it_listens_for_long_enough() {
    let (_server, url) = server();
    let silence = ["--crit", "channel-silence@news=0.2", "--listen", "news"];
    let told = ends(&[&["check", &url, "--over", "0.3"], &silence[..]].concat(), 2);
    assert!(told.starts_with("CRITICAL: critical news: without a message for 0.3"), "{told}");
    for (more, words) in [
        (
            &["--over", "0.1", "--listen", "news"][..],
            "within 0.1 s that a channel is silent for 0.2 s",
        ),
        (&["--listen", "other"], "\"news\", which is not listened to"),
        (&[], "\"news\", which is not listened to"),
    ] {
        fails(&[&["check", &url, "--crit", silence[1]], more].concat(), 3, &[words]);
    }
}

#[test]
fn a_namespace_leads_to_its_own_streams_queues_and_dead_letters() {
    let (server, url) = server();
    let mut client = server.client();
    client.call(&["AUTH", "pw"]);
    client.call(&["XADD", "eu:orders", "1-0", "a", "b"]);
    client.call(&["XGROUP", "CREATE", "eu:orders", "billing", "0"]);
    client.call(&["XADD", "eu:{eu:orders}:billing:dead", "1-0", "dead:stream", "orders"]);
    client.call(&["XADD", "eu:given-up", "1-0", "dead:stream", "orders"]);
    client.call(&["XADD", "eu:given-up", "2-0", "dead:stream", "orders"]);
    client.call(&["HSET", "eu:{mails}:meta", "enqueued", "2", "stamp", "1"]);
    let check = |more: &[&str], code| {
        ends(&[&["check", &url, "--over", "0.05", "--namespace", "eu:"], more].concat(), code)
    };
    let told = check(&[], 1);
    for words in
        ["orders/billing: dead letters 1, more than 0", "given-up: dead letters 2, more than 0"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = check(&["--dead", "orders/billing=given-up"], 1);
    assert!(told.contains("orders/billing: dead letters 2, more than 0 (in given-up)"), "{told}");
    let samples = parse(&check(&["--prometheus"], 1));
    assert_eq!(samples.get("fanfare_broker_queue_enqueued_total{queue=\"mails\"}"), Some(&2.0));
    // And what the cure says can be done there.
    let ls = [
        "dlq",
        "ls",
        "orders",
        "billing",
        "--url",
        &url,
        "--namespace",
        "eu:",
        "--dead",
        "given-up",
    ];
    ends(&ls, 0);
    fails(&["check", &url, "--namespace", "eu*"], 3, &["eu*"]);
    fails(&["check", &url, "--dead", "orders=given-up"], 3, &["STREAM/GROUP=KEY"]);
}

#[test]
fn check_speaks_to_prometheus() {
    let (_server, url) = server();
    let text = ends(&["check", &url, "--over", "0.05", "--prometheus"], 0);
    let samples = parse(&text);
    let of = |name: &str| samples.get(name).copied();
    assert_eq!(of("fanfare_broker_group_lag{stream=\"orders\",group=\"billing\"}"), Some(4.0));
    assert_eq!(of("fanfare_broker_stream_length{stream=\"orders\"}"), Some(5.0));
    assert_eq!(of("fanfare_broker_alerts{severity=\"critical\"}"), Some(0.0));
    assert!(samples.iter().any(|it| it.0.starts_with("fanfare_broker_commands_total{node=")));
}

/// Reads the format as strictly as Prometheus's own tools: a HELP and a TYPE in front of the samples of each
/// metric, which are together; no sample twice.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let is_name = |it: &str| {
        let mut chars = it.chars();
        chars.next().is_some_and(|it| it.is_ascii_alphabetic() || it == '_')
            && chars.all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    let mut samples = BTreeMap::new();
    let (mut current, mut seen) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let name = help.split(' ').next().unwrap();
            assert!(!seen.contains(&name.to_owned()), "{name} comes twice");
            seen.push(name.to_owned());
            current = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, current);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(["counter", "gauge"].contains(&kind), "{line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            assert!(name == current && is_name(name), "{line}");
            if let Some(labels) = sample.strip_prefix(name).filter(|it| !it.is_empty()) {
                let labels = labels.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap();
                for label in labels.split("\",") {
                    let (name, value) = label.split_once("=\"").unwrap();
                    assert!(is_name(name) && !value.trim_end_matches('"').contains('"'), "{line}");
                }
            }
            let value: f64 = value.parse().unwrap();
            assert!(samples.insert(sample.to_owned(), value).is_none(), "{line} comes twice");
        }
    }
    assert!(text.ends_with('\n') && !samples.is_empty());
    samples
}

#[test]
fn doctor_finds_nothing_in_a_healthy_broker_and_says_what_mends_others() {
    let (_server, url) = server();
    let told = ends(&["doctor", &url, "--no-host"], 0);
    assert!(told.starts_with("nothing is wrong with ") && !told.contains("pw"), "{told}");

    let bad = Server::start(&["--maxmemory-policy", "allkeys-lru", "--tcp-keepalive", "0"]);
    bad.client().call(&["XADD", "orders", "*", "a", "b"]);
    let told = ends(&["doctor", "--url", &bad.url(), "--no-host"], 2);
    let port = bad.addr.port();
    for words in [
        "critical eviction-policy 127.0.0.1",
        "  seen: maxmemory-policy is allkeys-lru, and there are streams",
        "  harm: When maxmemory is reached",
        "  mend: Use noeviction",
        &format!("    redis-cli -h 127.0.0.1 -p {port} CONFIG SET maxmemory-policy noeviction"),
        "warning no-tcp-keepalive",
        "1 critical, ",
    ] {
        assert!(told.contains(words), "{words}:\n{told}");
    }
    let json = ends(&["doctor", &bad.url(), "--no-host", "--json"], 2);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["findings"][0]["name"], "eviction-policy");
    assert_eq!(json["findings"][0]["severity"], "critical");

    let away = format!("redis://{}", free_addr());
    let told = ends(&["doctor", &away, "--no-host"], 2);
    assert!(told.contains("critical unreachable") && told.contains("fanfare serve"), "{told}");
    fails(&["doctor", "redis://h:99999"], 3, &["99999"]);
    fails(&["doctor", "--lsit"], 3, &["--list"]);
    let all = ends(&["doctor", "--list"], 0);
    assert!(all.contains("no-maxmemory warning") && all.contains("dead-consumer"), "{all}");
}

#[test]
fn top_prints_once_where_there_is_no_terminal() {
    let (_server, url) = server();
    for args in [&["top", &url, "-i", "0.05"][..], &["top", &url, "-i", "0.05", "--once"]] {
        let told = ends(args, 0);
        for words in
            ["nodes\n", "commands/s", "orders/billing", "streams\n", "queues\n", "oldest s"]
        {
            assert!(told.contains(words), "{words}:\n{told}");
        }
        assert!(!told.contains('\u{1b}'), "{told}");
    }
    let json: Value =
        serde_json::from_str(&ends(&["top", &url, "-i", "0.05", "--once", "--json"], 0)).unwrap();
    assert_eq!(json["streams"][0]["name"], "orders");
}

/// In a terminal of its own, with keys that are typed.
#[cfg(target_os = "linux")]
#[test]
fn top_takes_over_a_terminal_and_gives_it_back() {
    const ENTER: &str = "\u{1b}[?1049h";
    const LEAVE: &str = "\u{1b}[?1049l";
    let (_server, url) = server();
    for (keys, code) in [("4q", 0), ("\u{3}", 130)] {
        let line = format!("{} top {url} -i 0.1", env!("CARGO_BIN_EXE_fanfare"));
        // `script` gives it a terminal.
        let mut script = std::process::Command::new("script");
        script.args(["-qefc", &format!("stty rows 30 cols 120; exec {line}"), "/dev/null"]);
        script.env("TERM", "xterm-256color").env_remove("FANFARE_URL").stdin(Stdio::piped());
        script.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = script.spawn().expect("`script` is there: apt-get install bsdutils");
        let mut shown = String::new();
        let mut out = child.stdout.take().unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut buffer = [0; 4096];
        let mut is_typed = false;
        // What is drawn first is that it looks; then what it sees.
        while let Ok(n @ 1..) = out.read(&mut buffer) {
            shown.push_str(&String::from_utf8_lossy(&buffer[..n]));
            if !is_typed && shown.contains("no alerts") {
                input.write_all(keys.as_bytes()).unwrap();
                input.flush().unwrap();
                is_typed = true;
            }
        }
        let ended = output_of(child);
        assert_eq!(ended.status.code(), Some(code), "{shown}");
        assert!(shown.contains(ENTER) && shown.contains("commands/s"), "{shown}");
        assert!(shown.rfind(ENTER) < shown.rfind(LEAVE), "it is given back: {shown}");
    }
}

/// What a terminal shows after these bytes: as much of one as `top` needs, which puts text at places,
/// and clears.
#[cfg(target_os = "linux")]
fn screen(shown: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(shown);
    let mut chars = text.chars();
    let mut lines = vec![vec![' '; 120]; 30];
    let (mut row, mut column) = (0, 0);
    while let Some(char) = chars.next() {
        if char != '\u{1b}' {
            if let Some(cell) = lines.get_mut(row).and_then(|it| it.get_mut(column)) {
                *cell = char;
            }
            column += 1;
        } else if chars.next() == Some('[') {
            let mut numbers = String::new();
            let end = chars.by_ref().find(|it| {
                let is_end = it.is_ascii_alphabetic();
                numbers.extend((!is_end).then_some(*it));
                is_end
            });
            let mut places =
                numbers.split(';').map(|it| it.parse().unwrap_or(1_usize).saturating_sub(1));
            match end {
                Some('H') => {
                    (row, column) = (places.next().unwrap_or(0), places.next().unwrap_or(0));
                }
                Some('J') => lines.iter_mut().for_each(|it| it.fill(' ')),
                _ => {}
            }
        }
    }
    lines.into_iter().map(|it| it.into_iter().collect()).collect()
}

/// Keys sort what is on the screen of a terminal, line under line.
#[cfg(target_os = "linux")]
#[test]
fn top_is_sorted_by_the_keys_that_are_typed() {
    let (server, url) = server();
    let mut client = server.client();
    client.call(&["AUTH", "pw"]);
    client.call(&["XADD", "apples", "1-0", "a", "b"]);
    // A key, the mark in the heading that it brings, and which of the two streams is above the other.
    let steps = [
        ("3", "stream\u{25b2}", ["apples", "orders"]),
        ("s", "length\u{25bc}", ["orders", "apples"]),
        ("r", "length\u{25b2}", ["apples", "orders"]),
        ("r", "length\u{25bc}", ["orders", "apples"]),
        ("S", "stream\u{25b2}", ["apples", "orders"]),
    ];
    let top = format!("{} top {url} -i 0.1", env!("CARGO_BIN_EXE_fanfare"));
    let mut script = std::process::Command::new("script");
    // One that never shows what it should is ended.
    let line = format!("stty rows 30 cols 120; exec timeout --foreground 60 {top}");
    script.args(["-qefc", &line, "/dev/null"]);
    script.env("TERM", "xterm-256color").env_remove("FANFARE_URL").stdin(Stdio::piped());
    script.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = script.spawn().expect("`script` is there: apt-get install bsdutils");
    let mut out = child.stdout.take().unwrap();
    let mut input = child.stdin.take().unwrap();
    let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
    let mut n_typed = 0;
    let mut last = Vec::new();
    while let Ok(n @ 1..) = out.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..n]);
        let now = screen(&shown);
        let line_of = |words: &str| now.iter().position(|it| it.contains(words));
        let is_there = match n_typed {
            0 => line_of("no alerts").is_some(),
            _ => steps.get(n_typed - 1).is_some_and(|(_, mark, [above, below])| {
                let lines = [line_of(mark), line_of(above), line_of(below)];
                lines.iter().all(Option::is_some) && lines.is_sorted()
            }),
        };
        if is_there {
            let key = steps.get(n_typed).map_or("q", |it| it.0);
            input.write_all(key.as_bytes()).unwrap();
            input.flush().unwrap();
            n_typed += 1;
        }
        last = now;
    }
    let ended = output_of(child);
    assert_eq!((ended.status.code(), n_typed), (Some(0), steps.len() + 1), "{}", last.join("\n"));
}
