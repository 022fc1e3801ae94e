//! SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]: goes through the keys of the selected database.
//!
//! Source: <https://redis.io/docs/latest/commands/scan/>. Whatever is there from the first call to the last is
//! returned, and no key twice: the cursor is a [position](crate::keyspace) in the order of hashes. One stripe is locked
//! after another.

use crate::commands::scan::{self, Options};
use crate::keyspace::Position;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Lock};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SCAN: Spec = Spec {
    name: "scan",
    arity: Arity::AtLeast(2),
    flags: &[Flag::ReadOnly],
    // Nothing else waits for a walk through a whole database.
    keys: Keys::Planned { specs: &[], lock: Lock::Steps(first_stripe) },
    group: Group::Generic,
    categories: &[],
    tips: &["nondeterministic_output", "request_policy:special"],
    docs: Docs::new(
        "Incrementally iterate the keys space",
        "2.8.0",
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
    )
    .history(&[("6.0.0", "Added the `TYPE` subcommand.")])
    .args(&[
        Arg::new("cursor", "integer"),
        Arg::new("pattern", "pattern").token("MATCH").flags(&["optional"]),
        Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
        Arg::new("type", "string").token("TYPE").since("6.0.0").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: scan,
};

fn first_stripe(request: Request<'_>) -> u16 {
    let cursor = request.get(1).and_then(|it| scan::parse_cursor(it).ok());
    cursor.and_then(Position::from_number).map_or(0, Position::stripe)
}

fn scan(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let cursor = scan::parse_cursor(request.get(1).unwrap_or_default())?;
    let options = Options::parse(request.iter().skip(2), &["type"])?;
    let mut next = Position::from_number(cursor).filter(|it| it.is_in(ctx.keyspace));
    let mut found = Vec::new();
    let mut n_seen = 0;
    let (db, now_ms) = (ctx.client.db, ctx.now.unix_ms());
    while let Some(position) = next.filter(|_| n_seen < options.count) {
        // What was found so far is an answer too.
        if !ctx.keys.step_to(db, position) {
            break;
        }
        next = ctx.keys.visit(db, position, |entry| {
            n_seen += 1;
            if !entry.is_due(now_ms)
                && options.pattern.matches(entry.key())
                && options.admits_type(entry.value().type_name())
            {
                found.push(Reply::Bulk(entry.key().to_blob()));
            }
        });
    }
    Ok(scan::reply(next.map_or(0, Position::number), found))
}
