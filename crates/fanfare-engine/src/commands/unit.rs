//! EX, PX, EXAT, PXAT: how the time is counted at which something expires.

use crate::Now;

/// How a time is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

impl Unit {
    /// The unit that an option names.
    pub(super) fn named(word: &[u8]) -> Option<Self> {
        let names: [(&[u8], Self); 4] = [
            (b"ex", Self::Seconds),
            (b"px", Self::Milliseconds),
            (b"exat", Self::UnixSeconds),
            (b"pxat", Self::UnixMilliseconds),
        ];
        names.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|&(_, unit)| unit)
    }

    /// When that is, in milliseconds since the Unix epoch; `None`: no 64 bits hold it.
    pub(super) fn resolve(self, amount: u64, now: Now) -> Option<u64> {
        match self {
            Self::Seconds => amount.checked_mul(1000)?.checked_add(now.unix_ms()),
            Self::Milliseconds => amount.checked_add(now.unix_ms()),
            Self::UnixSeconds => amount.checked_mul(1000),
            Self::UnixMilliseconds => Some(amount),
        }
    }
}
