//! COMMAND INFO [name ...] and COMMAND: what a command does, for clients that route it.
//!
//! Source: <https://redis.io/docs/latest/commands/command/>, "Extended reply".

use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys};
use crate::{CommandTable, Ctx, Reply, Request, Spec, WireError};

pub(super) static INFO: Spec = Spec {
    name: "command|info",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[Category::Connection],
    tips: &["nondeterministic_output_order"],
    docs: Docs::new(
        "Get array of specific Redis command details, or all when no argument is given.",
        "2.8.13",
        "O(N) where N is the number of commands to look up",
    )
    .history(&[("7.0.0", "Allowed to be called with no argument to get info on all commands.")])
    .args(&[Arg::new("command-name", "string").flags(&["optional", "multiple"])]),
    subcommands: &[],
    run: info,
};

fn info(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    if request.len() == 2 {
        return Ok(all(ctx.table));
    }
    let names = request.iter().skip(2);
    let infos = names.map(|name| super::find(ctx.table, name).map_or(Reply::Null, info_of));
    Ok(Reply::Array(infos.collect()))
}

/// What `COMMAND` answers.
pub(super) fn all(table: &CommandTable) -> Reply {
    Reply::Array(super::callable(table).into_iter().map(info_of).collect())
}

fn info_of(spec: &'static Spec) -> Reply {
    let (first, last, step) = key_positions(spec.keys);
    let categories = spec.acl_categories().map(|it| Reply::Simple(format!("@{it}").into()));
    Reply::Array(vec![
        Reply::bulk(spec.name),
        Reply::Int(spec.arity.as_redis()),
        Reply::word_set(&flag_names(spec)),
        Reply::Int(first),
        Reply::Int(last),
        Reply::Int(step),
        Reply::Set(categories.collect()),
        Reply::Set(spec.tips.iter().map(|&it| Reply::bulk(it)).collect()),
        Reply::Set(key_spec(spec).into_iter().collect()),
        subcommands(spec),
    ])
}

fn subcommands(spec: &'static Spec) -> Reply {
    // Redis's own reply has a set here when it is empty.
    if spec.subcommands.is_empty() {
        return Reply::Set(Vec::new());
    }
    Reply::Array(spec.subcommands.iter().map(|it| info_of(it)).collect())
}

/// Flags in the order in which Redis prints them.
const FLAGS: &[Flag] = &[
    Flag::Write,
    Flag::ReadOnly,
    Flag::DenyOom,
    Flag::Admin,
    Flag::PubSub,
    Flag::NoScript,
    Flag::Blocking,
    Flag::Loading,
    Flag::Stale,
    Flag::SkipMonitor,
    Flag::SkipSlowlog,
    Flag::Asking,
    Flag::Fast,
    Flag::NoAuth,
    Flag::MayReplicate,
    Flag::NoMandatoryKeys,
    Flag::NoAsyncLoading,
    Flag::NoMulti,
    Flag::AllowBusy,
];

fn flag_names(spec: &Spec) -> Vec<&'static str> {
    FLAGS.iter().filter(|&&it| spec.has(it)).filter_map(|it| it.as_redis()).collect()
}

fn key_positions(keys: Keys) -> (i64, i64, i64) {
    match keys {
        Keys::Range { first, last, step, .. } => (first.into(), last.into(), step.into()),
        Keys::ShardChannels { first, last } => (first.into(), last.into(), 1),
        Keys::None | Keys::Queued | Keys::Database | Keys::Everything => (0, 0, 0),
    }
}

/// Where the keys are, in the words of Redis 7: search an index, take a range. The last key counts from the first.
fn key_spec(spec: &Spec) -> Option<Reply> {
    let (first, last, step) = key_positions(spec.keys);
    let flags: &[&str] = match spec.keys {
        Keys::Range { flags, .. } => flags,
        Keys::ShardChannels { .. } => &["not_key"],
        Keys::None | Keys::Queued | Keys::Database | Keys::Everything => return None,
    };
    let last = if last < 0 { last } else { last - first };
    let begin_search = search("index", vec![("index", Reply::Int(first))]);
    let find_keys = search(
        "range",
        vec![
            ("lastkey", Reply::Int(last)),
            ("keystep", Reply::Int(step)),
            ("limit", Reply::Int(0)),
        ],
    );
    let notes = spec.docs.key_notes.map(|it| ("notes", Reply::bulk(it)));
    let rest = [
        ("flags", Reply::word_set(flags)),
        ("begin_search", begin_search),
        ("find_keys", find_keys),
    ];
    Some(Reply::map(notes.into_iter().chain(rest)))
}

fn search(kind: &'static str, spec: Vec<(&'static str, Reply)>) -> Reply {
    Reply::map([("type", Reply::bulk(kind)), ("spec", Reply::map(spec))])
}
