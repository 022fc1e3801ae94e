//! LLEN key: the length of a list.
//!
//! Source: <https://redis.io/docs/latest/commands/llen/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::List;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static LLEN: Spec = Spec {
    name: "llen",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the length of a list", "1.0.0", "O(1)").args(&[Arg::key("key")]),
    subcommands: &[],
    run: llen,
};

fn llen(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let list = ctx.read::<List>(request.get(1).unwrap_or_default())?;
    Ok(Reply::count(list.map_or(0, List::len)))
}
