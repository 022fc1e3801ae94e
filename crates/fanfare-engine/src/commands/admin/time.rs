//! TIME: the server's clock, in seconds and the microseconds of the present second.
//!
//! Source: <https://redis.io/docs/latest/commands/time/>.

use crate::spec::{Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static TIME: Spec = Spec {
    name: "time",
    arity: Arity::Exactly(1),
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new("Return the current server time", "2.6.0", "O(1)"),
    subcommands: &[],
    run: time,
};

fn time(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    let us = ctx.now.unix_us;
    Ok(Reply::bulks([(us / 1_000_000).to_string(), (us % 1_000_000).to_string()]))
}
