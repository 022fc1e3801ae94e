//! ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES], ZRANGESTORE, and the older commands
//! that each do a part of it: members in order.
//!
//! Sources: <https://redis.io/docs/latest/commands/zrange/>, <https://redis.io/docs/latest/commands/zrangestore/>.
//! Options come in any order and may be repeated; what contradicts is told after all of them are read, and before the
//! bounds are.

use std::ops::Range;

use super::select::{By, Selection};
use super::store::store;
use super::{LIMIT, Show, WITHSCORES, key_at, one_key, spec};
use crate::spec::{Arg, Arity, Docs, Flag, Keys};
use crate::value::SortedSet;
use crate::value::sorted_set::{Member, Packing};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static ZRANGE: Spec = spec(
    "zrange",
    Arity::AtLeast(4),
    (&[Flag::ReadOnly], one_key(&["RO", "access"])),
    Docs::new(
        "Return a range of members in a sorted set",
        "1.2.0",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
    )
    .history(&[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")])
    .args(&[
        Arg::key("key"),
        Arg::new("start", "string"),
        Arg::new("stop", "string"),
        Arg::new("sortby", "oneof")
            .since("6.2.0")
            .flags(&["optional"])
            .args(&[Arg::word("byscore", "BYSCORE"), Arg::word("bylex", "BYLEX")]),
        Arg::word("rev", "REV").since("6.2.0").flags(&["optional"]),
        Arg::new("offset_count", "block")
            .token("LIMIT")
            .since("6.2.0")
            .flags(&["optional"])
            .args(&[Arg::new("offset", "integer"), Arg::new("count", "integer")]),
        WITHSCORES,
    ]),
    |ctx, request| range(ctx, request, Form { by: None, is_reversed: None }),
);

pub(crate) static ZREVRANGE: Spec = spec(
    "zrevrange",
    Arity::AtLeast(4),
    (&[Flag::ReadOnly], one_key(&["RO", "access"])),
    Docs::new(
        "Return a range of members in a sorted set, by index, with scores ordered from high to low",
        "1.2.0",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
    )
    .deprecated("6.2.0", "`ZRANGE` with the `REV` argument")
    .doc_flags(&["deprecated"])
    .args(&[
        Arg::key("key"),
        Arg::new("start", "integer"),
        Arg::new("stop", "integer"),
        WITHSCORES,
    ]),
    |ctx, request| range(ctx, request, Form::old(By::Rank, true)),
);

pub(crate) static ZRANGEBYSCORE: Spec = spec(
    "zrangebyscore",
    Arity::AtLeast(4),
    (&[Flag::ReadOnly], one_key(&["RO", "access"])),
    Docs::new(
        "Return a range of members in a sorted set, by score",
        "1.0.5",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
    )
    .history(&[("2.0.0", "Added the `WITHSCORES` modifier.")])
    .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument")
    .doc_flags(&["deprecated"])
    .args(&[
        Arg::key("key"),
        Arg::new("min", "double"),
        Arg::new("max", "double"),
        Arg::word("withscores", "WITHSCORES").since("2.0.0").flags(&["optional"]),
        LIMIT,
    ]),
    |ctx, request| range(ctx, request, Form::old(By::Score, false)),
);

pub(crate) static ZREVRANGEBYSCORE: Spec = spec(
    "zrevrangebyscore",
    Arity::AtLeast(4),
    (&[Flag::ReadOnly], one_key(&["RO", "access"])),
    Docs::new(
        "Return a range of members in a sorted set, by score, with scores ordered from high to low",
        "2.2.0",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
    )
    .history(&[("2.1.6", "`min` and `max` can be exclusive.")])
    .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")
    .doc_flags(&["deprecated"])
    .args(&[
        Arg::key("key"),
        Arg::new("max", "double"),
        Arg::new("min", "double"),
        WITHSCORES,
        LIMIT,
    ]),
    |ctx, request| range(ctx, request, Form::old(By::Score, true)),
);

pub(crate) static ZRANGEBYLEX: Spec = spec(
    "zrangebylex",
    Arity::AtLeast(4),
    (&[Flag::ReadOnly], one_key(&["RO", "access"])),
    Docs::new(
        "Return a range of members in a sorted set, by lexicographical range",
        "2.8.9",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
    )
    .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument")
    .doc_flags(&["deprecated"])
    .args(&[
        Arg::key("key"),
        Arg::new("min", "string"),
        Arg::new("max", "string"),
        LIMIT,
    ]),
    |ctx, request| range(ctx, request, Form::old(By::Lex, false)),
);

pub(crate) static ZREVRANGEBYLEX: Spec = spec(
    "zrevrangebylex",
    Arity::AtLeast(4),
    (&[Flag::ReadOnly], one_key(&["RO", "access"])),
    Docs::new(
        "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower strings.",
        "2.8.9",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
    )
    .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")
    .doc_flags(&["deprecated"])
    .args(&[
        Arg::key("key"),
        Arg::new("max", "string"),
        Arg::new("min", "string"),
        LIMIT,
    ]),
    |ctx, request| range(ctx, request, Form::old(By::Lex, true)),
);

pub(crate) static ZRANGESTORE: Spec = spec(
    "zrangestore",
    Arity::AtLeast(5),
    (
        &[Flag::Write, Flag::DenyOom],
        Keys::Specs(&[key_at(1, &["OW", "update"]), key_at(2, &["RO", "access"])]),
    ),
    Docs::new(
        "Store a range of members from sorted set into another key",
        "6.2.0",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
    )
    .args(&[
        Arg::key("dst"),
        Arg::key("src").key_spec(1),
        Arg::new("min", "string"),
        Arg::new("max", "string"),
        Arg::new("sortby", "oneof")
            .flags(&["optional"])
            .args(&[Arg::word("byscore", "BYSCORE"), Arg::word("bylex", "BYLEX")]),
        Arg::word("rev", "REV").flags(&["optional"]),
        LIMIT,
    ]),
    zrangestore,
);

/// What the name of a command says already.
#[derive(Clone, Copy)]
struct Form {
    by: Option<By>,
    is_reversed: Option<bool>,
}

impl Form {
    const fn old(by: By, is_reversed: bool) -> Self {
        Self { by: Some(by), is_reversed: Some(is_reversed) }
    }
}

fn range(ctx: &mut Ctx<'_>, request: Request<'_>, form: Form) -> Result<Reply, WireError> {
    let query = Query::parse(request, 1, (form, true))?;
    let show = Show::new(query.with_scores, ctx.client.version);
    let Some(set) = ctx.read::<SortedSet>(query.key)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let ranks = query.ranks(set);
    let n_members = ranks.len();
    let members = set.members(ranks);
    Ok(if query.is_reversed {
        show.reply(n_members, members.rev())
    } else {
        show.reply(n_members, members)
    })
}

fn zrangestore(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let query = Query::parse(request, 2, (Form { by: None, is_reversed: None }, false))?;
    let packing = Packing::of(ctx.tuning());
    let set = ctx.read::<SortedSet>(query.key)?;
    let mut members: Vec<Member> =
        set.map(|set| set.members(query.ranks(set)).collect()).unwrap_or_default();
    let is_known = matches!(query.selection, Selection::Ranks(..));
    if !is_known || members.len() <= packing.entries_max {
        if query.is_reversed {
            pass_through_listpack(members.iter_mut().rev(), packing);
        } else {
            pass_through_listpack(members.iter_mut(), packing);
        }
    }
    Ok(store(ctx, request.get(1).unwrap_or_default(), members, "zrangestore"))
}

/// As redis-server, which puts one after the other into a listpack until that is too large, unless it knows before how
/// many come: a listpack has no score of -0, and it becomes 0.
fn pass_through_listpack<'m>(members: impl Iterator<Item = &'m mut Member>, packing: Packing) {
    let fits = |it: &&mut Member| it.name.len() <= packing.value_max;
    for member in members.take(packing.entries_max).take_while(fits) {
        if member.score == 0.0 {
            member.score = 0.0;
        }
    }
}

/// The members that are asked for.
struct Query<'a> {
    key: &'a [u8],
    selection: Selection<'a>,
    is_reversed: bool,
    with_scores: bool,
    /// How many of them to pass over.
    offset: i64,
    /// How many of them there may be; negative: all.
    count: i64,
}

