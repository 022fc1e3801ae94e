//! The configuration as its users meet it: files, environment, flags, and the texts of what goes wrong.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::directives::DIRECTIVES;
use super::raw::Sources;
use super::*;

/// A directory that is gone when the test ends.
pub(super) struct TempDir(pub(super) PathBuf);

impl TempDir {
    pub(super) fn new() -> Self {
        static N: AtomicU32 = AtomicU32::new(0);
        let n = N.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fanfare-config-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

type Loaded = Result<(Config, Vec<Warning>), ConfigError>;

fn load(file: Option<&Path>, env: &[(&str, &str)], args: &[&str]) -> Loaded {
    load_with_stdin("", file, env, args)
}

fn load_with_stdin(
    stdin: &str,
    path: Option<&Path>,
    env: &[(&str, &str)],
    args: &[&str],
) -> Loaded {
    let args: Vec<String> = args.iter().map(|it| (*it).to_owned()).collect();
    let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::load_from(Sources { path, args: &args, stdin: &mut stdin.as_bytes() }, env)
}

/// What `text` as standard input says about itself.
fn load_text(text: &str) -> Loaded {
    load_with_stdin(text, None, &[], &["-"])
}

fn error_of(loaded: Loaded) -> (ConfigErrorKind, String) {
    let error = loaded.expect_err("must be refused");
    (error.kind(), error.to_string())
}

#[test]
fn every_default_is_what_its_directive_accepts() {
    let config = Config::default();
    let mut seen = std::collections::HashSet::new();
    for directive in DIRECTIVES {
        for name in directive.spellings() {
            assert!(seen.insert(name), "{name} is there twice");
            assert_eq!(name, name.to_ascii_lowercase());
            assert!(!KNOWN_REDIS.contains(&name), "{name} is also in KNOWN_REDIS");
        }
        assert!(directive.help.ends_with('.'), "{}: help is a sentence", directive.name);
        assert!(!directive.values().is_empty());
    }
    assert!(KNOWN_REDIS.iter().all(|it| seen.insert(it)), "KNOWN_REDIS has a name twice");
    let table = [
        ("bind", "* -::*"),
        ("save", "3600 1 300 100 60 10000"),
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        ),
        ("mailbox-limit", "67108864"),
        ("client-mailbox-limit", "67108864"),
        ("stream-push-limit", "1048576"),
        ("reactors", "0"),
        ("log-format", "text"),
        ("cluster-enabled", "no"),
        ("Lua-Time-Limit", "5000"),
    ];
    for (name, value) in table {
        assert_eq!(get(&config, name).as_deref(), Some(value), "{name}");
    }
    for hidden in ["include", "rename-command", "user", "no-such"] {
        assert_eq!(get(&config, hidden), None, "{hidden}");
    }
}

/// The configuration of a guide to publish/subscribe that many start from.
const COMMON: &str = r#"
# Basic networking
bind 0.0.0.0
port 6379
protected-mode yes
requirepass your_secure_password

maxmemory 2gb
maxmemory-policy allkeys-lru

client-output-buffer-limit pubsub 32mb 8mb 60

save 900 1
save 300 10
save 60 10000

rename-command FLUSHDB ""
rename-command FLUSHALL ""
rename-command DEBUG ""

loglevel notice
logfile /var/log/redis/redis-server.log

tcp-keepalive 300
timeout 0
tcp-backlog 511
"#;

#[test]
fn a_common_configuration_loads_and_says_that_nothing_is_kept() {
    let (config, warnings) = load_text(COMMON).unwrap();
    assert_eq!(config.bind, [BindAddress::parse("0.0.0.0")]);
    assert_eq!(config.maxmemory_bytes, 2 << 30);
    assert_eq!(config.maxmemory_policy, MaxmemoryPolicy::AllkeysLru);
    assert_eq!(config.output_limits, Config::default().output_limits);
    assert_eq!(get(&config, "save").as_deref(), Some("900 1 300 10 60 10000"));
    let removed: Vec<_> =
        config.rename_commands.iter().map(|it| (it.from.as_str(), it.to.as_str())).collect();
    assert_eq!(removed, [("FLUSHDB", ""), ("FLUSHALL", ""), ("DEBUG", "")]);
    assert_eq!(config.logfile.as_deref(), Some(Path::new("/var/log/redis/redis-server.log")));
    assert_eq!(config.config_file, None, "standard input can not be rewritten");
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    let warning = warning.to_string();
    let expected = "standard input:13: save \"900\" \"1\": nothing is kept: ";
    assert!(warning.starts_with(expected), "{warning}");
    assert!(!format!("{config:?}").contains("your_secure"), "a password in Debug");
}

#[test]
fn tls_is_refused_and_says_why() {
    let text = "requirepass \"strong_password\"\nbind 127.0.0.1\nport 6379\ntls-port 6380\n\
        tls-cert-file /path/to/redis.crt\ntls-key-file /path/to/redis.key\n";
    let (kind, text) = error_of(load_text(text));
    assert_eq!(kind, ConfigErrorKind::NotBuilt);
    let expected = "standard input:4: tls-port \"6380\": TLS is not built into this release";
    assert!(text.starts_with(expected), "{text}");
    let (_, warnings) =
        load_text("tls-port 0\ntls-cert-file /x\ntls-key-file-pass geheim").unwrap();
    assert_eq!(
        warnings[0].to_string(),
        "these directives of Redis have no effect in this release: \
         tls-cert-file (standard input:2), tls-key-file-pass (standard input:3)"
    );
}

#[test]
fn what_can_not_be_used_is_refused_with_place_value_limit_and_cure() {
    use ConfigErrorKind::{NotBuilt, Syntax, Unknown, Value};
    let table = [
        (
            "port 70000",
            Value,
            "standard input:1: port \"70000\": argument must be between 0 and 65535 inclusive. port takes a whole number from 0 to 65535, for example: port 6379",
        ),
        (
            "\nmaxclients",
            Value,
            "standard input:2: maxclients: wrong number of arguments. maxclients takes a whole number from 1 to 4294967295, for example: maxclients 10000",
        ),
        (
            "protected-mode maybe",
            Value,
            "standard input:1: protected-mode \"maybe\": argument must be 'yes' or 'no'. protected-mode takes yes or no, for example: protected-mode yes",
        ),
        (
            "requirepass geheim zwei",
            Value,
            "standard input:1: requirepass *** ***: wrong number of arguments. requirepass takes one text, in quotes if it has spaces",
        ),
        (
            "maxmemroy 2gb",
            Unknown,
            "standard input:1: no such directive \"maxmemroy\". Did you mean maxmemory?",
        ),
        (
            "requirepas geheim",
            Unknown,
            "standard input:1: no such directive \"requirepas\". Did you mean requirepass?",
        ),
        (
            "user bob on >geheim",
            NotBuilt,
            "standard input:1: user *** *** ***: ACL users are not built into this release",
        ),
        (
            "daemonize yes",
            NotBuilt,
            "standard input:1: daemonize \"yes\": the broker does not fork into the background. Write daemonize no and run it under systemd",
        ),
        ("aclfile /etc/users.acl", NotBuilt, "standard input:1: aclfile"),
        ("cluster-enabled yes", NotBuilt, "standard input:1: cluster-enabled"),
        ("bind \"127.0.0.1", Syntax, "standard input:1: unbalanced quotes"),
        (
            "rename-command GET",
            Value,
            "standard input:1: rename-command \"GET\": wrong number of arguments. rename-command takes <command> <new name>",
        ),
        (
            "dir /no/such/directory",
            Value,
            "standard input:1: dir \"/no/such/directory\": No such file or directory. ",
        ),
        (
            "include /no/such/file",
            ConfigErrorKind::Unreadable,
            "standard input:1: include \"/no/such/file\": can not read /no/such/file: No such file or directory. Create it",
        ),
    ];
    for (text, kind, expected) in table {
        let (found, message) = error_of(load_text(text));
        assert_eq!(found, kind, "{message}");
        assert!(message.starts_with(expected), "{message}\nshould start with\n{expected}");
        assert!(!message.contains("geheim"), "a password in {message}");
    }
    let (kind, message) = error_of(load_text("complete nonsense"));
    assert_eq!(kind, Unknown);
    assert!(message.contains("no such directive \"complete\". Remove it"), "{message}");
}

#[test]
fn flags_hold_over_environment_over_file_over_defaults() {
    let dir = TempDir::new();
    let file = dir.write("redis.conf", "timeout 1\nhz 20\nloglevel debug\nPORT 1\nsave 1 1\n");
    let env = [("FANFARE_HZ", "30"), ("FANFARE_LOGLEVEL", "verbose"), ("FANFARE_SAVE", "")];
    let args = ["--loglevel", "WARNING", "--maxmemory=10mb"];
    let (config, warnings) = load(Some(&file), &env, &args).unwrap();
    assert_eq!(config.timeout_seconds, 1);
    assert_eq!(config.hz, 30);
    assert_eq!(config.loglevel, LogLevel::Warning);
    assert_eq!((config.port, config.maxmemory_bytes), (1, 10 << 20));
    assert!(config.save.is_empty());
    assert!(warnings.is_empty(), "save was taken back: {warnings:?}");
    assert_eq!(config.config_file, Some(file.clone()));

    let file = file.to_str().unwrap();
    assert_eq!(load(None, &env, &[&[file], &args[..]].concat()).unwrap().0, config);
}

#[test]
fn flags_are_read_as_redis_server_reads_them() {
    let parsed = |args: &[&str], name: &str| {
        let (config, _) = load(None, &[], args).unwrap_or_else(|it| panic!("{args:?}: {it}"));
        get(&config, name).unwrap()
    };
    let table: &[(&[&str], &str, &str)] = &[
        (&["--save", "900", "1", "300", "10"], "save", "900 1 300 10"),
        (&["--save", "900 1 300 10"], "save", "900 1 300 10"),
        (&["--save", "1", "1", "--save", "2", "2"], "save", "1 1 2 2"),
        (&["--save", ""], "save", ""),
        (&["--save"], "save", ""),
        (&["--bind", "127.0.0.1", "-::1"], "bind", "127.0.0.1 -::1"),
        (&["--bind", ""], "bind", ""),
        (&["--requirepass", "a \"b"], "requirepass", "a \"b"),
        (&["--requirepass=--x=y"], "requirepass", "--x=y"),
        (&["--slowlog-log-slower-than", "-1"], "slowlog-log-slower-than", "-1"),
        (&["--LUA-TIME-LIMIT", "7"], "busy-reply-threshold", "7"),
        (&["--logfile", "-"], "logfile", "-"),
        (&["--unixsocketperm", "770"], "unixsocketperm", "770"),
        (
            &[
                "--client-output-buffer-limit",
                "slave 1k 1kb 1",
                "--client-output-buffer-limit",
                "normal",
                "1",
                "2",
                "3",
            ],
            "client-output-buffer-limit",
            "normal 1 2 3 slave 1000 1024 1 pubsub 33554432 8388608 60",
        ),
    ];
    for (args, name, expected) in table {
        assert_eq!(parsed(args, name), *expected, "{args:?}");
    }
    let refused: &[(&[&str], &str)] = &[
        (&["--port"], "flag --port: port: wrong number of arguments. "),
        (&["--port", "1", "2"], "flag --port: port \"1\" \"2\": wrong number of arguments. "),
        (&["--prot", "1"], "flag --prot: no such directive. Did you mean --port?"),
        (&["--tls-port", "1"], "flag --tls-port: tls-port \"1\": TLS is not built"),
        (
            &["/no/such.conf", "--port", "1"],
            "can not read the configuration file /no/such.conf: No such file or directory. ",
        ),
        (&["-", "other.conf"], "argument \"other.conf\": only one configuration file"),
    ];
    for (args, expected) in refused {
        let (_, message) = error_of(load(None, &[], args));
        assert!(message.starts_with(expected), "{message}\nshould start with\n{expected}");
    }
}

#[test]
fn what_is_refused_in_a_file_can_be_taken_back_by_a_flag() {
    let text = "daemonize yes\ntls-port 6380\nuser bob on\n";
    let args = ["-", "--daemonize", "no", "--tls-port", "0"];
    let (_, message) = error_of(load_with_stdin(text, None, &[], &args));
    assert!(message.starts_with("standard input:3: user"), "{message}");
    let text = text.replace("user bob on", "");
    load_with_stdin(&text, None, &[], &args).unwrap();
    let (_, message) =
        error_of(load_with_stdin("daemonize no", None, &[], &["-", "--daemonize", "yes"]));
    assert!(message.starts_with("flag --daemonize: "), "{message}");
    let (_, message) = error_of(load(None, &[], &["--bind"]));
    assert!(message.starts_with("flag --bind: bind: wrong number of arguments. "), "{message}");
}

#[test]
fn standard_input_is_read_first_or_last() {
    let read = |args: &[&str]| load_with_stdin("port 5\nhz 7", None, &[], args).unwrap().0;
    assert_eq!(read(&["-", "--port", "6"]).port, 6);
    assert_eq!(read(&["--port", "6", "-"]).hz, 7);
    assert_eq!(read(&["--port", "6"]).hz, 10);
}

#[test]
fn the_environment_is_shared_with_others() {
    let env = [
        ("FANFARE_SEED", "1"),
        ("FANFARE_USER", "alice"),
        ("FANFARE_PORT_6379_TCP", "tcp://10.0.0.1:6379"),
        ("FANFARE_SERVICE_HOST", "10.0.0.1"),
        ("OTHER_PORT", "1"),
        ("FANFARE_RENAME_COMMAND", "FLUSHALL '' GET HOLE"),
        ("FANFARE_REQUIREPASS", "two words \""),
        ("FANFARE_RDBCOMPRESSION", "no"),
    ];
    let (config, warnings) = load(None, &env, &[]).unwrap();
    assert_eq!(config.rename_commands.len(), 2);
    assert_eq!(config.requirepass.reveal(), "two words \"");
    assert_eq!(config.port, 6379);
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, [] as [&str; 0]);

