//! HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]: goes through the fields of a hash.
//!
//! Source: <https://redis.io/docs/latest/commands/hscan/>. Whatever is there from the first call to the last is returned,
//! and no field twice. A small hash is returned at once.

use crate::commands::scan::{self, Options};
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError};
pub(crate) static HSCAN: Spec = Spec {
    name: "hscan",
    arity: Arity::AtLeast(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Hash,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new(
        "Incrementally iterate hash fields and associated values",
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
    run: hscan,
};

fn hscan(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let cursor = scan::parse_cursor(request.get(2).unwrap_or_default())?;
    let Some(hash) = ctx.read::<Hash>(request.get(1).unwrap_or_default())? else {
        return Ok(scan::reply(0, Vec::new()));
    };
    let options = Options::parse(request.iter().skip(3), &["novalues"])?;
    let mut found = Vec::new();
    let next = options.walk(cursor, |position, n_seen| {
        hash.visit(position, |field| {
            *n_seen += 1;
            if options.pattern.matches(field.name.bytes(&mut itoa::Buffer::new())) {
                found.push(Reply::Bulk(field.name.to_blob()));
                let value = (!options.no_values).then(|| Reply::Bulk(field.value.to_blob()));
                found.extend(value);
            }
        })
    });
    Ok(scan::reply(next, found))
}
