//! SADD key member [member ...]: adds members to a set.
//!
//! Source: <https://redis.io/docs/latest/commands/sadd/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::{Set, Typed};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SADD: Spec = Spec {
    name: "sadd",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "insert"] },
    group: Group::Set,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Add one or more members to a set",
        "1.0.0",
        "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
    )
    .history(&[("2.4.0", "Accepts multiple `member` arguments.")])
    .args(&[Arg::key("key"), Arg::new("member", "string").flags(&["multiple"])]),
    subcommands: &[],
    run: sadd,
};

fn sadd(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let ints_max = ctx.tuning().intset_entries_max();
    let add = |set: &mut Set| {
        let members = request.iter().skip(2);
        members.map(|it| usize::from(set.insert(it, ints_max))).sum::<usize>()
    };
    let n_added = match ctx.edit::<Set, _>(key, add)? {
        Some(n_added) => n_added,
        None => {
            let mut set = Set::default();
            let n_added = add(&mut set);
            ctx.put(key, set.into_value(), None);
            n_added
        }
    };
    if n_added != 0 {
        ctx.changed(Classes::SET, "sadd", key);
    }
    Ok(Reply::count(n_added))
}
