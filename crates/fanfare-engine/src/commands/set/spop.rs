//! SPOP key [count]: takes random members out of a set.
//!
//! Source: <https://redis.io/docs/latest/commands/spop/>. Run again it is the SREM of what came out, or the DEL of the
//! key if everything was asked for by number.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::tree::Name;
use crate::value::Set;
use crate::value::set::Member;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static SPOP: Spec = Spec {
    name: "spop",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "delete"] },
    group: Group::Set,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new(
        "Remove and return one or multiple random members from a set",
        "1.0.0",
        "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
    )
    .history(&[("3.2.0", "Added the `count` argument.")])
    .args(&[Arg::key("key"), Arg::new("count", "integer").since("3.2.0").flags(&["optional"])]),
    subcommands: &[],
    run: spop,
};

fn spop(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    match request.get(2) {
        None => pop_one(ctx, key),
        Some(raw) if request.len() == 3 => {
            let n = number::parse_int(raw).and_then(|it| usize::try_from(it).ok());
            pop_many(ctx, key, n.ok_or(wire_error::NOT_POSITIVE)?)
        }
        Some(_) => Err(wire_error::SYNTAX),
    }
}

fn pop_one(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Reply, WireError> {
    let random = ctx.host.random();
    let popped = ctx.edit::<Set, _>(key, |set| set.pop_one(random))?.flatten();
    let Some(member) = popped else { return Ok(Reply::Null) };
    ctx.changed(Classes::SET, "spop", key);
    ctx.delete_if_empty::<Set>(key);
    ctx.record([&b"SREM"[..], key, &member]);
    Ok(Reply::Bulk(member.to_blob()))
}

fn pop_many(ctx: &mut Ctx<'_>, key: &[u8], n: usize) -> Result<Reply, WireError> {
    let Some(set) = ctx.peek::<Set>(key)?.filter(|_| n != 0) else {
        return Ok(Reply::Set(Vec::new()));
    };
    if set.len() <= n {
        let members = set.iter().map(Member::to_reply).collect();
        ctx.notify(Classes::SET, "spop", key);
        ctx.delete(key);
        ctx.changed(Classes::GENERIC, "del", key);
        ctx.record([&b"DEL"[..], key]);
        return Ok(Reply::Set(members));
    }
    // Drawn before: who writes to the set can not ask the host.
    let n_draws = set.n_draws(n);
    let draws: Vec<u64> = std::iter::repeat_with(|| ctx.host.random()).take(n_draws).collect();
    let popped = ctx.edit::<Set, _>(key, |set| set.pop(n, draws))?.unwrap_or_default();
    ctx.changed(Classes::SET, "spop", key);
    let args = [&b"SREM"[..], key].into_iter();
    ctx.record(args.chain(popped.iter().map(|it| &**it)));
    Ok(Reply::Set(popped.iter().map(|it| Reply::Bulk(Name::to_blob(it))).collect()))
}
