//! Vital signs of what keeps running over a link: subscriptions, tails, and what is built on them.
//!
//! Whatever lives registers a weak reference once and is asked when somebody wants to know. Nothing
//! is counted for it on the way of a message.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use crate::Error;

/// What kind of thing lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LiveKind {
    /// A subscription.
    Subscription,
    /// A tail of a stream.
    Tail,
    /// A handler among several that share a subscription.
    Handler,
    /// A worker of a consumer group.
    Worker,
    /// A loop of the program's own.
    Task,
}

impl LiveKind {
    /// The word for it in texts and in names of metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Tail => "tail",
            Self::Handler => "handler",
            Self::Worker => "worker",
            Self::Task => "task",
        }
    }
}

impl fmt::Display for LiveKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How something that lives is doing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum LiveState {
    /// It has its connection, and everything it asked for is confirmed.
    #[default]
    Up,
    /// It has no connection, or not all that it asked for. It is being repaired.
    Down,
    /// It does not read on purpose, since its queue is full.
    HeldBack,
    /// It has ended and will not come back.
    Ended(Error),
}

impl LiveState {
    /// Of something with a queue, which may have ended or be full, and a connection.
    pub(crate) fn of(ended: Option<Error>, is_held_back: bool, is_up: bool) -> Self {
        match ended {
            Some(error) => Self::Ended(error),
            None if is_held_back => Self::HeldBack,
            None if is_up => Self::Up,
            None => Self::Down,
        }
    }
}

/// The vital signs of one thing that lives, at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Vitals {
    /// What it is.
    pub kind: LiveKind,
    /// Which: for a subscription the first names of its channels, for a tail its key.
    pub name: String,
    /// How it is doing.
    pub state: LiveState,
    /// Time since anything, a message or a heartbeat, was last read for it.
    pub last_read_age: Duration,
    /// For how long its program has taken nothing although something waits. `None` while nothing
    /// waits. Measured between two looks at the vital signs, so it may be less than the truth.
    pub stalled_for: Option<Duration>,
    /// Messages or entries that wait to be taken.
    pub queued: usize,
    /// Entries that it has still to get or to finish, where that is known.
    pub lag: Option<u64>,
    /// Places where something is missing, or may be.
    pub gaps: u64,
    /// Messages that were dropped because a queue was full.
    pub dropped: u64,
    /// How often it was restored after its connection was lost.
    pub reconnects: u64,
}

impl Vitals {
    /// Signs of something that was read from just now.
    pub fn new(kind: LiveKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            state: LiveState::Up,
            last_read_age: Duration::ZERO,
            stalled_for: None,
            queued: 0,
            lag: None,
            gaps: 0,
            dropped: 0,
            reconnects: 0,
        }
    }
}

/// Something that lives and can be asked how it is.
pub trait Vital: Send + Sync {
    /// Its vital signs now. Must not block for long: it is called wherever somebody asks.
    fn vitals(&self) -> Vitals;
}

/// All that lives on one link.
#[derive(Default)]
pub(crate) struct Living(Mutex<Roll>);

#[derive(Default)]
struct Roll {
    members: Vec<Weak<dyn Vital>>,
    /// With so many members, those that have gone are taken out.
    prune_at: usize,
}

impl Living {
    pub(crate) fn add(&self, member: Weak<dyn Vital>) {
        let mut roll = self.lock();
        if roll.prune_at <= roll.members.len() {
            roll.members.retain(|it| 0 < it.strong_count());
            roll.prune_at = 16 + 2 * roll.members.len();
        }
        roll.members.push(member);
    }

    /// The signs of all, in the order in which they began.
    pub(crate) fn vitals(&self) -> Vec<Vitals> {
        // Asked without the lock: the signs are other people's code.
        let members = self.lock().members.clone();
        members.iter().filter_map(Weak::upgrade).map(|it| it.vitals()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Roll> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a queue's consumer last took something, as far as somebody has looked.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<(u64, Instant)>);

impl Progress {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Mutex::new((0, now)))
    }

    /// For how long nothing has been taken, given how much has been taken in all and how long the
    /// oldest item has waited.
    pub(crate) fn stalled_for(
        &self,
        now: Instant,
        n_taken: u64,
        oldest_age: Option<Duration>,
    ) -> Option<Duration> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != n_taken {
            *seen = (n_taken, now);
        }
        let unchanged_for = now.saturating_duration_since(seen.1);
        oldest_age.map(|age| age.min(unchanged_for))
    }
}

/// What a subscription to these names is called in texts: the first three, and how many more.
pub(crate) fn label<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> String {
    const SHOWN_MAX: usize = 3;
    const CHARS_MAX: usize = 64;
    let mut names = names.into_iter();
    let mut label = String::new();
    for name in names.by_ref().take(SHOWN_MAX) {
        if !label.is_empty() {
            label.push_str(", ");
        }
        label.extend(String::from_utf8_lossy(name).chars().take(CHARS_MAX));
    }
    match names.count() {
        0 => label,
        n => format!("{label} and {n} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Named(&'static str);

    impl Vital for Named {
        fn vitals(&self) -> Vitals {
            Vitals::new(LiveKind::Task, self.0)
        }
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let living = Living::default();
        let kept: Arc<dyn Vital> = Arc::new(Named("kept"));
        living.add(Arc::downgrade(&kept));
        for _ in 0..1_000 {
            let gone: Arc<dyn Vital> = Arc::new(Named("gone"));
            living.add(Arc::downgrade(&gone));
        }
        assert!(living.lock().members.len() < 50);
        let names: Vec<_> = living.vitals().into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["kept"]);
    }

    #[test]
    fn a_stall_is_as_long_as_nothing_was_taken_from_what_waits() {
        const SECOND: Duration = Duration::from_secs(1);
        let start = Instant::now();
        let progress = Progress::new(start);
        let at = |n_seconds: u32| start + n_seconds * SECOND;
        assert_eq!(progress.stalled_for(at(10), 0, None), None);
        assert_eq!(progress.stalled_for(at(10), 0, Some(4 * SECOND)), Some(4 * SECOND));
        assert_eq!(progress.stalled_for(at(10), 1, Some(4 * SECOND)), Some(Duration::ZERO));
        assert_eq!(progress.stalled_for(at(13), 1, Some(7 * SECOND)), Some(3 * SECOND));
    }

    #[test]
    fn a_label_is_short() {
        assert_eq!(label([&b"a"[..], b"b"]), "a, b");
        assert_eq!(label([&b"a"[..], b"b", b"c", b"d", b"e"]), "a, b, c and 2 more");
        assert_eq!(label([&[b'x'; 1000][..]]).len(), 64);
    }
}
