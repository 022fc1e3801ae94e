//! A doctor finds each bad state that a broker was put into, and nothing in a healthy one.

mod coverage;
mod memory;
mod reach;
mod relay;

use std::{collections::HashSet, fs, time::Duration};

use fanfare::{
    Fanfare,
    doctor::{Diagnosis, Doctor, Finding},
    monitor::Severity,
    stream::Position,
    testing::{Fault, Proxy, Way},
};
use fanfare_testkit::{
    ClusterGroup, FanfareServer, RawClient, RedisServer, SentinelGroup, ServerProcess,
};

use crate::support::{Target, TestResult, on_everything, run, until};

/// What a doctor finds, without looking at the machine of the test.
async fn examine(
    url: &str,
    more: impl FnOnce(Doctor) -> Doctor,
) -> Result<Diagnosis, fanfare::Error> {
    more(Doctor::new(url).looks_at_host(false)).examine().await
}

/// For what is not to take long.
fn quick(doctor: Doctor) -> Doctor {
    doctor.deadline(Duration::from_secs(2))
}

fn names(diagnosis: &Diagnosis) -> Vec<&str> {
    let mut names: Vec<_> = diagnosis.findings.iter().map(|it| it.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[track_caller]
fn found<'a>(diagnosis: &'a Diagnosis, name: &str) -> &'a Finding {
    let found = diagnosis.findings.iter().find(|it| it.name == name);
    found.unwrap_or_else(|| panic!("{name} is not among {:?}", diagnosis.findings))
}

fn said(client: &mut RawClient, args: &[&str]) -> String {
    String::from_utf8_lossy(&client.call(args)).into_owned()
}

#[test]
fn a_healthy_broker_has_nothing() {
    let safe = ["--requirepass", "pw", "--bind", "127.0.0.1", "--maxmemory", "1gb"];
    let redis = RedisServer::start(&[&safe[..], &["--appendonly", "yes"]].concat());
    let fanfare = FanfareServer::start(&safe);
    run(async {
        for (server, has_streams) in [(redis.addr(), true), (fanfare.addr(), false)] {
            let url = format!("redis://:pw@{server}");
            let client = Fanfare::connect(&url).await?;
            let _news = client.subscriber().channels(["news"]).patterns(["a.*"]).connect().await?;
            if has_streams {
                let orders = client.stream("orders");
                orders.group("billing").create(Position::Start).await?;
                orders.add([("a", "b")]).await?;
                let read = ["XREADGROUP", "GROUP", "billing", "me", "STREAMS", "orders", ">"];
                client.command(read).await?;
            }
            let diagnosis = examine(&url, |it| it.channels(["news"])).await?;
            assert!(diagnosis.findings.is_empty(), "{:#?}", diagnosis.findings);
            assert!(diagnosis.blind.is_empty(), "{:#?}", diagnosis.blind);
            assert_eq!((diagnosis.nodes.len(), diagnosis.worst()), (1, None));
        }
        Ok(())
    });
}

/// Settings that Redis and Fanfare both have.
const BAD_SETTINGS: [&str; 12] = [
    "--maxmemory-policy",
    "allkeys-lru",
    "--tcp-keepalive",
    "0",
    "--timeout",
    "60",
    "--notify-keyspace-events",
    "KEA",
    "--protected-mode",
    "no",
    "--client-output-buffer-limit",
    "pubsub 0 0 0",
];

