//! The scripts of a queue, and its keys.

use std::sync::LazyLock;

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};

use crate::client::{Client, FromValue, Script, ToArg};

/// A script with what all of them begin with.
macro_rules! scripts {
    ($($(#[$meta:meta])* $name:ident = $($file:literal),+;)+) => {$(
        $(#[$meta])*
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(include_str!("lua/common.lua"), $(include_str!($file)),+))
        });
    )+};
}

scripts! {
    ENQUEUE = "lua/put.lua", "lua/enqueue.lua";
    TAKE = "lua/take.lua";
    COMPLETE = "lua/complete.lua";
    FAIL = "lua/fail.lua";
    RELEASE = "lua/release.lua";
    RENEW = "lua/renew.lua";
    CANCEL = "lua/cancel.lua";
    RESCHEDULE = "lua/reschedule.lua";
    OUTCOME = "lua/outcome.lua";
    REQUEUE = "lua/requeue.lua";
    PURGE = "lua/purge.lua";
    STATS = "lua/stats.lua";
    #[cfg(feature = "cron")]
    CRON_LOOK = "lua/cron_look.lua";
    #[cfg(feature = "cron")]
    CRON_SET = "lua/cron_set.lua";
    #[cfg(feature = "cron")]
    CRON_REMOVE = "lua/cron_remove.lua";
    #[cfg(feature = "cron")]
    CRON_FIRE = "lua/put.lua", "lua/cron_fire.lua";
}

/// Where a queue is: the part that all its keys begin with, behind the namespace. It is, or has, a
/// hash tag, so all of them are in one slot of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    name: Bytes,
    prefix: Bytes,
}

impl Place {
    pub(crate) fn new(name: &[u8]) -> Self {
        let mut prefix = Vec::with_capacity(name.len() + 3);
        if has_tag(name) {
            prefix.extend_from_slice(name);
        } else {
            prefix.push(b'{');
            prefix.extend_from_slice(name);
            prefix.push(b'}');
        }
        prefix.push(b':');
        Self { name: Bytes::copy_from_slice(name), prefix: prefix.into() }
    }

    pub(crate) fn name(&self) -> &Bytes {
        &self.name
    }

    /// One of its keys.
    pub(crate) fn key(&self, part: &str) -> Bytes {
        [&self.prefix[..], part.as_bytes()].concat().into()
    }

    /// The keys that each script is given.
    fn keys(&self) -> [Bytes; 6] {
        ["ready", "delayed", "leased", "dead", "wake", "meta"].map(|part| self.key(part))
    }

    pub(crate) async fn run<T: FromValue>(
        &self,
        client: &Client,
        script: &Script,
        args: impl IntoIterator<Item = impl ToArg>,
    ) -> Result<T, Error> {
        self.check()?;
        client.run_script(script, self.keys(), args).await
    }

    /// Its keys would be in different slots.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.name.is_empty() || self.prefix.starts_with(b"{}") {
            let message = "a queue has a name, and it does not begin with a closing brace";
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        Ok(())
    }
}

/// The glob patterns of this key of all queues whose names match one.
pub(crate) fn key_patterns(names: &[u8], part: &str) -> Vec<Bytes> {
    let of = |prefix: &[u8]| Bytes::from([prefix, b":", part.as_bytes()].concat());
    if names.iter().all(|&byte| byte == b'*') {
        return vec![of(names)];
    }
    // A name with a hash tag of its own is not put into another one.
    vec![of(&[b"{", names, b"}"].concat()), of(names)]
}

/// The name of the queue that has such a key. Those of which it could be two, `a` and `{a}`, are the same queue.
pub(crate) fn name_of(key: &[u8], part: &str) -> Option<Bytes> {
    let prefix = key.strip_suffix(part.as_bytes())?.strip_suffix(b":")?;
    let inner = prefix.strip_prefix(b"{").and_then(|it| it.strip_suffix(b"}"));
    let has_it = |name: &&[u8]| {
        let place = Place::new(name);
        place.check().is_ok() && place.key(part) == key
    };
    inner.into_iter().chain([prefix]).find(has_it).map(Bytes::copy_from_slice)
}

/// Whether a cluster takes a part of this name for what decides about the slot.
fn has_tag(name: &[u8]) -> bool {
    let mut parts = name.splitn(2, |&byte| byte == b'{').skip(1);
    let tag = parts.next().and_then(|rest| rest.iter().position(|&byte| byte == b'}'));
    tag.is_some_and(|len| 0 < len)
}

/// A number as an argument.
pub(crate) fn number(n: impl Into<u64>) -> Bytes {
    n.into().to_string().into()
}

/// A time as an argument: whole milliseconds, rounded up.
pub(crate) fn ms(duration: std::time::Duration) -> Bytes {
    let ms = duration.as_nanos().div_ceil(1_000_000);
    ms.min(u128::from(MS_MAX)).to_string().into()
}

/// Some thousand years: sums of it and of any moment are still exact in the numbers of Lua.
const MS_MAX: u64 = 1 << 42;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_queue_have_one_tag() {
        for (name, key) in [
            ("mails", "{mails}:ready"),
            ("{eu}:mails", "{eu}:mails:ready"),
            ("mails:{eu}", "mails:{eu}:ready"),
            ("a{b", "{a{b}:ready"),
            ("a}b", "{a}b}:ready"),
            ("a{}b", "{a{}b}:ready"),
        ] {
            let place = Place::new(name.as_bytes());
            assert_eq!(place.key("ready"), key);
            assert!(place.check().is_ok(), "{name}");
        }
        for wrong in ["", "}a"] {
            assert!(Place::new(wrong.as_bytes()).check().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_queue_is_known_by_its_keys() {
        for name in ["mails", "{eu}:mails", "mails:{eu}", "a{b", "a}b", "a{}b", "a:b"] {
            let key = Place::new(name.as_bytes()).key("meta");
            assert_eq!(name_of(&key, "meta").as_deref(), Some(name.as_bytes()));
            assert_eq!(name_of(&key, "ready"), None);
        }
        assert_eq!(name_of(b"{mails}:meta", "meta").as_deref(), Some(&b"mails"[..]));
        for other in ["user:7:meta", "meta", ":meta", "{}:meta", "{a}:b:metal"] {
            assert_eq!(name_of(other.as_bytes(), "meta"), None, "{other}");
        }
        assert_eq!(key_patterns(b"*", "meta"), ["*:meta"]);
        assert_eq!(key_patterns(b"m*", "meta"), ["{m*}:meta", "m*:meta"]);
    }

    #[test]
    fn times_are_not_rounded_to_nothing() {
        use std::time::Duration;
        assert_eq!(ms(Duration::from_nanos(1)), "1");
        assert_eq!(ms(Duration::from_millis(7)), "7");
        assert_eq!(ms(Duration::MAX), MS_MAX.to_string());
    }
}
