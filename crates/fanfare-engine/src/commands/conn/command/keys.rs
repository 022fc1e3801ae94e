//! COMMAND GETKEYS and COMMAND GETKEYSANDFLAGS name [argument ...]: the keys in a command.
//!
//! Sources: <https://redis.io/docs/latest/commands/command-getkeys/>,
//! <https://redis.io/docs/latest/commands/command-getkeysandflags/>.

use crate::spec::{Arity, Category, Docs, Flag, Group, Keys};
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
    let inner = Inner::parse(ctx.table, request)?;
    Ok(Reply::bulks(inner.spec.keys_of(inner.request)))
}

fn get_keys_and_flags(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let inner = Inner::parse(ctx.table, request)?;
    let flags = Reply::word_set(inner.key_flags());
    let keys = inner.spec.keys_of(inner.request);
    Ok(Reply::Array(keys.map(|it| Reply::Array(vec![Reply::bulk(it), flags.clone()])).collect()))
}

/// The command that is asked about.
struct Inner<'a> {
    spec: &'static Spec,
    request: Request<'a>,
    flags: &'static [&'static str],
}

impl<'a> Inner<'a> {
    fn parse(table: &CommandTable, request: Request<'a>) -> Result<Self, WireError> {
        let request = Request::new(request.data(), request.spans().get(2..).unwrap_or_default());
        let spec = find(table, request).ok_or(wire_error::INVALID_COMMAND)?;
        let Keys::Range { flags, .. } = spec.keys else {
            return Err(wire_error::NO_KEY_ARGUMENTS);
        };
        if !spec.arity.admits(request.len()) {
            return Err(wire_error::INVALID_NUMBER_OF_ARGUMENTS);
        }
        Ok(Self { spec, request, flags })
    }

    /// What happens to the keys. Where that depends on the arguments (`SET`), the word `GET` makes it a read too.
    fn key_flags(&self) -> &'static [&'static str] {
        if !self.flags.contains(&"variable_flags") {
            return self.flags;
        }
        if self.request.iter().skip(3).any(|it| it.eq_ignore_ascii_case(b"GET")) {
            &["RW", "access", "update"]
        } else {
            &["OW", "update"]
        }
    }
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
