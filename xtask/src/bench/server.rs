//! The servers that are measured: how each is started, and that it ends with us.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::thread::CpuSet;

use super::client;
use super::cpu::{self, CpuTime};
use super::wire;

/// Which program serves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Program {
    Redis,
    /// One redis-server per processor, which share nothing; connections go to them in turn.
    RedisPerCore,
    Fanfare,
    Null,
    Ceiling,
}

/// A program in one configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Contender {
    pub(super) program: Program,
    /// Threads that serve, in Fanfare and in `null`; `None`: one per processor, Fanfare's default.
    pub(super) reactors: Option<u16>,
    /// The server has the first processor to itself, the load the second.
    pub(super) pinned: bool,
}

impl Contender {
    pub(super) const REDIS: Self = Self::new(Program::Redis, None, true);
    pub(super) const REDIS_UNPINNED: Self = Self::new(Program::Redis, None, false);
    pub(super) const REDIS_PER_CORE: Self = Self::new(Program::RedisPerCore, None, false);
    pub(super) const ONE_REACTOR: Self = Self::new(Program::Fanfare, Some(1), true);
    pub(super) const ONE_REACTOR_UNPINNED: Self = Self::new(Program::Fanfare, Some(1), false);
    pub(super) const TWO_REACTORS: Self = Self::new(Program::Fanfare, Some(2), false);
    pub(super) const DEFAULT: Self = Self::new(Program::Fanfare, None, false);
    pub(super) const NULL: Self = Self::new(Program::Null, Some(1), true);
    pub(super) const NULL_DEFAULT: Self = Self::new(Program::Null, None, false);
    pub(super) const CEILING: Self = Self::new(Program::Ceiling, None, true);

    const fn new(program: Program, reactors: Option<u16>, pinned: bool) -> Self {
        Self { program, reactors, pinned }
    }

    /// The least that a server of as many threads can do.
    pub(super) fn null(self) -> Self {
        Self { program: Program::Null, ..self }
    }

    /// Redis on as many processors, beside what has a thread for each of them.
    pub(super) fn per_core(self) -> Option<Self> {
        (self == Self::DEFAULT).then_some(Self::REDIS_PER_CORE)
    }

    /// As in the table.
    pub(super) fn name(self) -> &'static str {
        match (self.program, self.reactors, self.pinned) {
            (Program::Redis, _, true) => "redis",
            (Program::Redis, _, false) => "redis, unpinned",
            (Program::RedisPerCore, ..) => "redis per core",
            (Program::Fanfare, None, _) => "default",
            (Program::Fanfare, Some(1), true) => "1 reactor",
            (Program::Fanfare, Some(1), false) => "1 reactor, unpinned",
            (Program::Fanfare, Some(_), _) => "2 reactors",
            (Program::Null, _, true) => "null",
            (Program::Null, None, false) => "null, default",
            (Program::Null, Some(1), false) => "null, unpinned",
            (Program::Null, Some(_), false) => "null, 2 threads",
            (Program::Ceiling, ..) => "ceiling",
        }
    }
}

/// What `ceiling` is told beforehand.
#[derive(Clone, Copy, Default)]
pub(super) struct FanOut {
    pub(super) subscribers: usize,
    pub(super) in_flight: usize,
    pub(super) payload: usize,
}

/// Where programs and logs are, and which processors there are.
pub(super) struct Site {
    fanfare: Option<PathBuf>,
    log_dir: PathBuf,
    all_cpus: CpuSet,
}

impl Site {
    /// `fanfare` is the path of the binary, if it takes part.
    pub(super) fn new(fanfare: Option<PathBuf>) -> Result<Self> {
        let log_dir = std::env::temp_dir().join(format!("fanfare-bench-{}", std::process::id()));
        fs::create_dir_all(&log_dir)?;
        Ok(Self { fanfare, log_dir, all_cpus: cpu::affinity()? })
    }

    /// Starts a server and waits until it answers.
    pub(super) fn start(&self, contender: Contender, fan_out: FanOut) -> Result<Server> {
        let n_processes = match contender.program {
            Program::RedisPerCore => thread::available_parallelism()?.get(),
            _ => 1,
        };
        let processes = (0..n_processes).map(|_| self.start_process(contender, fan_out));
        Ok(Server(processes.collect::<Result<_>>()?))
    }

