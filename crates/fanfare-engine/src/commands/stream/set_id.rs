//! XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]: sets what a stream remembers beside its
//! entries.
//!
//! Source: <https://redis.io/docs/latest/commands/xsetid/>.

use super::{one_key, parse_id, spec};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::value::stream::{Marks, StreamId};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XSETID: Spec = spec(
    "xsetid",
    Arity::AtLeast(3),
    (&[Flag::Write, Flag::DenyOom, Flag::Fast], one_key(&["RW", "update"])),
    Docs::new("An internal command for replicating stream values", "5.0.0", "O(1)")
        .history(&[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")])
        .args(&[
            Arg::key("key"),
            Arg::new("last-id", "string"),
            Arg::new("entries_added", "integer")
                .token("ENTRIESADDED")
                .since("7.0.0")
                .flags(&["optional"]),
            Arg::new("max_deleted_entry_id", "string")
                .token("MAXDELETEDID")
                .since("7.0.0")
                .flags(&["optional"]),
        ]),
    xsetid,
);

fn xsetid(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let last_id = parse_id(request.get(2).unwrap_or_default(), 0)?;
    let (mut n_added, mut max_deleted_id) = (None, None);
    let mut options = request.iter().skip(3);
    while let Some(word) = options.next() {
        let value = options.next().ok_or(wire_error::SYNTAX)?;
        if word.eq_ignore_ascii_case(b"entriesadded") {
            let n = number::parse_int(value).ok_or(wire_error::NOT_AN_INTEGER)?;
            n_added = Some(u64::try_from(n).map_err(|_| wire_error::ENTRIES_ADDED_NEGATIVE)?);
        } else if word.eq_ignore_ascii_case(b"maxdeletedid") {
            let id = parse_id(value, 0)?;
            if last_id < id {
                return Err(wire_error::SET_ID_BELOW_GIVEN_DELETED);
            }
            max_deleted_id = Some(id).filter(|it| *it != StreamId::MIN);
        } else {
            return Err(wire_error::SYNTAX);
        }
    }
    let stream = ctx.peek::<Stream>(key)?.ok_or(wire_error::NO_SUCH_KEY)?;
    let marks = stream.marks();
    let is_set_back = last_id < marks.last_id;
    if let Some(top) = stream.iter_back_from(StreamId::MAX).next() {
        if last_id < top.id {
            return Err(wire_error::SET_ID_BELOW_TOP);
        }
        if n_added.is_some_and(|it| it < stream.len() as u64) {
            return Err(wire_error::ENTRIES_ADDED_BELOW_LENGTH);
        }
    }
    let marks = Marks {
        last_id,
        n_added: n_added.unwrap_or(marks.n_added),
        max_deleted_id: max_deleted_id.unwrap_or(marks.max_deleted_id),
    };
    ctx.edit(key, |stream: &mut Stream| stream.set_marks(marks))?;
    if is_set_back {
        // IDs may be given again.
        ctx.restart_stream(key)?;
    }
    ctx.record(request.iter());
    ctx.notify(Classes::STREAM, "xsetid", key);
    Ok(Reply::Ok)
}
