//! ZUNION, ZINTER, ZDIFF numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES], with STORE
//! behind their names and a destination, and ZINTERCARD: several sorted sets as one. Sets count as sorted sets in which
//! every score is 1.
//!
//! Sources: <https://redis.io/docs/latest/commands/zunion/>, <https://redis.io/docs/latest/commands/zinter/>,
//! <https://redis.io/docs/latest/commands/zdiff/>. The type of the keys is looked at before the options are.

mod aggregate;
mod options;
mod source;

use aggregate::{difference, intersection, union};
use options::Options;
use source::Source;

use super::store::store;
use super::{Show, WITHSCORES, counted_keys, key_at, spec};
use crate::spec::{Arg, Arity, Docs, Flag, Keys};
use crate::value::sorted_set::{self, Member};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static ZUNION: Spec = spec(
    "zunion",
    Arity::AtLeast(3),
    READS,
    Docs::new(
        "Add multiple sorted sets",
        "6.2.0",
        "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
    )
    .args(&[N_KEYS, SOURCES, WEIGHTS, AGGREGATE, WITHSCORES]),
    |ctx, request| show(ctx, request, Operation::Union),
);

pub(crate) static ZINTER: Spec = spec(
    "zinter",
    Arity::AtLeast(3),
    READS,
    Docs::new(
        "Intersect multiple sorted sets",
        "6.2.0",
        "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
    )
    .args(&[N_KEYS, SOURCES, WEIGHTS, AGGREGATE, WITHSCORES]),
    |ctx, request| show(ctx, request, Operation::Intersection),
);

pub(crate) static ZDIFF: Spec = spec(
    "zdiff",
    Arity::AtLeast(3),
    READS,
    Docs::new(
        "Subtract multiple sorted sets",
        "6.2.0",
        "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
    )
    .args(&[
        N_KEYS,
        SOURCES,
        WITHSCORES,
    ]),
    |ctx, request| show(ctx, request, Operation::Difference),
);

pub(crate) static ZUNIONSTORE: Spec = spec(
    "zunionstore",
    Arity::AtLeast(4),
    STORES,
    Docs::new(
        "Add multiple sorted sets and store the resulting sorted set in a new key",
        "2.0.0",
        "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
    )
    .args(&[DESTINATION, N_KEYS, STORED, WEIGHTS, AGGREGATE]),
    |ctx, request| keep(ctx, request, Operation::Union),
);

pub(crate) static ZINTERSTORE: Spec = spec(
    "zinterstore",
    Arity::AtLeast(4),
    STORES,
    Docs::new(
        "Intersect multiple sorted sets and store the resulting sorted set in a new key",
        "2.0.0",
        "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
    )
    .args(&[DESTINATION, N_KEYS, STORED, WEIGHTS, AGGREGATE]),
    |ctx, request| keep(ctx, request, Operation::Intersection),
);

pub(crate) static ZDIFFSTORE: Spec = spec(
    "zdiffstore",
    Arity::AtLeast(4),
    STORES,
    Docs::new(
        "Subtract multiple sorted sets and store the resulting sorted set in a new key",
        "6.2.0",
        "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
    )
    .args(&[
        DESTINATION,
        N_KEYS,
        STORED,
    ]),
    |ctx, request| keep(ctx, request, Operation::Difference),
);

pub(crate) static ZINTERCARD: Spec = spec(
    "zintercard",
    Arity::AtLeast(3),
    READS,
    Docs::new(
        "Intersect multiple sorted sets and return the cardinality of the result",
        "7.0.0",
        "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
    )
    .args(&[
        N_KEYS,
        SOURCES,
        Arg::new("limit", "integer").token("LIMIT").flags(&["optional"]),
    ]),
    zintercard,
);

const READS: (&[Flag], Keys) =
    (&[Flag::ReadOnly], Keys::Specs(&[counted_keys(1, &["RO", "access"])]));
const STORES: (&[Flag], Keys) = (
    &[Flag::Write, Flag::DenyOom],
    Keys::Specs(&[key_at(1, &["OW", "update"]), counted_keys(2, &["RO", "access"])]),
);

