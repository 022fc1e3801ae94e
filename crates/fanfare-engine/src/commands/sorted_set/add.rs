//! ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...], ZINCRBY key increment member: give
//! members their scores.
//!
//! Sources: <https://redis.io/docs/latest/commands/zadd/>, <https://redis.io/docs/latest/commands/zincrby/>. All scores
//! are read before the first is set. A sum of scores is the same wherever it is computed in this order, so the request
//! is its own effect.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::{one_key, spec};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::sorted_set::Packing;
use crate::value::{SortedSet, Typed};
use crate::{Ctx, Reply, Request, Spec, WireError, double, wire_error};

pub(crate) static ZADD: Spec = spec(
    "zadd",
    Arity::AtLeast(4),
    (&[Flag::Write, Flag::DenyOom, Flag::Fast], one_key(&["RW", "update"])),
    Docs::new(
        "Add one or more members to a sorted set, or update its score if it already exists",
        "1.2.0",
        "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    )
    .history(&[
        ("2.4.0", "Accepts multiple elements."),
        ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
        ("6.2.0", "Added the `GT` and `LT` options."),
    ])
    .args(&[
        Arg::key("key"),
        Arg::new("condition", "oneof")
            .since("3.0.2")
            .flags(&["optional"])
            .args(&[Arg::word("nx", "NX"), Arg::word("xx", "XX")]),
        Arg::new("comparison", "oneof")
            .since("6.2.0")
            .flags(&["optional"])
            .args(&[Arg::word("gt", "GT"), Arg::word("lt", "LT")]),
        Arg::word("change", "CH").since("3.0.2").flags(&["optional"]),
        Arg::word("increment", "INCR").since("3.0.2").flags(&["optional"]),
        Arg::new("score_member", "block")
            .flags(&["multiple"])
            .args(&[Arg::new("score", "double"), Arg::new("member", "string")]),
    ]),
    |ctx, request| add(ctx, request, false),
);

pub(crate) static ZINCRBY: Spec = spec(
    "zincrby",
    Arity::Exactly(4),
    (&[Flag::Write, Flag::DenyOom, Flag::Fast], one_key(&["RW", "access", "update"])),
    Docs::new(
        "Increment the score of a member in a sorted set",
        "1.2.0",
        "O(log(N)) where N is the number of elements in the sorted set.",
    )
    .args(&[Arg::key("key"), Arg::new("increment", "integer"), Arg::new("member", "string")]),
    |ctx, request| add(ctx, request, true),
);

/// Where the options begin.
const OPTIONS_AT: usize = 2;

/// Which members may get a score.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Anybody,
    Newcomers,
    Members,
}

#[derive(Clone, Copy)]
struct Options {
    who: Who,
    /// How a score must compare to the one before.
    only_if: Option<Ordering>,
    counts_changes: bool,
    increments: bool,
}

/// A request to set scores.
struct Add<'a> {
    options: Options,
    scores: SmallVec<[f64; 4]>,
    request: Request<'a>,
    /// Where scores and members begin.
    pairs_at: usize,
    packing: Packing,
}

/// What became of it.
#[derive(Default)]
struct Tally {
    n_added: usize,
    n_updated: usize,
    /// Of the last member that was not passed over.
    score: Option<f64>,
    is_nan: bool,
}

fn add(ctx: &mut Ctx<'_>, request: Request<'_>, increments: bool) -> Result<Reply, WireError> {
    let add = Add::parse(request, increments, Packing::of(ctx.tuning()))?;
    let key = request.get(1).unwrap_or_default();
    let tally = match ctx.edit::<SortedSet, _>(key, |set| add.apply(set))? {
        Some(tally) => tally,
        None if add.options.who == Who::Members => Tally::default(),
        None => {
            let mut set = add.empty();
            let tally = add.apply(&mut set);
            ctx.put(key, set.into_value(), None);
            tally
        }
    };
    if tally.is_nan {
        return Err(wire_error::SCORE_IS_NAN);
    }
    let n_changed = tally.n_added + tally.n_updated;
    if n_changed != 0 {
        let event = if add.options.increments { "zincr" } else { "zadd" };
        ctx.changed(Classes::SORTED_SET, event, key);
    }
    Ok(match (add.options.increments, tally.score) {
        (true, Some(score)) => Reply::Double(score),
        (true, None) => Reply::Null,
        (false, _) if add.options.counts_changes => Reply::count(n_changed),
        (false, _) => Reply::count(tally.n_added),
    })
}

