//! HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]: goes through the fields of a hash.
//!
//! Source: <https://redis.io/docs/latest/commands/hscan/>. Whatever is there from the first call to the last is returned,
//! and no field twice. A small hash is returned at once.

use crate::commands::scan::{self, Options};
use crate::spec::Group;
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static HSCAN: Spec = scan::spec(
    Group::Hash,
    "hscan",
    "Incrementally iterate hash fields and associated values",
    hscan,
);

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
