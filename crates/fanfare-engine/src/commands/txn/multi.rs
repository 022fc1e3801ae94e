//! MULTI begins a transaction: what follows is queued. DISCARD forgets it.
//!
//! Sources: <https://redis.io/docs/latest/commands/multi/>, <https://redis.io/docs/latest/commands/discard/>.

use crate::client::Mode;
use crate::spec::{Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static MULTI: Spec = Spec {
    name: "multi",
    arity: Arity::Exactly(1),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
    keys: Keys::None,
    group: Group::Transactions,
    categories: &[],
    tips: &[],
    docs: Docs::new("Mark the start of a transaction block", "1.2.0", "O(1)"),
    subcommands: &[],
    run: multi,
};

pub(crate) static DISCARD: Spec = Spec {
    name: "discard",
    arity: Arity::Exactly(1),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
    keys: Keys::None,
    group: Group::Transactions,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Discard all commands issued after MULTI",
        "2.0.0",
        "O(N), when N is the number of queued commands",
    ),
    subcommands: &[],
    run: discard,
};

fn multi(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    match ctx.client.mode {
        Mode::Multi { .. } => Err(wire_error::NESTED_MULTI),
        Mode::Normal => {
            ctx.client.mode = Mode::Multi { queued: Vec::new(), n_bytes: 0, doomed: false };
            Ok(Reply::Ok)
        }
    }
}

fn discard(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    match ctx.client.mode {
        Mode::Normal => Err(wire_error::DISCARD_WITHOUT_MULTI),
        Mode::Multi { .. } => {
            ctx.client.discard(ctx.keyspace);
            Ok(Reply::Ok)
        }
    }
}
