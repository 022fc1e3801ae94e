//! SISMEMBER key member, SMISMEMBER key member [member ...]: whether a set has them.
//!
//! Sources: <https://redis.io/docs/latest/commands/sismember/>, <https://redis.io/docs/latest/commands/smismember/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Set;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SISMEMBER: Spec = Spec {
    name: "sismember",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO"] },
    group: Group::Set,
    categories: &[],
    tips: &[],
    docs: Docs::new("Determine if a given value is a member of a set", "1.0.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("member", "string")]),
    subcommands: &[],
    run: sismember,
};

pub(crate) static SMISMEMBER: Spec = Spec {
    name: "smismember",
    arity: Arity::AtLeast(3),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Set,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Returns the membership associated with the given elements for a set",
        "6.2.0",
        "O(N) where N is the number of elements being checked for membership",
    )
    .args(&[Arg::key("key"), Arg::new("member", "string").flags(&["multiple"])]),
    subcommands: &[],
    run: smismember,
};

fn sismember(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(member)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let is_member = ctx.read::<Set>(key)?.is_some_and(|set| set.contains(member));
    Ok(Reply::Int(i64::from(is_member)))
}

fn smismember(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let set = ctx.read::<Set>(key)?;
    let are_members = request.iter().skip(2).map(|member| {
        let is_member = set.is_some_and(|it| it.contains(member));
        Reply::Int(i64::from(is_member))
    });
    Ok(Reply::Array(are_members.collect()))
}
