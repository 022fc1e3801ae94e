//! HGETDEL key FIELDS n field [field …]: the values of fields, which are removed.
//!
//! Source: <https://redis.io/docs/latest/commands/hgetdel/>.

use super::fields;
use super::hget::value_of;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static HGETDEL: Spec = Spec {
    name: "hgetdel",
    arity: Arity::AtLeast(5),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "delete"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Returns the value of a field and deletes it from the hash.",
        "8.0.0",
        "O(N) where N is the number of specified fields",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("fields", "block").token("FIELDS").args(&[
            Arg::new("numfields", "integer"),
            Arg::new("field", "string").flags(&["multiple"]),
        ]),
    ]),
    subcommands: &[],
    run: hgetdel,
};

fn hgetdel(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    fields::check_type(ctx, key)?;
    let first = fields::parse(request, 2, wire_error::N_FIELDS_NOT_POSITIVE)?;
    let names = || request.iter().skip(first);
    let mut removed = Vec::new();
    let replies = ctx.edit::<Hash, _>(key, |hash| -> Vec<Reply> {
        let take = |name| {
            let value = value_of(Some(hash), name);
            if hash.remove(name) {
                removed.push(name);
            }
            value
        };
        names().map(take).collect()
    })?;
    if !removed.is_empty() {
        ctx.changed(Classes::HASH, "hdel", key);
        fields::record_removed(ctx, key, &removed);
        ctx.delete_if_empty::<Hash>(key);
    }
    Ok(Reply::Array(replies.unwrap_or_else(|| vec![Reply::Null; names().len()])))
}
