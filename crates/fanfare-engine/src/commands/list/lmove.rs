//! LMOVE, RPOPLPUSH, BLMOVE, BRPOPLPUSH source destination …: move an element from an end of a list to an end of a list.
//!
//! Sources: <https://redis.io/docs/latest/commands/lmove/>, <https://redis.io/docs/latest/commands/blmove/>. Both may be
//! the same list.

use super::pop;
use super::push::{event, push_one};
use crate::block::{Awaited, Wait, parse_deadline};
use crate::notify::Classes;
use crate::packed::Fill;
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys};
use crate::value::List;
use crate::value::list::Side;
use crate::{Blob, Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static LMOVE: Spec = Spec {
    name: "lmove",
    arity: Arity::Exactly(5),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Specs(KEYS),
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Pop an element from a list, push it to another list and return it",
        "6.2.0",
        "O(1)",
    )
    .args(&[
        Arg::key("source"),
        Arg::key("destination").key_spec(1),
        Arg::new("wherefrom", "oneof")
            .args(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")]),
        Arg::new("whereto", "oneof")
            .args(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")]),
    ]),
    subcommands: &[],
    run: lmove,
};

pub(crate) static RPOPLPUSH: Spec = Spec {
    name: "rpoplpush",
    arity: Arity::Exactly(3),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Specs(KEYS),
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Remove the last element in a list, prepend it to another list and return it",
        "1.2.0",
        "O(1)",
    )
    .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")
    .doc_flags(&["deprecated"])
    .args(&[Arg::key("source"), Arg::key("destination").key_spec(1)]),
    subcommands: &[],
    run: |ctx, request| r#move(ctx, request, Side::Right, Side::Left),
};

pub(crate) static BLMOVE: Spec = Spec {
    name: "blmove",
    arity: Arity::Exactly(6),
    flags: &[Flag::Write, Flag::DenyOom, Flag::NoScript, Flag::Blocking],
    keys: Keys::Specs(KEYS),
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Pop an element from a list, push it to another list and return it; or block until one is available",
        "6.2.0",
        "O(1)",
    )
    .args(&[
        Arg::key("source"),
        Arg::key("destination").key_spec(1),
        Arg::new("wherefrom", "oneof")
            .args(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")]),
        Arg::new("whereto", "oneof")
            .args(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")]),
        Arg::new("timeout", "double"),
    ]),
    subcommands: &[],
    run: blmove,
};

pub(crate) static BRPOPLPUSH: Spec = Spec {
    name: "brpoplpush",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::DenyOom, Flag::NoScript, Flag::Blocking],
    keys: Keys::Specs(KEYS),
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Pop an element from a list, push it to another list and return it; or block until one is available",
        "2.2.0",
        "O(1)",
    )
    .history(&[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")])
    .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
    .doc_flags(&["deprecated"])
    .args(&[
        Arg::key("source"),
        Arg::key("destination").key_spec(1),
        Arg::new("timeout", "double"),
    ]),
    subcommands: &[],
    run: brpoplpush,
};

/// Where the element is taken from, and where it goes.
const KEYS: &[KeySpec] = &[
    KeySpec {
        begin: Begin::Index(1),
        find: Find::Range { last: 0, step: 1, limit: 0 },
        flags: &["RW", "access", "delete"],
        notes: None,
    },
    KeySpec {
        begin: Begin::Index(2),
        find: Find::Range { last: 0, step: 1, limit: 0 },
        flags: &["RW", "insert"],
        notes: None,
    },
];

fn lmove(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (from, to) = sides(request)?;
    r#move(ctx, request, from, to)
}

fn blmove(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (from, to) = sides(request)?;
    let deadline_unix_ms = parse_deadline(request.get(5).unwrap_or_default(), ctx.now)?;
    let word = |side| if side == Side::Left { &b"LEFT"[..] } else { b"RIGHT" };
    let effect = (&b"LMOVE"[..], &[word(from), word(to)][..]);
    move_or_wait(ctx, request, (from, to), deadline_unix_ms, effect)
}

fn brpoplpush(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let deadline_unix_ms = parse_deadline(request.get(3).unwrap_or_default(), ctx.now)?;
    let sides = (Side::Right, Side::Left);
    move_or_wait(ctx, request, sides, deadline_unix_ms, (b"RPOPLPUSH", &[]))
}

/// Moves an element, or waits for one. What it did is said in the words of the command that does not wait: its name, and
/// what it has behind the keys.
fn move_or_wait(
    ctx: &mut Ctx<'_>,
    request: Request<'_>,
    (from, to): (Side, Side),
    deadline_unix_ms: Option<u64>,
    (name, words): (&[u8], &[&[u8]]),
) -> Result<Reply, WireError> {
    let keys = [1, 2].map(|it| request.get(it).unwrap_or_default());
    let [source, destination] = keys;
    if ctx.peek_or_wait::<List>(source)?.is_some() {
        let reply = r#move(ctx, request, from, to)?;
        ctx.record([name].into_iter().chain(keys).chain(words.iter().copied()));
        return Ok(reply);
    }
    if ctx.client.in_exec {
        return Ok(Reply::Null);
    }
    let wait = Wait {
        destination: Some(destination),
        ..Wait::new(Awaited::List, [source], deadline_unix_ms, Reply::NullArray)
    };
    Ok(ctx.block(request, wait))
}

fn sides(request: Request<'_>) -> Result<(Side, Side), WireError> {
    let side = |at| parse_side(request.get(at).unwrap_or_default());
    Ok((side(3)?, side(4)?))
}

/// `LEFT` or `RIGHT`.
pub(super) fn parse_side(raw: &[u8]) -> Result<Side, WireError> {
    match raw.to_ascii_lowercase().as_slice() {
        b"left" => Ok(Side::Left),
        b"right" => Ok(Side::Right),
        _ => Err(wire_error::SYNTAX),
    }
}

fn r#move(
    ctx: &mut Ctx<'_>,
    request: Request<'_>,
    from: Side,
    to: Side,
) -> Result<Reply, WireError> {
    let [source, destination] = [1, 2].map(|it| request.get(it).unwrap_or_default());
    let moved = if source == destination {
        rotate(ctx, source, from, to)?
    } else {
        move_between(ctx, (source, from), (destination, to))?
    };
    Ok(moved.map_or(Reply::Null, Reply::Bulk))
}

fn rotate(ctx: &mut Ctx<'_>, key: &[u8], from: Side, to: Side) -> Result<Option<Blob>, WireError> {
    let fill = Fill::new(ctx.tuning().list_fill());
    let moved = ctx.edit::<List, _>(key, |list| {
        let moved = list.pop(from);
        moved.iter().for_each(|it| list.push(to, it, fill));
        moved
    })?;
    let Some(moved) = moved else { return Ok(None) };
    ctx.changed(Classes::LIST, event(to), key);
    pop::tell(ctx, key, from, false);
    Ok(moved)
}

fn move_between(
    ctx: &mut Ctx<'_>,
    (source, from): (&[u8], Side),
    (destination, to): (&[u8], Side),
) -> Result<Option<Blob>, WireError> {
    if ctx.peek::<List>(source)?.is_none() {
        return Ok(None);
    }
    // Before anything is changed.
    ctx.peek::<List>(destination)?;
    let popped = ctx.edit::<List, _>(source, |list| (list.pop(from), list.is_empty()))?;
    let Some((Some(moved), is_empty)) = popped else { return Ok(None) };
    push_one(ctx, destination, to, &moved)?;
    pop::tell(ctx, source, from, is_empty);
    Ok(Some(moved))
}
