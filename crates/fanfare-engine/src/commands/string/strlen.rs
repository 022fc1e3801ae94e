//! STRLEN key: the length of a string.
//!
//! Source: <https://redis.io/docs/latest/commands/strlen/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Text;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static STRLEN: Spec = Spec {
    name: "strlen",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the length of the value stored in a key", "2.2.0", "O(1)")
        .args(&[Arg::key("key")]),
    subcommands: &[],
    run: strlen,
};

fn strlen(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    Ok(Reply::count(ctx.read::<Text>(key)?.map_or(0, Text::len)))
}
