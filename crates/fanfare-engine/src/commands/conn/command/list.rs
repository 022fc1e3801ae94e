//! COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]: names of commands.
//!
//! Source: <https://redis.io/docs/latest/commands/command-list/>. There are no modules, so none has commands.

use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, glob, wire_error};

pub(super) static LIST: Spec = Spec {
    name: "command|list",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[Category::Connection],
    tips: &["nondeterministic_output_order"],
    docs: Docs::new(
        "Get an array of Redis command names",
        "7.0.0",
        "O(N) where N is the total number of Redis commands",
    )
    .args(&[Arg::new("filterby", "oneof").token("FILTERBY").flags(&["optional"]).args(&[
        Arg::new("module-name", "string").token("MODULE"),
        Arg::new("category", "string").token("ACLCAT"),
        Arg::new("pattern", "pattern").token("PATTERN"),
    ])]),
    subcommands: &[],
    run: list,
};

enum Filter<'a> {
    All,
    Module,
    Category(&'a [u8]),
    Pattern(&'a [u8]),
}

fn list(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let filter = Filter::parse(request)?;
    let specs = super::callable(ctx.table).into_iter();
    let specs = specs.flat_map(|it| std::iter::once(it).chain(it.subcommands.iter().copied()));
    Ok(Reply::bulks(specs.filter(|it| filter.admits(it)).map(|it| it.name)))
}

impl<'a> Filter<'a> {
    fn parse(request: Request<'a>) -> Result<Self, WireError> {
        let (filterby, kind, value) = match (request.get(2), request.get(3), request.get(4)) {
            (None, _, _) => return Ok(Self::All),
            (Some(word), Some(kind), Some(value)) if request.len() == 5 => (word, kind, value),
            _ => return Err(wire_error::SYNTAX),
        };
        if !filterby.eq_ignore_ascii_case(b"FILTERBY") {
            return Err(wire_error::SYNTAX);
        }
        match kind.to_ascii_lowercase().as_slice() {
            b"module" => Ok(Self::Module),
            b"aclcat" => Ok(Self::Category(value)),
            b"pattern" => Ok(Self::Pattern(value)),
            _ => Err(wire_error::SYNTAX),
        }
    }

    fn admits(&self, spec: &Spec) -> bool {
        match self {
            Self::All => true,
            Self::Module => false,
            Self::Category(name) => {
                spec.acl_categories().any(|it| it.as_bytes().eq_ignore_ascii_case(name))
            }
            Self::Pattern(pattern) => glob::matches_nocase(pattern, spec.name.as_bytes()),
        }
    }
}
