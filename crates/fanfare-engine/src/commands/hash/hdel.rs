//! HDEL key field [field …]: removes fields; the key goes with the last one.
//!
//! Source: <https://redis.io/docs/latest/commands/hdel/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static HDEL: Spec = Spec {
    name: "hdel",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "delete"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Delete one or more hash fields",
        "2.0.0",
        "O(N) where N is the number of fields to be removed.",
    )
    .history(&[("2.4.0", "Accepts multiple `field` arguments.")])
    .args(&[Arg::key("key"), Arg::new("field", "string").flags(&["multiple"])]),
    subcommands: &[],
    run: hdel,
};

fn hdel(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let removed = ctx.edit::<Hash, _>(key, |hash| {
        let n_removed = request.iter().skip(2).filter(|name| hash.remove(name)).count();
        (n_removed, hash.is_empty())
    })?;
    let (n_removed, is_empty) = removed.unwrap_or_default();
    if n_removed != 0 {
        ctx.changed(Classes::HASH, "hdel", key);
    }
    if is_empty {
        ctx.delete_if_empty::<Hash>(key);
    }
    Ok(Reply::count(n_removed))
}
