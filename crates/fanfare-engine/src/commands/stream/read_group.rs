//! XREADGROUP GROUP group consumer [COUNT count] [MAXCOUNT count] [MAXSIZE bytes] [BLOCK milliseconds] [CLAIM
//! min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]: entries that no consumer of the group was given so far, or
//! those that this one has not acknowledged.
//!
//! Source: <https://redis.io/docs/latest/commands/xreadgroup/>. What is recorded is what became of each entry, as an
//! `XCLAIM`, and how far the group has come.

use super::reading::{Budget, Reading, key_spec, places, reply};
use super::{parse_id, spec};
use crate::block::{Awaited, Wait};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Keys, Lock};
use crate::value::Stream;
use crate::value::stream::{Delivery, Finder, Group, Order, Owner, Pending, Slice, StreamId};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static XREADGROUP: Spec = spec(
    "xreadgroup",
    Arity::AtLeast(7),
    (
        &[Flag::Write, Flag::Blocking],
        Keys::Planned { specs: &[key_spec(4)], lock: Lock::Custom(places) },
    ),
    Docs::new(
        "Return new entries from a stream using a consumer group, or access the history of the pending entries for a given consumer. Can block.",
        "5.0.0",
        "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
    )
    .history(&[
        ("8.4.0", "Added the `CLAIM` option."),
        ("8.10.0", "Added the `MAXCOUNT` and `MAXSIZE` options."),
    ])
    .args(&[
        Arg::new("group_consumer", "block")
            .token("GROUP")
            .args(&[Arg::new("group", "string"), Arg::new("consumer", "string")]),
        Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
        Arg::new("maxcount", "integer").token("MAXCOUNT").since("8.10.0").flags(&["optional"]),
        Arg::new("maxsize", "integer").token("MAXSIZE").since("8.10.0").flags(&["optional"]),
        Arg::new("milliseconds", "integer").token("BLOCK").flags(&["optional"]),
        Arg::new("min-idle-time", "integer").token("CLAIM").since("8.4.0").flags(&["optional"]),
        Arg::word("noack", "NOACK").flags(&["optional"]),
        Arg::new("streams", "block").token("STREAMS").args(&[
            Arg::key("key").flags(&["multiple"]),
            Arg::new("id", "string").flags(&["multiple"]),
        ]),
    ]),
    xreadgroup,
);

/// What is wanted of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// What nobody was given (`>`), after what was given so long ago.
    New { claim_idle_ms: Option<u64> },
    /// What the consumer has, after an ID.
    Own { after: StreamId },
}

/// Who reads, and how.
#[derive(Clone, Copy, Debug)]
struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    noack: bool,
    now_ms: u64,
}

/// What became of the entries that a consumer was given.
#[derive(Debug, Default)]
struct Given {
    slice: Slice,
    is_new_consumer: bool,
    /// What is pending now, with where the group was then.
    pending: Vec<(Pending, StreamId)>,
    /// Where the group is, if it has moved.
    moved: Option<(StreamId, Option<u64>)>,
}

fn xreadgroup(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let reading = Reading::parse(ctx, request, true)?;
    let (group, consumer) = reading.group.unwrap_or_default();
    let reader = Reader { group, consumer, noack: reading.noack, now_ms: ctx.now.unix_ms() };
    let wanted = check(ctx, &reading, group)?;
    let mut budget = Budget::new(ctx, &reading);
    let mut found = Vec::new();
    for &(key, wanted) in &wanted {
        if budget.is_used_up() {
            break;
        }
        if !ctx.may_look_at(key) {
            continue;
        }
        let given = ctx.edit(key, |it: &mut Stream| {
            let given = give(it, reader, (key, wanted), &mut budget);
            (given, matches!(wanted, Wanted::Own { .. }))
        })?;
        let Some((given, is_always_shown)) = given else { continue };
        if given.is_new_consumer {
            ctx.notify(Classes::STREAM, "xgroup-createconsumer", key);
        }
        record(ctx, key, (reader, &given));
        if is_always_shown || !given.slice.is_empty() {
            found.push((key, given.slice));
        }
    }
    if !found.is_empty() {
        return Ok(reply(ctx, found));
    }
    // Nothing was written but who reads, which is recorded above.
    let Some(deadline_unix_ms) = reading.block else { return Ok(Reply::NullArray) };
    let retry_unix_ms = reading.claim_idle_ms.map(|it| next_claim_ms(ctx, &wanted, (reader, it)));
    let wait = Wait {
        retry_unix_ms,
        shares: Some(group).filter(|_| reading.claim_idle_ms.is_none()),
        ..Wait::new(
            Awaited::Stream,
            wanted.iter().map(|it| it.0),
            deadline_unix_ms,
            Reply::NullArray,
        )
    };
    Ok(ctx.block(request, wait))
}

