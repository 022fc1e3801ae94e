//! How many reactors serve commands, and on which of them a client lives.
//!
//! Unless their number is asked for, as few reactors take commands as have the time for it: a second one costs wake-ups
//! and brings nothing while the first has time to spare, or while no processor is free for it. Clients are carried from
//! one to another (`carry`) when that changes. Subscribers are not: what is posted for them would have to follow. They
//! get their place when they subscribe, so many together that waking their reactor pays.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::observe::idle_processors;

/// One reactor's clients, and how busy it is.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Connections, those on their way to it included.
    pub(crate) n_connections: AtomicUsize,
    /// Connections that stay where they are; counted only where others do not.
    pub(crate) n_settled: AtomicUsize,
    /// Thousandths of a processor that its thread used lately.
    pub(crate) busy: AtomicU32,
    /// Clients that its mailbox says are to be closed.
    pub(crate) n_closes: AtomicUsize,
}

/// A reactor as busy as this has no time to spare.
const SATURATED: u32 = 750;
/// So much of a processor must be free for one reactor more.
const FREE_MIN: f64 = 0.5;
/// One reactor fewer would do while all of them together leave half of it free ...
const SPARE: u32 = 500;
/// ... for so many looks in a row.
const CALM_LOOKS: u32 = 50;
/// To wake a reactor costs as much as a few sends: up to so many subscribers are served by one.
const TOGETHER: usize = 16;
/// Clients that a reactor hands over at once, and how many it looks at to choose them.
const CARRIED_MAX: usize = 256;
pub(super) const LOOKED_AT_MAX: usize = 4096;

impl Load {
    /// Connections that may be carried elsewhere.
    pub(crate) fn n_loose(&self) -> usize {
        let n_settled = self.n_settled.load(Ordering::Relaxed);
        self.n_connections.load(Ordering::Relaxed).saturating_sub(n_settled)
    }
}

/// The reactor that a new connection begins at: of the first `n_active`, the one with the fewest that are not settled.
pub(crate) fn for_connection(loads: &[Load], n_active: usize) -> usize {
    let loose = loads.iter().take(n_active).map(Load::n_loose);
    loose.enumerate().min_by_key(|it| it.1).map_or(0, |it| it.0)
}

/// The reactor at which a connection of reactor `me` subscribes: the first that has few subscribers, or else the one
/// that has the fewest.
pub(crate) fn for_subscriber(loads: &[Load], me: usize) -> usize {
    let settled: Vec<usize> = loads.iter().map(|it| it.n_settled.load(Ordering::Relaxed)).collect();
    let few = settled.iter().position(|n| *n < TOGETHER);
    few.unwrap_or_else(|| {
        let fewest = settled.iter().enumerate().min_by_key(|(at, n)| (**n, *at != me));
        fewest.map_or(me, |it| it.0)
    })
}

/// To which reactor `me` hands clients over, and how many, so that the first `n_active` have equally many.
pub(crate) fn surplus(loads: &[Load], n_active: usize, me: usize) -> Option<(usize, usize)> {
    let to = for_connection(loads, n_active);
    let mine = loads.get(me)?.n_loose();
    let n = if me < n_active { mine.saturating_sub(loads.get(to)?.n_loose()) / 2 } else { mine };
    (n != 0 && to != me).then_some((to, n.min(CARRIED_MAX)))
}

/// Chooses `n` of these clients, of which is told when they were active last: as many of those that have much to do as of
/// those that have not. Clients that came together do the same, as a rule, so it must not be the first ones.
pub(super) fn spread(mut clients: Vec<(u64, u32)>, n: usize) -> impl Iterator<Item = u32> {
    clients.sort_unstable();
    let n_clients = clients.len().max(1);
    let n = n.min(n_clients);
    let is_chosen = move |at: usize| at * n / n_clients != (at + 1) * n / n_clients;
    clients.into_iter().enumerate().filter(move |it| is_chosen(it.0)).map(|(_, (_, slot))| slot)
}

