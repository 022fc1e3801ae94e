//! XLEN key: number of entries.
//!
//! Source: <https://redis.io/docs/latest/commands/xlen/>.

use super::{one_key, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static XLEN: Spec = spec(
    "xlen",
    Arity::Exactly(2),
    (&[Flag::ReadOnly, Flag::Fast], one_key(&["RO"])),
    Docs::new("Return the number of entries in a stream", "5.0.0", "O(1)").args(&[Arg::key("key")]),
    xlen,
);

fn xlen(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let stream = ctx.read::<Stream>(key)?;
    Ok(Reply::count(stream.map_or(0, Stream::len)))
}