/// What is wanted of each stream. All of them must be there, and have the group.
fn check<'a>(
    ctx: &mut Ctx<'_>,
    reading: &Reading<'a>,
    group: &[u8],
) -> Result<Vec<(&'a [u8], Wanted)>, WireError> {
    let mut wanted = Vec::new();
    let mut claim_idle_ms = reading.claim_idle_ms;
    for (key, raw) in reading.streams() {
        if ctx.may_look_at(key) {
            let stream = ctx.peek::<Stream>(key)?;
            if stream.is_none_or(|it| it.group(group).is_none()) {
                return Err(WireError::no_group_to_read(key, group));
            }
        }
        wanted.push((
            key,
            match raw {
                b"$" => return Err(wire_error::LAST_ID_IN_GROUP),
                b"+" => return Err(wire_error::LAST_ENTRY_IN_GROUP),
                b">" => Wanted::New { claim_idle_ms },
                _ => match parse_id(raw, 0)? {
                    // As Redis has it, which takes it for `>`.
                    StreamId::MAX => Wanted::New { claim_idle_ms },
                    after => {
                        // As Redis has it: nothing is claimed of the streams behind this one.
                        claim_idle_ms = None;
                        Wanted::Own { after }
                    }
                },
            },
        ));
    }
    Ok(wanted)
}

/// Gives entries to a consumer, which is made if there is none of its name.
fn give(
    stream: &mut Stream,
    reader: Reader<'_>,
    (key, wanted): (&[u8], Wanted),
    budget: &mut Budget,
) -> Given {
    let mut given = Given::default();
    let known =
        stream.edit_group(reader.group, |it| it.owner_or_new(reader.consumer, reader.now_ms));
    let Some((owner, is_new)) = known else { return given };
    given.is_new_consumer = is_new;
    match wanted {
        Wanted::Own { after } => {
            budget.begin(key);
            give_own(stream, (reader, owner), after, (budget, &mut given));
        }
        Wanted::New { claim_idle_ms } => {
            let serves = Serves::of(stream, reader, claim_idle_ms);
            if serves.claimed || serves.new {
                budget.begin(key);
            }
            if let (true, Some(idle_ms)) = (serves.claimed || serves.new, claim_idle_ms) {
                claim(stream, (reader, owner), idle_ms, (budget, &mut given));
            }
            if serves.new {
                let with_delivery = claim_idle_ms.is_some();
                give_new(stream, (reader, owner), with_delivery, (budget, &mut given));
            }
        }
    }
    let is_active = !given.pending.is_empty() && matches!(wanted, Wanted::New { .. });
    stream.edit_group(reader.group, |group| {
        group.edit_consumer(owner, |it| {
            it.seen_ms = reader.now_ms;
            if is_active {
                it.active_ms = Some(reader.now_ms);
            }
        });
    });
    given
}

/// Whether there is something in a stream for a reader.
struct Serves {
    claimed: bool,
    new: bool,
}

impl Serves {
    fn of(stream: &Stream, reader: Reader<'_>, claim_idle_ms: Option<u64>) -> Self {
        let Some(group) = stream.group(reader.group) else {
            return Self { claimed: false, new: false };
        };
        let is_new = |last: StreamId| group.last_id() < last;
        let new = is_new(stream.marks().last_id)
            && stream.iter_back_from(StreamId::MAX).next().is_some_and(|it| is_new(it.id));
        let claimed = claim_idle_ms
            .and_then(|it| reader.now_ms.checked_sub(it))
            .is_some_and(|max| group.idle(max).any(|id| stream.get(id).is_some()));
        Self { claimed, new }
    }
}

