//! XACK key group id [id ...]: entries were worked on, and are pending no longer.
//!
//! Source: <https://redis.io/docs/latest/commands/xack/>.

use super::{one_key, parse_ids, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static XACK: Spec = spec(
    "xack",
    Arity::AtLeast(4),
    (&[Flag::Write, Flag::Fast], one_key(&["RW", "update"])),
    Docs::new(
        "Marks a pending message as correctly processed, effectively removing it from the pending entries list of the consumer group. Return value of the command is the number of messages successfully acknowledged, that is, the IDs we were actually able to resolve in the PEL.",
        "5.0.0",
        "O(1) for each message ID processed.",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("group", "string"),
        Arg::new("id", "string").flags(&["multiple"]),
    ]),
    xack,
);

fn xack(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, group] = [1, 2].map(|at| request.get(at).unwrap_or_default());
    // Where there is no group, a bad ID is no error.
    if ctx.read::<Stream>(key)?.and_then(|it| it.group(group)).is_none() {
        return Ok(Reply::Int(0));
    }
    let ids = parse_ids(request.iter().skip(3))?;
    let n_acked = ctx.edit::<Stream, _>(key, |stream| {
        stream.edit_group(group, |group| {
            ids.iter().filter(|id| group.remove_pending(**id).is_some()).count()
        })
    })?;
    let n_acked = n_acked.flatten().unwrap_or_default();
    if n_acked != 0 {
        ctx.changed_quietly(key);
    }
    Ok(Reply::count(n_acked))
}
