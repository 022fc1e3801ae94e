//! ZSCAN key cursor [MATCH pattern] [COUNT count]: goes through the members of a sorted set, with their scores.
//!
//! Source: <https://redis.io/docs/latest/commands/zscan/>. Whatever is there from the first call to the last is returned,
//! and no member twice. A small sorted set is returned at once.

use fanfare_resp::DoubleText;

use crate::commands::scan::{self, Options};
use crate::spec::Group;
use crate::value::SortedSet;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static ZSCAN: Spec = scan::spec(
    Group::SortedSet,
    "zscan",
    "Incrementally iterate sorted sets elements and associated scores",
    zscan,
);

fn zscan(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let cursor = scan::parse_cursor(request.get(2).unwrap_or_default())?;
    let Some(sorted_set) = ctx.read::<SortedSet>(request.get(1).unwrap_or_default())? else {
        return Ok(scan::reply(0, Vec::new()));
    };
    let options = Options::parse(request.iter().skip(3), &[])?;
    let mut found = Vec::new();
    let next = options.walk(cursor, |position, n_seen| {
        sorted_set.visit(position, |member| {
            *n_seen += 1;
            if options.pattern.matches(&member.name) {
                found.push(Reply::Bulk(member.name.to_blob()));
                // A string in RESP3, too.
                found.push(Reply::bulk(DoubleText::new(member.score).as_bytes()));
            }
        })
    });
    Ok(scan::reply(next, found))
}