async fn check_bad_settings(url: &str, mut admin: RawClient) -> TestResult {
    admin.call(&["XADD", "orders", "*", "a", "b"]);
    admin.call(&["SELECT", "3"]);
    admin.call(&["SET", "staging", "1"]);
    admin.call(&["KEYS", "old:*"]);
    let diagnosis = examine(url, |it| it).await?;
    let expected = [
        "databases-as-environments",
        "eviction-policy",
        "idle-timeout",
        "keys-command",
        "keyspace-events",
        "no-maxmemory",
        "no-password",
        "no-tcp-keepalive",
        "streams-not-kept",
        "subscriber-buffer-unbounded",
    ];
    assert_eq!(names(&diagnosis), expected, "{:#?}", diagnosis.findings);
    assert_eq!(found(&diagnosis, "eviction-policy").severity, Severity::Critical);
    assert_eq!(found(&diagnosis, "no-password").severity, Severity::Critical);
    assert_eq!(diagnosis.worst(), Some(Severity::Critical));
    // Worst first, and each mended by what it says.
    assert!(diagnosis.findings.is_sorted_by(|a, b| b.severity <= a.severity));
    for (name, setting) in [
        ("eviction-policy", "maxmemory-policy"),
        ("idle-timeout", "timeout"),
        ("no-tcp-keepalive", "tcp-keepalive"),
        ("keyspace-events", "notify-keyspace-events"),
        ("subscriber-buffer-unbounded", "client-output-buffer-limit"),
        ("no-maxmemory", "maxmemory"),
    ] {
        let command = found(&diagnosis, name).command.clone().unwrap_or_default();
        let first = command.split(" && ").next().unwrap_or_default();
        assert!(first.contains(&format!("CONFIG SET {setting} ")), "{command}");
        let words: Vec<&str> =
            first.split(" CONFIG SET ").nth(1).unwrap_or_default().splitn(2, ' ').collect();
        let value = words.last().unwrap_or(&"").trim_matches('\'');
        assert_eq!(said(&mut admin, &["CONFIG", "SET", setting, value]), "+OK\r\n", "{command}");
    }
    let mended = examine(url, |it| it).await?;
    let left = ["databases-as-environments", "keys-command", "no-password", "streams-not-kept"];
    assert_eq!(names(&mended), left, "{:#?}", mended.findings);
    check_password(url, found(&mended, "no-password").command.as_deref()).await
}

/// The command as it is printed, in a shell: the password is known to whoever has typed it.
async fn check_password(url: &str, command: Option<&str>) -> TestResult {
    let directory = std::env::temp_dir().join(format!("fanfare-doctor-{}", url.replace('/', "")));
    fs::create_dir_all(&directory)?;
    let mut shell = std::process::Command::new("sh");
    let shell = shell.args(["-c", command.ok_or("no command")?]).current_dir(&directory);
    let said = shell.output()?;
    assert!(said.stdout.starts_with(b"OK\n"), "{said:?}");
    let password = fs::read_to_string(directory.join("redis-password"))?;
    fs::remove_dir_all(&directory)?;
    assert_eq!(password.len(), 64, "{password:?}");
    let url = url.replace("redis://", &format!("redis://:{password}@"));
    let diagnosis = examine(&url, |it| it).await?;
    assert!(!names(&diagnosis).contains(&"no-password"), "{:#?}", diagnosis.findings);
    Ok(())
}

#[test]
fn bad_settings_are_found_and_mended_on_redis() {
    let server = RedisServer::start(&BAD_SETTINGS);
    run(check_bad_settings(&server.url(), server.client()));
}

#[test]
fn bad_settings_are_found_and_mended_on_fanfare() {
    let server = FanfareServer::start(&BAD_SETTINGS);
    run(check_bad_settings(&server.url(), server.client()));
}

#[test]
fn clients_that_are_refused_or_slow_are_found() {
    let limits = ["--client-output-buffer-limit", "pubsub 64mb 0 0", "--maxclients", "20"];
    let server = RedisServer::start(&limits);
    run(async {
        let mut slow = server.client();
        slow.call(&["SUBSCRIBE", "news"]);
        let mut publisher = server.client();
        let others: Vec<_> = (0..20).map(|_| RawClient::connect(server.addr())).collect();
        drop(others);
        let value = "x".repeat(1 << 20);
        for _ in 0..32 {
            publisher.call(&["PUBLISH", "news", &value]);
        }
        let diagnosis = examine(&server.url(), |it| it).await?;
        found(&diagnosis, "connections-rejected");
        assert!(found(&diagnosis, "slow-subscriber").evidence.contains("bytes wait"));
        server.client().call(&[
            "CONFIG",
            "SET",
            "client-output-buffer-limit",
            "pubsub 32kb 8kb 60",
        ]);
        found(&examine(&server.url(), |it| it).await?, "subscriber-buffer-small");
        drop(slow);
        Ok(())
    });
}

