//! XDEL key id [id ...]: removes entries.
//!
//! Source: <https://redis.io/docs/latest/commands/xdel/>.

use super::{one_key, parse_ids, spec};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static XDEL: Spec = spec(
    "xdel",
    Arity::AtLeast(3),
    (&[Flag::Write, Flag::Fast], one_key(&["RW", "delete"])),
    Docs::new(
        "Removes the specified entries from the stream. Returns the number of items actually deleted, that may be different from the number of IDs passed in case certain IDs do not exist.",
        "5.0.0",
        "O(1) for each single item to delete in the stream, regardless of the stream size.",
    )
    .args(&[Arg::key("key"), Arg::new("id", "string").flags(&["multiple"])]),
    xdel,
);

fn xdel(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    if ctx.peek::<Stream>(key)?.is_none() {
        return Ok(Reply::Int(0));
    }
    let ids = parse_ids(request.iter().skip(2))?;
    let removed =
        ctx.edit(key, |stream: &mut Stream| ids.iter().filter(|it| stream.remove(**it)).count())?;
    let n_removed = removed.unwrap_or(0);
    if n_removed != 0 {
        ctx.changed(Classes::STREAM, "xdel", key);
    }
    Ok(Reply::count(n_removed))
}