    let env = [("FANFARE_PORT", "tcp://10.0.0.1:6379"), ("FANFARE_MAXMEMROY", "1gb")];
    let (config, warnings) = load(None, &env, &[]).unwrap();
    assert_eq!((config.port, config.maxmemory_bytes), (6379, 0));
    let [typo, kubernetes] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(typo.to_string().ends_with("Did you mean FANFARE_MAXMEMORY?"), "{typo}");
    assert!(kubernetes.to_string().contains("Kubernetes"), "{kubernetes}");

    let (_, message) = error_of(load(None, &[("FANFARE_PORT", "x")], &[]));
    assert!(message.starts_with("environment variable FANFARE_PORT: port \"x\": argument couldn't be parsed into an integer. "), "{message}");
}

#[test]
fn includes_take_wildcards_and_know_their_own_place() {
    let dir = TempDir::new();
    let root = dir.0.display();
    dir.write("conf.d/20-b.conf", "port 20\nhz 20");
    dir.write("conf.d/10-a.conf", "port 10\ntimeout 10");
    dir.write("conf.d/.hidden.conf", "nonsense");
    dir.write("conf.d/notes.txt", "nonsense");
    let main = format!("hz 1\ninclude {root}/conf.d/*.conf\ninclude {root}/none/*.conf\ntimeout 3");
    let (config, _) = load(Some(&dir.write("main.conf", &main)), &[], &[]).unwrap();
    assert_eq!((config.port, config.hz, config.timeout_seconds), (20, 20, 3));

    let bad = dir.write("bad.conf", "\n\nport x");
    let main = dir.write("main2.conf", &format!("include {}", bad.display()));
    let (_, message) = error_of(load(Some(&main), &[], &[]));
    assert!(message.starts_with(&format!("{}:3: port \"x\": ", bad.display())), "{message}");

    let own = dir.write("own.conf", &format!("include {root}/own.conf"));
    let (_, message) = error_of(load(Some(&own), &[], &[]));
    assert!(message.contains("Does a file include itself?"), "{message}");
}

