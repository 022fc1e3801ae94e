//! HSET, HMSET key field value [field value …]: set fields of a hash.
//!
//! Sources: <https://redis.io/docs/latest/commands/hset/>, <https://redis.io/docs/latest/commands/hmset/>. A field that expired loses
//! its time.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::value::hash::{Lifetime, Limits};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static HSET: Spec = Spec {
    name: "hset",
    arity: Arity::AtLeast(4),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "update"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Set the string value of a hash field",
        "2.0.0",
        "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
    )
    .history(&[("4.0.0", "Accepts multiple `field` and `value` arguments.")])
    .args(&[
        Arg::key("key"),
        Arg::new("field_value", "block")
            .flags(&["multiple"])
            .args(&[Arg::new("field", "string"), Arg::new("value", "string")]),
    ]),
    subcommands: &[],
    run: hset,
};

pub(crate) static HMSET: Spec = Spec {
    name: "hmset",
    arity: Arity::AtLeast(4),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "update"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Set multiple hash fields to multiple values",
        "2.0.0",
        "O(N) where N is the number of fields being set.",
    )
    .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
    .doc_flags(&["deprecated"])
    .args(&[
        Arg::key("key"),
        Arg::new("field_value", "block")
            .flags(&["multiple"])
            .args(&[Arg::new("field", "string"), Arg::new("value", "string")]),
    ]),
    subcommands: &[],
    run: hmset,
};

fn hset(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    set_all(ctx, request).map(Reply::count)
}

fn hmset(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    set_all(ctx, request).map(|_| Reply::Ok)
}

/// Words of a request that sets one field.
const ONE_FIELD_LEN: usize = 4;

/// Returns how many fields are new.
fn set_all(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<usize, WireError> {
    let key = request.get(1).unwrap_or_default();
    if request.len() % 2 == 1 {
        return Err(WireError::wrong_arity(ctx.spec().name));
    }
    let limits = Limits::of(ctx.tuning());
    let n_new = ctx.edit_or_new::<Hash, _>(key, |hash| {
        let mut words = request.iter().skip(2);
        if hash.is_empty() && ONE_FIELD_LEN < request.len() {
            hash.reserve(words.clone());
        }
        let mut n_new = 0;
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            n_new += usize::from(hash.set(name, value, Lifetime::Forever, limits));
        }
        n_new
    })?;
    ctx.changed(Classes::HASH, "hset", key);
    Ok(n_new)
}
