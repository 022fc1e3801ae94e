//! Putting a result where a command says.

use crate::notify::Classes;
use crate::value::sorted_set::{Member, Packing};
use crate::value::{SortedSet, Typed};
use crate::{Ctx, Reply};

/// Puts members at `destination`, whatever is there, or removes it if there are none; answers how many there are.
pub(super) fn store(
    ctx: &mut Ctx<'_>,
    destination: &[u8],
    members: Vec<Member>,
    event: &'static str,
) -> Reply {
    let n_members = members.len();
    if n_members != 0 {
        let set = SortedSet::from_members(members, Packing::of(ctx.tuning()));
        ctx.put(destination, set.into_value(), None);
        ctx.changed(Classes::SORTED_SET, event, destination);
    } else if ctx.delete(destination) {
        ctx.changed(Classes::GENERIC, "del", destination);
    }
    Reply::count(n_members)
}
