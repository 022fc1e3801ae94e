//! SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]: ends the server.
//!
//! Source: <https://redis.io/docs/latest/commands/shutdown/>. There is no reply: the connection closes.

use crate::host::Shutdown;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static SHUTDOWN: Spec = Spec {
    name: "shutdown",
    arity: Arity::AtLeast(1),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::NoMulti, Flag::AllowBusy],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Synchronously save the dataset to disk and then shut down the server",
        "1.0.0",
        "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
    )
    .history(&[
        ("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers."),
    ])
    .args(&[
        Arg::new("nosave_save", "oneof").flags(&["optional"]).args(&[
            Arg::word("nosave", "NOSAVE"),
            Arg::word("save", "SAVE"),
        ]),
        Arg::word("now", "NOW").since("7.0.0").flags(&["optional"]),
        Arg::word("force", "FORCE").since("7.0.0").flags(&["optional"]),
        Arg::word("abort", "ABORT").since("7.0.0").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: shutdown,
};

fn shutdown(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let shutdown = parse(request)?;
    if ctx.keyspace.gate().is_busy() && !shutdown.nosave {
        return Err(ctx.keyspace.scripts().busy_error());
    }
    ctx.host.shutdown(shutdown)?;
    Ok(if shutdown.abort { Reply::Ok } else { Reply::None })
}

fn parse(request: Request<'_>) -> Result<Shutdown, WireError> {
    let mut shutdown = Shutdown::default();
    for word in request.iter().skip(1) {
        match word.to_ascii_lowercase().as_slice() {
            b"nosave" => shutdown.nosave = true,
            b"save" => shutdown.save = true,
            b"now" => shutdown.now = true,
            b"force" => shutdown.force = true,
            b"abort" => shutdown.abort = true,
            _ => return Err(wire_error::SYNTAX),
        }
    }
    let Shutdown { nosave, save, now, force, abort } = shutdown;
    if (nosave && save) || (abort && (nosave || save || now || force)) {
        return Err(wire_error::SYNTAX);
    }
    Ok(shutdown)
}
