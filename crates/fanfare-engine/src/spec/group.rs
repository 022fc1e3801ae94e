//! What a command is for: its chapter in the reference, and the ACL categories.

/// Chapter of the command reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Bits of strings.
    Bitmap,
    /// Redis Cluster.
    Cluster,
    /// The connection itself.
    Connection,
    /// Commands on keys of any type.
    Generic,
    /// Places on the earth.
    Geo,
    /// Hashes.
    Hash,
    /// Estimated counts of distinct elements.
    HyperLogLog,
    /// Lists.
    List,
    /// Publish/subscribe.
    PubSub,
    /// Scripts and functions.
    Scripting,
    /// Redis Sentinel.
    Sentinel,
    /// The server.
    Server,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Streams.
    Stream,
    /// Strings and counters.
    String,
    /// Transactions.
    Transactions,
}

impl Group {
    /// Redis's name.
    #[must_use]
    pub fn as_redis(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::List => "list",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Sentinel => "sentinel",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }

    /// The ACL category that every command of the group is in.
    pub(super) fn category(self) -> Option<Category> {
        Some(match self {
            Self::Bitmap => Category::Bitmap,
            Self::Connection => Category::Connection,
            Self::Generic => Category::Keyspace,
            Self::Geo => Category::Geo,
            Self::Hash => Category::Hash,
            Self::HyperLogLog => Category::HyperLogLog,
            Self::List => Category::List,
            Self::Scripting => Category::Scripting,
            Self::Set => Category::Set,
            Self::SortedSet => Category::SortedSet,
            Self::Stream => Category::Stream,
            Self::String => Category::String,
            Self::Transactions => Category::Transaction,
            Self::Cluster | Self::PubSub | Self::Sentinel | Self::Server => return None,
        })
    }
}

/// ACL categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// `@keyspace`
    Keyspace,
    /// `@read`
    Read,
    /// `@write`
    Write,
    /// `@set`
    Set,
    /// `@sortedset`
    SortedSet,
    /// `@list`
    List,
    /// `@hash`
    Hash,
    /// `@string`
    String,
    /// `@bitmap`
    Bitmap,
    /// `@hyperloglog`
    HyperLogLog,
    /// `@geo`
    Geo,
    /// `@stream`
    Stream,
    /// `@pubsub`
    PubSub,
    /// `@admin`
    Admin,
    /// `@fast`
    Fast,
    /// `@slow`
    Slow,
    /// `@blocking`
    Blocking,
    /// `@dangerous`
    Dangerous,
    /// `@connection`
    Connection,
    /// `@transaction`
    Transaction,
    /// `@scripting`
    Scripting,
}

impl Category {
    /// All, in the order in which Redis prints them.
    pub(super) const ALL: &[Self] = &[
        Self::Keyspace,
        Self::Read,
        Self::Write,
        Self::Set,
        Self::SortedSet,
        Self::List,
        Self::Hash,
        Self::String,
        Self::Bitmap,
        Self::HyperLogLog,
        Self::Geo,
        Self::Stream,
        Self::PubSub,
        Self::Admin,
        Self::Fast,
        Self::Slow,
        Self::Blocking,
        Self::Dangerous,
        Self::Connection,
        Self::Transaction,
        Self::Scripting,
    ];

    /// Redis's name, without `@`.
    #[must_use]
    pub fn as_redis(self) -> &'static str {
        match self {
            Self::Keyspace => "keyspace",
            Self::Read => "read",
            Self::Write => "write",
            Self::Set => "set",
            Self::SortedSet => "sortedset",
            Self::List => "list",
            Self::Hash => "hash",
            Self::String => "string",
            Self::Bitmap => "bitmap",
            Self::HyperLogLog => "hyperloglog",
            Self::Geo => "geo",
            Self::Stream => "stream",
            Self::PubSub => "pubsub",
            Self::Admin => "admin",
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Blocking => "blocking",
            Self::Dangerous => "dangerous",
            Self::Connection => "connection",
            Self::Transaction => "transaction",
            Self::Scripting => "scripting",
        }
    }

    /// Whether it is about what a command is for, as groups are, and not about how it behaves.
    pub(super) fn is_of_a_group(self) -> bool {
        match self {
            Self::Read
            | Self::Write
            | Self::PubSub
            | Self::Admin
            | Self::Fast
            | Self::Slow
            | Self::Blocking
            | Self::Dangerous => false,
            Self::Keyspace
            | Self::Set
            | Self::SortedSet
            | Self::List
            | Self::Hash
            | Self::String
            | Self::Bitmap
            | Self::HyperLogLog
            | Self::Geo
            | Self::Stream
            | Self::Connection
            | Self::Transaction
            | Self::Scripting => true,
        }
    }
}
