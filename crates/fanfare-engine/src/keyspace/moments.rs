//! [`Moments`]: when something is to happen to a key, soonest first.

/// A moment in milliseconds, and the hash of a key.
pub(super) type Moment = (u64, u64);

/// Moments, of which some no longer hold. Those are sorted out a few at a time: looking at all of a stripe with 80,000
/// keys would take 20 milliseconds, and whoever needs the stripe would wait.
#[derive(Debug, Default)]
pub(super) struct Moments {
    heap: Heap,
    /// What is still to be looked at before it joins the others.
    unsorted: Heap,
}

/// Moments that are looked at when one is added: more than one, so that there is an end to it.
const N_SORTED: usize = 4;

/// Fewer are not worth sorting out.
const N_FREE: usize = 64;

impl Moments {
    /// Adds a moment. Keeps the number proportional to the `n` that hold, however often moments are added.
    pub(super) fn push(&mut self, moment: Moment, n: usize, holds: impl Fn(Moment) -> bool) {
        self.heap.push(moment);
        if self.unsorted.0.is_empty() && n * 2 + N_FREE < self.heap.0.len() {
            // Its memory goes, too: there may be fewer of them now.
            self.unsorted = std::mem::take(&mut self.heap);
        }
        for _ in 0..N_SORTED {
            // The last of a heap can be taken out of it, and the rest is one still.
            match self.unsorted.0.pop() {
                Some(moment) if holds(moment) => self.heap.push(moment),
                Some(_) => {}
                None => return,
            }
        }
        if self.unsorted.0.is_empty() {
            self.unsorted = Heap::default();
        }
    }

    /// The soonest.
    #[inline]
    pub(super) fn peek(&self) -> Option<Moment> {
        match (self.heap.0.first(), self.unsorted.0.first()) {
            (Some(one), Some(other)) => Some(*one.min(other)),
            (one, other) => one.or(other).copied(),
        }
    }

    /// Takes the soonest out.
    pub(super) fn pop(&mut self) -> Option<Moment> {
        let soonest = self.peek()?;
        if self.heap.0.first() == Some(&soonest) { self.heap.pop() } else { self.unsorted.pop() }
    }

    /// How many there are, those included that no longer hold.
    pub(super) fn len(&self) -> usize {
        self.heap.0.len() + self.unsorted.0.len()
    }

    /// All of them in no order, beginning with number `at` of that order.
    pub(super) fn iter_around(&self, at: usize) -> impl Iterator<Item = Moment> {
        let all = || self.heap.0.iter().chain(&self.unsorted.0).copied();
        all().skip(at).chain(all().take(at))
    }
}

/// A binary heap, the least first. That of std can not give one away without putting all in order again.
#[derive(Debug, Default)]
struct Heap(Vec<Moment>);

impl Heap {
    fn push(&mut self, moment: Moment) {
        let mut at = self.0.len();
        self.0.push(moment);
        while let Some(parent) = at.checked_sub(1).map(|it| it / 2)
            && Some(&moment) < self.0.get(parent)
        {
            self.0.swap(at, parent);
            at = parent;
        }
    }

    fn pop(&mut self) -> Option<Moment> {
        let last = self.0.pop()?;
        let Some(first) = self.0.first_mut() else { return Some(last) };
        let least = std::mem::replace(first, last);
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let child = match (self.0.get(left), self.0.get(right)) {
                (Some(left_moment), Some(right_moment)) if right_moment < left_moment => right,
                (Some(_), _) => left,
                (None, _) => break,
            };
            if Some(&last) <= self.0.get(child) {
                break;
            }
            self.0.swap(at, child);
            at = child;
        }
        Some(least)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use fanfare_testkit::{Rng, seed};

    use super::{Moments, N_FREE};

    /// Each of some keys has one moment that holds, and those that it had before.
    #[test]
    fn what_holds_comes_up_in_order_and_what_does_not_is_sorted_out() {
        let mut rng = Rng::new(seed());
        for n_keys in [1, 10, 1_000] {
            let mut moments = Moments::default();
            let mut current = BTreeMap::new();
            let mut n_max = 0;
            for round in 0..50_000 {
                let key = rng.below(n_keys);
                if rng.below(4) == 0 && round % 5_000 < 2_500 {
                    // Those before it no longer hold.
                    let soonest = current.iter().map(|(key, at_ms)| (*at_ms, *key)).min();
                    while let Some(found) = moments.peek()
                        && Some(found) != soonest
                    {
                        assert!(soonest.is_none_or(|it| found < it));
                        assert_ne!(current.get(&found.1), Some(&found.0));
                        assert_eq!(moments.pop(), Some(found));
                    }
                    assert_eq!(moments.pop(), soonest);
                    soonest.map(|it| current.remove(&it.1));
                } else {
                    let at_ms = rng.below(1_000_000) + 1;
                    current.insert(key, at_ms);
                    n_max = n_max.max(current.len());
                    let holds = |(at_ms, key)| current.get(&key) == Some(&at_ms);
                    moments.push((at_ms, key), current.len(), holds);
                    assert!(moments.len() <= (n_max * 2 + N_FREE + 1) * 3 / 2);
                }
                if round % 1_000 == 0 {
                    let all: BTreeSet<_> = moments.iter_around(moments.len() / 3).collect();
                    assert!(current.iter().all(|(key, at_ms)| all.contains(&(*at_ms, *key))));
                    assert_eq!(moments.iter_around(moments.len()).count(), moments.len());
                }
            }
        }
    }
}
