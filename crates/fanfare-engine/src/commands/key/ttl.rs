//! TTL, PTTL, EXPIRETIME, PEXPIRETIME: when a key goes away; -1 if never, -2 if there is no such key.
//!
//! Sources: <https://redis.io/docs/latest/commands/ttl/>, <https://redis.io/docs/latest/commands/pexpiretime/>.
//! Seconds are rounded to the nearest.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec};

pub(crate) static TTL: Spec = Spec {
    name: "ttl",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Generic,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new("Get the time to live for a key in seconds", "1.0.0", "O(1)")
        .history(&[("2.8.0", "Added the -2 reply.")])
        .args(&[Arg::key("key")]),
    subcommands: &[],
    run: |ctx, request| {
        Ok(expiry(ctx, request, |at_ms, now_ms| seconds(at_ms.saturating_sub(now_ms))))
    },
};

pub(crate) static PTTL: Spec = Spec {
    name: "pttl",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Generic,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new("Get the time to live for a key in milliseconds", "2.6.0", "O(1)")
        .history(&[("2.8.0", "Added the -2 reply.")])
        .args(&[Arg::key("key")]),
    subcommands: &[],
    run: |ctx, request| Ok(expiry(ctx, request, u64::saturating_sub)),
};

pub(crate) static EXPIRETIME: Spec = Spec {
    name: "expiretime",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Generic,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the expiration Unix timestamp for a key", "7.0.0", "O(1)")
        .args(&[Arg::key("key")]),
    subcommands: &[],
    run: |ctx, request| Ok(expiry(ctx, request, |at_ms, _| seconds(at_ms))),
};

pub(crate) static PEXPIRETIME: Spec = Spec {
    name: "pexpiretime",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Generic,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the expiration Unix timestamp for a key in milliseconds", "7.0.0", "O(1)")
        .args(&[Arg::key("key")]),
    subcommands: &[],
    run: |ctx, request| Ok(expiry(ctx, request, |at_ms, _| at_ms)),
};

fn expiry(ctx: &mut Ctx<'_>, request: Request<'_>, shown: fn(u64, u64) -> u64) -> Reply {
    let now_ms = ctx.now.unix_ms();
    match ctx.lookup(request.get(1).unwrap_or_default()) {
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
