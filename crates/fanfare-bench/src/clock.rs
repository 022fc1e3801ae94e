//! Time that has passed, and time that this thread was on a processor.

use std::time::{Duration, Instant};

use crate::row::Sample;

/// Runs from the beginning of a measurement to its end.
pub(crate) struct Clock {
    started: Instant,
    cpu: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), cpu: thread_time() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn stop(&self, n: u64) -> Sample {
        let cpu = thread_time().saturating_sub(self.cpu);
        Sample { n, seconds: self.elapsed().as_secs_f64(), cpu_seconds: Some(cpu.as_secs_f64()) }
    }
}

#[cfg(target_os = "linux")]
fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
fn thread_time() -> Duration {
    Duration::ZERO
}
