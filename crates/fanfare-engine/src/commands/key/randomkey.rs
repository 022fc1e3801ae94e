//! RANDOMKEY: the name of some key of the selected database.
//!
//! Source: <https://redis.io/docs/latest/commands/randomkey/>. Each key has the same chance.

use crate::spec::{Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static RANDOMKEY: Spec = Spec {
    name: "randomkey",
    arity: Arity::Exactly(1),
    flags: &[Flag::ReadOnly],
    keys: Keys::Database,
    group: Group::Generic,
    categories: &[],
    tips: &["request_policy:all_shards", "nondeterministic_output"],
    docs: Docs::new("Return a random key from the keyspace", "1.0.0", "O(1)"),
    subcommands: &[],
    run: randomkey,
};

fn randomkey(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    let Ctx { keys, client, now, host, .. } = ctx;
    let name = keys.random_key((client.db, now.unix_ms()), || host.random());
    Ok(name.map_or(Reply::Null, |it| Reply::Bulk(it.to_blob())))
}
