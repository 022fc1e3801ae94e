//! Runs every transcript on redis-server and on Fanfare and compares the answers.
//!
//! `TRANSCRIPT=pubsub/` runs those whose path has that text; `ORACLE_SELF=1` compares
//! redis-server to itself, which must find nothing; `TRANSCRIPT_SHOW=1` (with `-- --nocapture`)
//! prints what redis-server answers to each step.

#![expect(clippy::expect_used, reason = "a test may end with a message")]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use fanfare_testkit::transcript::{Differences, Runner, Script, StartServer, arity_scripts};
use fanfare_testkit::{FanfareServer, RedisServer};

/// Arguments of all servers: DEBUG commands are part of the transcripts, and nothing is saved.
const BASE_ARGS: [&str; 4] = ["--enable-debug-command", "yes", "--save", ""];

// Two tests, so that two processors share the work: those about streams are as long as all others.

#[test]
fn fanfare_answers_like_redis() {
    check(|script| !is_about_streams(script));
}

#[test]
fn fanfare_answers_like_redis_about_streams() {
    check(is_about_streams);
}

fn is_about_streams(script: &Script) -> bool {
    script.name.starts_with("streams/")
}

fn check(is_ours: impl Fn(&Script) -> bool) {
    let started = Instant::now();
    let is_self = std::env::var("ORACLE_SELF").is_ok_and(|it| it == "1");
    let filter = std::env::var("TRANSCRIPT").unwrap_or_default();
    let differences = Differences::load().expect("docs/differences.md can be read");
    let subject = if is_self { start(redis) } else { start(fanfare) };
    let shows = std::env::var_os("TRANSCRIPT_SHOW").is_some();
    let mut runner = Runner::new(start(redis), subject, is_self, differences).showing(shows);

    let (mut n_found, mut n_scripts) = (0, 0);
    for script in scripts() {
        match script {
            Ok(script) if script.name.contains(&filter) => {
                n_found += 1;
                if is_ours(&script) {
                    n_scripts += 1;
                    runner.run(&script);
                }
            }
            Ok(_) => {}
            Err(error) => runner.fail(error),
        }
    }

    let outcome = runner.finish();
    let by_script: Vec<String> =
        outcome.n_failures.iter().map(|(name, n)| format!("{n:6} {name}\n")).collect();
    let summary = format!(
        "{}{n_scripts} transcripts, {} runs, {} steps, {} failures in {:.1?}",
        by_script.concat(),
        outcome.n_runs,
        outcome.n_steps,
        outcome.failures.len(),
        started.elapsed(),
    );
    if outcome.failures.is_empty() {
        println!("{summary}");
    }
    assert!(0 < n_found, "no transcript has `{filter}` in its path");
    assert!(outcome.failures.is_empty(), "{}\n{summary}", outcome.failures.join("\n"));
}

/// Every script of the folder, in the order of their names.
fn scripts() -> Vec<Result<Script, String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    let mut scripts = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a transcript can be read");
        let name =
            path.strip_prefix(&root).expect("it lies below the folder").display().to_string();
        if path.extension().is_some_and(|it| it == "list") {
            match arity_scripts(&text) {
                Ok(made) => scripts.extend(made.map(Ok)),
                Err(error) => scripts.push(Err(format!("{name}: {error}"))),
            }
        } else {
            scripts.push(Script::parse(&name, &text));
        }
    }
    scripts
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the transcripts' folder can be read") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|it| it == "txt" || it == "list") {
            paths.push(path);
        }
    }
}

/// Starts servers one after the other and keeps them until the test is over.
fn start<S: 'static>(one: fn(&[&str]) -> (S, SocketAddr)) -> StartServer {
    let running = Rc::new(RefCell::new(Vec::new()));
    Box::new(move |args| {
        let mut all = BASE_ARGS.to_vec();
        all.extend(args.iter().map(String::as_str));
        let (server, addr) = one(&all);
        running.borrow_mut().push(server);
        addr
    })
}

fn redis(args: &[&str]) -> (RedisServer, SocketAddr) {
    let server = RedisServer::start(args);
    let addr = server.addr();
    (server, addr)
}

fn fanfare(args: &[&str]) -> (FanfareServer, SocketAddr) {
    // The connections of a script are on several reactors, busy or not.
    let mut args = args.to_vec();
    args.extend(["--reactors", "2"]);
    let server = FanfareServer::start(&args);
    let addr = server.addr();
    (server, addr)
}
