//! Sorted sets: one file per command or closely related commands.

pub(super) mod add;
pub(super) mod bpop;
pub(super) mod combine;
pub(super) mod count;
pub(super) mod pop;
pub(super) mod random;
pub(super) mod range;
pub(super) mod rank;
pub(super) mod remove;
pub(super) mod scan;
pub(super) mod score;
mod select;
mod store;

use fanfare_resp::Version;

use super::one_key;
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys, Run};
use crate::value::sorted_set::Member;
use crate::{Reply, Spec};

/// What the family shares.
const fn spec(
    name: &'static str,
    arity: Arity,
    shape: (&'static [Flag], Keys),
    docs: Docs,
    run: Run,
) -> Spec {
    Spec::plain((Group::SortedSet, name), arity, shape, docs, run)
}

/// A number of keys and then the keys, from an argument on.
const fn counted_keys(begin: u8, flags: &'static [&'static str]) -> KeySpec {
    let find = Find::KeyNum { number: 0, first: 1, step: 1 };
    KeySpec { begin: Begin::Index(begin), find, flags, notes: None }
}

/// A key.
const fn key_at(index: u8, flags: &'static [&'static str]) -> KeySpec {
    let find = Find::Range { last: 0, step: 1, limit: 0 };
    KeySpec { begin: Begin::Index(index), find, flags, notes: None }
}

const LIMIT: Arg = Arg::new("offset_count", "block")
    .token("LIMIT")
    .flags(&["optional"])
    .args(&[Arg::new("offset", "integer"), Arg::new("count", "integer")]);
const WITHSCORES: Arg = Arg::word("withscores", "WITHSCORES").flags(&["optional"]);
const WHERE: Arg =
    Arg::new("where", "oneof").args(&[Arg::word("min", "MIN"), Arg::word("max", "MAX")]);
const COUNT: Arg = Arg::new("count", "integer").token("COUNT").flags(&["optional"]);

/// Which of its parts an answer shows, and how: pairs are flat in RESP2, and pairs in RESP3.
#[derive(Clone, Copy)]
enum Show {
    Names,
    Flat,
    Pairs,
}

impl Show {
    fn new(with_scores: bool, version: Version) -> Self {
        match (with_scores, version.nests_pairs()) {
            (false, _) => Self::Names,
            (true, false) => Self::Flat,
            (true, true) => Self::Pairs,
        }
    }

    /// The answer with these members, of which there are so many.
    fn reply(self, n_members: usize, members: impl Iterator<Item = Member>) -> Reply {
        let n_parts = match self {
            Self::Names | Self::Pairs => n_members,
            Self::Flat => n_members.saturating_mul(2),
        };
        let mut parts = Vec::with_capacity(n_parts);
        for Member { score, name } in members {
            let name = Reply::bulk(name.to_blob());
            match self {
                Self::Names => parts.push(name),
                Self::Flat => parts.extend([name, Reply::Double(score)]),
                Self::Pairs => parts.push(Reply::Array(vec![name, Reply::Double(score)])),
            }
        }
        Reply::Array(parts)
    }
}
