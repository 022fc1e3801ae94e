//! A command as data. Dispatch, arity, key positions, ACL categories, `COMMAND` and the docs all derive from it.

use crate::{Ctx, Reply, Request, WireError};

/// Everything the server knows about one command or subcommand.
///
/// Sources for the facts: <https://redis.io/docs/latest/commands/> and redis-server 7.0.15's `COMMAND INFO`.
#[derive(Debug)]
pub struct Spec {
    /// Lower-case name as `COMMAND` prints it; a subcommand carries its container: `client|kill`.
    pub name: &'static str,
    /// How many arguments, the command's name included (a subcommand: its container's name too).
    pub arity: Arity,
    /// What the command does to the server.
    pub flags: &'static [Flag],
    /// Where its keys are.
    pub keys: Keys,
    /// The chapter of the documentation it belongs to.
    pub group: Group,
    /// ACL categories beyond those that follow from `flags` and `group`.
    pub categories: &'static [Category],
    /// Hints for clients, such as `nondeterministic_output`.
    pub tips: &'static [&'static str],
    /// What `COMMAND DOCS` and the generated reference say.
    pub docs: Docs,
    /// Subcommands of a container such as `CLIENT`; empty otherwise.
    pub subcommands: &'static [&'static Spec],
    /// Does it. A container's own `run` is never called when its arity asks for a subcommand.
    pub run: Run,
}

/// The function behind a command.
pub type Run = fn(&mut Ctx<'_>, Request<'_>) -> Result<Reply, WireError>;

/// Number of arguments, the name included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Exactly so many.
    Exactly(u8),
    /// So many or more.
    AtLeast(u8),
}

impl Arity {
    /// Whether `n_args` arguments (name included) are acceptable.
    #[inline]
    #[must_use]
    pub fn admits(self, n_args: usize) -> bool {
        match self {
            Self::Exactly(n) => n_args == usize::from(n),
            Self::AtLeast(n) => usize::from(n) <= n_args,
        }
    }

    /// Redis's notation: negative means "at least".
    #[must_use]
    pub fn as_redis(self) -> i64 {
        match self {
            Self::Exactly(n) => i64::from(n),
            Self::AtLeast(n) => -i64::from(n),
        }
    }
}

/// Properties of a command, with Redis's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// May change the keyspace.
    Write,
    /// Reads keys only.
    ReadOnly,
    /// Refused when memory is full.
    DenyOom,
    /// For operators.
    Admin,
    /// About publish/subscribe; allowed in a subscribed RESP2 session.
    PubSub,
    /// Not from scripts.
    NoScript,
    /// May block the client.
    Blocking,
    /// Allowed while data is loaded.
    Loading,
    /// Allowed on a stale replica.
    Stale,
    /// Not shown to `MONITOR`.
    SkipMonitor,
    /// Not put into the slow log.
    SkipSlowlog,
    /// Accepted by a cluster node that imports the slot.
    Asking,
    /// Constant or logarithmic time.
    Fast,
    /// Needs no authentication.
    NoAuth,
    /// May be replicated although it writes no key (`PUBLISH`).
    MayReplicate,
    /// Known to Sentinel.
    Sentinel,
    /// Keys are optional.
    NoMandatoryKeys,
    /// Not inside a transaction.
    NoMulti,
    /// Allowed while a script runs too long.
    AllowBusy,
    /// Not while loading asynchronously.
    NoAsyncLoading,
}

impl Flag {
    /// The name in `COMMAND INFO`; `None` for flags that Redis does not print.
    #[must_use]
    pub fn as_redis(self) -> Option<&'static str> {
        Some(match self {
            Self::MayReplicate | Self::Sentinel => return None,
            Self::Write => "write",
            Self::ReadOnly => "readonly",
            Self::DenyOom => "denyoom",
            Self::Admin => "admin",
            Self::PubSub => "pubsub",
            Self::NoScript => "noscript",
            Self::Blocking => "blocking",
            Self::Loading => "loading",
            Self::Stale => "stale",
            Self::SkipMonitor => "skip_monitor",
            Self::SkipSlowlog => "skip_slowlog",
            Self::Asking => "asking",
            Self::Fast => "fast",
            Self::NoAuth => "no_auth",
            Self::NoMandatoryKeys => "no_mandatory_keys",
            Self::NoMulti => "no_multi",
            Self::AllowBusy => "allow_busy",
            Self::NoAsyncLoading => "no_async_loading",
        })
    }
}

