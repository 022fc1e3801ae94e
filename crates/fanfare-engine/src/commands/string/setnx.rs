//! SETNX key value: puts a string at a key where nothing is.
//!
//! Source: <https://redis.io/docs/latest/commands/setnx/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SETNX: Spec = Spec {
    name: "setnx",
    arity: Arity::Exactly(3),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["OW", "insert"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new("Set the value of a key, only if the key does not exist", "1.0.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("value", "string")]),
    subcommands: &[],
    run: setnx,
};

fn setnx(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(value)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    if ctx.entry(key).is_some() {
        return Ok(Reply::Int(0));
    }
    ctx.put_text(key, value, None);
    ctx.changed(Classes::STRING, "set", key);
    Ok(Reply::Int(1))
}