/// Redis 7.0 does not count them.
#[test]
fn subscribers_that_were_killed_are_found_on_fanfare() {
    let server = FanfareServer::start(&["--client-output-buffer-limit", "pubsub 2mb 0 0"]);
    run(async {
        let mut slow = server.client();
        slow.call(&["SUBSCRIBE", "news"]);
        let mut publisher = server.client();
        let value = "x".repeat(1 << 20);
        for _ in 0..32 {
            publisher.call(&["PUBLISH", "news", &value]);
        }
        let diagnosis = examine(&server.url(), |it| it).await?;
        assert!(found(&diagnosis, "subscribers-killed").evidence.contains("disconnected"));
        drop(slow);
        Ok(())
    });
}

on_everything!(
    streams_without_end_and_groups_without_consumers_are_found,
    messages_that_nobody_hears_or_can_read_are_found,
);

async fn streams_without_end_and_groups_without_consumers_are_found(server: Target) -> TestResult {
    let (fanfare, url) = (server.connect().await?, &server.url());
    let orders = fanfare.stream("or ders");
    for group in ["forgotten", "stuck"] {
        orders.group(group).create(Position::Start).await?;
    }
    orders.add_batch((0..10).map(|n| [("n", n.to_string())])).await;
    fanfare.command(["XREADGROUP", "GROUP", "stuck", "dead", "STREAMS", "or ders", ">"]).await?;
    orders.group("stuck").dead_letters().stream().add([("a", "b")]).await?;
    let strict = |it: Doctor| it.stream_length_max(10).idle_max(Duration::ZERO);
    let diagnosis = examine(url, strict).await?;
    let unbounded = found(&diagnosis, "stream-unbounded");
    assert!(unbounded.command.as_ref().is_some_and(|it| it.contains("XTRIM 'or ders' MAXLEN")));
    assert_eq!(found(&diagnosis, "group-unconsumed").at, "or ders/forgotten");
    let dead = found(&diagnosis, "dead-consumer");
    assert_eq!(dead.at, "or ders/stuck");
    assert!(dead.evidence.contains("dead has 10 pending entries"), "{dead:?}");
    found(&diagnosis, "dead-letters");
    // By its own standards it is well.
    let named = names(&diagnosis).len();
    let mild = examine(url, |it| it).await?;
    assert_eq!(names(&mild).len(), named - 2, "{:?}", names(&mild));
    Ok(())
}

