//! `COMMAND INFO` and `COMMAND DOCS` as types. A field that nobody expects is an error, not left out.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::server::Server;

/// A command, and its subcommands in the order of their names.
pub(super) struct Command {
    pub(super) info: Info,
    pub(super) docs: Docs,
    pub(super) subcommands: Vec<Command>,
    /// What HELP answers, if it is a container's HELP.
    pub(super) help: Vec<String>,
}

impl Command {
    /// What the server knows of `name`; `None`: it does not know the command.
    pub(super) fn ask(server: &mut Server, name: &str) -> Result<Option<Self>> {
        let name = name.to_ascii_lowercase();
        let info: Vec<Option<Info>> = parse(server.call(&["COMMAND", "INFO", &name])?, &name)?;
        let Some(info) = info.into_iter().next().flatten() else { return Ok(None) };
        let mut docs: BTreeMap<String, Docs> =
            parse(server.call(&["COMMAND", "DOCS", &name])?, &name)?;
        let docs = docs.remove(&name).with_context(|| format!("no docs of {name}"))?;
        Self::new(server, info, docs).map(Some)
    }

    fn new(server: &mut Server, mut info: Info, mut docs: Docs) -> Result<Self> {
        let mut subcommands = Vec::new();
        for sub in std::mem::take(&mut info.subcommands) {
            let its_docs = docs.subcommands.remove(&sub.name);
            let its_docs = its_docs.with_context(|| format!("no docs of {}", sub.name))?;
            subcommands.push(Self::new(server, sub, its_docs)?);
        }
        subcommands.sort_by(|a, b| a.info.name.cmp(&b.info.name));
        let help = match info.name.split_once('|') {
            Some((container, "help")) => parse(server.call(&[container, "HELP"])?, &info.name)?,
            Some(_) | None => Vec::new(),
        };
        Ok(Self { info, docs, subcommands, help })
    }

    /// Its name and its subcommands'.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let subcommands = self.subcommands.iter().map(|it| &*it.info.name);
        std::iter::once(&*self.info.name).chain(subcommands)
    }
}

fn parse<T: for<'de> Deserialize<'de>>(answer: Value, name: &str) -> Result<T> {
    serde_json::from_value(answer)
        .with_context(|| format!("an answer about {name} of another form"))
}

/// A line of `COMMAND INFO`, an array: the order of the fields counts.
#[derive(Deserialize)]
pub(super) struct Info {
    pub(super) name: String,
    pub(super) arity: i64,
    pub(super) flags: Vec<String>,
    /// First key, last key, step: less than the key specs say.
    _range: IgnoredAny,
    _last: IgnoredAny,
    _step: IgnoredAny,
    /// With `@`.
    pub(super) acl_categories: Vec<String>,
    pub(super) tips: Vec<String>,
    pub(super) key_specs: Vec<KeySpec>,
    subcommands: Vec<Info>,
}

/// One place where keys are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeySpec {
    pub(super) notes: Option<String>,
    pub(super) flags: Vec<String>,
    pub(super) begin_search: Begin,
    pub(super) find_keys: Find,
}

/// Where they begin.
#[derive(Deserialize)]
#[serde(tag = "type", content = "spec", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Begin {
    Index { index: i64 },
    Keyword { keyword: String, startfrom: i64 },
    Unknown {},
}

/// Which of the arguments from there on they are.
#[derive(Deserialize)]
#[serde(tag = "type", content = "spec", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Find {
    Range { lastkey: i64, keystep: i64, limit: i64 },
    KeyNum { keynumidx: i64, firstkey: i64, keystep: i64 },
    Unknown {},
}

/// What `COMMAND DOCS` says of a command.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Docs {
    pub(super) summary: String,
    pub(super) since: String,
    pub(super) group: String,
    #[serde(default)]
    pub(super) complexity: String,
    #[serde(default)]
    pub(super) doc_flags: Vec<String>,
    pub(super) deprecated_since: Option<String>,
    #[serde(default)]
    pub(super) replaced_by: String,
    #[serde(default)]
    pub(super) history: Vec<(String, String)>,
    #[serde(default)]
    pub(super) arguments: Vec<Argument>,
    #[serde(default)]
    subcommands: BTreeMap<String, Docs>,
}

/// One argument.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Argument {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Redis 7.2 adds it; a `Spec` follows 7.0.
    #[serde(rename = "display_text", default)]
    _display_text: IgnoredAny,
    pub(super) key_spec_index: Option<i64>,
    pub(super) token: Option<String>,
    pub(super) since: Option<String>,
    pub(super) deprecated_since: Option<String>,
    #[serde(default)]
    pub(super) flags: Vec<String>,
    #[serde(default)]
    pub(super) arguments: Vec<Argument>,
}
