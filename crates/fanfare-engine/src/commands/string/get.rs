//! GET key: the string at a key.
//!
//! Source: <https://redis.io/docs/latest/commands/get/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Text;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static GET: Spec = Spec {
    name: "get",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the value of a key", "1.0.0", "O(1)").args(&[Arg::key("key")]),
    subcommands: &[],
    run: get,
};

fn get(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    Ok(ctx.read::<Text>(key)?.map_or(Reply::Null, |it| Reply::Bulk(it.to_blob())))
}