#[test]
fn directives_without_effect_make_one_warning() {
    let text = "rdbcompression yes\nMASTERAUTH geheim\nreplicaof 10.0.0.1 6379\nmaxmemory-clients 5%\n\
        search-timeout 5\nsome.module 1\nrdbcompression no\nslave-priority 5\nreplicaof no one";
    let (config, warnings) = load_text(text).unwrap();
    assert_eq!(get(&config, "replicaof").as_deref(), Some(""));
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    let warning = warning.to_string();
    for name in [
        "rdbcompression",
        "masterauth",
        "replicaof",
        "maxmemory-clients",
        "search-timeout",
        "some.module",
        "slave-priority",
    ] {
        assert_eq!(warning.matches(&format!("{name} (")).count(), 1, "{name} in {warning}");
    }
    assert!(!warning.contains("geheim"), "{warning}");
}

#[test]
fn durability_is_warned_of_once_and_only_when_it_was_asked_for() {
    let table = [
        ("", 0),
        ("save \"\"", 0),
        ("appendonly no", 0),
        ("appendonly yes", 1),
        ("save 1 1\nsave 2 2", 1),
        ("save 1 1\nappendonly yes", 2),
        ("save 1 1\nsave \"\"", 0),
        ("appendfsync always", 0),
    ];
    for (text, n_warnings) in table {
        let (_, warnings) = load_text(text).unwrap();
        assert_eq!(warnings.len(), n_warnings, "{text:?}: {warnings:?}");
    }
    let mut config = Config::default();
    let pairs = [("appendonly", "yes"), ("save", "1 1")];
    let changed = set(&mut config, &pairs, Peer::Remote).unwrap();
    assert_eq!(changed.warnings.len(), 2);
    assert!(changed.has("save") && changed.has("appendonly") && !changed.has("port"));
}