/// Decides how many reactors take commands. Kept by the first reactor.
#[derive(Debug, Default)]
pub(super) struct Balance {
    n_calm_looks: u32,
    idle: IdleTime,
}

impl Balance {
    /// How many it should be from now on, after `n_active`; to be asked ten times a second.
    pub(super) fn look(&mut self, loads: &[Load], n_active: usize) -> usize {
        let busy = loads.iter().map(|it| it.busy.load(Ordering::Relaxed));
        let busy: Vec<u32> = busy.take(n_active).collect();
        let has_more = n_active < loads.len();
        let is_saturated = busy.iter().any(|it| SATURATED <= *it);
        let free = if has_more && is_saturated { self.idle.look() } else { None };
        self.decide(&busy, free)
    }

    /// `free`: how many processors have nothing to do, where one of these reactors is saturated.
    fn decide(&mut self, busy: &[u32], free: Option<f64>) -> usize {
        let n_active = busy.len();
        let in_all: u32 = busy.iter().sum();
        let would_do =
            |n: usize| in_all < u32::try_from(n).unwrap_or(u32::MAX).saturating_mul(SPARE);
        let is_calm = 1 < n_active && would_do(n_active - 1);
        self.n_calm_looks = if is_calm { self.n_calm_looks + 1 } else { 0 };
        // One that would soon be given up again is not taken: a client that fills its reactor alone is served no sooner.
        if free.is_some_and(|it| FREE_MIN <= it) && !would_do(n_active) {
            n_active + 1
        } else if CALM_LOOKS <= self.n_calm_looks {
            self.n_calm_looks = 0;
            n_active - 1
        } else {
            n_active
        }
    }
}

/// How many processors of the machine had nothing to do between two looks.
#[derive(Debug, Default)]
struct IdleTime {
    last: Option<(Instant, Duration)>,
}

/// Looks further apart than this tell nothing about now, and closer ones are not exact.
const APART: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(80)..=Duration::from_secs(1);

impl IdleTime {
    /// `None` until the second of two looks, and where the system does not tell.
    fn look(&mut self) -> Option<f64> {
        let (now, idle) = (Instant::now(), idle_processors()?);
        let (before, idle_before) = self.last.replace((now, idle))?;
        let apart = now.saturating_duration_since(before);
        let idle = idle.saturating_sub(idle_before);
        APART.contains(&apart).then(|| idle.as_secs_f64() / apart.as_secs_f64())
    }
}

/// Measures how busy this thread is.
#[derive(Debug)]
pub(super) struct Gauge {
    last: (Instant, Duration),
}

impl Gauge {
    pub(super) fn new() -> Self {
        Self { last: (Instant::now(), thread_time()) }
    }

    /// Thousandths of a processor since the last time.
    pub(super) fn read(&mut self) -> u32 {
        let now = (Instant::now(), thread_time());
        let (at, used) = std::mem::replace(&mut self.last, now);
        let (elapsed, used) = (now.0.saturating_duration_since(at), now.1.saturating_sub(used));
        let permille = used.as_micros() * 1000 / elapsed.as_micros().max(1);
        u32::try_from(permille).unwrap_or(u32::MAX)
    }
}