async fn messages_that_nobody_hears_or_can_read_are_found(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let _other = fanfare.subscribe(["Alerts", "alerts:", "records"]).await?;
    fanfare.command(["SET", "k", r#"{"__dagserver_key":"k","value":1}"#]).await?;
    let publisher = fanfare.clone();
    let talking = tokio::spawn(async move {
        loop {
            publisher.publish("alerts", r#"{"level":1}"#).await?;
            publisher.publish("alerts", "not json").await?;
            publisher.publish("records", r#"{"__dagserver_key":"k"}"#).await?;
            publisher.publish("records", r#"{"value":123}"#).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        #[expect(unreachable_code, reason = "it says what the question marks are about")]
        Ok::<_, fanfare::Error>(())
    });
    let listen = |it: Doctor| it.listen(Duration::from_secs(1), ["*"]).channels(["nobody"]);
    let diagnosis = examine(&server.url(), listen).await?;
    talking.abort();
    let alone: Vec<_> =
        diagnosis.findings.iter().filter(|it| it.name == "nobody-subscribed").collect();
    let at: Vec<_> = alone.iter().map(|it| &*it.at).collect();
    assert_eq!(at, ["alerts", "nobody"]);
    assert!(alone.first().is_some_and(|it| it.evidence.contains("is that it?")), "{alone:?}");
    assert_eq!(found(&diagnosis, "not-json").at, "alerts");
    assert_eq!(found(&diagnosis, "no-key-in-data").at, "records");
    assert!(found(&diagnosis, "channel-names-alike").evidence.contains("Alerts"));
    assert!(found(&diagnosis, "key-in-data").evidence.contains("\"k\""));
    if let Target::Redis(_) | Target::Fanfare(_) = server {
        let with_db = examine(&format!("{}/2", server.url()), |it| it).await?;
        found(&with_db, "database-in-url");
    }
    Ok(())
}

#[test]
fn failures_to_save_and_slow_commands_are_found() {
    let server = RedisServer::start(&["--enable-debug-command", "yes"]);
    fs::create_dir(server.dir().join("dump.rdb")).unwrap();
    run(async {
        let mut admin = server.client();
        admin.call(&["SET", "a", "b"]);
        admin.call(&["BGSAVE"]);
        let failed = || said(&mut admin, &["INFO", "persistence"]).contains("bgsave_status:err");
        until("the snapshot failed", failed).await?;
        server.client().call(&["DEBUG", "SLEEP", "0.15"]);
        let diagnosis = examine(&server.url(), |it| it).await?;
        assert_eq!(found(&diagnosis, "save-failed").severity, Severity::Critical);
        let slow = found(&diagnosis, "slow-commands");
        assert!(slow.evidence.to_ascii_uppercase().contains("DEBUG SLEEP"), "{slow:?}");
        Ok(())
    });
}

#[test]
fn what_would_hurt_later_is_found() {
    let settings = ["--appendonly", "yes", "--appendfsync", "no", "--replicaof", "127.0.0.1", "1"];
    let server = RedisServer::start(&[&settings[..], &["--maxclients", "20"]].concat());
    run(async {
        let clients: Vec<RawClient> = (0..16).map(|_| server.client()).collect();
        let diagnosis = examine(&server.url(), |it| it).await?;
        assert_eq!(found(&diagnosis, "no-fsync").severity, Severity::Info);
        found(&diagnosis, "replica-broken");
        let proxy = Proxy::start(server.addr())?;
        let (latency, jitter) = (Duration::from_millis(120), Duration::ZERO);
        proxy.inject(Fault::Delay { way: Way::ToClient, latency, jitter });
        found(&examine(&proxy.url(), |it| it).await?, "slow-answers");
        assert!(found(&diagnosis, "many-clients").evidence.contains("of at most 20"));
        drop(clients);
        Ok(())
    });
}

#[test]
fn sentinels_without_a_replica_are_found() {
    let mut group = SentinelGroup::start();
    let master = group.master().addr();
    group.servers_mut().filter(|it| it.addr() != master).for_each(|it| it.stop());
    run(async {
        let mut admin = group.master().client();
        let gone = || said(&mut admin, &["INFO", "replication"]).contains("connected_slaves:0");
        until("the replicas are gone", gone).await?;
        found(&examine(&group.url(), |it| it).await?, "no-replica");
        Ok(())
    });
}

#[test]
fn sentinels_that_could_not_fail_over_are_found() {
    let mut group = SentinelGroup::start();
    run(async {
        let whole = examine(&group.url(), |it| it).await?;
        assert!(!names(&whole).contains(&"no-quorum"), "{:?}", whole.findings);
        // The first ones that the URL names are asked first, and do not answer.
        group.sentinels_mut().take(2).for_each(ServerProcess::stop);
        let mut left = group.sentinels_mut().last().ok_or("no sentinel")?.client();
        let ask = ["SENTINEL", "CKQUORUM", "mymaster"];
        let is_alone = || said(&mut left, &ask).contains("NOQUORUM");
        until("one of three is no majority", is_alone).await?;
        let diagnosis = examine(&group.url(), |it| it).await?;
        let finding = found(&diagnosis, "no-quorum");
        assert_eq!(finding.severity, Severity::Critical);
        assert!(finding.evidence.contains("NOQUORUM"), "{}", finding.evidence);
        let command = finding.command.as_deref().unwrap_or_default();
        assert!(command.ends_with("SENTINEL CKQUORUM mymaster"), "{command}");
        Ok(())
    });
}

#[test]
fn a_server_that_is_open_to_all_networks_is_found() {
    let exposed = RedisServer::start(&["--requirepass", "pw", "--bind", "0.0.0.0"]);
    let near = RedisServer::start(&["--requirepass", "pw", "--bind", "127.0.0.1"]);
    run(async {
        let url = |server: &RedisServer| format!("redis://:pw@{}", server.addr());
        let diagnosis = examine(&url(&exposed), |it| it).await?;
        assert!(found(&diagnosis, "exposed").evidence.contains("0.0.0.0"));
        let diagnosis = examine(&url(&near), |it| it).await?;
        assert!(!names(&diagnosis).contains(&"exposed"));
        Ok(())
    });
}

/// What is wrong with each node is told of that node.
#[test]
fn a_cluster_is_looked_at_node_by_node() {
    let group = ClusterGroup::start();
    for node in group.nodes() {
        node.client().call(&["CONFIG", "SET", "tcp-keepalive", "0"]);
    }
    run(async {
        let diagnosis = examine(&group.url(), |it| it).await?;
        let masters = diagnosis.nodes.len();
        assert!(3 <= masters, "{:?}", diagnosis.nodes);
        let at: HashSet<_> = diagnosis
            .findings
            .iter()
            .filter(|it| it.name == "no-tcp-keepalive")
            .map(|it| &it.at)
            .collect();
        assert_eq!(at.len(), masters, "{:?}", diagnosis.findings);
        Ok(())
    });
}

#[test]
fn who_may_not_look_is_told_so() {
    let server = RedisServer::start(&["--maxmemory", "1gb", "--appendonly", "yes"]);
    let eye = ["ACL", "SETUSER", "eye", "on", ">pw", "~*", "&*", "-@all", "+@read", "+@connection"];
    server.client().call(&[&eye[..], &["+info", "+pubsub", "-client|list"]].concat());
    run(async {
        let diagnosis = examine(&format!("redis://eye:pw@{}", server.addr()), |it| it).await?;
        assert_eq!(names(&diagnosis), [""; 0], "{:?}", diagnosis.findings);
        let hidden: Vec<_> = diagnosis.blind.iter().map(|it| &*it.what).collect();
        let of = |what: &str| format!("{what} of {}", server.addr());
        for what in [of("CONFIG"), of("CLIENT LIST"), of("SLOWLOG"), "a round trip".to_owned()] {
            assert!(hidden.contains(&&*what), "{what}: {hidden:?}");
        }
        Ok(())
    });
}

/// The machine can not be put into a bad state by a test; that both states are told apart is tested
/// beside the code.
#[cfg(target_os = "linux")]
#[test]
fn the_machine_under_a_broker_is_looked_at() {
    let server = RedisServer::start(&[]);
    run(async {
        let diagnosis = examine(&server.url(), |it| it.looks_at_host(true)).await?;
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let overcommit = read("/proc/sys/vm/overcommit_memory").trim() == "0";
        let pages = read("/sys/kernel/mm/transparent_hugepage/enabled").contains("[always]");
        for (name, is_so) in [("no-overcommit", overcommit), ("huge-pages", pages)] {
            assert_eq!(names(&diagnosis).contains(&name), is_so, "{name}");
        }
        Ok(())
    });
}
