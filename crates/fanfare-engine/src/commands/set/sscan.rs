//! SSCAN key cursor [MATCH pattern] [COUNT count]: goes through the members of a set.
//!
//! Source: <https://redis.io/docs/latest/commands/sscan/>. Whatever is there from the first call to the last is returned,
//! and no member twice. A small set is returned at once.

use crate::commands::scan::{self, Options};
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::set::Member;
use crate::value::{Set, hasher};
use crate::{Ctx, Reply, Request, Spec, WireError};
pub(crate) static SSCAN: Spec = Spec {
    name: "sscan",
    arity: Arity::AtLeast(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Set,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new(
        "Incrementally iterate Set elements",
        "2.8.0",
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("cursor", "integer"),
        Arg::new("pattern", "pattern").token("MATCH").flags(&["optional"]),
        Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: sscan,
};

fn sscan(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let cursor = scan::parse_cursor(request.get(2).unwrap_or_default())?;
    let Some(set) = ctx.read::<Set>(request.get(1).unwrap_or_default())? else {
        return Ok(scan::reply(0, Vec::new()));
    };
    let options = Options::parse(request.iter().skip(3), &[])?;
    let mut found = Vec::new();
    let Some(names) = set.names() else {
        let wanted = set.iter().filter(|it| options.pattern.matches(&it.to_name()));
        return Ok(scan::reply(0, wanted.map(Member::to_reply).collect()));
    };
    let next = options.walk(cursor, |position, n_seen| {
        names.visit(
            position,
            |it| hasher::hash(it),
            |name| {
                *n_seen += 1;
                if options.pattern.matches(name) {
                    found.push(Reply::Bulk(name.to_blob()));
                }
            },
        )
    });
    Ok(scan::reply(next, found))
}
