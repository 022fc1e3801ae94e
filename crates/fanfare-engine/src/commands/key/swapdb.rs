//! SWAPDB index1 index2: exchanges the keys of two databases.
//!
//! Source: <https://redis.io/docs/latest/commands/swapdb/>.

use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static SWAPDB: Spec = Spec {
    name: "swapdb",
    arity: Arity::Exactly(3),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Everything,
    group: Group::Server,
    categories: &[Category::Keyspace, Category::Dangerous],
    tips: &[],
    docs: Docs::new(
        "Swaps two Redis databases",
        "4.0.0",
        "O(N) where N is the count of clients watching or blocking on keys from both databases.",
    )
    .args(&[Arg::new("index1", "integer"), Arg::new("index2", "integer")]),
    subcommands: &[],
    run: swapdb,
};

fn swapdb(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let a = index(request.get(1)).ok_or(wire_error::FIRST_DB_INVALID)?;
    let b = index(request.get(2)).ok_or(wire_error::SECOND_DB_INVALID)?;
    let existing = |it| ctx.keyspace.database(it).ok_or(wire_error::DB_OUT_OF_RANGE);
    let (a, b) = (existing(a)?, existing(b)?);
    if a != b {
        ctx.restart_streams(|it| it == a || it == b);
        ctx.keys.swap(a, b);
        ctx.restart_streams(|it| it == a || it == b);
    }
    Ok(Reply::Ok)
}

fn index(raw: Option<&[u8]>) -> Option<i64> {
    number::parse_int(raw?).filter(|it| i32::try_from(*it).is_ok())
}
