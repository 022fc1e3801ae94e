//! XRANGE key start end [COUNT count] and XREVRANGE key end start [COUNT count]: consecutive entries.
//!
//! Sources: <https://redis.io/docs/latest/commands/xrange/>, <https://redis.io/docs/latest/commands/xrevrange/>. A `(`
//! before an ID leaves that one out.

use super::{one_key, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::value::stream::{Order, StreamId};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XRANGE: Spec = spec(
    "xrange",
    Arity::AtLeast(4),
    (&[Flag::ReadOnly], one_key(&["RO", "access"])),
    Docs::new(
        "Return a range of elements in a stream, with IDs matching the specified IDs interval",
        "5.0.0",
        "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
    )
    .history(&[("6.2.0", "Added exclusive ranges.")])
    .args(&[
        Arg::key("key"),
        Arg::new("start", "string"),
        Arg::new("end", "string"),
        Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
    ]),
    |ctx, request| range(ctx, request, Order::Forward),
);

pub(crate) static XREVRANGE: Spec = spec(
    "xrevrange",
    Arity::AtLeast(4),
    (&[Flag::ReadOnly], one_key(&["RO", "access"])),
    Docs::new(
        "Return a range of elements in a stream, with IDs matching the specified IDs interval, in reverse order (from greater to smaller IDs) compared to XRANGE",
        "5.0.0",
        "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
    )
    .history(&[("6.2.0", "Added exclusive ranges.")])
    .args(&[
        Arg::key("key"),
        Arg::new("end", "string"),
        Arg::new("start", "string"),
        Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
    ]),
    |ctx, request| range(ctx, request, Order::Backward),
);

fn range(ctx: &mut Ctx<'_>, request: Request<'_>, order: Order) -> Result<Reply, WireError> {
    let (start_at, end_at) = match order {
        Order::Forward => (2, 3),
        Order::Backward => (3, 2),
    };
    let bounds = (
        parse_start(request.get(start_at).unwrap_or_default())?,
        parse_end(request.get(end_at).unwrap_or_default())?,
    );
    let count = parse_count(request)?;
    let key = request.get(1).unwrap_or_default();
    let Some(stream) = ctx.read::<Stream>(key)? else { return Ok(Reply::Array(Vec::new())) };
    if count == Some(0) {
        return Ok(Reply::NullArray);
    }
    let mut n_left = count.unwrap_or(u64::MAX);
    Ok(Reply::Entries(stream.slice(bounds, order, |_| {
        let is_left = n_left != 0;
        n_left = n_left.saturating_sub(1);
        is_left
    })))
}

/// The first ID of an interval.
pub(super) fn parse_start(raw: &[u8]) -> Result<StreamId, WireError> {
    match excluded(raw) {
        Some(id) => super::parse_id(id, 0)?.next().ok_or(wire_error::INVALID_INTERVAL_START),
        None => StreamId::parse_bound(raw, 0).ok_or(wire_error::INVALID_STREAM_ID),
    }
}

/// The last ID of an interval.
pub(super) fn parse_end(raw: &[u8]) -> Result<StreamId, WireError> {
    match excluded(raw) {
        Some(id) => {
            super::parse_id(id, u64::MAX)?.previous().ok_or(wire_error::INVALID_INTERVAL_END)
        }
        None => StreamId::parse_bound(raw, u64::MAX).ok_or(wire_error::INVALID_STREAM_ID),
    }
}

/// What stands behind a `(`.
fn excluded(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"(").filter(|it| !it.is_empty())
}

/// How many entries are wanted at most; below zero is none.
fn parse_count(request: Request<'_>) -> Result<Option<u64>, WireError> {
    let mut count = None;
    let mut options = request.iter().skip(4);
    while let Some(word) = options.next() {
        let value = options.next().filter(|_| word.eq_ignore_ascii_case(b"count"));
        let raw = value.ok_or(wire_error::SYNTAX)?;
        let n = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
        count = Some(u64::try_from(n).unwrap_or(0));
    }
    Ok(count)
}
