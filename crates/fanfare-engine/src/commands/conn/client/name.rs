//! CLIENT GETNAME | SETNAME name | SETINFO attribute value: what a client calls itself.
//!
//! Sources: <https://redis.io/docs/latest/commands/client-setname/>,
//! <https://redis.io/docs/latest/commands/client-setinfo/>. Only printable ASCII without spaces: the lines of
//! `CLIENT LIST` are split at spaces.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(super) static GETNAME: Spec = Spec {
    name: "client|getname",
    arity: Arity::Exactly(2),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the current connection name", "2.6.9", "O(1)"),
    subcommands: &[],
    run: get_name,
};

/// Since Redis 7.2; its facts are those of that version.
pub(super) static SETINFO: Spec = Spec {
    name: "client|setinfo",
    arity: Arity::Exactly(4),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    docs: Docs::new("Sets information specific to the client or connection.", "7.2.0", "O(1)")
        .args(&[Arg::new("attr", "oneof").args(&[
            Arg::new("libname", "string").token("LIB-NAME"),
            Arg::new("libver", "string").token("LIB-VER"),
        ])]),
    subcommands: &[],
    run: set_info,
};

pub(super) static SETNAME: Spec = Spec {
    name: "client|setname",
    arity: Arity::Exactly(3),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Set the current connection name", "2.6.9", "O(1)")
        .args(&[Arg::new("connection-name", "string")]),
    subcommands: &[],
    run: set_name,
};

fn get_name(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    if ctx.client.name.is_empty() {
        return Ok(Reply::Null);
    }
    Ok(Reply::bulk(ctx.client.name.clone()))
}

fn set_name(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    ctx.client.name = checked(request.get(2).unwrap_or_default())?.to_vec();
    Ok(Reply::Ok)
}

fn set_info(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let attribute = request.get(2).unwrap_or_default();
    let value = request.get(3).unwrap_or_default();
    let target = match attribute.to_ascii_lowercase().as_slice() {
        b"lib-name" => &mut ctx.client.lib_name,
        b"lib-ver" => &mut ctx.client.lib_ver,
        _ => return Err(WireError::unrecognized_option(attribute)),
    };
    if !is_one_word(value) {
        return Err(WireError::bad_client_attribute(attribute));
    }
    *target = value.to_vec();
    Ok(Reply::Ok)
}

/// A name that a client may take.
pub(in crate::commands::conn) fn checked(name: &[u8]) -> Result<&[u8], WireError> {
    if is_one_word(name) { Ok(name) } else { Err(wire_error::BAD_CLIENT_NAME) }
}

fn is_one_word(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_graphic)
}
