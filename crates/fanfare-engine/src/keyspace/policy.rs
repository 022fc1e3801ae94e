//! Which keys go when memory is full: `maxmemory-policy`.
//!
//! Source: <https://redis.io/docs/latest/develop/reference/eviction/>.

/// How keys are chosen that are removed to make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Of the keys that expire, the one that was not used for longest.
    VolatileLru,
    /// Of the keys that expire, the least used.
    VolatileLfu,
    /// Any of the keys that expire.
    VolatileRandom,
    /// Of the keys that expire, the one that does so first.
    VolatileTtl,
    /// The key that was not used for longest.
    AllkeysLru,
    /// The least used key.
    AllkeysLfu,
    /// Any key.
    AllkeysRandom,
    /// None: commands that need memory fail.
    #[default]
    NoEviction,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::VolatileLru,
        Self::VolatileLfu,
        Self::VolatileRandom,
        Self::VolatileTtl,
        Self::AllkeysLru,
        Self::AllkeysLfu,
        Self::AllkeysRandom,
        Self::NoEviction,
    ];

    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysRandom => "allkeys-random",
            Self::NoEviction => "noeviction",
        }
    }

    /// Whether uses of keys are counted; otherwise the last one is remembered.
    #[inline]
    #[must_use]
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }

    /// Whether only keys go that expire.
    #[must_use]
    pub fn is_volatile(self) -> bool {
        match self {
            Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl => {
                true
            }
            Self::AllkeysLru | Self::AllkeysLfu | Self::AllkeysRandom | Self::NoEviction => false,
        }
    }

    /// Its place among [all](Self::ALL), for an atomic.
    #[inline]
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The policy at this place.
    #[inline]
    pub(crate) fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Policy;

    #[test]
    fn a_policy_comes_back_from_its_number() {
        for policy in Policy::ALL {
            assert_eq!(Policy::from_number(policy.number()), policy, "{}", policy.name());
        }
    }
}
