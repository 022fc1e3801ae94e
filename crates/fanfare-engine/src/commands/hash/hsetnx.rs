//! HSETNX key field value: sets a field that is not there.
//!
//! Source: <https://redis.io/docs/latest/commands/hsetnx/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::value::hash::{Lifetime, Limits};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static HSETNX: Spec = Spec {
    name: "hsetnx",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "insert"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Set the value of a hash field, only if the field does not exist",
        "2.0.0",
        "O(1)",
    )
    .args(&[Arg::key("key"), Arg::new("field", "string"), Arg::new("value", "string")]),
    subcommands: &[],
    run: hsetnx,
};

fn hsetnx(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(name), Some(value)) = (request.get(1), request.get(2), request.get(3))
    else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let limits = Limits::of(ctx.tuning());
    let is_new = ctx.edit_or_new::<Hash, _>(key, |hash| {
        hash.get(name).is_none() && hash.set(name, value, Lifetime::Forever, limits)
    })?;
    if is_new {
        ctx.changed(Classes::HASH, "hset", key);
    }
    Ok(Reply::Int(i64::from(is_new)))
}
