//! What the operating system says about this process. What can not be read is zero or empty.

use std::fs::read_to_string;
use std::sync::LazyLock;
use std::time::Duration;

/// Bytes of memory of the whole process: an embedding program's own are in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// In RAM, program text and mapped files included.
    pub(crate) resident: u64,
    /// In RAM and backed by no file: heap and stacks.
    pub(crate) anonymous: u64,
}

/// Processor time of all threads, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
    pub(crate) children_user: f64,
    pub(crate) children_system: f64,
}

/// What does not change while the process runs.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Kernel, release and architecture.
    pub(crate) os: String,
    pub(crate) memory_bytes: u64,
    pub(crate) executable: String,
}

/// Ticks per second in `/proc`; a constant of the Linux ABI on every architecture that Rust supports.
const TICKS_PER_S: f64 = 100.0;
const MS_PER_TICK: u64 = 10;

/// The process's memory now.
pub(crate) fn memory() -> Memory {
    parse_memory(&read_to_string("/proc/self/status").unwrap_or_default())
}

fn parse_memory(status: &str) -> Memory {
    let resident = kibibytes(status, "VmRSS:").unwrap_or_default();
    // Linux before 4.5 does not tell them apart.
    Memory { resident, anonymous: kibibytes(status, "RssAnon:").unwrap_or(resident) }
}

/// The process's processor time so far.
pub(crate) fn cpu() -> Cpu {
    parse_cpu(&read_to_string("/proc/self/stat").unwrap_or_default())
}

fn parse_cpu(stat: &str) -> Cpu {
    // The second field is the program's name in brackets, with spaces and brackets of its own.
    let rest = stat.rsplit_once(')').map_or("", |it| it.1);
    let mut ticks = rest.split_whitespace().skip(11).map(|it| it.parse().unwrap_or(0.0));
    let mut next = || ticks.next().unwrap_or(0.0) / TICKS_PER_S;
    Cpu { user: next(), system: next(), children_user: next(), children_system: next() }
}

/// The time that the machine's processors have had nothing to do, summed over them; `None` where that is not known.
pub(crate) fn idle_processors() -> Option<Duration> {
    parse_idle(&read_to_string("/proc/stat").ok()?)
}

fn parse_idle(stat: &str) -> Option<Duration> {
    let mut ticks = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().skip(3);
    // Idle, and idle while something is read or written.
    let idle: u64 = ticks.next()?.parse().ok()?;
    let waiting: u64 = ticks.next()?.parse().ok()?;
    Some(Duration::from_millis(MS_PER_TICK * (idle + waiting)))
}

/// The machine and the program.
pub(crate) fn machine() -> &'static Machine {
    static MACHINE: LazyLock<Machine> = LazyLock::new(|| {
        let line = |path| read_to_string(path).unwrap_or_default().trim().to_owned();
        let words = [
            line("/proc/sys/kernel/ostype"),
            line("/proc/sys/kernel/osrelease"),
            std::env::consts::ARCH.to_owned(),
        ];
        let known = words.iter().filter(|it| !it.is_empty()).map(String::as_str);
        let executable = std::env::current_exe().unwrap_or_default();
        Machine {
            os: known.collect::<Vec<_>>().join(" "),
            memory_bytes: kibibytes(&line("/proc/meminfo"), "MemTotal:").unwrap_or_default(),
            executable: executable.display().to_string(),
        }
    });
    &MACHINE
}

/// The value of a line such as `VmRSS:   5120 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|it| it.strip_prefix(name))?;
    Some(value.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cpu, Memory, cpu, machine, memory, parse_cpu, parse_idle, parse_memory};

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tx\nVmRSS:\t    5120 kB\nRssAnon:\t    1024 kB\n";
        let expected = Memory { resident: 5120 * 1024, anonymous: 1024 * 1024 };
        assert_eq!(parse_memory(status), expected);
        let old = parse_memory("VmRSS:\t    5120 kB\n");
        assert_eq!(old.anonymous, old.resident);
        assert_eq!(parse_memory(""), Memory::default());
    }

    #[test]
    fn cpu_time_is_found_behind_any_program_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 300 50 20 0 1 0 12 0 0";
        let expected = Cpu { user: 1.5, system: 0.25, children_user: 3.0, children_system: 0.5 };
        assert_eq!(parse_cpu(stat), expected);
        assert_eq!(parse_cpu(""), Cpu::default());
    }

    #[test]
    fn idle_time_is_that_of_all_processors() {
        let stat = "cpu  100 200 300 400 50 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(parse_idle(stat), Some(Duration::from_millis(4500)));
        assert_eq!(parse_idle("intr 1"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_everything() {
        assert!(0 < memory().anonymous && memory().anonymous <= memory().resident);
        assert!(memory().resident < machine().memory_bytes);
        assert!(machine().os.starts_with("Linux "), "{}", machine().os);
        assert!(!machine().executable.is_empty());
        assert!(0.0 <= cpu().user);
    }
}