const DESTINATION: Arg = Arg::key("destination");
const N_KEYS: Arg = Arg::new("numkeys", "integer");
const SOURCES: Arg = Arg::key("key").flags(&["multiple"]);
/// The sources of what is stored.
const STORED: Arg = Arg::key("key").key_spec(1).flags(&["multiple"]);
const WEIGHTS: Arg =
    Arg::new("weight", "integer").token("WEIGHTS").flags(&["optional", "multiple"]);
const AGGREGATE: Arg = Arg::new("aggregate", "oneof")
    .token("AGGREGATE")
    .flags(&["optional"])
    .args(&[Arg::word("sum", "SUM"), Arg::word("min", "MIN"), Arg::word("max", "MAX")]);

/// What is done with the sorted sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// Which options a command has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Show,
    Store,
    Count,
}

fn show(ctx: &mut Ctx<'_>, request: Request<'_>, operation: Operation) -> Result<Reply, WireError> {
    let (sources, options) = inputs(ctx, (request, 1), (operation, Purpose::Show))?;
    let mut members = combine(sources, operation, &options);
    sorted_set::sort(&mut members);
    let show = Show::new(options.with_scores, ctx.client.version);
    Ok(show.reply(members.len(), members.into_iter()))
}

fn keep(ctx: &mut Ctx<'_>, request: Request<'_>, operation: Operation) -> Result<Reply, WireError> {
    let (sources, options) = inputs(ctx, (request, 2), (operation, Purpose::Store))?;
    let members = combine(sources, operation, &options);
    let event = match operation {
        Operation::Union => "zunionstore",
        Operation::Intersection => "zinterstore",
        Operation::Difference => "zdiffstore",
    };
    Ok(store(ctx, request.get(1).unwrap_or_default(), members, event))
}

fn zintercard(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let what = (Operation::Intersection, Purpose::Count);
    let (sources, options) = inputs(ctx, (request, 1), what)?;
    let sources = by_size(weighted(sources, &options));
    let members = intersection(&sources, options.aggregate);
    Ok(Reply::count(members.take(options.limit.unwrap_or(usize::MAX)).count()))
}

/// Reads a request whose number of keys is the argument `at`, and the keys.
fn inputs(
    ctx: &mut Ctx<'_>,
    (request, at): (Request<'_>, usize),
    (operation, purpose): (Operation, Purpose),
) -> Result<(Vec<Source>, Options), WireError> {
    let raw = request.get(at).unwrap_or_default();
    let n_keys = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
    let n_keys = usize::try_from(n_keys).ok().filter(|it| *it != 0);
    let n_keys = n_keys.ok_or_else(|| WireError::no_input_key(ctx.spec().name))?;
    if request.len().saturating_sub(at + 1) < n_keys {
        return Err(wire_error::SYNTAX);
    }
    let keys = request.iter().skip(at + 1).take(n_keys);
    let sources = keys.map(|key| match ctx.lookup(key) {
        None => Ok(Source::Nothing),
        Some(entry) => Source::of(entry.value()).ok_or(wire_error::WRONG_TYPE),
    });
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    let words = request.iter().skip(at + 1 + n_keys).collect();
    Ok((sources, Options::parse(words, n_keys, (operation, purpose))?))
}

/// The members of the result, in no order.
fn combine(sources: Vec<Source>, operation: Operation, options: &Options) -> Vec<Member> {
    let sources = weighted(sources, options);
    match operation {
        Operation::Union => union(&by_size(sources), options.aggregate),
        Operation::Intersection => intersection(&by_size(sources), options.aggregate).collect(),
        Operation::Difference => difference(&sources),
    }
}

/// Each with its weight.
fn weighted(sources: Vec<Source>, options: &Options) -> Vec<(Source, f64)> {
    let weights = options.weights.iter().copied().chain(std::iter::repeat(1.0));
    sources.into_iter().zip(weights).collect()
}

/// The smallest first: what is in all of them is looked for among its members. Scores are added in this order.
fn by_size(mut sources: Vec<(Source, f64)>) -> Vec<(Source, f64)> {
    sources.sort_by_key(|(source, _)| source.len());
    sources
}
