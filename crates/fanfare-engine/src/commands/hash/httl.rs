//! HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME key FIELDS n field [field …]: when fields of a hash go away.
//!
//! Sources: <https://redis.io/docs/latest/commands/httl/>, <https://redis.io/docs/latest/commands/hpexpiretime/>. -2: there is no
//! such field, -1: it never goes away. Seconds are rounded up.

use super::fields;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static HTTL: Spec = spec(
    "httl",
    &[],
    Docs::new(
        "Returns the TTL in seconds of a hash field.",
        "7.4.0",
        "O(N) where N is the number of specified fields",
    )
    .args(&[Arg::key("key"), FIELDS]),
    |ctx, request| httl(ctx, request, |at_ms, now_ms| (at_ms - now_ms).div_ceil(1000)),
);

pub(crate) static HPTTL: Spec = spec(
    "hpttl",
    &["nondeterministic_output"],
    Docs::new(
        "Returns the TTL in milliseconds of a hash field.",
        "7.4.0",
        "O(N) where N is the number of specified fields",
    )
    .args(&[Arg::key("key"), FIELDS]),
    |ctx, request| httl(ctx, request, |at_ms, now_ms| at_ms - now_ms),
);

pub(crate) static HEXPIRETIME: Spec = spec(
    "hexpiretime",
    &[],
    Docs::new(
        "Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
        "7.4.0",
        "O(N) where N is the number of specified fields",
    )
    .args(&[Arg::key("key"), FIELDS]),
    |ctx, request| httl(ctx, request, |at_ms, _| at_ms.div_ceil(1000)),
);

pub(crate) static HPEXPIRETIME: Spec = spec(
    "hpexpiretime",
    &[],
    Docs::new(
        "Returns the expiration time of a hash field as a Unix timestamp, in msec.",
        "7.4.0",
        "O(N) where N is the number of specified fields",
    )
    .args(&[Arg::key("key"), FIELDS]),
    |ctx, request| httl(ctx, request, |at_ms, _| at_ms),
);

/// What the family shares.
const fn spec(name: &'static str, tips: &'static [&'static str], docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(5),
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
        group: Group::Hash,
        categories: &[],
        tips,
        docs,
        subcommands: &[],
        run,
    }
}

const FIELDS: Arg = Arg::new("fields", "block")
    .token("FIELDS")
    .args(&[Arg::new("numfields", "integer"), Arg::new("field", "string").flags(&["multiple"])]);

const NO_SUCH_FIELD: i64 = -2;
const NEVER: i64 = -1;

fn httl(
    ctx: &mut Ctx<'_>,
    request: Request<'_>,
    time: impl Fn(u64, u64) -> u64,
) -> Result<Reply, WireError> {
    let now_ms = ctx.now.unix_ms();
    let hash = ctx.read::<Hash>(request.get(1).unwrap_or_default())?;
    let first = fields::parse(request, 2, wire_error::N_FIELDS_NOT_POSITIVE)?;
    let reply = |name: &[u8]| match hash.and_then(|it| it.get(name)).map(|it| it.expires_at_ms) {
        None => Reply::Int(NO_SUCH_FIELD),
        Some(None) => Reply::Int(NEVER),
        // Fields that are due are gone.
        Some(Some(at_ms)) => Reply::uint(time(at_ms, now_ms)),
    };
    Ok(Reply::Array(request.iter().skip(first).map(reply).collect()))
}
