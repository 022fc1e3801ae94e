//! SDIFF, SDIFFSTORE: the members of a set that none of several others has.
//!
//! Sources: <https://redis.io/docs/latest/commands/sdiff/>, <https://redis.io/docs/latest/commands/sdiffstore/>.

use super::sources::{Sources, store};
use super::{SOURCES, destination, shows, stores};
use crate::value::Set;
use crate::value::set::Member;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SDIFF: Spec = shows("sdiff", ("Subtract multiple sets", COMPLEXITY), sdiff);

pub(crate) static SDIFFSTORE: Spec = stores(
    "sdiffstore",
    &[destination(&["OW", "update"]), SOURCES],
    ("Subtract multiple sets and store the resulting set in a key", COMPLEXITY),
    sdiffstore,
);

const COMPLEXITY: &str = "O(N) where N is the total number of elements in all given sets.";

fn sdiff(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let sources = Sources::read(ctx, request.iter().skip(1))?;
    let difference = difference(&sources, ctx.tuning().intset_entries_max());
    Ok(Reply::Set(difference.iter().map(Member::to_reply).collect()))
}

fn sdiffstore(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let destination = request.get(1).unwrap_or_default();
    let sources = Sources::read(ctx, request.iter().skip(2))?;
    let difference = difference(&sources, ctx.tuning().intset_entries_max());
    Ok(store(ctx, destination, difference, "sdiffstore"))
}

/// Either looks each member of the first set up in the others, or takes each of theirs out of the first: as Redis, what
/// is less work. The first way is cheaper than it looks, since it often stops early.
fn difference(sources: &Sources<'_>, ints_max: u32) -> Set {
    let Some(first) = sources.first() else { return Set::default() };
    if sources.first_comes_again() {
        return Set::default();
    }
    let mut others = sources.others();
    let n_lookups = first.len().saturating_mul(others.len() + 1) / 2;
    let n_members = others.iter().fold(first.len(), |sum, it| sum.saturating_add(it.len()));
    if n_lookups <= n_members {
        // The larger a set, the more often it has the member.
        others.sort_by_key(|it| std::cmp::Reverse(it.len()));
        let mut difference = Set::default();
        for name in first.iter().map(Member::to_name) {
            if !others.iter().any(|it| it.contains(&name)) {
                difference.insert(&name, ints_max);
            }
        }
        return difference;
    }
    let mut difference = first.rebuilt(ints_max);
    for member in others.into_iter().flatten() {
        if difference.is_empty() {
            break;
        }
        difference.remove(&member.to_name());
    }
    difference
}
