//! ZRANDMEMBER key [count [WITHSCORES]]: members by chance; a negative count allows the same one several times.
//!
//! Source: <https://redis.io/docs/latest/commands/zrandmember/>.

use hashbrown::HashSet;

use super::{Show, one_key, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::SortedSet;
use crate::value::sorted_set::Member;
use crate::{Ctx, Host, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static ZRANDMEMBER: Spec = Spec { tips: &["nondeterministic_output"], ..RANDOM };

const RANDOM: Spec = spec(
    "zrandmember",
    Arity::AtLeast(2),
    (&[Flag::ReadOnly], one_key(&["RO", "access"])),
    Docs::new(
        "Get one or multiple random elements from a sorted set",
        "6.2.0",
        "O(N) where N is the number of elements returned",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("options", "block")
            .flags(&["optional"])
            .args(&[Arg::new("count", "integer"), super::WITHSCORES]),
    ]),
    zrandmember,
);

/// Answers with more members would take gigabytes. Redis tries.
const REPEATED_MAX: u64 = 1 << 24;

fn zrandmember(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let Some(raw) = request.get(2) else {
        let Some(set) = ctx.read::<SortedSet>(key)?.cloned() else { return Ok(Reply::Null) };
        let member = member(&set, below(ctx.host, set.len()));
        return Ok(member.map_or(Reply::Null, |it| Reply::bulk(it.name.to_blob())));
    };
    let count = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
    if count == i64::MIN {
        return Err(wire_error::NOT_A_SIGNED_COUNT);
    }
    let with_scores = match (request.len(), request.get(3)) {
        (_, None) => false,
        (4, Some(word)) if word.eq_ignore_ascii_case(b"withscores") => true,
        (_, Some(_)) => return Err(wire_error::SYNTAX),
    };
    if with_scores && i64::MAX.unsigned_abs() / 2 < count.unsigned_abs() {
        return Err(wire_error::OUT_OF_RANGE);
    }
    let show = Show::new(with_scores, ctx.client.version);
    let Some(set) = ctx.read::<SortedSet>(key)?.cloned() else {
        return Ok(Reply::Array(Vec::new()));
    };
    match usize::try_from(count) {
        Err(_) if REPEATED_MAX < count.unsigned_abs() => Err(wire_error::OUT_OF_RANGE),
        Err(_) => {
            let n_members = usize::try_from(count.unsigned_abs()).unwrap_or_default();
            let ranks = (0..n_members).map(|_| below(ctx.host, set.len()));
            Ok(show.reply(n_members, ranks.filter_map(|rank| member(&set, rank))))
        }
        // All of them, in the order in which Redis looks at them.
        Ok(n_members) if set.len() <= n_members => Ok(show.reply(set.len(), set.iter().rev())),
        Ok(n_members) => {
            let ranks = distinct(ctx.host, n_members, set.len());
            let members = ranks.into_iter().filter_map(|rank| member(&set, rank));
            Ok(show.reply(n_members, members))
        }
    }
}

fn member(set: &SortedSet, rank: usize) -> Option<Member> {
    set.members(rank..rank.saturating_add(1)).next()
}

/// A number below `end`, each with the same chance.
fn below(host: &mut dyn Host, end: usize) -> usize {
    let scaled = u128::from(host.random()) * end as u128;
    usize::try_from(scaled >> u64::BITS).unwrap_or_default()
}

/// `n` different numbers below `end`, each set of them with the same chance: Floyd's algorithm.
fn distinct(host: &mut dyn Host, n: usize, end: usize) -> Vec<usize> {
    let mut seen = HashSet::with_capacity_and_hasher(n, foldhash::fast::FixedState::default());
    let mut numbers = Vec::with_capacity(n);
    for last in end - n..end {
        let number = below(host, last + 1);
        let number = if seen.insert(number) { number } else { last };
        seen.insert(number);
        numbers.push(number);
    }
    numbers
}