/// What a command locks and where it names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// No key.
    None,
    /// Arguments `first`, `first + step`, … up to `last` (negative: counted from the end).
    Range {
        /// Index of the first key; the command's name is 0.
        first: u8,
        /// Index of the last key; -1 is the last argument.
        last: i8,
        /// Distance between keys.
        step: u8,
        /// What happens to them, in the words of `COMMAND INFO` (`RW`, `access`, `update` …).
        flags: &'static [&'static str],
    },
    /// Channels in a key's position: they decide the slot in a cluster but lock nothing.
    ShardChannels {
        /// Index of the first channel.
        first: u8,
        /// Index of the last channel; -1 is the last argument.
        last: i8,
    },
    /// The keys of every queued command and the watched keys (`EXEC`).
    Queued,
    /// The whole selected database.
    Database,
    /// All databases.
    Everything,
}

/// Chapter of the command reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Strings and counters.
    String,
    /// Commands on keys of any type.
    Generic,
    /// Transactions.
    Transactions,
    /// Publish/subscribe.
    PubSub,
    /// The connection itself.
    Connection,
    /// The server.
    Server,
}

impl Group {
    /// Redis's name.
    #[must_use]
    pub fn as_redis(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Generic => "generic",
            Self::Transactions => "transactions",
            Self::PubSub => "pubsub",
            Self::Connection => "connection",
            Self::Server => "server",
        }
    }

    /// The ACL category that every command of the group is in.
    fn acl_category(self) -> Option<&'static str> {
        match self {
            Self::String => Some("string"),
            Self::Generic => Some("keyspace"),
            Self::Transactions => Some("transaction"),
            Self::Connection => Some("connection"),
            Self::PubSub | Self::Server => None,
        }
    }
}

/// ACL categories that do not follow from flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// `@keyspace`
    Keyspace,
    /// `@string`
    String,
    /// `@connection`
    Connection,
    /// `@transaction`
    Transaction,
    /// `@admin`
    Admin,
    /// `@dangerous`
    Dangerous,
}

impl Category {
    /// Redis's name, without `@`.
    #[must_use]
    pub fn as_redis(self) -> &'static str {
        match self {
            Self::Keyspace => "keyspace",
            Self::String => "string",
            Self::Connection => "connection",
            Self::Transaction => "transaction",
            Self::Admin => "admin",
            Self::Dangerous => "dangerous",
        }
    }
}

/// What `COMMAND DOCS` says of a command.
#[derive(Clone, Copy, Debug)]
pub struct Docs {
    /// One sentence.
    pub summary: &'static str,
    /// First version of Redis that has it.
    pub since: &'static str,
    /// Cost.
    pub complexity: &'static str,
    /// `(version, change)`.
    pub history: &'static [(&'static str, &'static str)],
    /// Deprecated since and replaced by.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// `deprecated`, `syscmd`.
    pub doc_flags: &'static [&'static str],
    /// A remark on the key specification; `COMMAND INFO` prints it.
    pub key_notes: Option<&'static str>,
    /// Arguments.
    pub args: &'static [Arg],
}

/// One argument in `COMMAND DOCS`.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// Its type: `key`, `string`, `integer`, `oneof`, `block`, …
    pub kind: &'static str,
    /// Index of the key specification it belongs to.
    pub key_spec: Option<u8>,
    /// The literal word in front of it.
    pub token: Option<&'static str>,
    /// Version that added it.
    pub since: Option<&'static str>,
    /// Version that deprecated it.
    pub deprecated_since: Option<&'static str>,
    /// `optional`, `multiple`, `multiple_token`.
    pub flags: &'static [&'static str],
    /// Members of a `oneof` or `block`.
    pub args: &'static [Arg],
}

impl Spec {
    /// Whether the command has `flag`.
    #[inline]
    #[must_use]
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Names of all its ACL categories, without `@`, in Redis's order.
    pub fn acl_categories(&self) -> impl Iterator<Item = &'static str> + '_ {
        ACL_CATEGORIES.iter().copied().filter(|it| self.is_in_category(it))
    }

