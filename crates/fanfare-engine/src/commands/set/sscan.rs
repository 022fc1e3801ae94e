//! SSCAN key cursor [MATCH pattern] [COUNT count]: goes through the members of a set.
//!
//! Source: <https://redis.io/docs/latest/commands/sscan/>. Whatever is there from the first call to the last is returned,
//! and no member twice. A small set is returned at once.

use crate::commands::scan::{self, Options};
use crate::spec::Group;
use crate::value::set::Member;
use crate::value::{Set, hasher};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SSCAN: Spec =
    scan::spec(Group::Set, "sscan", "Incrementally iterate Set elements", sscan);

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
