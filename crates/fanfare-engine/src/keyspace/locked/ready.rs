//! Keys that came to hold what clients wait for.

use std::collections::{HashSet, VecDeque};

use foldhash::fast::FixedState;

use crate::tree::Name;
use crate::value::hasher;

/// Keys in the order in which they became ready, each once until it is taken out: a script may make thousands of them.
#[derive(Debug)]
pub(super) struct Ready {
    line: VecDeque<(u16, Name)>,
    noted: HashSet<(u16, Name), FixedState>,
}

impl Default for Ready {
    fn default() -> Self {
        Self { line: VecDeque::new(), noted: HashSet::with_hasher(hasher::state()) }
    }
}

impl Ready {
    pub(super) fn push(&mut self, db: u16, key: Name) {
        if self.noted.insert((db, key.clone())) {
            self.line.push_back((db, key));
        }
    }

    pub(super) fn pop(&mut self) -> Option<(u16, Name)> {
        let first = self.line.pop_front()?;
        self.noted.remove(&first);
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::Ready;

    #[test]
    fn each_is_there_once_in_the_order_in_which_they_came() {
        let mut ready = Ready::default();
        for (db, key) in [(0, "b"), (0, "a"), (1, "b"), (0, "b")] {
            ready.push(db, key.as_bytes().into());
        }
        assert_eq!(ready.pop(), Some((0, b"b"[..].into())));
        // Ready again, after the others.
        ready.push(0, b"b"[..].into());
        let rest: Vec<_> = std::iter::from_fn(|| ready.pop()).collect();
        assert_eq!(rest, [(0, b"a"[..].into()), (1, b"b"[..].into()), (0, b"b"[..].into())]);
    }
}
