//! PERSIST key: lets a key live for ever.
//!
//! Source: <https://redis.io/docs/latest/commands/persist/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static PERSIST: Spec = Spec {
    name: "persist",
    arity: Arity::Exactly(2),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "update"] },
    group: Group::Generic,
    categories: &[],
    tips: &[],
    docs: Docs::new("Remove the expiration from a key", "2.2.0", "O(1)").args(&[Arg::key("key")]),
    subcommands: &[],
    run: persist,
};

fn persist(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let expires = ctx.entry(key).is_some_and(|it| it.expires_at_ms().is_some());
    if expires {
        ctx.set_expiry(key, None);
        ctx.changed(Classes::GENERIC, "persist", key);
    }
    Ok(Reply::Int(i64::from(expires)))
}
