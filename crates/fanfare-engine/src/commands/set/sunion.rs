//! SUNION, SUNIONSTORE: the members that any of several sets has.
//!
//! Sources: <https://redis.io/docs/latest/commands/sunion/>, <https://redis.io/docs/latest/commands/sunionstore/>.

use super::sources::{Sources, store};
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys};
use crate::value::Set;
use crate::value::set::Member;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SUNION: Spec = Spec {
    name: "sunion",
    arity: Arity::AtLeast(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: -1, step: 1, flags: &["RO", "access"] },
    group: Group::Set,
    categories: &[],
    tips: &["nondeterministic_output_order"],
    docs: Docs::new(
        "Add multiple sets",
        "1.0.0",
        "O(N) where N is the total number of elements in all given sets.",
    )
    .args(&[Arg::key("key").flags(&["multiple"])]),
    subcommands: &[],
    run: sunion,
};

pub(crate) static SUNIONSTORE: Spec = Spec {
    name: "sunionstore",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Specs(&[
        KeySpec {
            begin: Begin::Index(1),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            flags: &["OW", "update"],
            notes: None,
        },
        KeySpec {
            begin: Begin::Index(2),
            find: Find::Range { last: -1, step: 1, limit: 0 },
            flags: &["RO", "access"],
            notes: None,
        },
    ]),
    group: Group::Set,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Add multiple sets and store the resulting set in a key",
        "1.0.0",
        "O(N) where N is the total number of elements in all given sets.",
    )
    .args(&[Arg::key("destination"), Arg::key("key").key_spec(1).flags(&["multiple"])]),
    subcommands: &[],
    run: sunionstore,
};

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
