//! DUMP key: the value of a key as [`rdb`] has it.
//!
//! Source: <https://redis.io/docs/latest/commands/dump/>.

use crate::rdb::{self, Compressor, payload};
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static DUMP: Spec = Spec {
    name: "dump",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Generic,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new(
        "Return a serialized version of the value stored at the specified key.",
        "2.6.0",
        "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
    )
    .args(&[Arg::key("key")]),
    subcommands: &[],
    run: dump,
};

fn dump(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let Some(entry) = ctx.lookup(key) else { return Ok(Reply::Null) };
    let mut bytes = Vec::new();
    rdb::write_value(&mut bytes, entry.value(), Some(&mut Compressor::new()));
    Ok(Reply::bulk(payload::seal(bytes)))
}
