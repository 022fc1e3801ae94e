//! `CONFIG` compared with a real redis-server, command by command.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::known::is_known;
use super::tests::TempDir;
use super::*;

/// A redis-server that ends with the test.
struct Redis {
    _process: Process,
    stream: BufReader<UnixStream>,
    dir: TempDir,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Redis {
    /// Starts one on a Unix socket, so that no port can be taken, with these lines in its configuration file.
    fn start(lines: &str) -> Self {
        let dir = TempDir::new();
        let root = dir.0.display();
        let text = lines.replace("{dir}", &root.to_string());
        let file = dir.write("redis.conf", &text);
        let child = Command::new("redis-server")
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server not found: apt-get install -y redis-server");
        let process = Process(child);
        for _ in 0..500 {
            if let Ok(stream) = UnixStream::connect(dir.0.join("redis.sock")) {
                let stream = BufReader::new(stream);
                return Self { _process: process, stream, dir };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not answer in {}", dir.0.display());
    }

    /// Sends a command and gives back its reply, an array flattened to its texts.
    fn call(&mut self, args: &[&str]) -> Vec<String> {
        let mut request = format!("*{}\r\n", args.len());
        for arg in args {
            request.push_str(&format!("${}\r\n{arg}\r\n", arg.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let head = self.line();
        match head.strip_prefix('*') {
            Some(n_items) => (0..n_items.parse::<u32>().unwrap()).map(|_| self.bulk()).collect(),
            None => vec![head],
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn bulk(&mut self) -> String {
        let head = self.line();
        let len: usize = head.strip_prefix('$').unwrap().parse().unwrap();
        let mut bytes = vec![0; len + 2];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes.truncate(len);
        String::from_utf8(bytes).unwrap()
    }

    /// The same file, as this crate reads it.
    fn load(&self) -> Config {
        let file = self.dir.0.join("redis.conf");
        Config::load(Some(&file), std::iter::empty(), &[]).unwrap().0
    }

    fn config_get(&mut self, pattern: &str) -> BTreeMap<String, String> {
        let items = self.call(&["CONFIG", "GET", pattern]);
        items.chunks(2).map(|it| (it[0].clone(), it[1].clone())).collect()
    }
}

const PLAIN: &str = "port 0\nunixsocket {dir}/redis.sock\nbind 127.0.0.1\ndir {dir}\n";

/// Sets on both and compares the reply and, after it, every value.
fn compare(redis: &mut Redis, config: &mut Config, pairs: &[(&str, &str)]) {
    let args = pairs.iter().flat_map(|(name, value)| [*name, *value]);
    let theirs = redis.call(&["CONFIG", "SET"].into_iter().chain(args).collect::<Vec<_>>());
    let ours = match set(config, pairs, Peer::Local) {
        Ok(_) => "+OK".to_owned(),
        Err(error) => format!("-{error}"),
    };
    assert_eq!(ours, theirs.concat(), "CONFIG SET {pairs:?}");
    for (name, _) in pairs {
        let theirs = redis.config_get(name);
        let ours = get_matching(config, &[name], |_, _| false);
        assert_eq!(ours, theirs.into_iter().collect::<Vec<_>>(), "after CONFIG SET {pairs:?}");
    }
}

#[test]
fn every_directive_of_redis_is_known_and_every_default_is_redis_s() {
    let mut redis = Redis::start(PLAIN);
    // Only what the file names can differ from the defaults.
    let config = redis.load();
    let theirs = redis.config_get("*");
    assert!(150 < theirs.len(), "{theirs:?}");
    for (name, value) in &theirs {
        match get(&config, name) {
            None => assert!(is_known(name), "{name} is neither a directive nor known"),
            Some(ours) => assert_eq!(ours, *value, "{name}"),
        }
    }
    let ours_alone: Vec<_> = names().filter(|it| !theirs.contains_key(*it)).collect();
    let expected = [
        "reactors",
        "mailbox-limit",
        "client-mailbox-limit",
        "stream-push-limit",
        "stream-idmp-duration",
        "stream-idmp-maxsize",
        "log-format",
    ];
    assert_eq!(ours_alone, expected);
}

/// Each one command; together every text of an error, and each form of a value.
const SETS: &[&[(&str, &str)]] = &[
    &[("foo", "1")],
    &[("a\r\nb", "1")],
    &[("maxclients", "0")],
    &[("maxclients", "4294967296")],
    &[("port", "70000")],
    &[("databases", "3")],
    &[("daemonize", "yes")],
    &[("cluster-enabled", "yes")],
    &[("replicaof", "a 1")],
    &[("slaveof", "a 1")],
    &[("aclfile", "x")],
    &[("enable-debug-command", "yes")],
    &[("dir", "/tmp")],
    &[("DIR", "/tmp")],
    &[("rename-command", "x")],
    &[("include", "x")],
    &[("maxmemory", "10k"), ("maxmemory", "11k")],
    &[("maxmemory", "10k"), ("MaxMemory", "11k")],
    &[("maxmemory", "1mb"), ("foo", "2")],
    &[("maxmemory", "1mb"), ("databases", "2"), ("foo", "2")],
    &[("foo", "2"), ("databases", "2")],
    &[("databases", "2"), ("maxmemory", "2"), ("maxmemory", "3")],
    &[("maxmemory", "2mb"), ("hz", "abc")],
    &[("lua-time-limit", "100"), ("busy-reply-threshold", "200")],
    &[("LUA-time-limit", "-1")],
    &[("MAXMEMORY", "10Kb")],
    &[("maxmemory", "18446744073709551615")],
    &[("maxmemory", "")],
    &[("maxmemory", "1.5gb")],
    &[("maxmemory", "1b")],
    &[("loglevel", "NOTICE")],
    &[("loglevel", "notice debug")],
    &[("maxmemory-policy", "x")],
    &[("appendfsync", "")],
    &[("protected-mode", "YES")],
    &[("slowlog-log-slower-than", "-2")],
    &[("slowlog-log-slower-than", "+5")],
    &[("slowlog-log-slower-than", "05")],
    &[("slowlog-log-slower-than", "9223372036854775808")],
    &[("slowlog-max-len", "9223372036854775807")],
    &[("slowlog-max-len", "-1")],
    &[("proto-max-bulk-len", "1000")],
    &[("client-query-buffer-limit", "1mb")],
    &[("hz", "0")],
    &[("hz", "1000")],
    &[("save", "100 1  200 2")],
    &[("save", "100 1 200 2")],
    &[("save", "")],
    &[("client-output-buffer-limit", "replica 1mb 2k 3 PUBSUB 1gb 1 1")],
    &[("client-output-buffer-limit", "slave 1 2 3 replica 4 5 6")],
    &[("client-output-buffer-limit", "master 1 2 3")],
    &[("client-output-buffer-limit", "normal 1 2")],
    &[("client-output-buffer-limit", "normal 0 0 ")],
    &[("client-output-buffer-limit", "normal 0 -1 0")],
    &[("client-output-buffer-limit", "")],
    &[("notify-keyspace-events", "KEAnm")],
    &[("notify-keyspace-events", "dtzhsl$gEKnm")],
    &[("notify-keyspace-events", "q")],
    &[("latency-tracking-info-percentiles", "50 99.9999 0.1 100 1e1")],
    &[("latency-tracking-info-percentiles", "33.33333333 1e-7")],
    &[("latency-tracking-info-percentiles", "50 nan")],
    &[("latency-tracking-info-percentiles", "50 inf")],
    &[("latency-tracking-info-percentiles", "")],
    &[("proc-title-template", "{title} {")],
    &[("proc-title-template", "{nope}")],
    &[("proc-title-template", "")],
    &[("requirepass", "x y"), ("timeout", "x")],
];

#[test]
fn config_set_answers_in_redis_s_words() {
    let mut redis = Redis::start(PLAIN);
    let mut config = redis.load();
    for pairs in SETS {
        compare(&mut redis, &mut config, pairs);
    }
    let n_addresses_max = ["127.0.0.1"; 17].join(" ");
    compare_error(&mut redis, &config, ("bind", &n_addresses_max));
}

/// For a value that Redis refuses and whose default differs.
fn compare_error(redis: &mut Redis, config: &Config, (name, value): (&str, &str)) {
    let theirs = redis.call(&["CONFIG", "SET", name, value]).concat();
    let ours = set(&mut config.clone(), &[(name, value)], Peer::Local).unwrap_err();
    assert_eq!(format!("-{ours}"), theirs);
}

const NAMES: &[&str] = &[
    "APPENDFSYNC",
    "appendfsync",
    "busy-reply-threshold",
    "client-output-buffer-limit",
    "client-query-buffer-limit",
    "crash-memcheck-enabled",
    "databases",
    "dbfilename",
    "hz",
    "latency-monitor-threshold",
    "latency-tracking",
    "latency-tracking-info-percentiles",
    "loglevel",
    "lua-time-limit",
    "maxmemory",
    "maxmemory-policy",
    "nosuch",
    "notify-keyspace-events",
    "protected-mode",
    "proto-max-bulk-len",
    "requirepass",
    "save",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "tcp-keepalive",
    "unixsocketperm",
];
const VALUES: &[&str] = &[
    "",
    " ",
    "0",
    "-1",
    "1",
    "-0",
    "00",
    "64",
    "yes",
    "No",
    "10k",
    "1KB",
    "2mb",
    "3Gb",
    "3gbb",
    "abc",
    "1 2",
    "60 0",
    "3600 1 60 5",
    "1 2 3",
    "pubsub 1mb 2 3",
    "replica 0 0 0",
    "normal 0 0 0 pubsub 3gb 2k 1",
    "slave 1 1",
    "always",
    "everysec",
    "debug",
    "warning",
    "noeviction",
    "allkeys-lfu",
    "KEA",
    "Kx",
    "Eg$",
    "50 99",
    "0.5",
    "9223372036854775807",
    "2147483648",
    "a b",
    "\"quoted\"",
    "é",
];

#[test]
fn random_config_sets_agree_with_redis() {
    let seed = std::env::var("FANFARE_SEED").map_or_else(
        |_| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() | 1,
        |text| text.parse::<u64>().expect("FANFARE_SEED is a number") | 1,
    );
    println!("FANFARE_SEED={seed}");
    let mut state = seed;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % n
    };
    let mut redis = Redis::start(PLAIN);
    let mut config = redis.load();
    for _ in 0..1_000 {
        let n_pairs = 1 + below(3);
        let pairs: Vec<_> = (0..n_pairs)
            .map(|_| (NAMES[below(NAMES.len())], VALUES[below(VALUES.len())]))
            .collect();
        compare(&mut redis, &mut config, &pairs);
    }
}

#[test]
fn config_rewrite_writes_what_redis_writes() {
    const LINES: &str = r#"# my comment
  port 0   
BIND 127.0.0.1 -::1


save 900 1
save 300 10
rename-command FLUSHALL ""
include /dev/null
	LUA-time-limit 300
client-output-buffer-limit pubsub 32mb 8mb 60
client-output-buffer-limit slave 1mb 1mb 1
client-output-buffer-limit normal 0 0 0
maxmemory 100mb
MAXMEMORY 200mb
timeout 0
requirepass ""
unixsocket {dir}/redis.sock
loglevel notice
# in between
rdbcompression yes
dir {dir}
logfile ""
notify-keyspace-events "Ex"
latency-tracking-info-percentiles 50 99
hz 10

"#;
    let mut redis = Redis::start(LINES);
    let file = redis.dir.0.join("redis.conf");
    let original = fs::read_to_string(&file).unwrap();
    let mut config = redis.load();
    let rounds: [&[(&str, &str)]; 3] = [
        &[],
        &[
            ("maxmemory", "0"),
            ("slowlog-max-len", "5"),
            ("save", "10 1 20 2 30 3"),
            ("appendfsync", "always"),
            ("protected-mode", "no"),
            ("proto-max-bulk-len", "3mb"),
            ("client-query-buffer-limit", "1048577"),
            ("client-output-buffer-limit", "pubsub 3000 1kb 1"),
            ("latency-tracking-info-percentiles", ""),
            ("requirepass", "x \"y\\z\n\té\u{1}"),
        ],
        &[("save", ""), ("notify-keyspace-events", ""), ("requirepass", ""), ("timeout", "1")],
    ];
    let mut ours = original;
    for pairs in rounds {
        if !pairs.is_empty() {
            compare(&mut redis, &mut config, pairs);
        }
        assert_eq!(redis.call(&["CONFIG", "REWRITE"]), ["+OK"]);
        ours = rewrite(&config, &ours);
        let theirs = fs::read_to_string(&file).unwrap();
        assert_eq!(halves(&ours), halves(&theirs), "\n--- ours\n{ours}\n--- theirs\n{theirs}");
    }
}

/// What stood there before, and in order of the alphabet what Redis appended (in the order of its
/// hash table), without the ACL users, which this release has not.
fn halves(text: &str) -> (String, Vec<String>) {
    let (kept, appended) = text.split_once("# Generated by CONFIG REWRITE\n").unwrap_or((text, ""));
    let mut appended: Vec<_> = appended
        .lines()
        .filter(|it| !it.starts_with("user ") && !it.is_empty())
        .map(str::to_owned)
        .collect();
    appended.sort_unstable();
    (kept.to_owned(), appended)
}
