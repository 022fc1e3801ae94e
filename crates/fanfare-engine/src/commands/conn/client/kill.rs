//! CLIENT KILL ip:port | CLIENT KILL option value [option value ...]: closes connections.
//!
//! Source: <https://redis.io/docs/latest/commands/client-kill/>. The old form spares nobody and must hit; the new form
//! spares the caller unless `SKIPME no`, and counts. `MAXAGE` is of Redis 7.4.

use crate::host::ClientFilter;
use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(super) static KILL: Spec = Spec {
    name: "client|kill",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Kill the connection of a client",
        "2.4.0",
        "O(N) where N is the number of client connections",
    )
    .history(&[
        ("2.8.12", "Added new filter format."),
        ("2.8.12", "`ID` option."),
        ("3.2.0", "Added `master` type in for `TYPE` option."),
        ("5.0.0", "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility."),
        ("6.2.0", "`LADDR` option."),
        ("7.4.0", "`MAXAGE` option."),
    ])
    .args(&[
        Arg::new("filter", "oneof").args(&[
            Arg::new("ip:port", "string").deprecated_since("2.8.12"),
            Arg::new("new-format", "oneof").flags(&["multiple"]).args(&[
                Arg::new("client-id", "integer").token("ID").since("2.8.12").flags(&["optional"]),
                Arg::new("normal_master_slave_pubsub", "oneof").token("TYPE").since("2.8.12").flags(&["optional"]).args(&[
                    Arg::word("normal", "NORMAL"),
                    Arg::word("master", "MASTER").since("3.2.0"),
                    Arg::word("slave", "SLAVE"),
                    Arg::word("replica", "REPLICA").since("5.0.0"),
                    Arg::word("pubsub", "PUBSUB"),
                ]),
                Arg::new("username", "string").token("USER").flags(&["optional"]),
                Arg::new("ip:port", "string").token("ADDR").flags(&["optional"]),
                Arg::new("ip:port", "string").token("LADDR").since("6.2.0").flags(&["optional"]),
                Arg::new("yes/no", "string").token("SKIPME").flags(&["optional"]),
                Arg::new("maxage", "integer").token("MAXAGE").since("7.4.0").flags(&["optional"]),
            ]),
        ]),
    ]),
    subcommands: &[],
    run: kill,
};

fn kill(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let is_old_form = request.len() == 3;
    let filter = if is_old_form {
        ClientFilter { addr: request.get(2).map(<[u8]>::to_vec), ..ClientFilter::default() }
    } else {
        parse(request)?
    };
    let killed = ctx.host.kill(&filter);
    // The caller gets this reply before its connection goes.
    ctx.client.closing |= killed.myself;
    match (is_old_form, killed.n_clients) {
        (false, n_clients) => Ok(Reply::count(n_clients)),
        (true, 0) => Err(wire_error::NO_SUCH_CLIENT),
        (true, _) => Ok(Reply::Ok),
    }
}

fn parse(request: Request<'_>) -> Result<ClientFilter, WireError> {
    let mut filter = ClientFilter { skip_me: true, ..ClientFilter::default() };
    let mut args = request.iter().skip(2);
    while let Some(option) = args.next() {
        let value = args.next().ok_or(wire_error::SYNTAX)?;
        match option.to_ascii_lowercase().as_slice() {
            b"id" => filter.ids = Some(vec![parse_id(value)?]),
            b"type" => filter.kind = Some(super::parse_kind(value)?),
            b"user" => filter.user = Some(parse_user(value)?.to_vec()),
            b"addr" => filter.addr = Some(value.to_vec()),
            b"laddr" => filter.laddr = Some(value.to_vec()),
            b"skipme" => filter.skip_me = parse_yes_no(value)?,
            b"maxage" => filter.age_s_min = Some(parse_age(value)?),
            _ => return Err(wire_error::SYNTAX),
        }
    }
    Ok(filter)
}

fn parse_id(raw: &[u8]) -> Result<u64, WireError> {
    let id = number::parse_int(raw).and_then(|it| u64::try_from(it).ok());
    id.filter(|&it| it != 0).ok_or(wire_error::CLIENT_ID_NOT_POSITIVE)
}

fn parse_user(raw: &[u8]) -> Result<&[u8], WireError> {
    let exists = raw == super::super::auth::DEFAULT_USER;
    if exists { Ok(raw) } else { Err(WireError::no_such_user(raw)) }
}

fn parse_yes_no(raw: &[u8]) -> Result<bool, WireError> {
    match raw.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(wire_error::SYNTAX),
    }
}

fn parse_age(raw: &[u8]) -> Result<u64, WireError> {
    let age_s = number::parse_int(raw).ok_or(wire_error::MAXAGE_NOT_AN_INTEGER)?;
    let age_s = u64::try_from(age_s).ok().filter(|&it| it != 0);
    age_s.ok_or(wire_error::MAXAGE_NOT_POSITIVE)
}
