//! The sets that SINTER, SUNION and SDIFF combine.

use smallvec::SmallVec;

use crate::notify::Classes;
use crate::value::{Set, Typed};
use crate::{Ctx, Reply, WireError};

/// Several sets, in the order of their keys.
pub(super) struct Sources<'a>(SmallVec<[(&'a [u8], Option<Set>); 4]>);

impl<'a> Sources<'a> {
    /// All keys are looked at before any of them counts: one of another type is an error even beside a missing one.
    pub(super) fn read(
        ctx: &mut Ctx<'_>,
        keys: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, WireError> {
        let sets = keys.map(|key| Ok((key, ctx.read::<Set>(key)?.cloned())));
        sets.collect::<Result<_, _>>().map(Self)
    }

    /// All sets; `None` if one is missing.
    pub(super) fn all(&self) -> Option<Vec<&Set>> {
        self.0.iter().map(|it| it.1.as_ref()).collect()
    }

    /// The sets that are there.
    pub(super) fn present(&self) -> Vec<&Set> {
        self.0.iter().filter_map(|it| it.1.as_ref()).collect()
    }

    /// The first set, if it is there.
    pub(super) fn first(&self) -> Option<&Set> {
        self.0.first()?.1.as_ref()
    }

    /// Those of the others that are there.
    pub(super) fn others(&self) -> Vec<&Set> {
        self.0.iter().skip(1).filter_map(|it| it.1.as_ref()).collect()
    }

    /// Whether the first key is among the others.
    pub(super) fn first_comes_again(&self) -> bool {
        let Some((first, others)) = self.0.split_first() else { return false };
        others.iter().any(|it| it.0 == first.0)
    }
}

/// Puts a result at a key, or removes that if there is nothing; returns how many members it has.
pub(super) fn store(ctx: &mut Ctx<'_>, key: &[u8], set: Set, event: &'static str) -> Reply {
    let n_members = set.len();
    if n_members != 0 {
        ctx.put(key, set.into_value(), None);
        ctx.changed(Classes::SET, event, key);
    } else if ctx.delete(key) {
        ctx.changed(Classes::GENERIC, "del", key);
    }
    Reply::count(n_members)
}