/// What the consumer has: it is given that once more.
fn give_own(
    stream: &mut Stream,
    (reader, owner): (Reader<'_>, Owner),
    after: StreamId,
    (budget, given): (&mut Budget, &mut Given),
) {
    let Some(group) = stream.group(reader.group) else { return };
    let first = after.next().unwrap_or(StreamId::MAX);
    let last_id = group.last_id();
    let mut finder = Finder::default();
    for pending in group.pending_of(owner, first) {
        let is_there = finder.find(stream, pending.id);
        let is_taken = match finder.found() {
            Some(entry) => budget.take_entry(&entry),
            None => budget.take(|out| {
                out.array(2);
                out.bulk(&pending.id.spelled());
                out.null_array();
            }),
        };
        if !is_taken {
            break;
        }
        if is_there {
            finder.add_to(&mut given.slice, None);
            given.pending.push((delivered_again(pending, (owner, reader.now_ms)), last_id));
        } else {
            given.slice.add_gone(pending.id);
        }
    }
    set_pending(stream, reader, given);
}

fn delivered_again(before: Pending, (owner, now_ms): (Owner, u64)) -> Pending {
    Pending {
        owner: Some(owner),
        delivered_ms: now_ms,
        n_deliveries: before.n_deliveries.saturating_add(1).min(i64::MAX as u64),
        ..before
    }
}

/// Takes over what was given to somebody long ago: what was given back first, then the longest ago first.
fn claim(
    stream: &mut Stream,
    (reader, owner): (Reader<'_>, Owner),
    idle_ms: u64,
    (budget, given): (&mut Budget, &mut Given),
) {
    let Some(group) = stream.group(reader.group) else { return };
    let Some(delivered_ms_max) = reader.now_ms.checked_sub(idle_ms) else { return };
    let last_id = group.last_id();
    let mut finder = Finder::default();
    for id in group.idle(delivered_ms_max) {
        finder.find(stream, id);
        let (Some(pending), Some(entry)) = (group.pending(id), finder.found()) else { continue };
        let delivery = Delivery {
            idle_ms: reader.now_ms.saturating_sub(pending.delivered_ms),
            n: pending.n_deliveries,
        };
        if !budget.take(|out| entry.write_again(delivery, out)) {
            break;
        }
        finder.add_to(&mut given.slice, Some(delivery));
        given.pending.push((delivered_again(pending, (owner, reader.now_ms)), last_id));
    }
    set_pending(stream, reader, given);
}

fn set_pending(stream: &mut Stream, reader: Reader<'_>, given: &Given) {
    stream.edit_group(reader.group, |group| {
        given.pending.iter().for_each(|it| group.set_pending(it.0));
    });
}

/// What nobody was given so far.
fn give_new(
    stream: &mut Stream,
    (reader, owner): (Reader<'_>, Owner),
    with_delivery: bool,
    (budget, given): (&mut Budget, &mut Given),
) {
    let Some(group) = stream.group(reader.group) else { return };
    let Some(first) = group.last_id().next() else { return };
    let extent = stream.extent();
    let mut position = (group.last_id(), group.entries_read());
    let mut ids = Vec::new();
    let none_before = Delivery { idle_ms: 0, n: 0 };
    let slice = stream.slice((first, StreamId::MAX), Order::Forward, |entry| {
        let is_taken = if with_delivery {
            budget.take(|out| entry.write_again(none_before, out))
        } else {
            budget.take_entry(entry)
        };
        if is_taken {
            position = (entry.id, extent.n_read_with(position, entry.id));
            ids.push(entry.id);
        }
        is_taken
    });
    if with_delivery {
        let mut finder = Finder::default();
        for &id in &ids {
            finder.find(stream, id);
            finder.add_to(&mut given.slice, Some(none_before));
        }
    } else {
        given.slice = slice;
    }
    let n_before = given.pending.len();
    if !reader.noack {
        given.pending.extend(ids.iter().map(|&id| {
            let owner = Some(owner);
            (Pending { id, delivered_ms: reader.now_ms, n_deliveries: 1, owner }, id)
        }));
    }
    if !ids.is_empty() {
        given.moved = Some(position);
    }
    stream.edit_group(reader.group, |group: &mut Group| {
        group.set_position(position.0, position.1);
        given.pending.iter().skip(n_before).for_each(|it| group.set_pending(it.0));
    });
}

/// Records what became of the group.
fn record(ctx: &mut Ctx<'_>, key: &[u8], (reader, given): (Reader<'_>, &Given)) {
    if !ctx.records() {
        return;
    }
    let Reader { group, consumer, .. } = reader;
    for (pending, last_id) in &given.pending {
        super::record_pending(ctx, (key, group), (consumer, pending), *last_id);
    }
    if given.is_new_consumer && given.pending.is_empty() {
        ctx.record([&b"XGROUP"[..], b"CREATECONSUMER", key, group, consumer]);
    }
    if let Some((last_id, entries_read)) = given.moved {
        let mut digits = itoa::Buffer::new();
        // What nobody knows is -1.
        let entries_read = entries_read.map_or(&b"-1"[..], |it| digits.format(it).as_bytes());
        let id = last_id.spelled();
        ctx.record([&b"XGROUP"[..], b"SETID", key, group, &id, b"ENTRIESREAD", entries_read]);
    }
}

/// When something may have been with its consumer for long enough.
fn next_claim_ms(
    ctx: &mut Ctx<'_>,
    wanted: &[(&[u8], Wanted)],
    (reader, idle_ms): (Reader<'_>, u64),
) -> u64 {
    let mut next_ms = reader.now_ms.saturating_add(idle_ms);
    for (key, _) in wanted {
        if !ctx.may_look_at(key) {
            continue;
        }
        let Ok(Some(stream)) = ctx.peek::<Stream>(key) else { continue };
        let Some(group) = stream.group(reader.group) else { continue };
        // What was deleted is passed over.
        let oldest = group.idle(u64::MAX).find(|id| stream.get(*id).is_some());
        if let Some(pending) = oldest.and_then(|it| group.pending(it)) {
            next_ms = next_ms.min(pending.delivered_ms.saturating_add(idle_ms));
        }
    }
    // Not in this millisecond, in which there was nothing.
    next_ms.max(reader.now_ms + 1)
}
