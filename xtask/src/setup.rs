//! Installing what the tests need beyond Rust, once and quietly.

use std::process::Command;

use crate::command::{self, succeeds};
use crate::steps::Steps;

/// A program the tests use, how to find out that it is there, and the Debian packages with it.
struct Need {
    name: &'static str,
    program: &'static str,
    args: &'static [&'static str],
    packages: &'static [&'static str],
    what_for: &'static str,
}

const NEEDS: &[Need] = &[
    Need {
        name: "redis-server",
        program: "redis-server",
        args: &["--version"],
        packages: &["redis-server"],
        what_for: "the server that answers are compared with",
    },
    Need {
        name: "python3",
        program: "python3",
        args: &["-c", "import ensurepip, venv"],
        packages: &["python3", "python3-venv"],
        what_for: "redis-py as a client",
    },
    Need {
        name: "node",
        program: "node",
        args: &["--version"],
        packages: &["nodejs"],
        what_for: "ioredis and node-redis as clients",
    },
    Need {
        name: "npm",
        program: "npm",
        args: &["--version"],
        packages: &["npm"],
        what_for: "the same",
    },
    Need {
        name: "PostgreSQL",
        program: "sh",
        // Debian has the server's programs beside the path.
        args: &["-c", "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb"],
        packages: &["postgresql"],
        what_for: "the database of the outbox",
    },
];

/// Installs what is missing by apt-get, as root or by sudo. What can not be installed is said, and
/// the tests that need it fail.
pub(crate) fn run(steps: &mut Steps) {
    let missing = || NEEDS.iter().filter(|it| !succeeds(it.program, it.args));
    let packages: Vec<&str> = missing().flat_map(|it| it.packages).copied().collect();
    if packages.is_empty() {
        return;
    }
    for need in missing() {
        println!("{} is missing ({})", need.name, need.what_for);
    }
    let Some(become_root) = become_root() else {
        steps.note(&format!(
            "not root and no sudo without a password; please run: apt-get install -y {}",
            packages.join(" ")
        ));
        return;
    };
    // An old list often is good enough, so a failed update only matters if the next step fails.
    steps.check("install", || {
        let update = apt(become_root, &["update", "-qq"]);
        let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
        install.extend(&packages);
        let installed = match packages.contains(&"postgresql") {
            true => without_cluster(become_root, || apt(become_root, &install)),
            false => apt(become_root, &install),
        };
        match installed.and(if missing().next().is_none() { Ok(()) } else { Err(String::new()) }) {
            Ok(()) => Vec::new(),
            Err(error) => [update.err(), Some(error)].into_iter().flatten().collect(),
        }
    });
}

/// The words in front of a command that make it run as root.
fn become_root() -> Option<&'static [&'static str]> {
    if !succeeds("apt-get", &["--version"]) {
        return None;
    }
    if succeeds("sh", &["-c", "test \"$(id -u)\" = 0"]) {
        return Some(&["env"]);
    }
    succeeds("sudo", &["-n", "true"]).then_some(&["sudo", "-n", "env"])
}

/// Keeps PostgreSQL's package from making and starting a server on port 5432 meanwhile: the tests
/// start their own.
fn without_cluster(
    become_root: &[&str],
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    const DIR: &str = "/etc/postgresql-common/createcluster.d";
    let sh = |script: String| as_root(become_root, &["sh", "-c", &script]);
    sh(format!("mkdir -p {DIR} && echo create_main_cluster = false > {DIR}/fanfare-tests.conf"))?;
    let installed = install();
    // Who installs another version later wants to have one.
    let removed = sh(format!("rm {DIR}/fanfare-tests.conf"));
    installed.and(removed)
}

fn apt(become_root: &[&str], args: &[&str]) -> Result<(), String> {
    as_root(become_root, &[&["DEBIAN_FRONTEND=noninteractive", "apt-get"], args].concat())
}

/// Runs a command; in front of it there may be variables.
fn as_root(become_root: &[&str], args: &[&str]) -> Result<(), String> {
    let Some((program, before)) = become_root.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(before).args(args);
    match command::run(&mut command) {
        Ok(outcome) if outcome.is_success => Ok(()),
        Ok(_) => Err(format!("{command:?} failed")),
        Err(error) => Err(format!("{error:#}")),
    }
}
