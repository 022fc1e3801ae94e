//! Runs the scripts of `tests/clients/`, which use a broker through clients in other languages,
//! against redis-server and against Fanfare. The clients are installed once, below cargo's target
//! directory.

#![expect(clippy::expect_used, reason = "a test may end with a message")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fanfare_testkit::{FanfareServer, RedisServer, ServerProcess, install, installed_once};

/// Makes two tests of each script: one for each server.
macro_rules! scripts {
    ($($name:ident: $run:ident $script:literal,)*) => {
        mod on_redis {
            $(
                #[test]
                fn $name() {
                    let printed = super::$run($script, &super::RedisServer::start(&[]));
                    print!("{printed}");
                }
            )*
        }

        mod on_fanfare {
            $(
                #[test]
                fn $name() {
                    let printed = super::$run($script, &super::FanfareServer::start(&[]));
                    print!("{printed}");
                    // Only redis-server may be too old for a check.
                    assert!(!printed.contains("skipped "), "Fanfare lacks a command");
                }
            )*
        }
    };
}

scripts! {
    python_commands: python "commands.py",
    python_data_types: python "data_types.py",
    python_pubsub_sync: python "pubsub_sync.py",
    python_pubsub_asyncio: python "pubsub_asyncio.py",
    python_streams: python "streams.py",
    python_streams_newest: python "streams_newest.py",
    dramatiq: python "dramatiq_work.py",
    celery: python "celery_work.py",
    rq: python "rq_work.py",
    ioredis: node "ioredis.mjs",
    ioredis_streams: node "ioredis-streams.mjs",
    node_redis: node "node-redis.mjs",
    node_redis_streams: node "node-redis-streams.mjs",
    bullmq: node "bullmq.mjs",
    socketio: node "socketio.mjs",
}

fn python(script: &str, server: &ServerProcess) -> String {
    let scripts = scripts_dir("python");
    run(Command::new(install_python(&scripts)).arg(scripts.join(script)), server)
}

fn node(script: &str, server: &ServerProcess) -> String {
    let installed = install_node_clients(&scripts_dir("node"));
    run(Command::new("node").arg(installed.join(script)), server)
}

/// Runs one script and returns what it printed; if it failed, shows that with the server's log.
fn run(command: &mut Command, server: &ServerProcess) -> String {
    command.env("FANFARE_HOST", server.addr().ip().to_string());
    command.env("FANFARE_PORT", server.port().to_string());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().expect("the script's interpreter runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let log = server.log();
    assert!(output.status.success(), "{command:?}\n{printed}\n{errors}\nserver:\n{log}");
    printed.into_owned()
}

fn scripts_dir(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients").join(language)
}

/// Makes a virtual environment with the pinned versions and returns its interpreter.
fn install_python(scripts: &Path) -> PathBuf {
    let requirements = scripts.join("requirements.txt");
    let wanted = fs::read(&requirements).expect("requirements.txt can be read");
    let folder = installed_once(tmpdir(), "python-clients", &wanted, |folder| {
        let hint = "python3 not found: run apt-get install -y python3 python3-venv";
        install(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder), hint);
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        install(pip.arg(&requirements), hint);
    });
    folder.join("bin/python")
}

/// Installs the pinned versions and returns the folder with them and with the scripts: Node looks
/// for packages beside the script.
fn install_node_clients(scripts: &Path) -> PathBuf {
    let mut sources = Vec::new();
    for entry in fs::read_dir(scripts).expect("the scripts can be listed") {
        let path = entry.expect("the scripts can be listed").path();
        if path.extension().is_some_and(|it| it == "mjs" || it == "json") {
            sources.push(path);
        }
    }
    sources.sort();
    fanfare_testkit::install_node(tmpdir(), "node-clients", &sources)
}

fn tmpdir() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