#[test]
fn set_is_all_or_nothing_and_guards_what_is_protected() {
    let dir = TempDir::new();
    let path = dir.0.to_str().unwrap();
    let mut config = Config::default();
    let before = config.clone();
    let refused = set(&mut config, &[("timeout", "5"), ("hz", "x")], Peer::Local);
    assert!(refused.is_err());
    assert_eq!(config, before);

    for (allow, peer, is_allowed) in [
        (Allow::No, Peer::Local, false),
        (Allow::Local, Peer::Remote, false),
        (Allow::Local, Peer::Local, true),
        (Allow::Yes, Peer::Remote, true),
    ] {
        config.enable_protected_configs = allow;
        let done = set(&mut config, &[("dir", path), ("dbfilename", "x.rdb")], peer);
        assert_eq!(done.is_ok(), is_allowed, "{allow:?} {peer:?}");
    }
    assert_eq!(get(&config, "dir").as_deref(), Some(path));
    for (name, value, reason) in [
        ("dbfilename", "a/b", "dbfilename can't be a path, just a filename"),
        ("dir", "/no/such", "No such file or directory"),
        ("tls-port", "1", "TLS is not built into this release"),
        ("maxmemory-clients", "1", "this release supports only '0'"),
        ("maxmemory", "kb", "argument must be a memory value"),
        ("maxmemory", "18446744073709551616", "argument must be a memory value"),
        ("maxmemory", "18014398509481984kb", "argument must be a memory value"),
        ("reactors", "2", "can't set immutable config"),
    ] {
        let error = set(&mut config, &[(name, value)], Peer::Local).unwrap_err();
        let expected =
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    for ok in [("tls-port", "0"), ("maxmemory-clients", "0"), ("client-mailbox-limit", "1gb")] {
        assert!(set(&mut config, &[ok], Peer::Local).is_ok(), "{ok:?}");
    }
    assert_eq!(config.mailbox_bytes_max, 1 << 30);
}

#[test]
fn get_matching_gives_each_name_once_as_asked_for() {
    let config = Config::default();
    let starts = |pattern: &str, name: &str| name.starts_with(pattern.trim_end_matches('*'));
    let found = get_matching(&config, &["HZ", "maxmemory*", "maxmemory", "nope", "hz"], starts);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["HZ", "maxmemory", "maxmemory-policy", "maxmemory-samples", "maxmemory-clients", "hz"]
    );
    let all = get_matching(&config, &["*"], |_, _| true);
    assert_eq!(all.len(), names_of_all().len());
    assert!(all.iter().all(|(name, _)| name != "rename-command"));
}

