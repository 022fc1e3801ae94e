//! Rust text, not formatted yet.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::facts::{Argument, Begin, Command, Docs, Find, KeySpec};

/// Keys that a command reaches, and `COMMAND INFO` does not know of: locks must.
const HIDDEN_KEYS: &[(&str, &str)] = &[
    ("dbsize", "Keys::Database"),
    ("debug", "Keys::Database"),
    ("exec", "Keys::Queued"),
    ("flushall", "Keys::Everything"),
    ("flushdb", "Keys::Database"),
    ("function|delete", "Keys::Everything"),
    ("function|dump", "Keys::Everything"),
    ("function|flush", "Keys::Everything"),
    ("function|list", "Keys::Everything"),
    ("function|load", "Keys::Everything"),
    ("function|restore", "Keys::Everything"),
    ("keys", "Keys::Database"),
    ("memory|stats", "Keys::Everything"),
    ("randomkey", "Keys::Database"),
    ("scan", "Keys::Planned { specs: &[], lock: Lock::Steps(places) }"),
    ("swapdb", "Keys::Everything"),
];

/// What commands lock beyond the keys that they tell of; of BITFIELD, what happens to its key.
const LOCKS: &[(&str, &str)] = &[
    ("bitfield", "Lock::Custom(places)"),
    ("copy", "Lock::Custom(places)"),
    ("eval", "Lock::Everything"),
    ("eval_ro", "Lock::Everything"),
    ("evalsha", "Lock::Everything"),
    ("evalsha_ro", "Lock::Everything"),
    ("fcall", "Lock::Everything"),
    ("fcall_ro", "Lock::Everything"),
    ("move", "Lock::Custom(places)"),
    ("sort", "Lock::Custom(places)"),
    ("sort_ro", "Lock::Custom(places)"),
];

/// `COMMAND INFO` does not tell that they may replicate; `CLIENT PAUSE WRITE` shows it.
const MAY_REPLICATE: &[&str] = &["eval", "evalsha", "fcall", "pfcount", "publish", "spublish"];

/// Names of Redis that are several words, written as one.
const WORDS: &[(&str, &str)] = &[
    ("denyoom", "DenyOom"),
    ("hyperloglog", "HyperLogLog"),
    ("noscript", "NoScript"),
    ("pubsub", "PubSub"),
    ("readonly", "ReadOnly"),
    ("sortedset", "SortedSet"),
];

/// The file with these commands.
pub(super) fn file(commands: &[Command]) -> Result<String> {
    let mut body = String::new();
    for command in commands {
        let visibility =
            if command.info.name.contains('|') { "pub(super) " } else { "pub(crate) " };
        body.push_str(&item(command, visibility)?);
        for subcommand in &command.subcommands {
            body.push_str(&item(subcommand, "")?);
        }
    }
    for help in commands.iter().flat_map(|it| std::iter::once(it).chain(&it.subcommands)) {
        if !help.help.is_empty() {
            let lines = strings(&help.help);
            body.push_str(&format!("const HELP_LINES: &[&str] = {lines};\n\n"));
        }
    }
    Ok(format!("{}{}{body}", head(commands), uses(&body)))
}

fn head(commands: &[Command]) -> String {
    let mut out = String::new();
    for command in commands {
        let page = command.info.name.replace('|', "-");
        out.push_str(&format!("//! Source: <https://redis.io/docs/latest/commands/{page}/>.\n"));
    }
    out + "\n"
}

fn uses(body: &str) -> String {
    let of_spec = [
        "Arg", "Arity", "Begin", "Category", "Docs", "Find", "Flag", "Group", "KeySpec", "Keys",
        "Lock",
    ];
    let of_crate = ["Reply", "Spec", "WireError"];
    let used = |names: &[&str]| {
        let is_used =
            |it: &&str| body.contains(&format!("{it}::")) || body.contains(&format!("{it} {{"));
        names.iter().copied().filter(is_used).collect::<Vec<_>>().join(", ")
    };
    format!("use crate::spec::{{{}}};\nuse crate::{{{}}};\n\n", used(&of_spec), used(&of_crate))
}

fn item(command: &Command, visibility: &str) -> Result<String> {
    let Command { info, docs, .. } = command;
    let name = &info.name;
    let mut flags = Vec::new();
    // That keys are movable follows from where they are.
    for flag in info.flags.iter().filter(|it| *it != "movablekeys") {
        flags.push(format!("Flag::{}", camel(flag)));
    }
    if MAY_REPLICATE.contains(&&**name) {
        flags.push("Flag::MayReplicate".to_owned());
    }
    let (keys, notes) = keys(name, &info.key_specs);
    let subcommands =
        command.subcommands.iter().map(|it| format!("&{}", static_name(&it.info.name)));
    Ok(format!(
        "{visibility}static {}: Spec = Spec {{ name: {name:?}, arity: {}, flags: {}, keys: {keys}, \
         group: Group::{}, categories: {}, tips: {}, docs: {}, subcommands: {}, run: {} }};\n\n",
        static_name(name),
        arity(info.arity),
        list(flags),
        camel(&docs.group),
        categories(command)?,
        strings(&info.tips),
        docs_text(docs, notes),
        list(subcommands),
        run(command),
    ))
}

