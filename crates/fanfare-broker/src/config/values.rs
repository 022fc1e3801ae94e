//! The types of the fields of a configuration, each with its text form in both directions.

use std::fmt;
use std::net::IpAddr;

/// One enumeration of configuration words, in the order in which Redis lists them.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every word that may be written.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word as it is written in a configuration.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(super) fn from_word(text: &str) -> Option<Self> {
                [$(($word, Self::$variant)),+]
                    .into_iter()
                    .find(|(word, _)| word.eq_ignore_ascii_case(text))
                    .map(|(_, value)| value)
            }
        }
    };
}

words! {
    /// How much is logged: `loglevel`.
    LogLevel {
        /// Everything, for development and tests.
        Debug = "debug",
        /// Much that is rarely useful.
        Verbose = "verbose",
        /// What an operator wants to know.
        Notice = "notice",
        /// Only what needs attention.
        Warning = "warning",
    }
}

words! {
    /// Form of the log lines: `log-format`.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line, for machines.
        Json = "json",
    }
}

words! {
    /// What happens to keys when `maxmemory` is reached: `maxmemory-policy`.
    MaxmemoryPolicy {
        /// Evict the least recently used of the keys that expire.
        VolatileLru = "volatile-lru",
        /// Evict the least frequently used of the keys that expire.
        VolatileLfu = "volatile-lfu",
        /// Evict any of the keys that expire.
        VolatileRandom = "volatile-random",
        /// Evict the key that expires first.
        VolatileTtl = "volatile-ttl",
        /// Evict the least recently used key.
        AllkeysLru = "allkeys-lru",
        /// Evict the least frequently used key.
        AllkeysLfu = "allkeys-lfu",
        /// Evict any key.
        AllkeysRandom = "allkeys-random",
        /// Evict nothing: commands that need memory fail.
        Noeviction = "noeviction",
    }
}

words! {
    /// When the append-only file is flushed to disk: `appendfsync`.
    AppendFsync {
        /// Once a second.
        Everysec = "everysec",
        /// Before each reply.
        Always = "always",
        /// When the operating system pleases.
        No = "no",
    }
}

words! {
    /// Who watches the process: `supervised`.
    Supervised {
        /// Upstart: stop with SIGSTOP when ready.
        Upstart = "upstart",
        /// systemd: send READY=1 to `$NOTIFY_SOCKET`.
        Systemd = "systemd",
        /// Find out from `$UPSTART_JOB` and `$NOTIFY_SOCKET`.
        Auto = "auto",
        /// Nobody.
        No = "no",
    }
}

words! {
    /// Who may use a dangerous command: `enable-debug-command` and its like.
    Allow {
        /// Nobody.
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Connections from this machine.
        Local = "local",
    }
}

/// A text that is never printed by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself. The caller keeps it out of logs.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { "***" })
    }
}

/// One address to listen on, from `bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// Written with a leading `-`: that the address does not exist on this machine, or that its
    /// protocol is not supported, is no error.
    pub optional: bool,
    /// The address.
    pub host: BindHost,
}

/// What follows the optional `-` of a `bind` address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindHost {
    /// `*`: every IPv4 interface.
    AnyIpv4,
    /// `::*`: every IPv6 interface.
    AnyIpv6,
    /// An address.
    Ip(IpAddr),
    /// A name, resolved when the listener starts.
    Name(String),
}

impl BindAddress {
    pub(super) fn parse(text: &str) -> Self {
        let (optional, host) = text.strip_prefix('-').map_or((false, text), |host| (true, host));
        let host = match host {
            "*" => BindHost::AnyIpv4,
            "::*" => BindHost::AnyIpv6,
            _ => host.parse().map_or_else(|_| BindHost::Name(host.to_owned()), BindHost::Ip),
        };
        Self { optional, host }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.optional {
            f.write_str("-")?;
        }
        match &self.host {
            BindHost::AnyIpv4 => f.write_str("*"),
            BindHost::AnyIpv6 => f.write_str("::*"),
            BindHost::Ip(ip) => ip.fmt(f),
            BindHost::Name(name) => f.write_str(name),
        }
    }
}

/// When a client that does not read is disconnected. Zero means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimit {
    /// Disconnect at once past this many bytes.
    pub hard_bytes: u64,
    /// Disconnect when this many bytes are exceeded for `soft_seconds` without a break.
    pub soft_bytes: u64,
    /// See `soft_bytes`.
    pub soft_seconds: u32,
}

/// `client-output-buffer-limit`: one limit for each class of client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimits {
    /// Clients with no subscription.
    pub normal: BufferLimit,
    /// Replicas.
    pub replica: BufferLimit,
    /// Clients with at least one subscription.
    pub pubsub: BufferLimit,
}

/// One `save <seconds> <changes>`: snapshot after `seconds` if there were `changes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last snapshot.
    pub seconds: u64,
    /// Least number of changes.
    pub changes: u64,
}

/// One `rename-command <from> <to>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenamedCommand {
    /// The command's own name, as written.
    pub from: String,
    /// Its new name; empty: the command is removed.
    pub to: String,
}

/// A whole number exactly as Redis accepts it: no plus sign, no leading zero, no space.
pub(super) fn parse_integer(text: &str) -> Option<i64> {
    let value: i64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

/// A number of bytes: `100`, `1k` (1000), `1kb` (1024), up to `gb`. Nothing at all is zero, as in
/// Redis; what does not fit 64 bits is refused, where Redis wraps or saturates.
pub(super) fn parse_memory(text: &str) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    let unit_at = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(unit_at)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// The shortest exact form of a number of bytes in a configuration file.
pub(super) fn memory_text(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        let whole = bytes >> shift;
        if 0 < whole && whole << shift == bytes {
            return format!("{whole}{unit}");
        }
    }
    bytes.to_string()
}

/// A text in double quotes, with escapes, as a configuration file holds it.
pub(super) fn quoted(text: &str) -> String {
    use fmt::Write as _;

    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'\\' | b'"' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(byte)),
            // Writing to a String can not fail.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// A percentile with at most six decimals and no trailing zeros.
pub(super) fn percentile_text(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