    fn start_process(&self, contender: Contender, fan_out: FanOut) -> Result<Process> {
        let port = free_port()?;
        let mut command = self.command(contender, fan_out, port)?;
        let log_path = self.log_dir.join(format!("{port}.log"));
        let log = File::create(&log_path)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A child inherits the processors of the thread that starts it.
        if let Some((server, _)) = self.cpus(contender) {
            cpu::set_affinity(&server)?;
        }
        let child = command
            .spawn()
            .with_context(|| format!("failed to start {}", command.get_program().display()));
        cpu::set_affinity(&self.all_cpus)?;
        let mut process = Process { child: child?, port, log_path };
        process.wait_until_ready()?;
        Ok(process)
    }

    /// Runs `work`, the load on `contender`, on a thread of its own.
    ///
    /// That thread polls without rest. It has a processor of its own, or else gives way to the
    /// server wherever the two meet; unless it is the clock, which must not be late.
    pub(super) fn under_load<T: Send>(
        &self,
        contender: Contender,
        is_clock: bool,
        work: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        let place = || match self.cpus(contender) {
            Some((_, load)) => cpu::set_affinity(&load),
            None if is_clock => Ok(()),
            None => cpu::be_nice(),
        };
        thread::scope(|scope| scope.spawn(|| place().and_then(|()| work())).join())
            .map_err(|_| anyhow!("the load generator panicked"))?
    }

    /// The processors of the server and of the load, where they are to be apart.
    fn cpus(&self, contender: Contender) -> Option<(CpuSet, CpuSet)> {
        if contender.pinned { cpu::pair(&self.all_cpus) } else { None }
    }

    fn command(&self, contender: Contender, fan_out: FanOut, port: u16) -> Result<Command> {
        let port = port.to_string();
        Ok(match contender.program {
            Program::Redis | Program::RedisPerCore => {
                let mut command = Command::new("redis-server");
                command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
                command.args(["--appendonly", "no", "--maxclients", "12000"]);
                command.args(["--enable-debug-command", "yes"]);
                command
            }
            Program::Fanfare => {
                let path = self.fanfare.as_ref().context("no fanfare binary")?;
                let mut command = Command::new(path);
                command.args(["serve", "--port", &port, "--bind", "127.0.0.1"]);
                command.args(["--maxclients", "12000"]);
                if let Some(reactors) = contender.reactors {
                    command.args(["--reactors", &reactors.to_string()]);
                }
                command
            }
            Program::Null => {
                let mut command = Command::new(std::env::current_exe()?);
                let n_threads = match contender.reactors {
                    Some(n) => n.into(),
                    None => thread::available_parallelism()?.get(),
                };
                command.args(["bench", "null", &port, &n_threads.to_string()]);
                command
            }
            Program::Ceiling => {
                let FanOut { subscribers, in_flight, payload } = fan_out;
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["bench", "ceiling", &port]);
                command.args([subscribers, in_flight, payload].map(|n| n.to_string()));
                command
            }
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // The logs of a run that failed are kept only inside its error message.
        let _ = fs::remove_dir_all(&self.log_dir);
    }
}

/// A running server, in one process or in several; dropped, it is killed.
pub(super) struct Server(Vec<Process>);

struct Process {
    child: Child,
    port: u16,
    log_path: PathBuf,
}

impl Server {
    /// The port of the first process: the only one, but for [`Program::RedisPerCore`].
    pub(super) fn port(&self) -> u16 {
        self.port_for(0)
    }

    /// The port for connection number `n`.
    pub(super) fn port_for(&self, n: usize) -> u16 {
        self.0.iter().cycle().nth(n).map_or(0, |process| process.port)
    }

    /// The ports of all processes.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> {
        self.0.iter().map(|process| process.port)
    }

    pub(super) fn cpu_time(&self) -> Result<CpuTime> {
        self.0.iter().map(|process| CpuTime::settled(process.child.id())).sum()
    }

    pub(super) fn resident_bytes(&self) -> Result<u64> {
        self.0.iter().map(|process| cpu::resident_bytes(process.child.id())).sum()
    }

    /// The last lines of what the server logged, to explain an error.
    pub(super) fn log_tail(&self) -> String {
        self.0.iter().map(|process| log_tail(&process.log_path)).collect::<Vec<_>>().join("\n")
    }
}

impl Process {
    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Ok(mut stream) = client::connect(self.port) {
                return client::exchange(&mut stream, &wire::command(&[b"PING"]), b"+PONG\r\n");
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}\n{}", log_tail(&self.log_path));
            }
            if Instant::now() > deadline {
                let log = log_tail(&self.log_path);
                bail!("the server does not listen on port {}\n{log}", self.port);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(10)..).unwrap_or_default().join("\n")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
