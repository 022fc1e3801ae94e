//! A command as data. Dispatch, arity, key positions, ACL categories, `COMMAND` and the docs all derive from it.

mod docs;
mod group;
mod keys;

pub use docs::{Arg, Docs};
pub use group::{Category, Group};
pub use keys::{Begin, Find, KeyArg, KeyRange, KeySpec, Keys, Lock, Place, Places};

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
    /// Where its keys are, and what it locks.
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

impl Spec {
    /// A command of which there is nothing more to say.
    pub(crate) const fn plain(
        (group, name): (Group, &'static str),
        arity: Arity,
        (flags, keys): (&'static [Flag], Keys),
        docs: Docs,
        run: Run,
    ) -> Self {
        let (categories, tips, subcommands): (&[_], &[_], &[_]) = (&[], &[], &[]);
        Self { name, arity, flags, keys, group, categories, tips, docs, subcommands, run }
    }
}

/// Of what every container has.
impl Spec {
    /// A command that only has subcommands.
    pub(crate) const fn container(
        group: Group,
        name: &'static str,
        docs: Docs,
        subcommands: &'static [&'static Self],
    ) -> Self {
        Self {
            name,
            arity: Arity::AtLeast(2),
            flags: &[],
            keys: Keys::None,
            group,
            categories: &[],
            tips: &[],
            docs,
            subcommands,
            run: |ctx, request| {
                let word = request.get(1).unwrap_or_default();
                Err(WireError::unknown_subcommand(ctx.spec().name, word))
            },
        }
    }

    /// Its subcommand `HELP`.
    pub(crate) const fn help(group: Group, name: &'static str, docs: Docs, run: Run) -> Self {
        Self {
            name,
            arity: Arity::Exactly(2),
            flags: &[Flag::Loading, Flag::Stale],
            keys: Keys::None,
            group,
            categories: &[],
            tips: &[],
            docs,
            subcommands: &[],
            run,
        }
    }
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
        Category::ALL.iter().filter(|it| self.is_in(**it)).map(|it| it.as_redis())
    }

    fn is_in(&self, category: Category) -> bool {
        self.categories.contains(&category)
            || self.flags_imply(category)
            || self.group_implies(category)
    }

    fn flags_imply(&self, category: Category) -> bool {
        match category {
            Category::Write => self.has(Flag::Write),
            // Who may read may not yet run scripts.
            Category::Read => self.has(Flag::ReadOnly) && self.group != Group::Scripting,
            Category::PubSub => self.has(Flag::PubSub),
            Category::Admin | Category::Dangerous => self.has(Flag::Admin),
            Category::Blocking => self.has(Flag::Blocking),
            Category::Fast => self.has(Flag::Fast),
            Category::Slow => !self.has(Flag::Fast),
            Category::Keyspace
            | Category::Set
            | Category::SortedSet
            | Category::List
            | Category::Hash
            | Category::String
            | Category::Bitmap
            | Category::HyperLogLog
            | Category::Geo
            | Category::Stream
            | Category::Connection
            | Category::Transaction
            | Category::Scripting => false,
        }
    }

    /// A container does nothing itself: only its subcommands belong to the group's category. Another group's category
    /// takes its place: `SORT` is about lists and sets, `WAIT` about the connection.
    fn group_implies(&self, category: Category) -> bool {
        self.subcommands.is_empty()
            && self.group.category() == Some(category)
            && !self.categories.iter().any(|it| it.is_of_a_group())
    }
}
