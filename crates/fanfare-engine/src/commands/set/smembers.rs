//! SMEMBERS key: all members of a set.
//!
//! Source: <https://redis.io/docs/latest/commands/smembers/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Set;
use crate::value::set::Member;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SMEMBERS: Spec = Spec {
    name: "smembers",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Set,
    categories: &[],
    tips: &["nondeterministic_output_order"],
    docs: Docs::new(
        "Get all the members in a set",
        "1.0.0",
        "O(N) where N is the set cardinality.",
    )
    .args(&[Arg::key("key")]),
    subcommands: &[],
    run: smembers,
};

fn smembers(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let Some(set) = ctx.read::<Set>(key)? else { return Ok(Reply::Set(Vec::new())) };
    let mut members = Vec::with_capacity(set.len());
    members.extend(set.iter().map(Member::to_reply));
    Ok(Reply::Set(members))
}
