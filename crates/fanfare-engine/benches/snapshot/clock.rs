//! Time as the wall, the processor and the scheduler have it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

/// What the writes of a thread took.
pub(crate) struct Waits {
    whole: Histogram<u64>,
    less_queue: Histogram<u64>,
    own: Histogram<u64>,
}

/// Measures the writes of the thread that made it.
pub(crate) struct Stopwatch {
    schedstat: File,
    waits: Waits,
}

impl Waits {
    pub(crate) fn new() -> Self {
        let histogram = || Histogram::new(3).expect("three digits are possible");
        Self { whole: histogram(), less_queue: histogram(), own: histogram() }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.whole, &other.whole),
            (&mut self.less_queue, &other.less_queue),
            (&mut self.own, &other.own),
        ];
        pairs.into_iter().for_each(|(sum, it)| sum.add(it).expect("it grows"));
    }

    /// Prints the rows of a table.
    pub(crate) fn print(&self, phase: &str) {
        let rows = [("wait", &self.whole), ("less queue", &self.less_queue), ("own", &self.own)];
        for (what, times) in rows {
            let at = |percentile| us(Duration::from_nanos(times.value_at_quantile(percentile)));
            let max = us(Duration::from_nanos(times.max()));
            println!(
                "| {phase} | {what} | {} | {} | {} | {} | {max} |",
                times.len(),
                at(0.5),
                at(0.99),
                at(0.999)
            );
        }
    }
}

impl Stopwatch {
    pub(crate) fn new() -> Self {
        let schedstat = File::open("/proc/thread-self/schedstat").expect("Linux has it");
        Self { schedstat, waits: Waits::new() }
    }

    pub(crate) fn measure<R>(&mut self, write: impl FnOnce() -> R) -> R {
        let (queued, own) = (self.queued(), own_time());
        let start = Instant::now();
        let result = write();
        let whole = start.elapsed();
        let (own, queued) = (own_time() - own, self.queued() - queued);
        let records = [
            (&mut self.waits.whole, whole),
            (&mut self.waits.less_queue, whole.saturating_sub(queued)),
            (&mut self.waits.own, own.min(whole)),
        ];
        for (histogram, time) in records {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            histogram.record(nanos).expect("it grows");
        }
        result
    }

    /// How long this thread was ready to run and did not.
    fn queued(&self) -> Duration {
        let mut text = [0; 64];
        let len = self.schedstat.read_at(&mut text, 0).expect("it can be read");
        let words = std::str::from_utf8(&text[..len]).expect("it is text");
        let nanos = words.split(' ').nth(1).and_then(|it| it.parse().ok());
        Duration::from_nanos(nanos.expect("the second number is the time in the queue"))
    }

    pub(crate) fn into_waits(self) -> Waits {
        self.waits
    }
}

fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it is positive")
}

/// Microseconds, as a table shows them.
pub(crate) fn us(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

/// Lets other threads run first.
pub(crate) fn give_way() {
    let nice = rustix::process::getpriority_process(None).unwrap_or(0);
    // Where the system does not allow it, the figures are a little worse.
    let _ = rustix::process::setpriority_process(None, nice + 10);
}
