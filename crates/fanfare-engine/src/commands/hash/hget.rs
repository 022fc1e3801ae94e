//! HGET, HMGET: the values of fields.
//!
//! Sources: <https://redis.io/docs/latest/commands/hget/>, <https://redis.io/docs/latest/commands/hmget/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static HGET: Spec = Spec {
    name: "hget",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the value of a hash field", "2.0.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("field", "string")]),
    subcommands: &[],
    run: hget,
};

pub(crate) static HMGET: Spec = Spec {
    name: "hmget",
    arity: Arity::AtLeast(3),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Get the values of all the given hash fields",
        "2.0.0",
        "O(N) where N is the number of fields being requested.",
    )
    .args(&[Arg::key("key"), Arg::new("field", "string").flags(&["multiple"])]),
    subcommands: &[],
    run: hmget,
};

fn hget(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let hash = ctx.read::<Hash>(key)?;
    Ok(value_of(hash, request.get(2).unwrap_or_default()))
}

fn hmget(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let hash = ctx.read::<Hash>(request.get(1).unwrap_or_default())?;
    Ok(Reply::Array(request.iter().skip(2).map(|name| value_of(hash, name)).collect()))
}

/// The value of a field, or null.
#[inline]
pub(super) fn value_of(hash: Option<&Hash>, name: &[u8]) -> Reply {
    let field = hash.and_then(|it| it.get(name));
    field.map_or(Reply::Null, |it| Reply::Bulk(it.value.to_blob()))
}
