//! Keyspace notifications: what happened to a key, published to `__keyspace@<db>__:<key>` and `__keyevent@<db>__:<event>`.
//!
//! Source: <https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/> and redis-server 7.0.15's notify.c.

use std::fmt;

/// A set of classes of events, as `notify-keyspace-events` names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(u32);

impl Classes {
    /// None.
    pub const NONE: Self = Self(0);
    /// `K`: publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Self = Self(1);
    /// `E`: publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// `g`: `DEL`, `EXPIRE`, `RENAME` and others of all types.
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`
    pub const STRING: Self = Self(1 << 3);
    /// `l`
    pub const LIST: Self = Self(1 << 4);
    /// `s`
    pub const SET: Self = Self(1 << 5);
    /// `h`
    pub const HASH: Self = Self(1 << 6);
    /// `z`
    pub const SORTED_SET: Self = Self(1 << 7);
    /// `x`: a key's time had come.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: a key was removed because memory was full.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`
    pub const STREAM: Self = Self(1 << 10);
    /// `m`: a key was looked up that is not there. Not part of `A`.
    pub const MISS: Self = Self(1 << 11);
    /// `d`: events of modules.
    pub const MODULE: Self = Self(1 << 13);
    /// `n`: a key was made. Not part of `A`.
    pub const NEW: Self = Self(1 << 14);

    /// The set as a number, for an atomic.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The set of a number that [`Self::bits`] gave.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether something of `other` is in it.
    #[inline]
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The classes that letters name; `None`: one of them names none.
    #[must_use]
    pub fn parse(letters: &str) -> Option<Self> {
        letters.chars().try_fold(Self::NONE, |set, letter| {
            if letter == 'A' {
                return Some(set.with(ALL));
            }
            let class = LETTERS.iter().find(|(it, _)| *it == letter)?;
            Some(set.with(class.1))
        })
    }
}

/// The letters, in the order in which redis-server prints them.
impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.contains(ALL);
        if all {
            f.write_str("A")?;
        }
        for &(letter, class) in LETTERS {
            // Redis does not print `n` beside `A`, though it keeps it.
            let is_covered = all && (ALL.contains(class) || class == Self::NEW);
            if self.contains(class) && !is_covered {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// What `A` stands for.
const ALL: Classes = Classes(
    Classes::GENERIC.0
        | Classes::STRING.0
        | Classes::LIST.0
        | Classes::SET.0
        | Classes::HASH.0
        | Classes::SORTED_SET.0
        | Classes::EXPIRED.0
        | Classes::EVICTED.0
        | Classes::STREAM.0
        | Classes::MODULE.0,
);

const LETTERS: &[(char, Classes)] = &[
    ('g', Classes::GENERIC),
    ('$', Classes::STRING),
    ('l', Classes::LIST),
    ('s', Classes::SET),
    ('h', Classes::HASH),
    ('z', Classes::SORTED_SET),
    ('x', Classes::EXPIRED),
    ('e', Classes::EVICTED),
    ('t', Classes::STREAM),
    ('d', Classes::MODULE),
    ('n', Classes::NEW),
    ('K', Classes::KEYSPACE),
    ('E', Classes::KEYEVENT),
    ('m', Classes::MISS),
];

#[cfg(test)]
mod tests {
    use super::Classes;

    #[test]
    fn letters_come_back_in_the_servers_order() {
        for (given, shown) in
            [("", ""), ("KEAn", "AKE"), ("xKm", "xKm"), ("g$lshzxetdE", "AE"), ("Ex", "xE")]
        {
            assert_eq!(Classes::parse(given).map(|it| it.to_string()).as_deref(), Some(shown));
        }
        assert_eq!(Classes::parse("KEA?"), None);
    }
}
