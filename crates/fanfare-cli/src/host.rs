//! What the broker's process asks of the system it runs on: open files, directory, pid file,
//! supervisor.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use fanfare_broker::config::{Config, Supervised};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::failure::hinted;

/// Files that the broker needs beside those of its clients: no fewer than redis-server.
fn reserved_files(config: &Config) -> u64 {
    // An event loop each, and what the process and its listeners need.
    let used = 4 * config.n_reactors() as u64 + 16;
    used.max(32)
}

/// Raises the limit on open files to what `maxclients` needs. Where the system refuses, lowers
/// `maxclients` and returns a warning.
///
/// # Errors
/// If not even one client would fit.
pub(crate) fn fit_maxclients(config: &mut Config) -> anyhow::Result<Option<String>> {
    let asked = config.maxclients;
    let reserved = reserved_files(config);
    let needed = u64::from(asked) + reserved;
    let allowed = raise_open_files(needed);
    if needed <= allowed {
        return Ok(None);
    }
    let fits = allowed.saturating_sub(reserved);
    config.maxclients = u32::try_from(fits).unwrap_or(asked);
    if fits == 0 {
        let error =
            anyhow!("this process may open only {allowed} files, which leaves none for clients");
        return Err(hinted(error, format!("raise the limit with `ulimit -n {needed}`")));
    }
    Ok(Some(format!(
        "maxclients is {fits} instead of {asked}: it needs {needed} open files and the system \
         allows {allowed}; raise the limit with `ulimit -n {needed}` or LimitNOFILE={needed}"
    )))
}

/// Raises the limit as far as possible up to `needed` and returns what holds now.
fn raise_open_files(needed: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let allowed = |limit: &Rlimit| limit.current.unwrap_or(u64::MAX);
    if needed <= allowed(&limit) {
        return allowed(&limit);
    }
    let maximum = limit.maximum.map(|it| it.max(needed));
    let all = Rlimit { current: Some(needed), maximum };
    if setrlimit(Resource::Nofile, all).is_err() {
        // Only root may raise the maximum; up to it anybody may go.
        let some = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let _ = setrlimit(Resource::Nofile, some);
    }
    allowed(&getrlimit(Resource::Nofile))
}

/// Makes `dir` the working directory, to which all relative paths of the configuration belong.
pub(crate) fn enter_dir(config: &Config) -> anyhow::Result<()> {
    std::env::set_current_dir(&config.dir)
        .with_context(|| format!("failed to enter dir {}", config.dir.display()))
}

/// Takes memory in ordinary pages, as redis-server does (`disable-thp yes`): in huge ones a broker with ten thousand
/// idle connections is a third larger. Where the system does not allow it, nothing is lost but that.
pub(crate) fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "transparent huge pages stay on");
    }
}

/// The file with this process's id; removed on drop.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it.
    pub(crate) fn write(path: &Path) -> io::Result<Self> {
        fs::write(path, format!("{}\n", std::process::id()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = fs::remove_file(&self.0);
    }
}

/// Who is told that the broker is ready and that it stops.
#[derive(Debug)]
pub(crate) enum Supervisor {
    Nobody,
    Systemd { socket: OsString },
    Upstart,
}

impl Supervisor {
    /// Finds the configured supervisor, or says what is missing.
    pub(crate) fn find(supervised: Supervised) -> Result<Self, &'static str> {
        let systemd = || std::env::var_os("NOTIFY_SOCKET").map(|socket| Self::Systemd { socket });
        let upstart = || std::env::var_os("UPSTART_JOB").map(|_| Self::Upstart);
        match supervised {
            Supervised::No => Ok(Self::Nobody),
            Supervised::Auto => Ok(upstart().or_else(systemd).unwrap_or(Self::Nobody)),
            Supervised::Systemd => {
                systemd().ok_or("supervised systemd: NOTIFY_SOCKET is not set, nobody is told")
            }
            Supervised::Upstart => {
                upstart().ok_or("supervised upstart: UPSTART_JOB is not set, nobody is told")
            }
        }
    }

    /// Clients can connect.
    pub(crate) fn tell_ready(&self) -> io::Result<()> {
        match self {
            Self::Nobody => Ok(()),
            Self::Systemd { socket } => {
                notify(socket, "READY=1\nSTATUS=Ready to accept connections\n")
            }
            Self::Upstart => {
                let me = rustix::process::getpid();
                Ok(rustix::process::kill_process(me, rustix::process::Signal::STOP)?)
            }
        }
    }

    /// The broker begins to stop.
    pub(crate) fn tell_stopping(&self) -> io::Result<()> {
        match self {
            Self::Systemd { socket } => notify(socket, "STOPPING=1\n"),
            Self::Nobody | Self::Upstart => Ok(()),
        }
    }
}

/// systemd's protocol: one datagram. A leading `@` stands for the abstract namespace.
fn notify(socket: &OsString, state: &str) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let sender = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        let address = SocketAddr::from_abstract_name(name)?;
        return sender.send_to_addr(state.as_bytes(), &address).map(drop);
    }
    let address = SocketAddr::from_pathname(Path::new(socket))?;
    sender.send_to_addr(state.as_bytes(), &address).map(drop)
}
