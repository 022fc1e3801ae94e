//! When what is in a stripe is due.

use super::entry::Entry;
use super::moments::Moments;
use crate::tree::{HashTree, Name};

/// What a stripe's entries are waiting for, soonest first. Moments that no longer hold are skipped when they come up.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    keys: Moments,
    /// When the next field of a hash is due.
    fields: Moments,
}

/// Moments in a row that no longer hold and are skipped: some hundred microseconds.
const SKIPPED_MAX: usize = 1_024;

/// What of a key a moment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Key,
    /// Fields of the hash that it holds.
    Fields,
}

/// A key something of which is due.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) hash: u64,
    pub(super) key: Name,
}

impl Part {
    /// When it is due of this entry; 0: never.
    fn at_ms(self, entry: &Entry) -> u64 {
        match self {
            Self::Key => entry.expires_at_ms().unwrap_or(0),
            Self::Fields => entry.soonest_ms(),
        }
    }
}

impl Schedule {
    /// Adds a moment of a key with this hash; `n` moments hold, this one included.
    pub(super) fn push(
        &mut self,
        part: Part,
        (at_ms, hash): (u64, u64),
        n: usize,
        table: &HashTree<Entry>,
    ) {
        self.moments(part).push((at_ms, hash), n, |(at_ms, hash)| {
            table.find(hash, |it| part.at_ms(it) == at_ms).is_some()
        });
    }

    /// Some key that expires; which one `random` decides.
    pub(super) fn sample<'a>(&self, random: u64, table: &'a HashTree<Entry>) -> Option<&'a Entry> {
        let scaled = u128::from(random) * self.keys.len() as u128;
        let mut moments = self.keys.iter_around(usize::try_from(scaled >> u64::BITS).ok()?);
        // Some no longer hold: the next one that does.
        moments.find_map(|(at_ms, hash)| table.find(hash, |it| Part::Key.at_ms(it) == at_ms))
    }

    /// Whether anything may be due: what does, the moments that no longer hold included.
    #[inline]
    pub(super) fn may_have_due(&self, now_ms: u64) -> bool {
        let soonest = |moments: &Moments| moments.peek().map_or(u64::MAX, |it| it.0);
        soonest(&self.keys).min(soonest(&self.fields)) <= now_ms
    }

    /// What is due, keys before fields. There may be more if it finds nothing: it does not look for long.
    pub(super) fn next_due(&mut self, now_ms: u64, table: &HashTree<Entry>) -> Option<Due> {
        let key = self.next_due_of(Part::Key, now_ms, table);
        key.or_else(|| self.next_due_of(Part::Fields, now_ms, table))
    }

    fn next_due_of(&mut self, part: Part, now_ms: u64, table: &HashTree<Entry>) -> Option<Due> {
        let moments = self.moments(part);
        for _ in 0..SKIPPED_MAX {
            let (at_ms, hash) = moments.peek()?;
            if now_ms < at_ms {
                return None;
            }
            match table.find(hash, |it| part.at_ms(it) == at_ms) {
                Some(entry) => return Some(Due { hash, key: entry.key.clone() }),
                None => {
                    moments.pop();
                }
            }
        }
        None
    }

    fn moments(&mut self, part: Part) -> &mut Moments {
        match part {
            Part::Key => &mut self.keys,
            Part::Fields => &mut self.fields,
        }
    }
}
