//! XREAD [COUNT count] [MAXCOUNT count] [MAXSIZE bytes] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]: entries of
//! several streams that come after an ID each.
//!
//! Source: <https://redis.io/docs/latest/commands/xread/>. `$` is the last ID that was given when the request came, `+`
//! stands for the last entry.

use super::reading::{Budget, Reading, key_spec, places, reply};
use super::{parse_id, spec};
use crate::block::{Awaited, Wait};
use crate::client::Queued;
use crate::spec::{Arg, Arity, Docs, Flag, Keys, Lock};
use crate::value::Stream;
use crate::value::stream::{Order, Slice, StreamId};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static XREAD: Spec = spec(
    "xread",
    Arity::AtLeast(4),
    (
        &[Flag::ReadOnly, Flag::Blocking],
        Keys::Planned { specs: &[key_spec(1)], lock: Lock::Custom(places) },
    ),
    Docs::new(
        "Return never seen elements in multiple streams, with IDs greater than the ones reported by the caller for each stream. Can block.",
        "5.0.0",
        "For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.",
    )
    .history(&[
        ("7.4.0", "Added the `+` ID."),
        ("8.10.0", "Added the `MAXCOUNT` and `MAXSIZE` options."),
    ])
    .args(&[
        Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
        Arg::new("maxcount", "integer").token("MAXCOUNT").since("8.10.0").flags(&["optional"]),
        Arg::new("maxsize", "integer").token("MAXSIZE").since("8.10.0").flags(&["optional"]),
        Arg::new("milliseconds", "integer").token("BLOCK").flags(&["optional"]),
        Arg::new("streams", "block").token("STREAMS").args(&[
            Arg::key("key").flags(&["multiple"]),
            Arg::new("id", "string").flags(&["multiple"]),
        ]),
    ]),
    xread,
);

/// Where a reader begins.
#[derive(Clone, Copy, Debug)]
enum After {
    Id(StreamId),
    /// At the last entry.
    Last,
}

fn xread(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let reading = Reading::parse(ctx, request, false)?;
    let mut starts = Vec::new();
    for (key, raw) in reading.streams() {
        // What is elsewhere is not locked for a client that has waited.
        let last_id = if ctx.may_look_at(key) {
            ctx.peek_or_wait::<Stream>(key)?.map_or(StreamId::MIN, |it| it.marks().last_id)
        } else {
            StreamId::MIN
        };
        starts.push((key, parse_after(raw, last_id)?));
    }
    let mut budget = Budget::new(ctx, &reading);
    let mut found = Vec::new();
    let mut has_looked = false;
    for &(key, after) in &starts {
        if budget.is_used_up() {
            break;
        }
        // For a client that has waited, the first of several IDs of one key counts.
        if !ctx.may_look_at(key) || (ctx.is_serving() && has_looked) {
            continue;
        }
        has_looked = true;
        let Some(stream) = look_up(ctx, key) else { continue };
        let slice = read(stream, (key, after), &mut budget);
        if !slice.is_empty() {
            found.push((key, slice));
        }
    }
    if !found.is_empty() {
        return Ok(reply(ctx, found));
    }
    let Some(deadline_unix_ms) = reading.block else { return Ok(Reply::NullArray) };
    let keys = starts.iter().map(|it| it.0);
    let wait = Wait::new(Awaited::Stream, keys, deadline_unix_ms, Reply::NullArray);
    let starts = starts.iter().map(|it| it.1);
    let resolved =
        resolve(ctx, request, starts.enumerate().map(|(n, it)| (reading.ids_at() + n, it)));
    Ok(ctx.block(resolved.request(), wait))
}

/// The stream at `key`, counted as a use of it.
fn look_up<'c>(ctx: &'c mut Ctx<'_>, key: &[u8]) -> Option<&'c Stream> {
    if ctx.is_serving() {
        return ctx.peek_or_wait::<Stream>(key).ok().flatten();
    }
    ctx.read::<Stream>(key).ok().flatten()
}

fn parse_after(raw: &[u8], last_id: StreamId) -> Result<After, WireError> {
    match raw {
        b"$" => Ok(After::Id(last_id)),
        b"+" => Ok(After::Last),
        b">" => Err(wire_error::NEW_ENTRIES_ARE_FOR_GROUPS),
        _ => parse_id(raw, 0).map(After::Id),
    }
}

fn read(stream: &Stream, (key, after): (&[u8], After), budget: &mut Budget) -> Slice {
    let bounds = match after {
        After::Id(id) if stream.marks().last_id <= id => return Slice::default(),
        After::Id(id) => (id.next().unwrap_or(StreamId::MAX), StreamId::MAX),
        After::Last => {
            let last = stream.iter_back_from(StreamId::MAX).next().map(|it| it.id);
            let Some(last) = last else { return Slice::default() };
            (last, last)
        }
    };
    if stream.is_empty() {
        return Slice::default();
    }
    let mut has_begun = false;
    stream.slice(bounds, Order::Forward, |entry| {
        if !std::mem::replace(&mut has_begun, true) {
            budget.begin(key);
        }
        budget.take_entry(entry)
    })
}

/// The request with the IDs that `$` stands for.
fn resolve(
    ctx: &Ctx<'_>,
    request: Request<'_>,
    starts: impl Iterator<Item = (usize, After)>,
) -> Queued {
    let mut args: Vec<Vec<u8>> = request.iter().map(<[u8]>::to_vec).collect();
    for (at, after) in starts {
        if let (After::Id(id), Some(arg)) = (after, args.get_mut(at).filter(|it| **it == b"$")) {
            *arg = id.spelled().to_vec();
        }
    }
    Queued::of_args(ctx.command, args.iter().map(|it| &**it))
}
