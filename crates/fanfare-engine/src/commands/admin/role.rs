//! ROLE: the server's place in replication. It is always a master without replicas.
//!
//! Source: <https://redis.io/docs/latest/commands/role/>.

use crate::spec::{Arity, Category, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static ROLE: Spec = Spec {
    name: "role",
    arity: Arity::Exactly(1),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast],
    keys: Keys::None,
    group: Group::Server,
    categories: &[Category::Admin, Category::Dangerous],
    tips: &[],
    docs: Docs::new(
        "Return the role of the instance in the context of replication",
        "2.8.12",
        "O(1)",
    ),
    subcommands: &[],
    run: role,
};

fn role(_: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    Ok(Reply::Array(vec![Reply::bulk("master"), Reply::Int(0), Reply::Array(Vec::new())]))
}
