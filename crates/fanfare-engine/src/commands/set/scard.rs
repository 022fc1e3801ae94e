//! SCARD key: how many members a set has.
//!
//! Source: <https://redis.io/docs/latest/commands/scard/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Set;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SCARD: Spec = Spec {
    name: "scard",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO"] },
    group: Group::Set,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the number of members in a set", "1.0.0", "O(1)").args(&[Arg::key("key")]),
    subcommands: &[],
    run: scard,
};

fn scard(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    Ok(Reply::count(ctx.read::<Set>(key)?.map_or(0, Set::len)))
}
