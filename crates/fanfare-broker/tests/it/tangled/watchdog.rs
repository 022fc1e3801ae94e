//! Notices when a request is not answered, and tells what everybody waits for.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::draw::Kind;

/// No request takes so long, on the slowest machine: each waits for a hundredth of a second at most.
const UNANSWERED_MAX: Duration = Duration::from_secs(40);

/// Looks at all desks.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    desks: Mutex<Vec<Desk>>,
    is_over: AtomicBool,
}

/// What one client asked for last, and what it has done so far.
#[derive(Clone, Debug)]
pub(super) struct Desk(Arc<Papers>);

#[derive(Debug)]
struct Papers {
    client: String,
    open: Mutex<Option<(Instant, String)>>,
    n_done: [AtomicU64; Kind::ALL.len()],
}

impl Desk {
    pub(super) fn begins(&self, words: &[&str]) {
        *self.0.open.lock().expect("nobody panics here") = Some((Instant::now(), words.join(" ")));
    }

    pub(super) fn ends(&self, kind: Kind) {
        *self.0.open.lock().expect("nobody panics here") = None;
        self.0.n_done[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Since when it waits, and for what.
    fn open(&self) -> Option<(Instant, String)> {
        self.0.open.lock().expect("nobody panics here").clone()
    }
}

impl Watchdog {
    pub(super) fn desk(&self, client: String) -> Desk {
        let open = Mutex::new(None);
        let desk = Desk(Arc::new(Papers { client, open, n_done: Default::default() }));
        self.desks().push(desk.clone());
        desk
    }

    fn desks(&self) -> std::sync::MutexGuard<'_, Vec<Desk>> {
        self.desks.lock().expect("nobody panics here")
    }

    /// Until the end; ends the process if somebody is not answered, since a broker that is stuck can not be stopped.
    pub(super) fn watch(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(100));
            let desks = self.desks();
            let is_late = |it: &Desk| it.open().is_some_and(|it| UNANSWERED_MAX < it.0.elapsed());
            if desks.iter().any(is_late) {
                // Not `eprintln`, which a test's harness may keep.
                let _ = std::io::stderr().write_all(report(&desks).as_bytes());
                tell_of_threads();
                std::process::exit(101);
            }
        }
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn n_done(&self, kind: Kind) -> u64 {
        let desks = self.desks();
        desks.iter().map(|it| it.0.n_done[kind as usize].load(Ordering::Relaxed)).sum()
    }

    pub(super) fn figures(&self) -> String {
        let figures = Kind::ALL.map(|it| format!("{} {it:?}", self.n_done(it)));
        format!("requests answered: {}", figures.join(", "))
    }
}

/// What each client waits for.
fn report(desks: &[Desk]) -> String {
    let mut text = format!("\na request was not answered for {UNANSWERED_MAX:?}\n");
    for desk in desks {
        let line = match desk.open() {
            Some((since, words)) => format!("waits for {:?}: {words}", since.elapsed()),
            None => "waits for nothing".to_owned(),
        };
        let _ = writeln!(text, "{}: {line}", desk.0.client);
    }
    text
}

/// Writes the stacks of all threads to standard output, by gdb; without it, where the system has them wait.
fn tell_of_threads() {
    let pid = std::process::id().to_string();
    // It can not be read from here: gdb stops this process, too.
    let stacks = Command::new("gdb")
        .args(["-p", &pid, "-batch", "-ex", "thread apply all backtrace"])
        .status();
    if stacks.is_ok_and(|it| it.success()) {
        return;
    }
    let mut text = "no stacks: install gdb\n".to_owned();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let _ = writeln!(text, "{}: {}", read("comm").trim(), read("wchan"));
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}
