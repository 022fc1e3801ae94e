//! SRANDMEMBER key [count]: random members of a set; with a negative count the same one may come several times.
//!
//! Source: <https://redis.io/docs/latest/commands/srandmember/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Set;
use crate::value::set::Member;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static SRANDMEMBER: Spec = Spec {
    name: "srandmember",
    arity: Arity::AtLeast(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Set,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new(
        "Get one or multiple random members from a set",
        "1.0.0",
        "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
    )
    .history(&[("2.6.0", "Added the optional `count` argument.")])
    .args(&[Arg::key("key"), Arg::new("count", "integer").since("2.6.0").flags(&["optional"])]),
    subcommands: &[],
    run: srandmember,
};

fn srandmember(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let Some(raw) = request.get(2) else {
        let random = ctx.host.random();
        let member = ctx.read::<Set>(key)?.and_then(|set| set.sample(random));
        return Ok(member.map_or(Reply::Null, Member::to_reply));
    };
    if 3 < request.len() {
        return Err(wire_error::SYNTAX);
    }
    let n = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
    if n == i64::MIN {
        return Err(wire_error::COUNT_OUT_OF_RANGE);
    }
    let n_members = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    let Some(set) = ctx.read::<Set>(key)?.cloned() else { return Ok(Reply::Array(Vec::new())) };
    if 0 <= n {
        let names = set.sample_many(n_members, &mut || ctx.host.random());
        return Ok(Reply::Array(names.iter().map(|it| Reply::Bulk(it.to_blob())).collect()));
    }
    if REPEATS_MAX < n_members {
        return Err(wire_error::OUT_OF_RANGE);
    }
    let members = (0..n_members).filter_map(|_| set.sample(ctx.host.random()));
    Ok(Reply::Array(members.map(Member::to_reply).collect()))
}

/// How often members may come: the whole answer is held in memory, and the count alone decides how much that is.
const REPEATS_MAX: usize = 1 << 24;
