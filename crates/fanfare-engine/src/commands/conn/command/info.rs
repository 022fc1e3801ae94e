//! COMMAND INFO [name ...] and COMMAND: what a command does, for clients that route it.
//!
//! Source: <https://redis.io/docs/latest/commands/command/>, "Extended reply".

use crate::spec::{Arg, Arity, Begin, Category, Docs, Find, Flag, Group, KeyRange, KeySpec, Keys};
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

pub(super) fn info_of(spec: &'static Spec) -> Reply {
    let KeyRange { first, last, step } = spec.key_range();
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
        Reply::Set(spec.key_specs().map(key_spec).collect()),
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

/// The flags, and one more that follows from where the keys are.
fn flag_names(spec: &Spec) -> Vec<&'static str> {
    let mut names = Vec::new();
    for &flag in FLAGS {
        if flag == Flag::AllowBusy && spec.has_movable_keys() {
            names.push("movablekeys");
        }
        names.extend(flag.as_redis().filter(|_| spec.has(flag)));
    }
    names
}

/// One place where keys are, in the words of Redis 7.
fn key_spec(spec: KeySpec) -> Reply {
    let int = |n: i64| Reply::Int(n);
    let begin_search = match spec.begin {
        Begin::Index(index) => search("index", vec![("index", int(index.into()))]),
        Begin::Keyword { word, from } => {
            search("keyword", vec![("keyword", Reply::bulk(word)), ("startfrom", int(from.into()))])
        }
        Begin::Unknown => search("unknown", Vec::new()),
    };
    let find_keys = match spec.find {
        Find::Range { last, step, limit } => search(
            "range",
            vec![
                ("lastkey", int(last.into())),
                ("keystep", int(step.into())),
                ("limit", int(limit.into())),
            ],
        ),
        Find::KeyNum { number, first, step } => search(
            "keynum",
            vec![
                ("keynumidx", int(number.into())),
                ("firstkey", int(first.into())),
                ("keystep", int(step.into())),
            ],
        ),
        Find::Unknown => search("unknown", Vec::new()),
    };
    let notes = spec.notes.map(|it| ("notes", Reply::bulk(it)));
    let rest = [
        ("flags", Reply::word_set(spec.flags)),
        ("begin_search", begin_search),
        ("find_keys", find_keys),
    ];
    Reply::map(notes.into_iter().chain(rest))
}

fn search(kind: &'static str, spec: Vec<(&'static str, Reply)>) -> Reply {
    Reply::map([("type", Reply::bulk(kind)), ("spec", Reply::map(spec))])
}
