//! GETSET key value: puts a string at a key and tells the one before.
//!
//! Source: <https://redis.io/docs/latest/commands/getset/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Text;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static GETSET: Spec = Spec {
    name: "getset",
    arity: Arity::Exactly(3),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "update"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new("Set the string value of a key and return its old value", "1.0.0", "O(1)")
        .deprecated("6.2.0", "`SET` with the `!GET` argument")
        .doc_flags(&["deprecated"])
        .args(&[Arg::key("key"), Arg::new("value", "string")]),
    subcommands: &[],
    run: getset,
};

fn getset(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(value)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let before = ctx.read::<Text>(key)?.map_or(Reply::Null, |it| Reply::Bulk(it.to_blob()));
    ctx.put_text(key, value, None);
    ctx.changed(Classes::STRING, "set", key);
    ctx.record([&b"SET"[..], key, value]);
    Ok(before)
}
