//! ZPOPMIN and ZPOPMAX key [count], ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]: take members off one end.
//!
//! Sources: <https://redis.io/docs/latest/commands/zpopmin/>, <https://redis.io/docs/latest/commands/zmpop/>.

use super::{COUNT, Show, WHERE, counted_keys, one_key, spec};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Keys};
use crate::value::SortedSet;
use crate::value::sorted_set::Member;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static ZPOPMIN: Spec = spec(
    "zpopmin",
    Arity::AtLeast(2),
    (&[Flag::Write, Flag::Fast], one_key(&["RW", "access", "delete"])),
    Docs::new(
        "Remove and return members with the lowest scores in a sorted set",
        "5.0.0",
        "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
    )
    .args(&[Arg::key("key"), Arg::new("count", "integer").flags(&["optional"])]),
    |ctx, request| zpop(ctx, request, End::Min),
);

pub(crate) static ZPOPMAX: Spec = spec(
    "zpopmax",
    Arity::AtLeast(2),
    (&[Flag::Write, Flag::Fast], one_key(&["RW", "access", "delete"])),
    Docs::new(
        "Remove and return members with the highest scores in a sorted set",
        "5.0.0",
        "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
    )
    .args(&[Arg::key("key"), Arg::new("count", "integer").flags(&["optional"])]),
    |ctx, request| zpop(ctx, request, End::Max),
);

pub(crate) static ZMPOP: Spec = spec(
    "zmpop",
    Arity::AtLeast(4),
    (&[Flag::Write], Keys::Specs(&[counted_keys(1, &["RW", "access", "delete"])])),
    Docs::new(
        "Remove and return members with scores in a sorted set",
        "7.0.0",
        "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
    )
    .args(&[
        Arg::new("numkeys", "integer"),
        Arg::key("key").flags(&["multiple"]),
        WHERE,
        COUNT,
    ]),
    zmpop,
);

/// Where members are taken from.
#[derive(Clone, Copy)]
pub(super) enum End {
    Min,
    Max,
}

impl End {
    /// The command that takes members from there.
    pub(super) fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }

    fn event(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }
}

fn zpop(ctx: &mut Ctx<'_>, request: Request<'_>, end: End) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    if 3 < request.len() {
        return Err(wire_error::SYNTAX);
    }
    let count = match request.get(2) {
        None => None,
        Some(raw) => {
            let count = number::parse_int(raw).and_then(|it| usize::try_from(it).ok());
            Some(count.ok_or(wire_error::NOT_POSITIVE)?)
        }
    };
    let show = match count {
        None => Show::Flat,
        Some(_) => Show::new(true, ctx.client.version),
    };
    if ctx.peek::<SortedSet>(key)?.is_none() || count == Some(0) {
        return Ok(Reply::Array(Vec::new()));
    }
    let members = pop(ctx, key, (end, count.unwrap_or(1)))?;
    Ok(show.reply(members.len(), members.into_iter()))
}

fn zmpop(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let MultiPop { keys, end, count } = MultiPop::parse(request, 1)?;
    for key in keys {
        if ctx.peek::<SortedSet>(key)?.is_some() {
            let (reply, n_members) = pop_nested(ctx, key, (end, count))?;
            ctx.record([end.command(), key, itoa::Buffer::new().format(n_members).as_bytes()]);
            return Ok(reply);
        }
    }
    Ok(Reply::NullArray)
}

/// What ZMPOP and BZMPOP are told.
pub(super) struct MultiPop<'a> {
    pub(super) keys: Vec<&'a [u8]>,
    pub(super) end: End,
    pub(super) count: usize,
}

impl<'a> MultiPop<'a> {
    /// Reads a request whose number of keys is the argument `at`.
    pub(super) fn parse(request: Request<'a>, at: usize) -> Result<Self, WireError> {
        let positive = |raw: Option<&[u8]>| {
            let number = number::parse_int(raw?)?;
            usize::try_from(number).ok().filter(|it| *it != 0)
        };
        let n_keys = positive(request.get(at)).ok_or(wire_error::NUMKEYS_NOT_POSITIVE)?;
        let end_at = n_keys.saturating_add(at + 1);
        let end = match request.get(end_at) {
            Some(word) if word.eq_ignore_ascii_case(b"min") => End::Min,
            Some(word) if word.eq_ignore_ascii_case(b"max") => End::Max,
            Some(_) | None => return Err(wire_error::SYNTAX),
        };
        let count = match (request.get(end_at + 1), request.get(end_at + 2)) {
            (None, _) => 1,
            (Some(word), Some(raw)) if word.eq_ignore_ascii_case(b"count") => {
                positive(Some(raw)).ok_or(wire_error::COUNT_NOT_POSITIVE)?
            }
            (Some(_), _) => return Err(wire_error::SYNTAX),
        };
        if end_at + 3 < request.len() {
            return Err(wire_error::SYNTAX);
        }
        Ok(Self { keys: request.iter().skip(at + 1).take(n_keys).collect(), end, count })
    }
}

/// Takes members off `key`, at least one of which is there, and answers with the key and them; tells how many.
pub(super) fn pop_nested(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    from: (End, usize),
) -> Result<(Reply, usize), WireError> {
    let members = pop(ctx, key, from)?;
    let n_members = members.len();
    let members = Show::Pairs.reply(n_members, members.into_iter());
    Ok((Reply::Array(vec![Reply::bulk(key), members]), n_members))
}

/// Takes at most `count` members off `key`, at least one of which is there, and says so.
pub(super) fn pop(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    (end, count): (End, usize),
) -> Result<Vec<Member>, WireError> {
    let popped = ctx.edit::<SortedSet, _>(key, |set| {
        let len = set.len();
        let count = count.min(len);
        let (ranks, members) = match end {
            End::Min => (0..count, set.members(0..count).collect::<Vec<_>>()),
            End::Max => (len - count..len, set.members(len - count..len).rev().collect()),
        };
        set.remove_range(ranks);
        members
    });
    let members = popped?.unwrap_or_default();
    ctx.changed(Classes::SORTED_SET, end.event(), key);
    ctx.delete_if_empty::<SortedSet>(key);
    Ok(members)
}
