//! The two servers that tests talk to: redis-server, the oracle, and Fanfare.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::{Launch, ServerProcess};

/// A redis-server process on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct RedisServer(ServerProcess);

impl RedisServer {
    /// Starts redis-server with these arguments (`["--requirepass", "x"]`) and waits until it
    /// answers. It saves nothing unless the arguments say so.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    #[must_use]
    pub fn start(args: &[&str]) -> Self {
        let mut all = vec!["--save".to_owned(), String::new()];
        all.extend(args.iter().map(|&it| it.to_owned()));
        Self(start(redis(Vec::new(), all, Vec::new())))
    }

    /// Starts a sentinel with this configuration, and waits until it answers.
    ///
    /// # Panics
    /// If redis-server is not installed or does not start.
    #[must_use]
    pub(crate) fn start_sentinel(config: String) -> Self {
        const FILE: &str = "sentinel.conf";
        let mode = vec![FILE.to_owned(), "--sentinel".to_owned()];
        Self(start(redis(mode, Vec::new(), vec![(FILE, config)])))
    }
}

fn redis(
    args_before: Vec<String>,
    args: Vec<String>,
    files: Vec<(&'static str, String)>,
) -> Launch {
    Launch {
        program: PathBuf::from("redis-server"),
        args_before,
        args,
        files,
        not_found: "redis-server not found: run apt-get install -y redis-server",
    }
}

impl Deref for RedisServer {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.0
    }
}

impl DerefMut for RedisServer {
    fn deref_mut(&mut self) -> &mut ServerProcess {
        &mut self.0
    }
}

/// A `fanfare serve` process on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct FanfareServer(ServerProcess);

impl FanfareServer {
    /// Starts `fanfare serve` with these arguments (`["--requirepass", "x"]`) and waits until it
    /// answers.
    ///
    /// # Panics
    /// If it can not be built or does not start.
    #[must_use]
    pub fn start(args: &[&str]) -> Self {
        Self(start(Launch {
            program: fanfare_binary().to_owned(),
            args_before: vec!["serve".to_owned()],
            args: args.iter().map(|&it| it.to_owned()).collect(),
            files: Vec::new(),
            not_found: "the fanfare binary is gone: unset FANFARE_BIN or build it",
        }))
    }
}

impl Deref for FanfareServer {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.0
    }
}

impl DerefMut for FanfareServer {
    fn deref_mut(&mut self) -> &mut ServerProcess {
        &mut self.0
    }
}

fn start(launch: Launch) -> ServerProcess {
    match ServerProcess::start(launch) {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    }
}

/// The `fanfare` binary: `FANFARE_BIN` if it is set, else the one that cargo builds into the
/// target directory and profile of the running test. Cargo is asked once per process, so that a
/// test never talks to a stale binary.
///
/// # Panics
/// If the build fails.
#[must_use]
pub fn fanfare_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("FANFARE_BIN") {
        Some(path) => PathBuf::from(path),
        None => match build() {
            Ok(path) => path,
            Err(error) => panic!("cannot build the fanfare binary: {error}"),
        },
    })
}

fn build() -> Result<PathBuf, String> {
    let this_test = std::env::current_exe().map_err(|error| error.to_string())?;
    // A test runs as <target>/<profile>/deps/<name>, or one folder higher when it is no test.
    let mut profile_dir = this_test.parent().ok_or("the test has no folder")?;
    if profile_dir.ends_with("deps") {
        profile_dir = profile_dir.parent().ok_or("deps has no parent")?;
    }
    let target_dir = profile_dir.parent().ok_or("the profile's folder has no parent")?;
    let profile = match profile_dir.file_name().and_then(|it| it.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "-p", "fanfare-cli", "--bin", "fanfare", "--profile", profile])
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(profile_dir.join(format!("fanfare{}", std::env::consts::EXE_SUFFIX)))
}