    fn is_in_category(&self, name: &str) -> bool {
        let by_flag = match name {
            "write" => self.has(Flag::Write),
            "read" => self.has(Flag::ReadOnly),
            "pubsub" => self.has(Flag::PubSub),
            "admin" | "dangerous" => self.has(Flag::Admin),
            "blocking" => self.has(Flag::Blocking),
            "fast" => self.has(Flag::Fast),
            "slow" => !self.has(Flag::Fast),
            _ => false,
        };
        // A container does nothing itself: only its subcommands belong to the group's category.
        let by_group = self.subcommands.is_empty() && self.group.acl_category() == Some(name);
        by_flag || by_group || self.categories.iter().any(|it| it.as_redis() == name)
    }

    /// The key arguments of `request`.
    pub fn keys_of<'a>(&self, request: Request<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (first, last, step) = match self.keys {
            Keys::Range { first, last, step, .. } => {
                (usize::from(first), last_index(last, request.len()), usize::from(step.max(1)))
            }
            Keys::None
            | Keys::ShardChannels { .. }
            | Keys::Queued
            | Keys::Database
            | Keys::Everything => (1, 0, 1),
        };
        (first..last.saturating_add(1)).step_by(step).filter_map(move |it| request.get(it))
    }
}

/// Categories a command of today can be in, in the order in which Redis prints them.
const ACL_CATEGORIES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "string",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
];

fn last_index(last: i8, n_args: usize) -> usize {
    match usize::try_from(last) {
        Ok(index) => index.min(n_args.saturating_sub(1)),
        Err(_) => n_args.saturating_sub(usize::from(last.unsigned_abs())),
    }
}

impl Docs {
    /// Docs with a summary, the first version and the cost; the rest is added by the `const` methods below.
    #[must_use]
    pub const fn new(summary: &'static str, since: &'static str, complexity: &'static str) -> Self {
        Self {
            summary,
            since,
            complexity,
            history: &[],
            deprecated: None,
            doc_flags: &[],
            key_notes: None,
            args: &[],
        }
    }

    /// With arguments.
    #[must_use]
    pub const fn args(mut self, args: &'static [Arg]) -> Self {
        self.args = args;
        self
    }

    /// With changes by version.
    #[must_use]
    pub const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Self {
        self.history = history;
        self
    }

    /// Deprecated since a version, replaced by something else.
    #[must_use]
    pub const fn deprecated(mut self, since: &'static str, replaced_by: &'static str) -> Self {
        self.deprecated = Some((since, replaced_by));
        self
    }

    /// With flags: `deprecated`, `syscmd`.
    #[must_use]
    pub const fn doc_flags(mut self, flags: &'static [&'static str]) -> Self {
        self.doc_flags = flags;
        self
    }

    /// With a remark on the key specification.
    #[must_use]
    pub const fn key_notes(mut self, notes: &'static str) -> Self {
        self.key_notes = Some(notes);
        self
    }
}

impl Arg {
    /// An argument of a type such as `string`, `integer`, `oneof`.
    #[must_use]
    pub const fn new(name: &'static str, kind: &'static str) -> Self {
        Self {
            name,
            kind,
            key_spec: None,
            token: None,
            since: None,
            deprecated_since: None,
            flags: &[],
            args: &[],
        }
    }

    /// The key of the command's first key specification.
    #[must_use]
    pub const fn key(name: &'static str) -> Self {
        let mut key = Self::new(name, "key");
        key.key_spec = Some(0);
        key
    }

    /// A literal word.
    #[must_use]
    pub const fn word(name: &'static str, token: &'static str) -> Self {
        Self::new(name, "pure-token").token(token)
    }

    /// Preceded by a literal word.
    #[must_use]
    pub const fn token(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }

    /// Added in a later version than the command.
    #[must_use]
    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// Deprecated in a later version than it was added.
    #[must_use]
    pub const fn deprecated_since(mut self, version: &'static str) -> Self {
        self.deprecated_since = Some(version);
        self
    }

    /// With flags: `optional`, `multiple`, `multiple_token`.
    #[must_use]
    pub const fn flags(mut self, flags: &'static [&'static str]) -> Self {
        self.flags = flags;
        self
    }

    /// With members.
    #[must_use]
    pub const fn args(mut self, args: &'static [Arg]) -> Self {
        self.args = args;
        self
    }
}
