//! A server process in a directory of its own; both end on drop.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::RawClient;
use crate::port::Port;

/// How long a server may take to answer its first PING, or to end after a signal.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory under the system's temporary directory that is removed on drop.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes a new, empty directory.
    ///
    /// # Errors
    /// If it can not be made.
    pub fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let base = std::env::temp_dir();
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("fanfare-test-{}-{count}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left behind by a killed process that had the same id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // Nobody can be told here, and the system cleans its temporary directory itself.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How to start a server on a port.
pub(crate) struct Launch {
    /// The program.
    pub(crate) program: PathBuf,
    /// What stands before `--port`.
    pub(crate) args_before: Vec<String>,
    /// What stands after it.
    pub(crate) args: Vec<String>,
    /// Files that must be in its directory first: name and text.
    pub(crate) files: Vec<(&'static str, String)>,
    /// What to say if the program is not there.
    pub(crate) not_found: &'static str,
}

/// A running (or stopped) server process with its port and directory.
pub struct ServerProcess {
    launch: Launch,
    child: Option<Child>,
    port: Port,
    dir: TempDir,
}

impl ServerProcess {
    /// Starts the server on a free port and waits until it answers PING.
    pub(crate) fn start(launch: Launch) -> Result<Self, String> {
        const ATTEMPTS: usize = 5;
        let dir = TempDir::new().map_err(|error| format!("no temporary directory: {error}"))?;
        let port = Port::reserve().map_err(|error| format!("no free port: {error}"))?;
        for (name, text) in &launch.files {
            let written = fs::write(dir.path().join(name), text);
            written.map_err(|error| format!("cannot write {name}: {error}"))?;
        }
        let mut server = Self { launch, child: None, port, dir };
        for attempt in 1.. {
            match server.spawn_and_wait() {
                Ok(()) => break,
                // Some program that is no test may have taken the port between the look and the bind.
                Err(error) if attempt < ATTEMPTS && server.log().contains("in use") => {
                    eprintln!("{error}; trying another port");
                    server.port =
                        Port::reserve().map_err(|error| format!("no free port: {error}"))?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(server)
    }

    /// Where the server listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// The port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// `redis://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr())
    }

    /// The server's working directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What the server has written to standard output and standard error.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A new connection.
    ///
    /// # Panics
    /// If the server does not accept one.
    #[must_use]
    pub fn client(&self) -> RawClient {
        match RawClient::connect(self.addr()) {
            Ok(client) => client,
            Err(error) => panic!("cannot connect to {}: {error}\n{}", self.addr(), self.log()),
        }
    }

    /// Kills the process (SIGKILL) and waits for its end. The directory stays.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Either may fail only because the process has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port, in the same directory, with the same arguments.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn restart(&mut self) {
        self.stop();
        if let Err(error) = self.spawn_and_wait() {
            panic!("{error}");
        }
    }

    /// Freezes the process: connections stay open and nothing is answered.
    pub fn sigstop(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen process go on.
    pub fn sigcont(&self) {
        self.signal("CONT");
    }

    /// Asks the process to end.
    pub fn sigterm(&self) {
        self.signal("TERM");
    }

    /// Waits until the process has ended by itself, and tells how.
    ///
    /// # Panics
    /// If it is still running after twenty seconds.
    pub fn wait_exit(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.as_mut().map(Child::try_wait) {
                None | Some(Err(_)) => return None,
                Some(Ok(Some(status))) => {
                    self.child = None;
                    return Some(status);
                }
                Some(Ok(None)) => thread::sleep(Duration::from_millis(5)),
            }
        }
        panic!("the server is still running\n{}", self.log());
    }

    fn signal(&self, name: &str) {
        let Some(pid) = self.pid() else { return };
        // A shell's own `kill` exists everywhere; calling kill(2) would need unsafe code.
        let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status();
        if !status.is_ok_and(|it| it.success()) {
            panic!("cannot send SIG{name} to process {pid}");
        }
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }

    fn spawn_and_wait(&mut self) -> Result<(), String> {
        let log = File::create(self.log_path()).map_err(|error| format!("no log file: {error}"))?;
        let errors = log.try_clone().map_err(|error| format!("no log file: {error}"))?;
        let program = &self.launch.program;
        let child = Command::new(program)
            .args(&self.launch.args_before)
            .arg("--port")
            .arg(self.port().to_string())
            .args(&self.launch.args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        match child {
            Ok(child) => self.child = Some(child),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.launch.not_found.to_owned());
            }
            Err(error) => return Err(format!("cannot run {}: {error}", program.display())),
        }
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(mut client) = RawClient::connect(self.addr()) {
                let answer = client.call(&["PING"]);
                // A password is no obstacle: the server is up.
                if answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH") {
                    return Ok(());
                }
            }
            let ended = self.child.as_mut().and_then(|it| it.try_wait().ok().flatten());
            if let Some(status) = ended {
                self.child = None;
                return Err(format!("the server ended at once ({status}):\n{}", self.log()));
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.stop();
        Err(format!("the server does not answer PING:\n{}", self.log()))
    }
}

impl std::fmt::Debug for ServerProcess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ServerProcess")
            .field("program", &self.launch.program)
            .field("addr", &self.addr())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}
