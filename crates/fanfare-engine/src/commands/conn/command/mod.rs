//! COMMAND: the commands of this server as data, for clients that want to know.
//!
//! Source: <https://redis.io/docs/latest/commands/command/> and the pages of the subcommands. Everything is read from the
//! [`Spec`]s. Commands come sorted by name, where Redis has the order of a hash table.

mod docs;
mod info;
mod keys;
mod list;
#[cfg(test)]
mod tests;

use crate::spec::{Arity, Category, Docs, Flag, Group, Keys};
use crate::{CommandTable, Reply, Spec};

pub(crate) static COMMAND: Spec = Spec {
    name: "command",
    arity: Arity::AtLeast(1),
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[Category::Connection],
    tips: &["nondeterministic_output_order"],
    docs: Docs::new(
        "Get array of Redis command details",
        "2.8.13",
        "O(N) where N is the total number of Redis commands",
    ),
    subcommands: &[
        &COUNT,
        &docs::DOCS,
        &keys::GETKEYS,
        &keys::GETKEYSANDFLAGS,
        &HELP,
        &info::INFO,
        &list::LIST,
    ],
    run: |ctx, _| Ok(info::all(ctx.table)),
};

static COUNT: Spec = Spec {
    name: "command|count",
    arity: Arity::Exactly(2),
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[Category::Connection],
    tips: &[],
    docs: Docs::new("Get total number of Redis commands", "2.8.13", "O(1)"),
    subcommands: &[],
    run: |ctx, _| Ok(Reply::count(ctx.table.len())),
};

static HELP: Spec = Spec {
    categories: &[Category::Connection],
    ..Spec::help(
        Group::Server,
        "command|help",
        Docs::new("Show helpful text about the different subcommands", "5.0.0", "O(1)"),
        |_, _| Ok(Reply::lines(HELP_LINES)),
    )
};

/// The words of redis-server 7.0.
const HELP_LINES: &[&str] = &[
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
    "HELP",
    "    Prints this help.",
];

/// The commands that can be called, sorted by name.
fn callable(table: &CommandTable) -> Vec<&'static Spec> {
    let mut specs: Vec<_> = table.iter().map(|(_, command)| command.spec).collect();
    specs.sort_unstable_by_key(|spec| spec.name);
    specs
}

/// The command `get` or the subcommand `client|kill`, under the names of this server.
fn find(table: &CommandTable, name: &[u8]) -> Option<&'static Spec> {
    let mut parts = name.split(|&it| it == b'|');
    let command = table.find(parts.next()?)?;
    let found = match parts.next() {
        None => command,
        Some(sub) => table.find_subcommand(command, sub)?,
    };
    parts.next().is_none().then_some(found.spec)
}
