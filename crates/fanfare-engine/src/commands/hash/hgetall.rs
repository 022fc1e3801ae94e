//! HGETALL, HKEYS, HVALS: all fields, their values, or both.
//!
//! Sources: <https://redis.io/docs/latest/commands/hgetall/>, <https://redis.io/docs/latest/commands/hkeys/>,
//! <https://redis.io/docs/latest/commands/hvals/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::value::hash::Field;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static HGETALL: Spec = Spec {
    name: "hgetall",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Hash,
    categories: &[],
    tips: &["nondeterministic_output_order"],
    docs: Docs::new(
        "Get all the fields and values in a hash",
        "2.0.0",
        "O(N) where N is the size of the hash.",
    )
    .args(&[Arg::key("key")]),
    subcommands: &[],
    run: hgetall,
};

pub(crate) static HKEYS: Spec = Spec {
    name: "hkeys",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Hash,
    categories: &[],
    tips: &["nondeterministic_output_order"],
    docs: Docs::new(
        "Get all the fields in a hash",
        "2.0.0",
        "O(N) where N is the size of the hash.",
    )
    .args(&[Arg::key("key")]),
    subcommands: &[],
    run: |ctx, request| each(ctx, request, |it| Reply::Bulk(it.name.to_blob())),
};

pub(crate) static HVALS: Spec = Spec {
    name: "hvals",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Hash,
    categories: &[],
    tips: &["nondeterministic_output_order"],
    docs: Docs::new(
        "Get all the values in a hash",
        "2.0.0",
        "O(N) where N is the size of the hash.",
    )
    .args(&[Arg::key("key")]),
    subcommands: &[],
    run: |ctx, request| each(ctx, request, |it| Reply::Bulk(it.value.to_blob())),
};

fn hgetall(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let hash = ctx.read::<Hash>(request.get(1).unwrap_or_default())?;
    let mut pairs = Vec::with_capacity(hash.map_or(0, Hash::len));
    for field in hash.into_iter().flatten() {
        pairs.push((Reply::Bulk(field.name.to_blob()), Reply::Bulk(field.value.to_blob())));
    }
    Ok(Reply::Map(pairs))
}

fn each(
    ctx: &mut Ctx<'_>,
    request: Request<'_>,
    reply: impl Fn(Field<'_>) -> Reply,
) -> Result<Reply, WireError> {
    let hash = ctx.read::<Hash>(request.get(1).unwrap_or_default())?;
    let mut replies = Vec::with_capacity(hash.map_or(0, Hash::len));
    replies.extend(hash.into_iter().flatten().map(reply));
    Ok(Reply::Array(replies))
}