impl<'a> Add<'a> {
    fn parse(request: Request<'a>, increments: bool, packing: Packing) -> Result<Self, WireError> {
        let (options, pairs_at) = Options::parse(request, increments)?;
        let mut scores = SmallVec::new();
        for at in (pairs_at..request.len()).step_by(2) {
            let score = request.get(at).and_then(double::parse);
            scores.push(score.ok_or(wire_error::NOT_A_FLOAT)?);
        }
        Ok(Self { options, scores, request, pairs_at, packing })
    }

    /// A set for these members.
    fn empty(&self) -> SortedSet {
        let n = self.scores.len();
        if n == 1 || self.packing.entries_max < n {
            return SortedSet::default();
        }
        let names = (self.pairs_at + 1..).step_by(2).map_while(|at| self.request.get(at));
        SortedSet::with_room(names.zip(self.scores.iter().copied()))
    }

    fn apply(&self, set: &mut SortedSet) -> Tally {
        let mut tally = Tally::default();
        for (&score, at) in self.scores.iter().zip((self.pairs_at + 1..).step_by(2)) {
            let member = self.request.get(at).unwrap_or_default();
            set.update(member, self.packing, |before| tally.decide(self.options, before, score));
        }
        tally
    }
}

impl Tally {
    /// The score that a member gets, if it gets one.
    #[inline]
    fn decide(&mut self, options: Options, before: Option<f64>, score: f64) -> Option<f64> {
        let Some(before) = before else {
            if options.who == Who::Members {
                return None;
            }
            self.n_added += 1;
            self.score = Some(score);
            return Some(score);
        };
        if options.who == Who::Newcomers {
            return None;
        }
        let after = if options.increments { before + score } else { score };
        self.is_nan = after.is_nan();
        let order = after.partial_cmp(&before)?;
        if options.only_if.is_some_and(|it| it != order) {
            return None;
        }
        self.score = Some(after);
        self.n_updated += usize::from(order.is_ne());
        order.is_ne().then_some(after)
    }
}

impl Options {
    /// The options, and where they end.
    fn parse(request: Request<'_>, increments: bool) -> Result<(Self, usize), WireError> {
        let [mut nx, mut xx, mut gt, mut lt, mut ch] = [false; 5];
        let mut incr = increments;
        let mut pairs_at = OPTIONS_AT;
        while let Some(word) = request.get(pairs_at) {
            match word {
                // A score has no such letter at its start; most requests have no options.
                [b'0'..=b'9' | b'-' | b'+' | b'.', ..] => break,
                _ if word.eq_ignore_ascii_case(b"nx") => nx = true,
                _ if word.eq_ignore_ascii_case(b"xx") => xx = true,
                _ if word.eq_ignore_ascii_case(b"ch") => ch = true,
                _ if word.eq_ignore_ascii_case(b"incr") => incr = true,
                _ if word.eq_ignore_ascii_case(b"gt") => gt = true,
                _ if word.eq_ignore_ascii_case(b"lt") => lt = true,
                _ => break,
            }
            pairs_at += 1;
        }
        let n_words = request.len().saturating_sub(pairs_at);
        if n_words == 0 || !n_words.is_multiple_of(2) {
            return Err(wire_error::SYNTAX);
        }
        let who = match (nx, xx) {
            (true, true) => return Err(wire_error::ZADD_XX_AND_NX),
            (true, false) => Who::Newcomers,
            (false, true) => Who::Members,
            (false, false) => Who::Anybody,
        };
        let only_if = match (gt, lt) {
            (true, true) => return Err(wire_error::ZADD_GT_LT_NX),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        };
        if nx && only_if.is_some() {
            return Err(wire_error::ZADD_GT_LT_NX);
        }
        if incr && n_words != 2 {
            return Err(wire_error::ZADD_INCR_PAIRS);
        }
        Ok((Self { who, only_if, counts_changes: ch, increments: incr }, pairs_at))
    }
}
