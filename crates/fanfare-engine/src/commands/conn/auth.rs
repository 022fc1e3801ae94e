//! AUTH [username] password: who the client is.
//!
//! Source: <https://redis.io/docs/latest/commands/auth/>. A client that fails stays what it was.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static AUTH: Spec = Spec {
    name: "auth",
    arity: Arity::AtLeast(2),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Authenticate to the server",
        "1.0.0",
        "O(N) where N is the number of passwords defined for the user",
    )
    .history(&[("6.0.0", "Added ACL style (username and password).")])
    .args(&[
        Arg::new("username", "string").since("6.0.0").flags(&["optional"]),
        Arg::new("password", "string"),
    ]),
    subcommands: &[],
    run: auth,
};

/// The user of those who name none, and today the only one.
pub(super) const DEFAULT_USER: &[u8] = b"default";

fn auth(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    match (request.get(1), request.get(2), request.get(3)) {
        (_, _, Some(_)) => Err(wire_error::SYNTAX),
        (Some(user), Some(password), None) => log_in(ctx, user, password),
        (password, _, None) => {
            if !ctx.host.requires_auth() {
                return Err(wire_error::NO_PASSWORD_SET);
            }
            log_in(ctx, DEFAULT_USER, password.unwrap_or_default())
        }
    }
}

/// Authenticates the client. Where no password is set, `default` is let in with any.
pub(super) fn log_in(ctx: &mut Ctx<'_>, user: &[u8], password: &[u8]) -> Result<Reply, WireError> {
    let open = user == DEFAULT_USER && !ctx.host.requires_auth();
    if !open && !ctx.host.authenticate(user, password) {
        return Err(wire_error::WRONG_PASS);
    }
    ctx.client.authenticated = true;
    Ok(Reply::Ok)
}
