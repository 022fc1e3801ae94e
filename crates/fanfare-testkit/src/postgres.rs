//! A PostgreSQL server in a directory of its own.
//!
//! PostgreSQL refuses to run as root; then it runs as the user `postgres`, which its package makes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::port::Port;
use crate::process::TempDir;

/// How long the server may take to answer first, or to end after a signal.
const PATIENCE: Duration = Duration::from_secs(30);

const NOT_FOUND: &str = "PostgreSQL not found: run apt-get install -y postgresql";

/// A PostgreSQL server on a free port of 127.0.0.1, whose user `fanfare` needs no password.
///
/// It has the defaults, but that it leaves it to the system when files are on the disk: what it has
/// committed is there after [`kill`](Self::kill), and only a crash of the machine could lose it.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    /// Whom it runs as, if that is somebody else.
    owner: Option<(u32, u32)>,
    port: Port,
    postmaster: Option<Child>,
    dir: TempDir,
}

impl Postgres {
    /// Makes a database cluster, starts the server on it, and waits until it answers.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        match Self::try_start() {
            Ok(server) => server,
            Err(error) => panic!("{error}"),
        }
    }

    fn try_start() -> Result<Self, String> {
        const ATTEMPTS: usize = 5;
        let programs = programs().ok_or(NOT_FOUND)?;
        let dir = TempDir::new().map_err(|error| format!("no temporary directory: {error}"))?;
        let owner = owner(dir.path())?;
        if let Some((uid, gid)) = owner {
            let given = chown(dir.path(), Some(uid), Some(gid));
            given.map_err(|error| format!("cannot chown {}: {error}", dir.path().display()))?;
        }
        let reserve = || Port::reserve().map_err(|error| format!("no free port: {error}"));
        let mut server = Self { programs, owner, port: reserve()?, postmaster: None, dir };
        server.init()?;
        for attempt in 1.. {
            match server.spawn_and_wait() {
                Ok(()) => break,
                // Some program that is no test may have taken the port between the look and the bind.
                Err(error) if attempt < ATTEMPTS && server.log().contains("in use") => {
                    eprintln!("{error}; trying another port");
                    server.port = reserve()?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(server)
    }

    /// `postgres://fanfare@127.0.0.1:PORT/postgres`
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://fanfare@{}/postgres", self.addr())
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port.number()).into()
    }

    /// Its directory. The database cluster is in `data`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The ids of its processes, the postmaster's first. None when it does not run.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        let Some(postmaster) = &self.postmaster else { return Vec::new() };
        let mut pids = vec![postmaster.id()];
        pids.extend(children(postmaster.id()));
        pids
    }

    /// What it has written to its log since it was started last.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Kills all its processes (SIGKILL) and waits for their end. The directory stays.
    pub fn kill(&mut self) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        // So that it starts no process that nobody knows.
        signal("STOP", &[postmaster.id()]);
        let children = children(postmaster.id());
        // Either may fail only because the process has ended already.
        let _ = postmaster.kill();
        let _ = postmaster.wait();
        signal("KILL", &children);
        let deadline = Instant::now() + PATIENCE;
        while children.iter().any(|pid| is_alive(*pid)) {
            assert!(Instant::now() < deadline, "a process of PostgreSQL survives SIGKILL");
            thread::sleep(Duration::from_millis(2));
        }
        self.clear();
    }

    /// Ends it as an administrator does, without waiting for its clients. The directory stays.
    ///
    /// # Panics
    /// If it has not ended after thirty seconds.
    pub fn stop(&mut self) {
        let Some(postmaster) = &mut self.postmaster else { return };
        signal("INT", &[postmaster.id()]);
        let deadline = Instant::now() + PATIENCE;
        while let Ok(None) = postmaster.try_wait() {
            assert!(Instant::now() < deadline, "PostgreSQL does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
        self.postmaster = None;
    }

    /// Starts it again on the same port and directory; first [kills](Self::kill) it if it runs.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        if let Err(error) = self.spawn_and_wait() {
            panic!("{error}");
        }
    }

    /// Freezes all its processes: connections stay open and nothing is answered.
    pub fn sigstop(&self) {
        // The postmaster first, so that it starts no process that nobody knows.
        signal("STOP", self.pids().get(..1).unwrap_or_default());
        signal("STOP", &self.pids());
    }

    /// Lets frozen processes go on.
    pub fn sigcont(&self) {
        signal("CONT", &self.pids());
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        // What these say would be taken for options, or translated.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C");
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn init(&self) -> Result<(), String> {
        let mut command = self.command("initdb");
        command.args(["-A", "trust", "--no-sync", "-U", "fanfare", "-E", "UTF8", "--no-locale"]);
        // Files of the log that are as small as they can be: the default is made of 16 MiB.
        command.args(["--wal-segsize=1", "-D"]).arg(self.data());
        let output = command.output().map_err(|error| {
            let dir = self.dir.path().display();
            format!("cannot run initdb in {dir} (may its owner pass the folders above?): {error}")
        })?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("initdb failed:\n{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn spawn_and_wait(&mut self) -> Result<(), String> {
        let log = File::create(self.log_path()).map_err(|error| format!("no log file: {error}"))?;
        let errors = log.try_clone().map_err(|error| format!("no log file: {error}"))?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.number().to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "shared_buffers=16MB",
            // Within the directory, which is removed.
            "dynamic_shared_memory_type=mmap",
        ] {
            command.args(["-c", setting]);
        }
        let child = command.stdout(log).stderr(errors).spawn();
        self.postmaster = Some(child.map_err(|error| format!("cannot run postgres: {error}"))?);
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if lets_in(self.addr()).unwrap_or(false) {
                return Ok(());
            }
            let ended = self.postmaster.as_mut().and_then(|it| it.try_wait().ok().flatten());
            if let Some(status) = ended {
                self.postmaster = None;
                return Err(format!("PostgreSQL ended at once ({status}):\n{}", self.log()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.kill();
        Err(format!("PostgreSQL does not answer:\n{}", self.log()))
    }

    /// Removes what a killed server leaves behind: a file that would keep the next one from starting if
    /// its process id is given to another program, and a piece of shared memory that outlives all.
    fn clear(&self) {
        let path = self.data().join("postmaster.pid");
        let Ok(text) = fs::read_to_string(&path) else { return };
        let memory = text.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
        if let Some(id) = memory {
            let mut command = Command::new("ipcrm");
            command.args(["-m", id]).stdout(Stdio::null()).stderr(Stdio::null());
            // Without that, the next server takes it.
            let _ = command.status();
        }
        let _ = fs::remove_file(path);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where `initdb` and `postgres` are: on the path, or where Debian has them, the newest.
fn programs() -> Option<PathBuf> {
    let has_both = |dir: &PathBuf| ["initdb", "postgres"].iter().all(|it| dir.join(it).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(dir) = std::env::split_paths(&path).find(has_both) {
        return Some(dir);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let dirs = versions.filter_map(|it| {
        let version: u32 = it.file_name().to_str()?.parse().ok()?;
        Some((version, it.path().join("bin"))).filter(|it| has_both(&it.1))
    });
    dirs.max().map(|it| it.1)
}

/// As whom PostgreSQL is to run in this directory of ours: as `postgres` if we are root.
fn owner(dir: &Path) -> Result<Option<(u32, u32)>, String> {
    let is_root = fs::metadata(dir).is_ok_and(|it| it.uid() == 0);
    if !is_root {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    let ids = |line: &str| {
        let mut words = line.split(':');
        let name = words.next()?;
        let (uid, gid) = (words.nth(1)?.parse().ok()?, words.next()?.parse().ok()?);
        (name == "postgres").then_some((uid, gid))
    };
    let found = users.lines().find_map(ids);
    let missing = "PostgreSQL does not run as root, and there is no user `postgres`: \
                   run adduser --system --group postgres";
    found.map(Some).ok_or_else(|| missing.to_owned())
}

/// Whether a server takes a session: while it starts, it takes connections and refuses those.
fn lets_in(addr: SocketAddr) -> io::Result<bool> {
    /// Version 3.0 of the protocol.
    const VERSION: u32 = 3 << 16;
    const NAMES: &[u8] = b"user\0fanfare\0database\0postgres\0\0";
    let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let len = u32::try_from(8 + NAMES.len()).unwrap_or(u32::MAX);
    stream.write_all(&[&len.to_be_bytes()[..], &VERSION.to_be_bytes(), NAMES].concat())?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    // The user needs no password. Otherwise it would be `E`, an error.
    Ok(kind == *b"R")
}

fn signal(name: &str, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    // A shell's own `kill` exists everywhere; calling kill(2) would need unsafe code. Processes that
    // have ended meanwhile are no failure.
    let script = format!("kill -{name} {} 2>/dev/null", pids.join(" "));
    if let Err(error) = Command::new("sh").arg("-c").arg(script).status() {
        panic!("cannot send SIG{name}: {error}");
    }
}

/// The processes whose parent this is.
fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|it| it.1 == parent)).collect()
}

/// Whether a process is there and has not ended.
fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|it| it.0 != 'Z' && it.0 != 'X')
}

/// The state of a process, and its parent.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before them is in parentheses, and may have some itself.
    let mut words = text.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}
