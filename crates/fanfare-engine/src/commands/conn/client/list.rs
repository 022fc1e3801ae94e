//! CLIENT LIST [TYPE type | ID id ...] and CLIENT INFO: connections, a line each.
//!
//! Sources: <https://redis.io/docs/latest/commands/client-list/>,
//! <https://redis.io/docs/latest/commands/client-info/>.

use crate::host::ClientFilter;
use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(super) static INFO: Spec = Spec {
    name: "client|info",
    arity: Arity::Exactly(2),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new("Returns information about the current client connection.", "6.2.0", "O(1)"),
    subcommands: &[],
    run: |ctx, _| Ok(Reply::text(ctx.host.client_info(ctx.client))),
};

pub(super) static LIST: Spec = Spec {
    name: "client|list",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new(
        "Get the list of client connections",
        "2.4.0",
        "O(N) where N is the number of client connections",
    )
    .history(&[
        ("2.8.12", "Added unique client `id` field."),
        ("5.0.0", "Added optional `TYPE` filter."),
        ("6.0.0", "Added `user` field."),
        (
            "6.2.0",
            "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
        ),
        ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
        ("7.0.3", "Added `ssub` field."),
    ])
    .args(&[
        Arg::new("normal_master_replica_pubsub", "oneof")
            .token("TYPE")
            .since("5.0.0")
            .flags(&["optional"])
            .args(&[
                Arg::word("normal", "NORMAL"),
                Arg::word("master", "MASTER"),
                Arg::word("replica", "REPLICA"),
                Arg::word("pubsub", "PUBSUB"),
            ]),
        Arg::new("id", "block").token("ID").since("6.2.0").flags(&["optional"]).args(&[Arg::new(
            "client-id",
            "integer",
        )
        .flags(&["multiple"])]),
    ]),
    subcommands: &[],
    run: list,
};

fn list(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let filter = parse(request)?;
    Ok(Reply::text(ctx.host.clients(&filter)))
}

fn parse(request: Request<'_>) -> Result<ClientFilter, WireError> {
    let mut filter = ClientFilter::default();
    match (request.get(2), request.get(3), request.len()) {
        (None, _, _) => {}
        (Some(word), Some(kind), 4) if word.eq_ignore_ascii_case(b"TYPE") => {
            filter.kind = Some(super::parse_kind(kind)?);
        }
        (Some(word), Some(_), _) if word.eq_ignore_ascii_case(b"ID") => {
            filter.ids = Some(parse_ids(request)?);
        }
        (Some(_), _, _) => return Err(wire_error::SYNTAX),
    }
    Ok(filter)
}

/// Numbers that can not be an id are accepted and match nobody.
fn parse_ids(request: Request<'_>) -> Result<Vec<u64>, WireError> {
    let mut ids = Vec::new();
    for raw in request.iter().skip(3) {
        let id = number::parse_int(raw).ok_or(wire_error::INVALID_CLIENT_ID)?;
        ids.extend(u64::try_from(id));
    }
    Ok(ids)
}
