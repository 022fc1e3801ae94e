//! Keys of any type: whether they are there, for how long, under which name.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_client::{Error, Value};

use super::{
    command::{Run, Words, words},
    value::{FromValue, not},
};

/// How long a key lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// There is no such key.
    Missing,
    /// It does not expire.
    Forever,
    /// It expires after this.
    Left(Duration),
}

/// When a new time to live counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireIf {
    /// If the key does not expire yet (`NX`).
    None,
    /// If it expires already (`XX`).
    Some,
    /// If it would expire later than it does now (`GT`).
    Longer,
    /// If it would expire sooner than it does now, or has not expired at all (`LT`).
    Shorter,
}

impl ExpireIf {
    fn word(self) -> &'static str {
        match self {
            Self::None => "NX",
            Self::Some => "XX",
            Self::Longer => "GT",
            Self::Shorter => "LT",
        }
    }
}

impl FromValue for Ttl {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value.as_int() {
            Some(-2) => Ok(Self::Missing),
            Some(-1) => Ok(Self::Forever),
            Some(ms) => {
                let ms = u64::try_from(ms).map_err(|_| not("a time", &value))?;
                Ok(Self::Left(Duration::from_millis(ms)))
            }
            None => Err(not("a time", &value)),
        }
    }
}

/// Milliseconds, rounded up, so that what is to live for a moment lives.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970.
pub(super) fn unix_ms(at: SystemTime) -> u64 {
    ms(at.duration_since(UNIX_EPOCH).unwrap_or_default())
}

impl Words<'_> {
    pub(super) fn expire_if(self, condition: Option<ExpireIf>) -> Self {
        condition.into_iter().fold(self, |words, it| words.word(it.word()))
    }
}

/// Commands about keys of any type.
pub trait Keys: Run {
    /// Deletes keys, and returns how many there were (`DEL`). In a cluster they must be in one slot.
    fn del(&self, keys: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self::Out<u64> {
        self.run(words(self, "DEL").keys(keys).reply())
    }

    /// As [`del`](Self::del), and the memory is given back in the background (`UNLINK`).
    fn unlink(&self, keys: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self::Out<u64> {
        self.run(words(self, "UNLINK").keys(keys).reply())
    }

    /// How many of these keys there are; one that is named twice counts twice (`EXISTS`).
    fn exists(&self, keys: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self::Out<u64> {
        self.run(words(self, "EXISTS").keys(keys).reply())
    }

    /// As [`exists`](Self::exists), and they count as used (`TOUCH`).
    fn touch(&self, keys: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self::Out<u64> {
        self.run(words(self, "TOUCH").keys(keys).reply())
    }

    /// What a key holds: `string`, `list`, `set`, `zset`, `hash`, `stream`. `None`: nothing (`TYPE`).
    fn key_type(&self, key: impl AsRef<[u8]>) -> Self::Out<Option<String>> {
        self.run(words(self, "TYPE").key(key).reply_by(|value, _| {
            String::from_value(value).map(|name| Some(name).filter(|name| name != "none"))
        }))
    }

    /// Gives a key another name, over whatever has it (`RENAME`). That there is no key is an error.
    fn rename(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Self::Out<()> {
        self.run(words(self, "RENAME").key(from).key(to).reply())
    }

    /// The same, unless the name is taken; whether it was done (`RENAMENX`).
    fn rename_nx(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Self::Out<bool> {
        self.run(words(self, "RENAMENX").key(from).key(to).reply())
    }

    /// Copies a key; whether it was done. With `replace` over whatever is there, otherwise only
    /// where nothing is (`COPY`).
    fn copy(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>, replace: bool) -> Self::Out<bool> {
        self.run(words(self, "COPY").key(from).key(to).word_if(replace, "REPLACE").reply())
    }

    /// Lets a key expire after this; whether there is one (`PEXPIRE`).
    fn expire(&self, key: impl AsRef<[u8]>, after: Duration) -> Self::Out<bool> {
        self.run(words(self, "PEXPIRE").key(key).arg(ms(after)).reply())
    }

    /// The same under a condition; whether it was done.
    fn expire_if(
        &self,
        key: impl AsRef<[u8]>,
        after: Duration,
        condition: ExpireIf,
    ) -> Self::Out<bool> {
        let words = words(self, "PEXPIRE").key(key).arg(ms(after));
        self.run(words.expire_if(Some(condition)).reply())
    }

    /// Lets a key expire at a time; whether there is one (`PEXPIREAT`).
    fn expire_at(&self, key: impl AsRef<[u8]>, at: SystemTime) -> Self::Out<bool> {
        self.run(words(self, "PEXPIREAT").key(key).arg(unix_ms(at)).reply())
    }

    /// Lets a key stay for ever; whether it would have expired (`PERSIST`).
    fn persist(&self, key: impl AsRef<[u8]>) -> Self::Out<bool> {
        self.run(words(self, "PERSIST").key(key).reply())
    }

    /// How long a key lives, to the millisecond (`PTTL`).
    fn ttl(&self, key: impl AsRef<[u8]>) -> Self::Out<Ttl> {
        self.run(words(self, "PTTL").key(key).reply())
    }
}

impl<R: Run + ?Sized> Keys for R {}
