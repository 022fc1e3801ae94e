//! COMMAND GETKEYS and COMMAND GETKEYSANDFLAGS name [argument ...]: the keys in a command.
//!
//! Sources: <https://redis.io/docs/latest/commands/command-getkeys/>,
//! <https://redis.io/docs/latest/commands/command-getkeysandflags/>.

use crate::spec::{Arity, Category, Docs, Flag, Group, KeyArg, Keys};
use crate::{CommandTable, Ctx, Reply, Request, Spec, WireError, wire_error};

pub(super) static GETKEYS: Spec = Spec {
    name: "command|getkeys",
    arity: Arity::AtLeast(4),
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[Category::Connection],
    tips: &[],
    docs: Docs::new(
        "Extract keys given a full Redis command",
        "2.8.13",
        "O(N) where N is the number of arguments to the command",
    ),
    subcommands: &[],
    run: get_keys,
};

pub(super) static GETKEYSANDFLAGS: Spec = Spec {
    name: "command|getkeysandflags",
    arity: Arity::AtLeast(4),
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[Category::Connection],
    tips: &[],
    docs: Docs::new(
        "Extract keys and access flags given a full Redis command",
        "7.0.0",
        "O(N) where N is the number of arguments to the command",
    ),
    subcommands: &[],
    run: get_keys_and_flags,
};

fn get_keys(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (spec, request) = inner(ctx.table, request)?;
    let keys = keys_in(spec, request)?;
    Ok(Reply::bulks(keys.into_iter().map(|it| it.name)))
}

fn get_keys_and_flags(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (spec, request) = inner(ctx.table, request)?;
    keys_and_flags(spec, request)
}

pub(super) fn keys_and_flags(spec: &Spec, request: Request<'_>) -> Result<Reply, WireError> {
    let pair = |it: KeyArg<'_>| Reply::Array(vec![Reply::bulk(it.name), Reply::word_set(it.flags)]);
    Ok(Reply::Array(keys_in(spec, request)?.into_iter().map(pair).collect()))
}

fn keys_in<'a>(spec: &Spec, request: Request<'a>) -> Result<Vec<KeyArg<'a>>, WireError> {
    if !spec.has_keys() {
        return Err(wire_error::NO_KEY_ARGUMENTS);
    }
    if !spec.arity.admits(request.len()) {
        return Err(wire_error::INVALID_NUMBER_OF_ARGUMENTS);
    }
    let mut keys: Vec<_> = spec.key_args_of(request).collect();
    if keys.is_empty() && !spec.has(Flag::NoMandatoryKeys) {
        return Err(wire_error::INVALID_ARGUMENTS);
    }
    for key in &mut keys {
        key.flags = certain(key.flags, request);
    }
    Ok(keys)
}

/// What happens to a key. Where that depends on the arguments (`SET`), the word `GET` makes it a read too.
fn certain(flags: &'static [&'static str], request: Request<'_>) -> &'static [&'static str] {
    if !flags.contains(&"variable_flags") {
        return flags;
    }
    if request.iter().skip(3).any(|it| it.eq_ignore_ascii_case(b"GET")) {
        &["RW", "access", "update"]
    } else {
        &["OW", "update"]
    }
}

/// The command that is asked about, with its arguments.
fn inner<'a>(
    table: &CommandTable,
    request: Request<'a>,
) -> Result<(&'static Spec, Request<'a>), WireError> {
    let request = Request::new(request.data(), request.spans().get(2..).unwrap_or_default());
    let spec = find(table, request).ok_or(wire_error::INVALID_COMMAND)?;
    Ok((spec, request))
}

fn find(table: &CommandTable, request: Request<'_>) -> Option<&'static Spec> {
    let command = table.find(request.get(0)?)?;
    match request.get(1) {
        Some(sub) if !command.spec.subcommands.is_empty() => {
            Some(table.find_subcommand(command, sub)?.spec)
        }
        _ => Some(command.spec),
    }
}
