//! A name with its subscribers per reactor, in one allocation.
//!
//! There may be millions of channels, most of them with subscribers on one reactor, so an entry of the registry is one
//! pointer to: the number of reactors, then for each of them its id (1 byte) and its count (4 bytes), then the name.

use super::{ReactorId, ReactorSet};

/// Bytes per reactor.
const COUNT_LEN: usize = 5;

/// See the module's page.
#[derive(Debug)]
pub(super) struct Counted(Box<[u8]>);

impl Counted {
    /// A name that nobody is subscribed to.
    pub(super) fn new(name: &[u8]) -> Self {
        Self::build(&[], name)
    }

    #[inline]
    pub(super) fn name(&self) -> &[u8] {
        self.0.get(1 + self.n_reactors() * COUNT_LEN..).unwrap_or_default()
    }

    /// Adds the reactors to `interested`; returns the sum of the counts.
    #[inline]
    pub(super) fn add_to(&self, interested: &mut ReactorSet) -> usize {
        let mut n = 0;
        for (reactor, count) in self.counts() {
            interested.insert(reactor);
            n += count as usize;
        }
        n
    }

    /// One more subscriber on `reactor`.
    pub(super) fn add(&mut self, reactor: ReactorId) {
        if !self.change(reactor, |count| count.saturating_add(1)) {
            let mut counts: Vec<_> = self.counts().collect();
            counts.push((reactor, 1));
            *self = Self::build(&counts, self.name());
        }
    }

    /// One subscriber on `reactor` less; returns whether nobody is left.
    pub(super) fn take(&mut self, reactor: ReactorId) -> bool {
        self.change(reactor, |count| count.saturating_sub(1));
        if self.counts().any(|(_, count)| count == 0) {
            let counts: Vec<_> = self.counts().filter(|(_, count)| *count != 0).collect();
            *self = Self::build(&counts, self.name());
        }
        self.n_reactors() == 0
    }

    fn build(counts: &[(ReactorId, u32)], name: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(1 + counts.len() * COUNT_LEN + name.len());
        bytes.push(u8::try_from(counts.len()).unwrap_or(u8::MAX));
        for (reactor, count) in counts {
            bytes.push(reactor.0);
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        bytes.extend_from_slice(name);
        Self(bytes.into_boxed_slice())
    }

    #[inline]
    fn n_reactors(&self) -> usize {
        self.0.first().map_or(0, |it| usize::from(*it))
    }

    #[inline]
    fn counts(&self) -> impl Iterator<Item = (ReactorId, u32)> {
        let counts = self.0.get(1..1 + self.n_reactors() * COUNT_LEN).unwrap_or_default();
        counts.chunks_exact(COUNT_LEN).filter_map(|it| {
            let (reactor, count) = it.split_first()?;
            Some((ReactorId(*reactor), u32::from_le_bytes(count.try_into().ok()?)))
        })
    }

    /// Changes the count of `reactor` in place; returns whether there is one.
    fn change(&mut self, reactor: ReactorId, change: impl Fn(u32) -> u32) -> bool {
        let end = 1 + self.n_reactors() * COUNT_LEN;
        let counts = self.0.get_mut(1..end).unwrap_or_default();
        for it in counts.chunks_exact_mut(COUNT_LEN) {
            if let Some((id, count)) = it.split_first_mut()
                && *id == reactor.0
                && let Ok(old) = <[u8; 4]>::try_from(&*count)
            {
                count.copy_from_slice(&change(u32::from_le_bytes(old)).to_le_bytes());
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, ReactorId, ReactorSet};

    #[test]
    fn counts_and_name_share_their_bytes() {
        let mut counted = Counted::new(b"news");
        for (reactor, expected) in [(7, 1), (7, 2), (200, 3), (0, 4)] {
            counted.add(ReactorId(reactor));
            let mut set = ReactorSet::default();
            assert_eq!(counted.add_to(&mut set), expected);
            assert!(set.contains(ReactorId(reactor)));
            assert_eq!(counted.name(), b"news");
        }
        assert!(!counted.take(ReactorId(99)));
        for (reactor, is_last) in [(200, false), (7, false), (0, false), (7, true)] {
            assert_eq!(counted.take(ReactorId(reactor)), is_last);
            assert_eq!(counted.name(), b"news");
        }
    }
}
