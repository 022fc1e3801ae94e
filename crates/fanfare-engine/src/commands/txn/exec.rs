//! EXEC: runs the queued commands as one, unless a watched key changed.
//!
//! Source: <https://redis.io/docs/latest/commands/exec/>. A command that fails does not stop the others. The stripes
//! of all queued commands and watched keys are locked while this runs, so nothing here may take a lock.

use crate::client::{Mode, Queued};
use crate::spec::{Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, exec, wire_error};

pub(crate) static EXEC: Spec = Spec {
    name: "exec",
    arity: Arity::Exactly(1),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::SkipSlowlog],
    keys: Keys::Queued,
    group: Group::Transactions,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Execute all commands issued after MULTI",
        "1.2.0",
        "Depends on commands in the transaction",
    ),
    subcommands: &[],
    run: run_queued,
};

fn run_queued(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    let Mode::Multi { queued, doomed, .. } = std::mem::take(&mut ctx.client.mode) else {
        return Err(wire_error::EXEC_WITHOUT_MULTI);
    };
    let changed = unwatch(ctx);
    if doomed {
        return Err(wire_error::EXEC_ABORT);
    }
    if changed {
        return Ok(Reply::NullArray);
    }
    ctx.client.in_exec = true;
    let replies = run_all(ctx, &queued);
    // What it did is what its commands did.
    ctx.effects.replaced = true;
    ctx.client.in_exec = false;
    Ok(Reply::Array(replies))
}

/// Runs the commands. What was answered before a `HELLO` that changed the protocol keeps its form.
fn run_all(ctx: &mut Ctx<'_>, queued: &[Queued]) -> Vec<Reply> {
    let mut replies = Vec::with_capacity(queued.len());
    let mut version = ctx.client.version;
    let mut n_kept = 0;
    for command in queued {
        let reply = run_one(ctx, command);
        if ctx.client.version != version {
            for reply in replies.iter_mut().skip(n_kept) {
                let plain = std::mem::replace(reply, Reply::None);
                *reply = Reply::In(version, Box::new(plain));
            }
            n_kept = replies.len();
            version = ctx.client.version;
        }
        replies.push(reply);
    }
    replies
}

fn run_one(ctx: &mut Ctx<'_>, queued: &Queued) -> Reply {
    let command = queued.command;
    exec::run(ctx, command, queued.request()).unwrap_or_else(Reply::Error)
}

/// Forgets the watched keys; returns whether one of them changed.
fn unwatch(ctx: &mut Ctx<'_>) -> bool {
    let watch = std::mem::take(&mut ctx.client.watch);
    for watched in &watch.keys {
        // A key whose time has come is removed by looking at it, which marks those who watch it.
        let key = ctx.keys.key(&watched.key);
        ctx.keys.get(watched.db, key, ctx.now.unix_ms());
        if let Some(mark) = watch.mark() {
            ctx.keys.unwatch(watched.db, key, mark);
        }
    }
    watch.is_dirty()
}
