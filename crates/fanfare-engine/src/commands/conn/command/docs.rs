//! COMMAND DOCS [name ...]: the reference manual of a command, for people's tools.
//!
//! Source: <https://redis.io/docs/latest/commands/command-docs/>. Names that no command has are left out.

use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(super) static DOCS: Spec = Spec {
    name: "command|docs",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[Category::Connection],
    tips: &["nondeterministic_output_order"],
    docs: Docs::new(
        "Get array of specific Redis command documentation",
        "7.0.0",
        "O(N) where N is the number of commands to look up",
    )
    .args(&[Arg::new("command-name", "string").flags(&["optional", "multiple"])]),
    subcommands: &[],
    run: docs,
};

fn docs(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let specs = if request.len() == 2 {
        super::callable(ctx.table)
    } else {
        request.iter().skip(2).filter_map(|name| super::find(ctx.table, name)).collect()
    };
    Ok(all_docs(&specs))
}

fn all_docs(specs: &[&Spec]) -> Reply {
    Reply::map(specs.iter().map(|spec| (spec.name, docs_of(spec))))
}

fn docs_of(spec: &Spec) -> Reply {
    let docs = &spec.docs;
    let mut pairs = vec![
        ("summary", Reply::bulk(docs.summary)),
        ("since", Reply::bulk(docs.since)),
        ("group", Reply::bulk(spec.group.as_redis())),
    ];
    if !docs.complexity.is_empty() {
        pairs.push(("complexity", Reply::bulk(docs.complexity)));
    }
    if !docs.doc_flags.is_empty() {
        pairs.push(("doc_flags", Reply::word_set(docs.doc_flags)));
    }
    if let Some((since, replaced_by)) = docs.deprecated {
        pairs.push(("deprecated_since", Reply::bulk(since)));
        pairs.push(("replaced_by", Reply::bulk(replaced_by)));
    }
    if !docs.history.is_empty() {
        let changes = docs.history.iter().map(|&(version, change)| Reply::bulks([version, change]));
        pairs.push(("history", Reply::Set(changes.collect())));
    }
    if !docs.args.is_empty() {
        pairs.push(("arguments", arguments(docs.args)));
    }
    if !spec.subcommands.is_empty() {
        pairs.push(("subcommands", all_docs(spec.subcommands)));
    }
    Reply::map(pairs)
}

fn arguments(args: &[Arg]) -> Reply {
    Reply::Array(args.iter().map(argument).collect())
}

fn argument(arg: &Arg) -> Reply {
    let mut pairs = vec![("name", Reply::bulk(arg.name)), ("type", Reply::bulk(arg.kind))];
    if let Some(index) = arg.key_spec {
        pairs.push(("key_spec_index", Reply::Int(index.into())));
    }
    let texts =
        [("token", arg.token), ("since", arg.since), ("deprecated_since", arg.deprecated_since)];
    pairs.extend(texts.into_iter().filter_map(|(key, text)| Some((key, Reply::bulk(text?)))));
    if !arg.flags.is_empty() {
        pairs.push(("flags", Reply::word_set(arg.flags)));
    }
    if !arg.args.is_empty() {
        pairs.push(("arguments", arguments(arg.args)));
    }
    Reply::map(pairs)
}
