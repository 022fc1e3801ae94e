//! SREM key member [member ...]: removes members from a set.
//!
//! Source: <https://redis.io/docs/latest/commands/srem/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Set;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SREM: Spec = Spec {
    name: "srem",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "delete"] },
    group: Group::Set,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Remove one or more members from a set",
        "1.0.0",
        "O(N) where N is the number of members to be removed.",
    )
    .history(&[("2.4.0", "Accepts multiple `member` arguments.")])
    .args(&[Arg::key("key"), Arg::new("member", "string").flags(&["multiple"])]),
    subcommands: &[],
    run: srem,
};

fn srem(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let removed = ctx.edit::<Set, _>(key, |set| {
        let members = request.iter().skip(2);
        members.map(|it| usize::from(set.remove(it))).sum::<usize>()
    });
    let n_removed = removed?.unwrap_or_default();
    if n_removed != 0 {
        ctx.changed(Classes::SET, "srem", key);
        ctx.delete_if_empty::<Set>(key);
    }
    Ok(Reply::count(n_removed))
}