fn names_of_all() -> Vec<&'static str> {
    super::names().collect()
}

#[test]
fn rewrite_twice_changes_nothing_more() {
    let table = [
        ("", ""),
        ("port 1", "port 6379\n"),
        ("# only\n", "# only\n\n"),
        (
            "save 1 1\nsave 2 2\n",
            "save 3600 1\nsave 300 100\n\n# Generated by CONFIG REWRITE\nsave 60 10000\n",
        ),
        ("nonsense 1", "# ??? nonsense 1\n"),
        (
            "rename-command GET \"\"\ninclude x\nrdbcompression no",
            "rename-command GET \"\"\ninclude x\nrdbcompression no\n",
        ),
        ("unixsocket /x\nhz 10\nbind 1.1.1.1", "\nhz 10\n\n"),
        ("tls-port 0", "tls-port 0\n"),
    ];
    for (original, expected) in table {
        let mut config = Config::default();
        let first = rewrite(&config, original);
        if original.contains("save") {
            let lines = "save 3600 1\nsave 300 100\n\n";
            assert_eq!(first, lines, "a default is not appended");
            config.save.push(SavePoint { seconds: 1, changes: 0 });
            let appended = "# Generated by CONFIG REWRITE\nsave 60 10000\nsave 1 0\n";
            assert_eq!(rewrite(&config, original), format!("{lines}{appended}"));
            continue;
        }
        assert_eq!(first, expected, "{original:?}");
        assert_eq!(rewrite(&config, &first).trim_end(), first.trim_end());
    }
}

#[test]
fn a_rewritten_file_loads_to_the_same_configuration() {
    let mut config = Config::default();
    let pairs = [
        ("maxmemory", "1500"),
        ("requirepass", "x \"y\\\n\té"),
        ("save", ""),
        ("bind", "127.0.0.1 -::1"),
        ("client-output-buffer-limit", "pubsub 1kb 2 3"),
        ("notify-keyspace-events", "KEA"),
        ("latency-tracking-info-percentiles", ""),
        ("mailbox-limit", "128mb"),
        ("loglevel", "debug"),
    ];
    set(&mut config, &pairs, Peer::Local).unwrap();
    let (again, _) = load_text(&rewrite(&config, "# mine\n")).unwrap();
    assert_eq!(again, config);
}