impl<'a> Query<'a> {
    /// Reads a request whose key is the argument `key_at`, and which may ask for scores or not.
    fn parse(
        request: Request<'a>,
        key_at: usize,
        (form, may_show_scores): (Form, bool),
    ) -> Result<Self, WireError> {
        let Form { mut by, mut is_reversed } = form;
        let (mut with_scores, mut offset, mut count) = (false, 0, -1);
        let integer = |raw| number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER);
        let mut at = key_at + 3;
        while let Some(word) = request.get(at) {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            if may_show_scores && is(b"withscores") {
                with_scores = true;
            } else if let (true, Some(first), Some(second)) =
                (is(b"limit"), request.get(at + 1), request.get(at + 2))
            {
                (offset, count) = (integer(first)?, integer(second)?);
                at += 2;
            } else if form.is_reversed.is_none() && is_reversed.is_none() && is(b"rev") {
                is_reversed = Some(true);
            } else if by.is_none() && is(b"bylex") {
                by = Some(By::Lex);
            } else if by.is_none() && is(b"byscore") {
                by = Some(By::Score);
            } else {
                return Err(wire_error::SYNTAX);
            }
            at += 1;
        }
        let by = by.unwrap_or(By::Rank);
        if count != -1 && by == By::Rank {
            return Err(wire_error::LIMIT_BY_RANK);
        }
        if with_scores && by == By::Lex {
            return Err(wire_error::WITHSCORES_BY_LEX);
        }
        let is_reversed = is_reversed.unwrap_or(false);
        let [key, first, last] = [0, 1, 2].map(|it| request.get(key_at + it).unwrap_or_default());
        // From the end, the larger bound comes first. Ranks are counted from there.
        let (min, max) = if is_reversed && by != By::Rank { (last, first) } else { (first, last) };
        let selection = Selection::parse(by, min, max)?;
        Ok(Self { key, selection, is_reversed, with_scores, offset, count })
    }

    /// The ranks of these members.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let ranks = self.selection.ranks(set);
        let (mut start, mut end) = (ranks.start, ranks.end);
        if let Selection::Ranks(..) = self.selection {
            let len = set.len();
            return if self.is_reversed { len - end..len - start } else { ranks };
        }
        // A negative offset is passed over for ever.
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let offset = offset.min(end - start);
        let n_left = end - start - offset;
        let count = usize::try_from(self.count).map_or(n_left, |it| it.min(n_left));
        if self.is_reversed {
            end -= offset;
            start = end - count;
        } else {
            start += offset;
            end = start + count;
        }
        start..end
    }
}
