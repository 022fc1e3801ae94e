//! TTL, PTTL, EXPIRETIME, PEXPIRETIME: when a key goes away; -1 if never, -2 if there is no such key.
//!
//! Sources: <https://redis.io/docs/latest/commands/ttl/>, <https://redis.io/docs/latest/commands/pexpiretime/>.
//! Seconds are rounded to the nearest.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::{Ctx, Reply, Request, Spec};

pub(crate) static TTL: Spec = remaining(
    "ttl",
    Docs::new("Get the time to live for a key in seconds", "1.0.0", "O(1)"),
    |ctx, request| Ok(expiry(ctx, request, |at_ms, now_ms| seconds(at_ms.saturating_sub(now_ms)))),
);

pub(crate) static PTTL: Spec = remaining(
    "pttl",
    Docs::new("Get the time to live for a key in milliseconds", "2.6.0", "O(1)"),
    |ctx, request| Ok(expiry(ctx, request, u64::saturating_sub)),
);

pub(crate) static EXPIRETIME: Spec = spec(
    "expiretime",
    &[],
    Docs::new("Get the expiration Unix timestamp for a key", "7.0.0", "O(1)"),
    |ctx, request| Ok(expiry(ctx, request, |at_ms, _| seconds(at_ms))),
);

pub(crate) static PEXPIRETIME: Spec = spec(
    "pexpiretime",
    &[],
    Docs::new("Get the expiration Unix timestamp for a key in milliseconds", "7.0.0", "O(1)"),
    |ctx, request| Ok(expiry(ctx, request, |at_ms, _| at_ms)),
);

/// What those share that answer by the clock.
const fn remaining(name: &'static str, docs: Docs, run: Run) -> Spec {
    let docs = docs.history(&[("2.8.0", "Added the -2 reply.")]);
    spec(name, &["nondeterministic_output"], docs, run)
}

/// What the family shares.
const fn spec(name: &'static str, tips: &'static [&'static str], docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity: Arity::Exactly(2),
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
        group: Group::Generic,
        categories: &[],
        tips,
        docs: docs.args(const { &[Arg::key("key")] }),
        subcommands: &[],
        run,
    }
}

fn expiry(ctx: &mut Ctx<'_>, request: Request<'_>, shown: fn(u64, u64) -> u64) -> Reply {
    let now_ms = ctx.now.unix_ms();
    match ctx.lookup_untouched(request.get(1).unwrap_or_default()) {
        None => Reply::Int(-2),
        Some(entry) => match entry.expires_at_ms() {
            None => Reply::Int(-1),
            Some(at_ms) => Reply::uint(shown(at_ms, now_ms)),
        },
    }
}

fn seconds(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}
