//! TYPE key: what kind of value a key holds; `none` if there is no such key.
//!
//! Source: <https://redis.io/docs/latest/commands/type/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static TYPE: Spec = Spec {
    name: "type",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO"] },
    group: Group::Generic,
    categories: &[],
    tips: &[],
    docs: Docs::new("Determine the type stored at key", "1.0.0", "O(1)").args(&[Arg::key("key")]),
    subcommands: &[],
    run: type_of,
};

fn type_of(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let entry = ctx.lookup_untouched(request.get(1).unwrap_or_default());
    Ok(Reply::Simple(entry.map_or("none", |it| it.value().type_name()).into()))
}
