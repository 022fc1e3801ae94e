//! HEXISTS, HSTRLEN key field: whether a field is there, how long its value is.
//!
//! Sources: <https://redis.io/docs/latest/commands/hexists/>, <https://redis.io/docs/latest/commands/hstrlen/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static HEXISTS: Spec = Spec {
    name: "hexists",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new("Determine if a hash field exists", "2.0.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("field", "string")]),
    subcommands: &[],
    run: hexists,
};

pub(crate) static HSTRLEN: Spec = Spec {
    name: "hstrlen",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the length of the value of a hash field", "3.2.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("field", "string")]),
    subcommands: &[],
    run: hstrlen,
};

fn hexists(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let hash = ctx.read::<Hash>(request.get(1).unwrap_or_default())?;
    let field = hash.and_then(|it| it.get(request.get(2)?));
    Ok(Reply::Int(i64::from(field.is_some())))
}

fn hstrlen(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let hash = ctx.read::<Hash>(request.get(1).unwrap_or_default())?;
    let field = hash.and_then(|it| it.get(request.get(2)?));
    Ok(Reply::count(field.map_or(0, |it| it.value.len())))
}