/// What the static of a command is called. A subcommand's is in a module of its container.
pub(super) fn static_name(name: &str) -> String {
    own_name(name).to_uppercase()
}

fn own_name(name: &str) -> String {
    name.rsplit('|').next().unwrap_or(name).replace('-', "_")
}

fn run(command: &Command) -> String {
    if !command.help.is_empty() {
        return "|_, _| Ok(Reply::lines(HELP_LINES))".to_owned();
    }
    if !command.subcommands.is_empty() {
        return "|ctx, request| { Err(WireError::unknown_subcommand(ctx.spec.name, \
                request.get(1).unwrap_or_default())) }"
            .to_owned();
    }
    let name = own_name(&command.info.name);
    // The only commands that are called like a keyword of Rust.
    if matches!(&*name, "move" | "type") { format!("r#{name}") } else { name }
}

fn arity(arity: i64) -> String {
    let kind = if arity < 0 { "AtLeast" } else { "Exactly" };
    format!("Arity::{kind}({})", arity.unsigned_abs())
}

/// The keys, and a remark on them that has no place there.
fn keys<'a>(name: &str, specs: &'a [KeySpec]) -> (String, Option<&'a str>) {
    if specs.is_empty() {
        let hidden = HIDDEN_KEYS.iter().find(|it| it.0 == name);
        return (hidden.map_or("Keys::None", |it| it.1).to_owned(), None);
    }
    if let Some((_, lock)) = LOCKS.iter().find(|it| it.0 == name) {
        let specs = list(specs.iter().map(key_spec));
        return (format!("Keys::Planned {{ specs: {specs}, lock: {lock} }}"), None);
    }
    if let [KeySpec { notes, flags, begin_search, find_keys }] = specs
        && let Begin::Index { index: first } = begin_search
        && let Find::Range { lastkey, keystep, limit: 0 } = find_keys
    {
        let last = if *lastkey < 0 { *lastkey } else { first + lastkey };
        match flags.as_slice() {
            [flag] if flag == "not_key" && *keystep == 1 => {
                let keys = format!("Keys::ShardChannels {{ first: {first}, last: {last} }}");
                return (keys, notes.as_deref());
            }
            flags if !flags.iter().any(|it| it == "not_key") => {
                let flags = strings(flags);
                let keys = format!(
                    "Keys::Range {{ first: {first}, last: {last}, step: {keystep}, flags: {flags} }}"
                );
                return (keys, notes.as_deref());
            }
            _ => {}
        }
    }
    (format!("Keys::Specs({})", list(specs.iter().map(key_spec))), None)
}

fn key_spec(spec: &KeySpec) -> String {
    let begin = match &spec.begin_search {
        Begin::Index { index } => format!("Index({index})"),
        Begin::Keyword { keyword, startfrom } => {
            format!("Keyword {{ word: {keyword:?}, from: {startfrom} }}")
        }
        Begin::Unknown {} => "Unknown".to_owned(),
    };
    let find = match &spec.find_keys {
        Find::Range { lastkey, keystep, limit } => {
            format!("Range {{ last: {lastkey}, step: {keystep}, limit: {limit} }}")
        }
        Find::KeyNum { keynumidx, firstkey, keystep } => {
            format!("KeyNum {{ number: {keynumidx}, first: {firstkey}, step: {keystep} }}")
        }
        Find::Unknown {} => "Unknown".to_owned(),
    };
    format!(
        "KeySpec {{ begin: Begin::{begin}, find: Find::{find}, flags: {}, notes: {:?} }}",
        strings(&spec.flags),
        spec.notes,
    )
}

