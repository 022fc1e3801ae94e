//! SINTER, SINTERSTORE, SINTERCARD: the members that all of several sets have.
//!
//! Sources: <https://redis.io/docs/latest/commands/sinter/>, <https://redis.io/docs/latest/commands/sinterstore/>,
//! <https://redis.io/docs/latest/commands/sintercard/>. A missing key is an empty set.

use super::sources::{Sources, store};
use super::{SOURCES, destination, shows, stores};
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys};
use crate::value::Set;
use crate::value::set::Member;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static SINTER: Spec = shows("sinter", ("Intersect multiple sets", COMPLEXITY), sinter);

pub(crate) static SINTERSTORE: Spec = stores(
    "sinterstore",
    &[destination(&["RW", "update"]), SOURCES],
    ("Intersect multiple sets and store the resulting set in a key", COMPLEXITY),
    sinterstore,
);

const COMPLEXITY: &str =
    "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.";

pub(crate) static SINTERCARD: Spec = Spec {
    name: "sintercard",
    arity: Arity::AtLeast(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Specs(&[KeySpec {
        begin: Begin::Index(1),
        find: Find::KeyNum { number: 0, first: 1, step: 1 },
        flags: &["RO", "access"],
        notes: None,
    }]),
    group: Group::Set,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Intersect multiple sets and return the cardinality of the result",
        "7.0.0",
        COMPLEXITY,
    )
    .args(&[
        Arg::new("numkeys", "integer"),
        Arg::key("key").flags(&["multiple"]),
        Arg::new("limit", "integer").token("LIMIT").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: sintercard,
};

fn sinter(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let sources = Sources::read(ctx, request.iter().skip(1))?;
    let mut members = Vec::new();
    each_common(&sources, |member| {
        members.push(member.to_reply());
        true
    });
    Ok(Reply::Set(members))
}

fn sinterstore(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let destination = request.get(1).unwrap_or_default();
    let sources = Sources::read(ctx, request.iter().skip(2))?;
    let ints_max = ctx.tuning().intset_entries_max();
    let mut common = Set::default();
    each_common(&sources, |member| {
        common.insert(&member.to_name(), ints_max);
        true
    });
    Ok(store(ctx, destination, common, "sinterstore"))
}

fn sintercard(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let n_keys = request.get(1).and_then(number::parse_int);
    let n_keys = n_keys.and_then(|it| usize::try_from(it).ok()).filter(|it| *it != 0);
    let n_keys = n_keys.ok_or(wire_error::NUMKEYS_NOT_POSITIVE)?;
    if request.len() - 2 < n_keys {
        return Err(wire_error::TOO_MANY_KEYS);
    }
    let mut limit = 0;
    let mut options = request.iter().skip(2 + n_keys);
    while let Some(word) = options.next() {
        let raw = options.next().filter(|_| word.eq_ignore_ascii_case(b"limit"));
        let number = number::parse_int(raw.ok_or(wire_error::SYNTAX)?);
        limit = number.filter(|it| 0 <= *it).ok_or(wire_error::LIMIT_NEGATIVE)?;
    }
    let sources = Sources::read(ctx, request.iter().skip(2).take(n_keys))?;
    let mut n_common = 0;
    each_common(&sources, |_| {
        n_common += 1;
        limit == 0 || n_common < limit
    });
    Ok(Reply::Int(n_common))
}

/// Goes through the smallest set and tells of each member that the others have too, until `go_on` is false.
fn each_common(sources: &Sources<'_>, mut go_on: impl FnMut(Member<'_>) -> bool) {
    let Some(mut sets) = sources.all() else { return };
    sets.sort_by_key(|it| it.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        if others.iter().all(|it| has(it, member)) && !go_on(member) {
            return;
        }
    }
}

fn has(set: &Set, member: Member<'_>) -> bool {
    match (set, member) {
        (Set::Ints(ints), Member::Int(number)) => ints.contains(number),
        (Set::Ints(_) | Set::Table(_), Member::Name(name)) => set.contains(name),
        (Set::Table(_), Member::Int(_)) => set.contains(&member.to_name()),
    }
}
