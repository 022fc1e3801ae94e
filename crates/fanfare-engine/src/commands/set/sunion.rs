//! SUNION, SUNIONSTORE: the members that any of several sets has.
//!
//! Sources: <https://redis.io/docs/latest/commands/sunion/>, <https://redis.io/docs/latest/commands/sunionstore/>.

use super::sources::{Sources, store};
use super::{SOURCES, destination, shows, stores};
use crate::value::Set;
use crate::value::set::Member;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SUNION: Spec = shows("sunion", ("Add multiple sets", COMPLEXITY), sunion);

pub(crate) static SUNIONSTORE: Spec = stores(
    "sunionstore",
    &[destination(&["OW", "update"]), SOURCES],
    ("Add multiple sets and store the resulting set in a key", COMPLEXITY),
    sunionstore,
);

const COMPLEXITY: &str = "O(N) where N is the total number of elements in all given sets.";

fn sunion(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let sources = Sources::read(ctx, request.iter().skip(1))?;
    let union = union(&sources, ctx.tuning().intset_entries_max());
    Ok(Reply::Set(union.iter().map(Member::to_reply).collect()))
}

fn sunionstore(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let destination = request.get(1).unwrap_or_default();
    let sources = Sources::read(ctx, request.iter().skip(2))?;
    let union = union(&sources, ctx.tuning().intset_entries_max());
    Ok(store(ctx, destination, union, "sunionstore"))
}

/// Begins with the largest set, which costs nothing if it is a large hash table.
fn union(sources: &Sources<'_>, ints_max: u32) -> Set {
    let mut sets = sources.present();
    sets.sort_by_key(|it| std::cmp::Reverse(it.len()));
    let mut sets = sets.into_iter();
    let mut union = sets.next().map(|it| it.rebuilt(ints_max)).unwrap_or_default();
    for member in sets.flatten() {
        union.insert(&member.to_name(), ints_max);
    }
    union
}
