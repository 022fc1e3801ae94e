//! Processor time and memory of a process, and which processor a thread runs on.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Processor time that a process, or several together, have used so far.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CpuTime {
    /// Nanoseconds of the threads that are alive.
    threads_ns: u64,
    /// All threads, those that have ended included, but only to a clock tick.
    process_ns: u64,
    /// How much a clock tick is, over all processes.
    tick_ns: u64,
}

impl std::iter::Sum for CpuTime {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        times.fold(Self::default(), |sum, time| Self {
            threads_ns: sum.threads_ns + time.threads_ns,
            process_ns: sum.process_ns + time.process_ns,
            tick_ns: sum.tick_ns + time.tick_ns,
        })
    }
}

impl CpuTime {
    /// Reads the time once the process has come to rest: a running thread's own clock lags.
    pub(super) fn settled(pid: u32) -> Result<Self> {
        let mut last = Self::read(pid)?;
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(2));
            let now = Self::read(pid)?;
            if now == last {
                break;
            }
            last = now;
        }
        Ok(last)
    }

    fn read(pid: u32) -> Result<Self> {
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second();
        let mut threads_ns = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task")).context("the server has ended")? {
            // A thread may end between the listing and the read; the process total has it.
            if let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) {
                threads_ns += nth_number(&text, 0).unwrap_or(0);
            }
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the program, in parentheses, may hold spaces.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks = nth_number(fields, 11).context("no utime")?
            + nth_number(fields, 12).context("no stime")?;
        Ok(Self { threads_ns, process_ns: ticks * tick_ns, tick_ns })
    }

    /// Microseconds used since `earlier`.
    pub(super) fn us_since(self, earlier: Self) -> f64 {
        let threads = self.threads_ns.saturating_sub(earlier.threads_ns);
        let process = self.process_ns.saturating_sub(earlier.process_ns);
        // Two ticks is the error of the coarse clock: beyond it, threads have ended meanwhile.
        threads.max(process.saturating_sub(2 * self.tick_ns)) as f64 / 1e3
    }
}

/// Resident memory of a process in bytes.
pub(super) fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(Path::new(&path)).with_context(|| format!("no {path}"))?;
    let line = text.lines().find(|line| line.starts_with("Rss:")).context("no Rss")?;
    Ok(nth_number(line, 1).context("no size")? * 1024)
}

/// The processors that the calling thread, and what it starts, may run on.
pub(super) fn affinity() -> Result<CpuSet> {
    Ok(sched_getaffinity(None)?)
}

/// Restricts the calling thread, and what it starts from now on.
pub(super) fn set_affinity(cpus: &CpuSet) -> Result<()> {
    Ok(sched_setaffinity(None, cpus)?)
}

/// Lets everybody else go before the calling thread.
pub(super) fn be_nice() -> Result<()> {
    Ok(setpriority_process(None, 19)?)
}

/// Two processors apart from each other: one for the server, one for the load.
pub(super) fn pair(all: &CpuSet) -> Option<(CpuSet, CpuSet)> {
    let mut allowed = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).map(|cpu| {
        let mut set = CpuSet::new();
        set.set(cpu);
        set
    });
    Some((allowed.next()?, allowed.next()?))
}

fn nth_number(text: &str, n: usize) -> Option<u64> {
    text.split_whitespace().nth(n)?.parse().ok()
}
