//! SMOVE source destination member: moves a member from one set to another.
//!
//! Source: <https://redis.io/docs/latest/commands/smove/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys};
use crate::value::{Set, Typed};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SMOVE: Spec = Spec {
    name: "smove",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Specs(&[
        KeySpec {
            begin: Begin::Index(1),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
            notes: None,
        },
        KeySpec {
            begin: Begin::Index(2),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
            notes: None,
        },
    ]),
    group: Group::Set,
    categories: &[],
    tips: &[],
    docs: Docs::new("Move a member from one set to another", "1.0.0", "O(1)").args(&[
        Arg::key("source"),
        Arg::key("destination").key_spec(1),
        Arg::new("member", "string"),
    ]),
    subcommands: &[],
    run: smove,
};

fn smove(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(source), Some(destination), Some(member)) =
        (request.get(1), request.get(2), request.get(3))
    else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    // A destination of another type is an error only if there is a source.
    let Some(set) = ctx.peek::<Set>(source)? else { return Ok(Reply::Int(0)) };
    let is_member = set.contains(member);
    let has_destination = ctx.peek::<Set>(destination)?.is_some();
    if source == destination || !is_member {
        return Ok(Reply::Int(i64::from(is_member)));
    }
    ctx.edit::<Set, _>(source, |set| set.remove(member))?;
    ctx.changed(Classes::SET, "srem", source);
    ctx.delete_if_empty::<Set>(source);
    let ints_max = ctx.tuning().intset_entries_max();
    let is_new = if has_destination {
        ctx.edit::<Set, _>(destination, |set| set.insert(member, ints_max))?.unwrap_or_default()
    } else {
        let mut set = Set::default();
        set.insert(member, ints_max);
        ctx.put(destination, set.into_value(), None);
        true
    };
    if is_new {
        ctx.changed(Classes::SET, "sadd", destination);
    }
    Ok(Reply::Int(1))
}
