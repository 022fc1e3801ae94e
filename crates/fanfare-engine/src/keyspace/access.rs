//! When a key was used, or how often: what eviction and `OBJECT IDLETIME|FREQ` go by.
//!
//! Source: <https://redis.io/docs/latest/develop/reference/eviction/> and redis-server 7.0.15's evict.c. As there, a
//! policy with LFU keeps a logarithmic counter that decays, and any other the time of the last use.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Now;

/// When a key was used last (seconds since the Unix epoch), or how often: 16 bits of minutes and 8 of a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access(u32);

/// What a use is noted with.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Seconds since the Unix epoch.
    pub(crate) unix_s: u32,
    /// The policy counts uses instead of remembering the last one.
    pub(crate) counts: Option<Counting>,
}

/// How uses are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting {
    /// `lfu-log-factor`
    pub(crate) log_factor: u32,
    /// `lfu-decay-time`, in minutes
    pub(crate) decay_min: u32,
    /// Decides whether a use counts.
    pub(crate) random: u32,
}

/// What a new key begins with, so that it is not removed before it could be used.
const COUNT_INITIAL: u32 = 5;

impl Access {
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Of a key that is made now.
    #[inline]
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        match clock.counts {
            None => Self(clock.unix_s),
            Some(_) => Self::counted(clock.minutes(), COUNT_INITIAL),
        }
    }

    /// Of a key that nobody used for `idle_s` seconds (`RESTORE … IDLETIME`).
    #[must_use]
    pub fn idle_for(clock: Clock, idle_s: u32) -> Self {
        Self(clock.unix_s.saturating_sub(idle_s))
    }

    /// Of a key that was used so often (`RESTORE … FREQ`).
    #[must_use]
    pub fn with_count(clock: Clock, count: u8) -> Self {
        Self::counted(clock.minutes(), u32::from(count))
    }

    /// After one more use.
    #[inline]
    pub(super) fn used(self, clock: Clock) -> Self {
        match clock.counts {
            None => Self(clock.unix_s),
            Some(counting) => self.used_once_more(clock, counting),
        }
    }

    fn used_once_more(self, clock: Clock, counting: Counting) -> Self {
        let count = u32::from(self.count(clock));
        // The more often it was used, the less likely one more use is to count.
        let base = count.saturating_sub(COUNT_INITIAL);
        let odds = u64::from(base) * u64::from(counting.log_factor) + 1;
        let counts = u64::from(counting.random) * odds < 1 << 32;
        Self::counted(clock.minutes(), count + u32::from(counts && count < 255))
    }

    /// Seconds since the last use, under a policy that remembers it.
    #[must_use]
    pub fn idle_s(self, clock: Clock) -> u32 {
        clock.unix_s.saturating_sub(self.0)
    }

    /// The counter as it stands by now, under a policy that counts.
    #[must_use]
    pub fn count(self, clock: Clock) -> u8 {
        let elapsed_min = clock.minutes().wrapping_sub(self.0 >> 8) & 0xFFFF;
        let decay_min = clock.counts.map_or(1, |it| it.decay_min);
        let lost = elapsed_min.checked_div(decay_min).unwrap_or_default();
        u8::try_from((self.0 & 0xFF).saturating_sub(lost)).unwrap_or(u8::MAX)
    }

    fn counted(minutes: u32, count: u32) -> Self {
        Self(minutes << 8 | count)
    }
}

impl Clock {
    /// The clock of a policy that remembers the last use.
    #[inline]
    pub(crate) fn new(now: Now) -> Self {
        Self { unix_s: u32::try_from(now.unix_us / 1_000_000).unwrap_or(u32::MAX), counts: None }
    }

    /// The clock of a policy that counts.
    pub(super) fn counting(self, counting: Counting) -> Self {
        Self { counts: Some(counting), ..self }
    }

    /// Whether uses are counted, not only the last one remembered.
    #[must_use]
    pub fn counts(self) -> bool {
        self.counts.is_some()
    }

    fn minutes(self) -> u32 {
        (self.unix_s / 60) & 0xFFFF
    }
}

/// Cheap numbers that follow no pattern a client could use: which uses count is no secret.
#[derive(Debug, Default)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    /// Weyl's sequence, mixed. Two threads may get the same number.
    pub(super) fn throw(&self) -> u32 {
        let n = self.0.load(Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.store(n, Ordering::Relaxed);
        let mixed = (n ^ n >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        u32::try_from((mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB) >> 32)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Clock, Counting};

    fn clock(unix_s: u32, random: u32) -> Clock {
        Clock { unix_s, counts: Some(Counting { log_factor: 10, decay_min: 1, random }) }
    }

    #[test]
    fn a_counter_grows_by_chance_and_decays_by_the_minute() {
        let mut access = Access::new(clock(6_000, 0));
        assert_eq!(access.count(clock(6_000, 0)), 5);
        for _ in 0..300 {
            access = access.used(clock(6_000, 0));
        }
        assert_eq!(access.count(clock(6_000, 0)), 255, "it does not wrap");
        assert_eq!(access.used(clock(6_000, u32::MAX)), access, "an unlucky use does not count");
        assert_eq!(access.count(clock(6_000 + 60 * 55, 0)), 200);
        assert_eq!(access.count(clock(6_000 + 60 * 1000, 0)), 0);
    }

    #[test]
    fn the_last_use_is_remembered_in_seconds() {
        let clock = |unix_s| Clock { unix_s, counts: None };
        let access = Access::new(clock(100));
        assert_eq!(access.idle_s(clock(130)), 30);
        assert_eq!(access.used(clock(120)).idle_s(clock(130)), 10);
        assert_eq!(Access::idle_for(clock(130), 50).idle_s(clock(130)), 50);
    }
}