/// Processor time of the present thread.
#[cfg(target_os = "linux")]
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Elsewhere clients are spread evenly, and nobody asks.
#[cfg(not(target_os = "linux"))]
fn thread_time() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::{
        Balance, CALM_LOOKS, Load, SATURATED, TOGETHER, for_connection, for_subscriber, spread,
        surplus,
    };
    use std::sync::atomic::Ordering;

    fn loads(clients: &[(usize, usize)]) -> Vec<Load> {
        let load = |&(n_loose, n_settled): &(usize, usize)| {
            let load = Load::default();
            load.n_connections.store(n_loose + n_settled, Ordering::Relaxed);
            load.n_settled.store(n_settled, Ordering::Relaxed);
            load
        };
        clients.iter().map(load).collect()
    }

    #[test]
    fn a_reactor_is_added_when_one_is_saturated_and_a_processor_is_free() {
        let mut balance = Balance::default();
        assert_eq!(balance.decide(&[1000], Some(0.9)), 2);
        assert_eq!(balance.decide(&[1000], Some(0.4)), 1);
        assert_eq!(balance.decide(&[700], None), 1);
    }

    #[test]
    fn a_reactor_is_given_up_when_the_others_have_time_for_long() {
        let mut balance = Balance::default();
        for _ in 1..CALM_LOOKS {
            assert_eq!(balance.decide(&[200, 200], None), 2);
        }
        // A single busy moment begins the count anew.
        assert_eq!(balance.decide(&[400, 200], None), 2);
        for _ in 1..CALM_LOOKS {
            assert_eq!(balance.decide(&[200, 200], None), 2);
        }
        assert_eq!(balance.decide(&[200, 200], None), 1);
        for _ in 0..2 * CALM_LOOKS {
            assert_eq!(balance.decide(&[0], None), 1);
        }
    }

    #[test]
    fn what_one_client_does_alone_is_not_spread() {
        for hot in [SATURATED, 990, 1000] {
            let (mut balance, mut n_active, mut n_changes) = (Balance::default(), 1, 0);
            for _ in 0..20 * CALM_LOOKS {
                let busy: Vec<u32> =
                    (0..n_active).map(|at| if at == 0 { hot } else { 5 }).collect();
                let n_wanted = balance.decide(&busy, Some(3.0));
                n_changes += usize::from(n_wanted != n_active);
                n_active = n_wanted;
            }
            assert!(n_active <= 3 && n_changes <= 2, "{n_active} after {n_changes} changes");
        }
    }

    #[test]
    fn connections_go_to_an_active_reactor_with_few() {
        assert_eq!(for_connection(&loads(&[(5, 0), (0, 0)]), 1), 0);
        assert_eq!(for_connection(&loads(&[(5, 0), (0, 9)]), 2), 1);
    }

    #[test]
    fn subscribers_fill_one_reactor_after_the_other_and_then_all_alike() {
        assert_eq!(for_subscriber(&loads(&[(0, TOGETHER - 1), (0, 0)]), 1), 0);
        assert_eq!(for_subscriber(&loads(&[(0, TOGETHER), (0, 0)]), 0), 1);
        assert_eq!(for_subscriber(&loads(&[(0, TOGETHER), (0, TOGETHER)]), 1), 1);
        assert_eq!(for_subscriber(&loads(&[(0, 99), (0, 98), (0, 99)]), 0), 1);
    }

    #[test]
    fn clients_are_handed_over_until_all_have_equally_many() {
        assert_eq!(surplus(&loads(&[(50, 3), (0, 40)]), 2, 0), Some((1, 25)));
        assert_eq!(surplus(&loads(&[(26, 0), (25, 0)]), 2, 0), None);
        assert_eq!(surplus(&loads(&[(1, 0), (0, 0)]), 2, 0), None);
        // One that does not take part any more keeps nobody.
        assert_eq!(surplus(&loads(&[(3, 0), (1, 2)]), 1, 1), Some((0, 1)));
        assert_eq!(surplus(&loads(&[(3, 0), (0, 2)]), 1, 1), None);
    }

    #[test]
    fn busy_and_idle_clients_are_handed_over_alike() {
        // Two hundred that have been idle for long, and fifty that came later and work.
        let clients: Vec<(u64, u32)> = (0..250)
            .map(|slot| (if slot < 200 { 10 } else { 9000 + u64::from(slot) }, slot))
            .collect();
        let chosen: Vec<u32> = spread(clients.clone(), 125).collect();
        assert_eq!((chosen.len(), chosen.iter().filter(|it| 200 <= **it).count()), (125, 25));
        assert_eq!(spread(clients.clone(), 1).count(), 1);
        assert_eq!(spread(clients, 1000).count(), 250);
        assert_eq!(spread(Vec::new(), 3).count(), 0);
    }
}
