//! Members chosen at random: every one has the same chance.

use super::{Member, Set};
use crate::tree::Name;

impl Set {
    /// A member chosen by a random number; `None` if there is none.
    #[must_use]
    pub fn sample(&self, random: u64) -> Option<Member<'_>> {
        match self {
            Self::Ints(ints) => ints.nth(below(random, ints.len())).map(Member::Int),
            Self::Table(table) => table.members.sample(random).map(Member::Name),
        }
    }

    /// So many different members, or all if there are no more.
    pub fn sample_many(&self, n: usize, random: &mut impl FnMut() -> u64) -> Vec<Name> {
        if self.len() <= n.saturating_mul(DENSE_MIN) {
            let mut choice = Choice { n_left: self.len(), n_wanted: n };
            let chosen = self.iter().filter(|_| choice.takes(random()));
            return chosen.map(Member::to_name).collect();
        }
        // Most of those that come out were not chosen before.
        let mut chosen = Self::default();
        let mut names = Vec::with_capacity(n);
        while names.len() < n {
            let Some(member) = self.sample(random()) else { break };
            let name = member.to_name();
            if chosen.insert(&name, 0) {
                names.push(name);
            }
        }
        names
    }

    /// How many random numbers it takes to [`Self::pop`] so many members.
    #[must_use]
    pub fn n_draws(&self, n: usize) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Table(_) => n.min(self.len()),
        }
    }

    /// Takes out so many members, or all if there are no more; `draws` are random numbers.
    pub fn pop(&mut self, n: usize, draws: impl IntoIterator<Item = u64>) -> Vec<Name> {
        let mut draws = draws.into_iter();
        let mut random = || draws.next().unwrap_or_default();
        let mut popped = Vec::with_capacity(n.min(self.len()));
        if let Self::Ints(ints) = self {
            let mut choice = Choice { n_left: ints.len(), n_wanted: n };
            ints.retain(|number| {
                let takes = choice.takes(random());
                if takes {
                    popped.push(Member::Int(number).to_name());
                }
                !takes
            });
            return popped;
        }
        while popped.len() < n {
            let Some(member) = self.sample(random()) else { break };
            let name = member.to_name();
            self.remove(&name);
            popped.push(name);
        }
        popped
    }

    /// Takes out one member.
    pub fn pop_one(&mut self, random: u64) -> Option<Name> {
        let name = self.sample(random)?.to_name();
        self.remove(&name);
        Some(name)
    }
}

/// If more than one in so many is wanted, each is asked for in turn.
const DENSE_MIN: usize = 3;

/// Chooses some items out of a row.
struct Choice {
    /// How many items are still to come.
    n_left: usize,
    /// How many of them are still wanted.
    n_wanted: usize,
}

impl Choice {
    /// Whether the next item is chosen: each that is left has the same chance.
    fn takes(&mut self, random: u64) -> bool {
        let takes = below(random, self.n_left) < self.n_wanted;
        self.n_left = self.n_left.saturating_sub(1);
        self.n_wanted -= usize::from(takes);
        takes
    }
}

/// A number below `n`.
fn below(random: u64, n: usize) -> usize {
    let scaled = u128::from(random) * n as u128;
    usize::try_from(scaled >> u64::BITS).unwrap_or_default()
}
