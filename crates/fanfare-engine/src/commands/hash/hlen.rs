//! HLEN key: how many fields a hash has.
//!
//! Source: <https://redis.io/docs/latest/commands/hlen/>. Fields whose time has come are not counted; Redis counts them
//! until it has removed them.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static HLEN: Spec = Spec {
    name: "hlen",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the number of fields in a hash", "2.0.0", "O(1)").args(&[Arg::key("key")]),
    subcommands: &[],
    run: hlen,
};

fn hlen(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let hash = ctx.read::<Hash>(request.get(1).unwrap_or_default())?;
    Ok(Reply::count(hash.map_or(0, Hash::len)))
}
