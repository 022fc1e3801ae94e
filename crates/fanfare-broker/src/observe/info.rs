//! The text of `INFO`: redis-server 7.0.15's sections and fields in its order, and a few of its own.
//!
//! `INFO` may run inside `EXEC`, so nothing here takes a lock of the keyspace. Memory and processor time are those of
//! the whole process. Fields of things that Fanfare does not have (snapshots, replicas, scripts) are there all the
//! same, with the value of a redis-server that does not use them, since clients and exporters read them.

mod clients;
mod commands;
mod keyspace;
mod memory;
mod persistence;
mod pubsub;
mod replication;
mod server;
mod source;
mod stats;
mod text;

use crate::shared::Shared;
use source::Source;
use text::Text;

/// A part of the text.
struct Section {
    /// What it is asked for by.
    names: &'static [&'static str],
    title: &'static str,
    scope: Scope,
    write: fn(&Source<'_>, &mut Text),
}

/// When a section is shown without having been named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Always.
    Default,
    /// For `all` and `everything`.
    All,
}

/// Every section, in the order in which they are printed.
const SECTIONS: &[Section] = &[
    Section::new(&["server"], "Server", Scope::Default, server::server),
    Section::new(&["clients"], "Clients", Scope::Default, clients::clients),
    Section::new(&["memory"], "Memory", Scope::Default, memory::memory),
    Section::new(&["persistence"], "Persistence", Scope::Default, persistence::persistence),
    Section::new(&["stats"], "Stats", Scope::Default, stats::stats),
    Section::new(&["replication"], "Replication", Scope::Default, replication::replication),
    Section::new(&["cpu"], "CPU", Scope::Default, server::cpu),
    Section::new(&["modules", "module_list"], "Modules", Scope::Default, |_, _| {}),
    Section::new(&["commandstats"], "Commandstats", Scope::All, commands::commandstats),
    Section::new(&["errorstats"], "Errorstats", Scope::Default, commands::errorstats),
    Section::new(&["latencystats"], "Latencystats", Scope::All, commands::latencystats),
    Section::new(&["cluster"], "Cluster", Scope::Default, replication::cluster),
    Section::new(&["keyspace"], "Keyspace", Scope::Default, keyspace::keyspace),
    Section::new(&["pubsub"], "Pubsub", Scope::All, pubsub::pubsub),
];

impl Section {
    const fn new(
        names: &'static [&'static str],
        title: &'static str,
        scope: Scope,
        write: fn(&Source<'_>, &mut Text),
    ) -> Self {
        Self { names, title, scope, write }
    }

    fn is_asked_for(&self, asked: &[Vec<u8>]) -> bool {
        if asked.is_empty() {
            return self.scope == Scope::Default;
        }
        asked.iter().any(|word| match &**word {
            b"all" | b"everything" => true,
            b"default" => self.scope == Scope::Default,
            word => self.names.iter().any(|it| it.as_bytes() == word),
        })
    }
}

/// The sections that were asked for; none: the default ones. A name that is unknown adds nothing.
pub(crate) fn info(shared: &Shared, sections: &[Vec<u8>]) -> Vec<u8> {
    let source = Source::new(shared);
    let mut text = Text::default();
    for section in SECTIONS.iter().filter(|it| it.is_asked_for(sections)) {
        text.title(section.title);
        (section.write)(&source, &mut text);
    }
    text.into_bytes()
}