/// ACL categories that do not follow from flags and group.
fn categories(command: &Command) -> Result<String> {
    let Command { info, docs, .. } = command;
    let has: BTreeSet<&str> =
        info.acl_categories.iter().map(|it| it.strip_prefix('@').unwrap_or(it)).collect();
    let flagged = |flag: &str| info.flags.iter().any(|it| it == flag);
    let mut implied = BTreeSet::new();
    implied.insert(if flagged("fast") { "fast" } else { "slow" });
    for (flag, categories) in [
        ("write", &["write"][..]),
        // Redis leaves read-only scripts out.
        ("readonly", if docs.group == "scripting" { &[] } else { &["read"] }),
        ("admin", &["admin", "dangerous"]),
        ("pubsub", &["pubsub"]),
        ("blocking", &["blocking"]),
    ] {
        implied.extend(categories.iter().filter(|_| flagged(flag)));
    }
    // A container does nothing itself: only its subcommands belong to the group's category.
    let chapter = chapter(&docs.group).filter(|_| command.subcommands.is_empty());
    implied.extend(chapter);
    let extra: Vec<&str> = info
        .acl_categories
        .iter()
        .map(|it| it.strip_prefix('@').unwrap_or(it))
        .filter(|it| !implied.contains(it))
        .collect();
    // Another chapter's category takes the place of the group's own.
    let is_elsewhere = extra.iter().any(|it| CHAPTERS.iter().any(|(_, category)| it == category));
    for missing in implied.difference(&has) {
        if !(is_elsewhere && Some(*missing) == chapter) {
            bail!("{} should be in @{missing}, and is not: a Spec can not say it", info.name);
        }
    }
    Ok(list(extra.into_iter().map(|it| format!("Category::{}", camel(it)))))
}

/// Groups whose commands are all in one ACL category.
const CHAPTERS: &[(&str, &str)] = &[
    ("bitmap", "bitmap"),
    ("connection", "connection"),
    ("generic", "keyspace"),
    ("geo", "geo"),
    ("hash", "hash"),
    ("hyperloglog", "hyperloglog"),
    ("list", "list"),
    ("scripting", "scripting"),
    ("set", "set"),
    ("sorted-set", "sortedset"),
    ("stream", "stream"),
    ("string", "string"),
    ("transactions", "transaction"),
];

fn chapter(group: &str) -> Option<&'static str> {
    CHAPTERS.iter().find(|it| it.0 == group).map(|it| it.1)
}

fn docs_text(docs: &Docs, key_notes: Option<&str>) -> String {
    let Docs { summary, since, complexity, .. } = docs;
    let mut out = format!("Docs::new({summary:?}, {since:?}, {complexity:?})");
    if !docs.history.is_empty() {
        let history = docs.history.iter().map(|it| format!("{it:?}"));
        out.push_str(&format!(".history({})", list(history)));
    }
    if let Some(since) = &docs.deprecated_since {
        out.push_str(&format!(".deprecated({since:?}, {:?})", docs.replaced_by));
    }
    if !docs.doc_flags.is_empty() {
        out.push_str(&format!(".doc_flags({})", strings(&docs.doc_flags)));
    }
    if let Some(notes) = key_notes {
        out.push_str(&format!(".key_notes({notes:?})"));
    }
    if !docs.arguments.is_empty() {
        out.push_str(&format!(".args({})", list(docs.arguments.iter().map(arg))));
    }
    out
}

fn arg(arg: &Argument) -> String {
    let Argument { name, kind, .. } = arg;
    let mut key_spec = arg.key_spec_index;
    let mut token = arg.token.as_ref();
    let mut out = match (&**kind, key_spec, token) {
        ("key", Some(index), _) => {
            key_spec = Some(index).filter(|it| *it != 0);
            format!("Arg::key({name:?})")
        }
        ("pure-token", None, Some(word)) => {
            token = None;
            format!("Arg::word({name:?}, {word:?})")
        }
        _ => format!("Arg::new({name:?}, {kind:?})"),
    };
    if let Some(index) = key_spec {
        out.push_str(&format!(".key_spec({index})"));
    }
    let texts = [
        ("token", token),
        ("since", arg.since.as_ref()),
        ("deprecated_since", arg.deprecated_since.as_ref()),
    ];
    for (method, text) in texts {
        if let Some(text) = text {
            out.push_str(&format!(".{method}({text:?})"));
        }
    }
    if !arg.flags.is_empty() {
        out.push_str(&format!(".flags({})", strings(&arg.flags)));
    }
    if !arg.arguments.is_empty() {
        out.push_str(&format!(".args({})", list(arg.arguments.iter().map(self::arg))));
    }
    out
}

fn strings(texts: &[String]) -> String {
    format!("&{texts:?}")
}

fn list(parts: impl IntoIterator<Item = String>) -> String {
    format!("&[{}]", parts.into_iter().collect::<Vec<_>>().join(", "))
}

/// `no_mandatory_keys`: `NoMandatoryKeys`.
fn camel(name: &str) -> String {
    if let Some((_, words)) = WORDS.iter().find(|it| it.0 == name) {
        return (*words).to_owned();
    }
    let mut out = String::new();
    for word in name.split(['_', '-']) {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        out.push_str(&first.to_uppercase());
        out.push_str(rest);
    }
    out
}
