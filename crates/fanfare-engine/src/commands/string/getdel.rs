//! GETDEL key: tells a string and removes its key.
//!
//! Source: <https://redis.io/docs/latest/commands/getdel/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Text;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static GETDEL: Spec = Spec {
    name: "getdel",
    arity: Arity::Exactly(2),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "delete"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the value of a key and delete the key", "6.2.0", "O(1)")
        .args(&[Arg::key("key")]),
    subcommands: &[],
    run: getdel,
};

fn getdel(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let Some(text) = ctx.read::<Text>(key)? else { return Ok(Reply::Null) };
    let value = Reply::Bulk(text.to_blob());
    ctx.delete(key);
    ctx.changed(Classes::GENERIC, "del", key);
    ctx.record([&b"DEL"[..], key]);
    Ok(value)
}
