//! CLIENT REPLY ON | OFF | SKIP, CLIENT NO-EVICT ON | OFF, CLIENT NO-TOUCH ON | OFF: how this connection is treated.
//!
//! Sources: <https://redis.io/docs/latest/commands/client-reply/>,
//! <https://redis.io/docs/latest/commands/client-no-evict/>,
//! <https://redis.io/docs/latest/commands/client-no-touch/>.

use crate::client::Replies;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(super) static REPLY: Spec = Spec {
    name: "client|reply",
    arity: Arity::Exactly(3),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Instruct the server whether to reply to commands", "3.2.0", "O(1)").args(&[
        Arg::new("on_off_skip", "oneof").args(&[
            Arg::word("on", "ON"),
            Arg::word("off", "OFF"),
            Arg::word("skip", "SKIP"),
        ]),
    ]),
    subcommands: &[],
    run: reply,
};

pub(super) static NO_EVICT: Spec = Spec {
    name: "client|no-evict",
    arity: Arity::Exactly(3),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Set client eviction mode for the current connection", "7.0.0", "O(1)").args(
        &[Arg::new("enabled", "oneof").args(&[Arg::word("on", "ON"), Arg::word("off", "OFF")])],
    ),
    subcommands: &[],
    run: no_evict,
};

/// Since Redis 7.2; its facts are those of that version.
pub(super) static NO_TOUCH: Spec = Spec {
    name: "client|no-touch",
    arity: Arity::Exactly(3),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
        "7.2.0",
        "O(1)",
    )
    .args(&[Arg::new("enabled", "oneof").args(&[Arg::word("on", "ON"), Arg::word("off", "OFF")])]),
    subcommands: &[],
    run: no_touch,
};

fn reply(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let replies = &mut ctx.client.replies;
    match request.get(2).unwrap_or_default().to_ascii_lowercase().as_slice() {
        b"on" => {
            *replies = Replies::On;
            return Ok(Reply::Ok);
        }
        b"off" => *replies = Replies::Off,
        b"skip" if *replies != Replies::Off => *replies = Replies::SkipNext,
        b"skip" => {}
        _ => return Err(wire_error::SYNTAX),
    }
    Ok(Reply::None)
}

fn no_evict(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    ctx.client.no_evict = parse_on_off(request.get(2).unwrap_or_default())?;
    Ok(Reply::Ok)
}

fn no_touch(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    ctx.client.no_touch = parse_on_off(request.get(2).unwrap_or_default())?;
    Ok(Reply::Ok)
}

fn parse_on_off(raw: &[u8]) -> Result<bool, WireError> {
    match raw.to_ascii_lowercase().as_slice() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(wire_error::SYNTAX),
    }
}
