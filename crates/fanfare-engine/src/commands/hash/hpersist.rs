//! HPERSIST key FIELDS n field [field …]: keeps fields from expiring.
//!
//! Source: <https://redis.io/docs/latest/commands/hpersist/>. -2: there is no such field, -1: it never expires anyway.

use super::fields;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static HPERSIST: Spec = Spec {
    name: "hpersist",
    arity: Arity::AtLeast(5),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "update"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Removes the expiration time for each specified field",
        "7.4.0",
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
    run: hpersist,
};

const NO_SUCH_FIELD: i64 = -2;
const NEVER: i64 = -1;
const CHANGED: i64 = 1;

fn hpersist(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    fields::check_type(ctx, key)?;
    let first = fields::parse(request, 2, wire_error::N_FIELDS_NOT_POSITIVE)?;
    let names = || request.iter().skip(first);
    let persist = |hash: &mut Hash| -> Vec<i64> { names().map(|it| persist(hash, it)).collect() };
    let results = match ctx.edit::<Hash, _>(key, persist)? {
        Some(results) => results,
        None => vec![NO_SUCH_FIELD; names().len()],
    };
    if results.contains(&CHANGED) {
        ctx.changed(Classes::HASH, "hpersist", key);
    }
    Ok(Reply::Array(results.into_iter().map(Reply::Int).collect()))
}

fn persist(hash: &mut Hash, name: &[u8]) -> i64 {
    match hash.get(name).map(|it| it.expires_at_ms) {
        None => NO_SUCH_FIELD,
        Some(None) => NEVER,
        Some(Some(_)) => {
            hash.put_time(name, None);
            CHANGED
        }
    }
}
