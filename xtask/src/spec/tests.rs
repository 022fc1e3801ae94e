//! The printed specs against those of the engine; redis-server tells the facts.

use fanfare_engine::Spec;
use fanfare_engine::commands::COMMANDS;
use fanfare_engine::spec::{Arg, Docs};
use fanfare_testkit::RedisServer;

use super::format::{pieces, rustfmt};
use super::server::Server;
use super::write;
use crate::root;

const WITHSCORE_HISTORY: &str =
    r#".history([("7.2.0","Added the optional `WITHSCORE` argument.")])"#;
const WITHSCORE: &str = r#",Arg::word("withscore","WITHSCORE").flags(["optional"])"#;

const REFERENCES: &str = r#"Arg::new("condition","oneof").since("8.2.0").flags(["optional"]).args([Arg::word("keepref","KEEPREF"),Arg::word("delref","DELREF"),Arg::word("acked","ACKED")]),"#;
const LIMITS: &str = r#"Arg::new("maxcount","integer").token("MAXCOUNT").since("8.10.0").flags(["optional"]),Arg::new("maxsize","integer").token("MAXSIZE").since("8.10.0").flags(["optional"]),"#;

/// Where a `Spec` of ours says something else on purpose: the command, what it says, what 7.0.15 does.
const DEVIATIONS: &[(&str, &str, &str)] = &[
    ("client|kill", r#",("7.4.0","`MAXAGE` option.")"#, ""),
    (
        "bitop",
        r#""Performs bitwise operations on multiple strings, and stores the result.""#,
        r#""Perform bitwise operations between strings""#,
    ),
    (
        "bitop",
        r#"Arg::new("operation","oneof").args([Arg::word("and","AND"),Arg::word("or","OR"),Arg::word("xor","XOR"),Arg::word("not","NOT"),Arg::word("diff","DIFF").since("8.2.0"),Arg::word("diff1","DIFF1").since("8.2.0"),Arg::word("andor","ANDOR").since("8.2.0"),Arg::word("one","ONE").since("8.2.0")])"#,
        r#"Arg::new("operation","string")"#,
    ),
    ("zrank", "AtLeast(3)", "Exactly(3)"),
    ("zrank", WITHSCORE_HISTORY, ""),
    ("zrank", WITHSCORE, ""),
    ("zrevrank", "AtLeast(3)", "Exactly(3)"),
    ("zrevrank", WITHSCORE_HISTORY, ""),
    ("zrevrank", WITHSCORE, ""),
    (
        "client|kill",
        r#",Arg::new("maxage","integer").token("MAXAGE").since("7.4.0").flags(["optional"])"#,
        "",
    ),
    (
        "xadd",
        r#",("8.2.0","Added the `KEEPREF`, `DELREF` and `ACKED` options."),("8.6.0","Added the `IDMP` and `IDMPAUTO` options.")"#,
        "",
    ),
    ("xadd", REFERENCES, ""),
    (
        "xadd",
        r#"Arg::new("idmp","oneof").since("8.6.0").flags(["optional"]).args([Arg::new("pid","string").token("IDMPAUTO"),Arg::new("idmp","block").token("IDMP").args([Arg::new("pid","string"),Arg::new("iid","string")])]),"#,
        "",
    ),
    (
        "xinfo|consumers",
        r#".history([("7.2.0","Added the `inactive` field, and changed the meaning of `idle`.")])"#,
        "",
    ),
    (
        "xinfo|stream",
        r#",("7.2.0","Added the `active-time` field, and changed the meaning of `seen-time`.")"#,
        "",
    ),
    ("xread", "keys:Planned{specs:[", "keys:Specs(["),
    ("xread", "],lock:Custom(places)}", "])"),
    (
        "xread",
        r#".history([("7.4.0","Added the `+` ID."),("8.10.0","Added the `MAXCOUNT` and `MAXSIZE` options.")])"#,
        "",
    ),
    ("xread", LIMITS, ""),
    ("xreadgroup", "keys:Planned{specs:[", "keys:Specs(["),
    ("xreadgroup", "],lock:Custom(places)}", "])"),
    (
        "xreadgroup",
        r#".history([("8.4.0","Added the `CLAIM` option."),("8.10.0","Added the `MAXCOUNT` and `MAXSIZE` options.")])"#,
        "",
    ),
    ("xreadgroup", LIMITS, ""),
    (
        "xreadgroup",
        r#"Arg::new("min-idle-time","integer").token("CLAIM").since("8.4.0").flags(["optional"]),"#,
        "",
    ),
    ("xtrim", r#",("8.2.0","Added the `KEEPREF`, `DELREF` and `ACKED` options.")"#, ""),
    (
        "xtrim",
        r#",Arg::new("condition","oneof").since("8.2.0").flags(["optional"]).args([Arg::word("keepref","KEEPREF"),Arg::word("delref","DELREF"),Arg::word("acked","ACKED")])"#,
        "",
    ),
];

#[test]
fn printed_specs_are_those_of_the_engine() {
    let (_redis, mut server) = redis();
    let mut n_compared = 0;
    let mut differing = Vec::new();
    for spec in COMMANDS.iter().flat_map(|it| std::iter::once(it).chain(it.subcommands)) {
        let printed = match write(&mut server, &[spec.name.to_owned()]) {
            Ok(printed) => printed,
            // Some came after 7.0.15.
            Err(error)
                if error.to_string().ends_with(&format!("does not know `{}`", spec.name)) =>
            {
                continue;
            }
            Err(error) => panic!("{}: {error:#}", spec.name),
        };
        n_compared += 1;
        let (_, printed) = printed.split_once(": Spec = Spec {").expect("a Spec begins");
        let (printed, _) = printed.split_once("subcommands:").expect("it has subcommands");
        let mut ours = squashed(&fields_of(spec));
        for (name, ours_says, redis_says) in DEVIATIONS {
            if *name == spec.name {
                assert!(ours.contains(ours_says), "{name} no longer says {ours_says}");
                ours = ours.replace(ours_says, redis_says);
            }
        }
        let printed = squashed(printed);
        if printed != ours {
            differing.push(format!("printed: {printed}\nengine:  {ours}\n"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(70 < n_compared, "only {n_compared} commands were compared");
}

/// What is printed, formatting included, is what stands in the repository.
#[test]
fn a_printed_spec_is_in_the_style_of_the_repository() {
    let (_redis, mut server) = redis();
    for (name, path) in [
        ("get", "string/get.rs"),
        ("set", "string/set.rs"),
        ("persist", "key/persist.rs"),
        ("client|getname", "conn/client/name.rs"),
    ] {
        let path = root().join("crates/fanfare-engine/src/commands").join(path);
        let source = std::fs::read_to_string(path).unwrap();
        let printed = write(&mut server, &[name.to_owned()]).unwrap();
        let start = printed.find("pub(").unwrap();
        let end = printed.find("    run: ").unwrap();
        let spec = &printed[start..end];
        assert!(source.contains(spec), "{name} is printed as\n{spec}");
    }
}

#[test]
fn a_container_brings_its_subcommands() {
    let (_redis, mut server) = redis();
    let printed = write(&mut server, &["SLOWLOG".to_owned()]).unwrap();
    for line in [
        "//! Source: <https://redis.io/docs/latest/commands/slowlog/>.",
        "use crate::{Reply, Spec, WireError};",
        "pub(crate) static SLOWLOG: Spec = Spec {",
        "    subcommands: &[&GET, &HELP, &LEN, &RESET],",
        "static GET: Spec = Spec {",
        "    run: get,",
        "static HELP: Spec = Spec {",
        "    run: |_, _| Ok(Reply::lines(HELP_LINES)),",
        "    \"    Reset the slowlog.\",",
    ] {
        assert!(printed.lines().any(|it| it == line), "no line `{line}` in\n{printed}");
    }
}

/// Keys, groups and categories of every kind that redis-server has.
#[test]
fn what_no_command_of_ours_has_is_printed_too() {
    let (_redis, mut server) = redis();
    for (name, parts) in [
        (
            "lmpop",
            &[
                "group: Group::List",
                "begin: Begin::Index(1)",
                "find: Find::KeyNum { number: 0, first: 1, step: 1 }",
            ][..],
        ),
        (
            "lmove",
            &[
                "Arg::key(\"source\")",
                "Arg::key(\"destination\").key_spec(1)",
                "flags: &[\"RW\", \"insert\"]",
            ],
        ),
        (
            "xread",
            &[
                "Begin::Keyword { word: \"STREAMS\", from: 1 }",
                "Find::Range { last: -1, step: 1, limit: 2 }",
                "categories: &[],",
            ],
        ),
        ("migrate", &["Begin::Keyword { word: \"KEYS\", from: -2 }", "\"incomplete\""]),
        (
            "sort",
            &[
                "Begin::Unknown",
                "Find::Unknown",
                "For the optional STORE keyword.",
                "lock: Lock::Custom(places)",
                "Category::Set, Category::SortedSet, Category::List, Category::Dangerous",
            ],
        ),
        (
            "eval",
            &[
                "group: Group::Scripting",
                "Flag::MayReplicate",
                "lock: Lock::Everything",
                "Find::KeyNum { number: 0, first: 1, step: 1 }",
            ],
        ),
        ("wait", &["group: Group::Generic", "categories: &[Category::Connection]"]),
        (
            "zrangebyscore",
            &[
                "group: Group::SortedSet",
                ".deprecated(\"6.2.0\", \"`ZRANGE` with the `BYSCORE` argument\")",
            ],
        ),
        ("pfcount", &["group: Group::HyperLogLog", "categories: &[]"]),
        ("swapdb", &["keys: Keys::Everything"]),
        ("type", &["run: r#type"]),
    ] {
        let printed = write(&mut server, &[name.to_owned()]).unwrap();
        for part in parts {
            assert!(printed.contains(part), "no `{part}` in\n{printed}");
        }
    }
}

/// A literal that is wider than a line must not spoil what is around it, nor may `cargo fmt` change it.
#[test]
fn long_literals_are_formatted_for_good() {
    let (_redis, mut server) = redis();
    let printed = write(
        &mut server,
        &["publish".to_owned(), "command|getkeys".to_owned(), "sort".to_owned()],
    )
    .unwrap();
    assert!(printed.lines().any(|it| 100 < it.len()), "a long literal in\n{printed}");
    assert!(
        printed.contains("\n    docs: Docs::new(\n        \"Post a message to a channel\",\n"),
        "{printed}"
    );
    assert_eq!(rustfmt(&printed).unwrap(), printed);
}

#[test]
fn literals_come_apart_and_quotes_in_them_do_not_end_them() {
    assert_eq!(pieces(r#"a("b\"c\\", "")"#), ["a(", r#""b\"c\\""#, ", ", "\"\"", ")"]);
}

#[test]
fn unknown_commands_are_named_with_the_version_that_was_asked() {
    let (redis, mut server) = redis();
    let names = ["get", "Nosuch", "client|nosuch"].map(str::to_owned);
    let error = write(&mut server, &names).unwrap_err().to_string();
    let info = redis.client().call(&["INFO", "server"]);
    let info = String::from_utf8(info).unwrap();
    let version = info.lines().find_map(|it| it.strip_prefix("redis_version:")).unwrap();
    assert_eq!(error, format!("redis-server {version} does not know `Nosuch`, `client|nosuch`"));
}

#[test]
fn two_statics_of_one_name_are_refused() {
    let (_redis, mut server) = redis();
    let names = ["client|list", "command|list"].map(str::to_owned);
    let error = write(&mut server, &names).unwrap_err().to_string();
    assert_eq!(error, "client|list and command|list would both be LIST: ask for one");
}

#[test]
fn a_server_is_started_if_none_is_given() {
    let mut server = Server::start("redis-server").unwrap();
    assert!(write(&mut server, &["get".to_owned()]).unwrap().contains("static GET: Spec"));
    let error = Server::start("no-such-redis-server").err().unwrap().to_string();
    assert_eq!(error, "no-such-redis-server not found: run apt-get install -y redis-server");
}

fn redis() -> (RedisServer, Server) {
    let redis = RedisServer::start(&[]);
    let server = Server::connect(redis.port()).unwrap();
    (redis, server)
}

/// The fields of a real `Spec`, from `name` to `docs`.
fn fields_of(spec: &Spec) -> String {
    let Spec { name, arity, flags, keys, group, categories, tips, docs, .. } = spec;
    format!(
        "name: {name:?}, arity: {arity:?}, flags: {flags:?}, keys: {keys:?}, group: {group:?}, \
         categories: {categories:?}, tips: {tips:?}, docs: {},",
        constructor_of(docs)
    )
}

fn constructor_of(docs: &Docs) -> String {
    let Docs { summary, since, complexity, history, deprecated, doc_flags, key_notes, args } = docs;
    let mut out = format!("Docs::new({summary:?}, {since:?}, {complexity:?})");
    if !history.is_empty() {
        out += &format!(".history({history:?})");
    }
    if let Some((since, replaced_by)) = deprecated {
        out += &format!(".deprecated({since:?}, {replaced_by:?})");
    }
    if !doc_flags.is_empty() {
        out += &format!(".doc_flags({doc_flags:?})");
    }
    if let Some(notes) = key_notes {
        out += &format!(".key_notes({notes:?})");
    }
    if !args.is_empty() {
        out += &format!(
            ".args([{}])",
            args.iter().map(constructor_of_arg).collect::<Vec<_>>().join(",")
        );
    }
    out
}

fn constructor_of_arg(arg: &Arg) -> String {
    let Arg { name, kind, key_spec, token, since, deprecated_since, flags, args } = arg;
    let (mut out, shown_spec, shown_token) = match (*kind, *key_spec, *token) {
        ("key", Some(0), token) => (format!("Arg::key({name:?})"), None, token),
        ("key", spec @ Some(_), token) => (format!("Arg::key({name:?})"), spec, token),
        ("pure-token", None, Some(token)) => {
            (format!("Arg::word({name:?}, {token:?})"), None, None)
        }
        (kind, spec, token) => (format!("Arg::new({name:?}, {kind:?})"), spec, token),
    };
    if let Some(index) = shown_spec {
        out += &format!(".key_spec({index})");
    }
    for (method, text) in
        [("token", &shown_token), ("since", since), ("deprecated_since", deprecated_since)]
    {
        if let Some(text) = text {
            out += &format!(".{method}({text:?})");
        }
    }
    if !flags.is_empty() {
        out += &format!(".flags({flags:?})");
    }
    if !args.is_empty() {
        out += &format!(
            ".args([{}])",
            args.iter().map(constructor_of_arg).collect::<Vec<_>>().join(",")
        );
    }
    out
}

/// Without what formatting, borrowing and the paths of variants add, so that `Debug` says the same.
fn squashed(text: &str) -> String {
    let mut out = String::new();
    for piece in pieces(text) {
        if piece.starts_with('"') {
            out.push_str(piece);
            continue;
        }
        let mut code: String = piece.split_whitespace().collect();
        for path in [
            "Arity::",
            "Begin::",
            "Category::",
            "Find::",
            "Flag::",
            "Group::",
            "Keys::",
            "Lock::",
            "&",
        ] {
            code = code.replace(path, "");
        }
        out.push_str(&named(&code).replace(",]", "]").replace(",)", ")").replace(",}", "}"));
    }
    out
}

/// A function is printed by its name, and shown by its address.
fn named(code: &str) -> String {
    let mut parts = code.split("(0x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("(places)");
        out.push_str(part.split_once(')').map_or("", |it| it.1));
    }
    out
}
