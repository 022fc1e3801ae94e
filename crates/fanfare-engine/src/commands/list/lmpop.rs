//! LMPOP numkeys key [key ...] LEFT | RIGHT [COUNT count], BLMPOP timeout …: pop from the first list that is there.
//!
//! Sources: <https://redis.io/docs/latest/commands/lmpop/>, <https://redis.io/docs/latest/commands/blmpop/>.

use super::lmove::parse_side;
use super::pop::pop_many;
use crate::block::{Awaited, Wait, parse_deadline};
use crate::number;
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys};
use crate::value::List;
use crate::value::list::Side;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static LMPOP: Spec = Spec {
    name: "lmpop",
    arity: Arity::AtLeast(4),
    flags: &[Flag::Write],
    keys: Keys::Specs(&[KeySpec {
        begin: Begin::Index(1),
        find: Find::KeyNum { number: 0, first: 1, step: 1 },
        flags: &["RW", "access", "delete"],
        notes: None,
    }]),
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Pop elements from a list",
        "7.0.0",
        "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    )
    .args(&[
        Arg::new("numkeys", "integer"),
        Arg::key("key").flags(&["multiple"]),
        Arg::new("where", "oneof").args(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")]),
        Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: lmpop,
};

pub(crate) static BLMPOP: Spec = Spec {
    name: "blmpop",
    arity: Arity::AtLeast(5),
    flags: &[Flag::Write, Flag::Blocking],
    keys: Keys::Specs(&[KeySpec {
        begin: Begin::Index(2),
        find: Find::KeyNum { number: 0, first: 1, step: 1 },
        flags: &["RW", "access", "delete"],
        notes: None,
    }]),
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Pop elements from a list, or block until one is available",
        "7.0.0",
        "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    )
    .args(&[
        Arg::new("timeout", "double"),
        Arg::new("numkeys", "integer"),
        Arg::key("key").flags(&["multiple"]),
        Arg::new("where", "oneof").args(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")]),
        Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: blmpop,
};

/// What behind the command's name, and a timeout, is asked for.
struct Asked<'a> {
    keys: Vec<&'a [u8]>,
    side: Side,
    n_max: usize,
}

impl<'a> Asked<'a> {
    /// From the number of keys on, which is argument `at`.
    fn parse(request: Request<'a>, at: usize) -> Result<Self, WireError> {
        let positive = |raw: &[u8]| {
            let number = number::parse_int(raw).and_then(|it| usize::try_from(it).ok());
            number.filter(|it| *it != 0)
        };
        let n_keys = positive(request.get(at).unwrap_or_default());
        let n_keys = n_keys.ok_or(wire_error::NUMKEYS_NOT_POSITIVE)?;
        let mut args = request.iter().skip(at.saturating_add(1));
        let keys: Vec<_> = args.by_ref().take(n_keys).collect();
        let side = parse_side(args.next().ok_or(wire_error::SYNTAX)?)?;
        let mut count = None;
        while let Some(word) = args.next() {
            if !word.eq_ignore_ascii_case(b"count") || count.is_some() {
                return Err(wire_error::SYNTAX);
            }
            let raw = args.next().ok_or(wire_error::SYNTAX)?;
            count = Some(positive(raw).ok_or(wire_error::COUNT_NOT_POSITIVE)?);
        }
        Ok(Self { keys, side, n_max: count.unwrap_or(1) })
    }
}

fn lmpop(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let Asked { keys, side, n_max } = Asked::parse(request, 1)?;
    for key in keys {
        if ctx.peek::<List>(key)?.is_some() {
            return pop_from(ctx, key, side, n_max);
        }
    }
    Ok(Reply::NullArray)
}

fn blmpop(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let Asked { keys, side, n_max } = Asked::parse(request, 2)?;
    let deadline_unix_ms = parse_deadline(request.get(1).unwrap_or_default(), ctx.now)?;
    for key in &keys {
        if ctx.peek_or_wait::<List>(key)?.is_some() {
            return pop_from(ctx, key, side, n_max);
        }
    }
    let wait = Wait::new(Awaited::List, keys, deadline_unix_ms, Reply::NullArray);
    Ok(ctx.block(request, wait))
}

fn pop_from(ctx: &mut Ctx<'_>, key: &[u8], side: Side, n_max: usize) -> Result<Reply, WireError> {
    let popped = pop_many(ctx, key, side, n_max)?.unwrap_or_default();
    let name = if side == Side::Left { &b"LPOP"[..] } else { b"RPOP" };
    ctx.record([name, key, itoa::Buffer::new().format(popped.len()).as_bytes()]);
    Ok(Reply::Array(vec![Reply::bulk(key), Reply::bulks(popped)]))
}
