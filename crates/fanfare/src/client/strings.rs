//! Strings: values, counters, JSON.

use std::time::{Duration, SystemTime};

use fanfare_client::Error;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    arg::ToArg,
    command::{Run, Words, words},
    keys::{ms, unix_ms},
    value::FromValue,
};
use crate::Json;

/// How long a value that is set lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// For this long.
    After(Duration),
    /// Until this time.
    At(SystemTime),
    /// For as long as what was there before (`KEEPTTL`).
    Keep,
}

/// Conditions and time to live of a [`set_with`](Strings::set_with). By default there are none: the
/// value is set, and lives for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SetOptions {
    expiry: Option<Expiry>,
    condition: Option<&'static str>,
}

impl SetOptions {
    /// No conditions, no end.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the value lives.
    pub fn expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = Some(expiry);
        self
    }

    /// Only if the key is not there (`NX`).
    pub fn if_missing(mut self) -> Self {
        self.condition = Some("NX");
        self
    }

    /// Only if the key is there (`XX`).
    pub fn if_exists(mut self) -> Self {
        self.condition = Some("XX");
        self
    }
}

impl Words<'_> {
    pub(super) fn expiry(self, expiry: Option<Expiry>) -> Self {
        match expiry {
            None => self,
            Some(Expiry::After(after)) => self.word("PX").arg(ms(after)),
            Some(Expiry::At(at)) => self.word("PXAT").arg(unix_ms(at)),
            Some(Expiry::Keep) => self.word("KEEPTTL"),
        }
    }

    fn set_options(self, options: SetOptions) -> Self {
        options.condition.into_iter().fold(self, Self::word).expiry(options.expiry)
    }
}

/// Commands about strings, which are also numbers and JSON.
pub trait Strings: Run {
    /// The value of a key; `None` if there is none (`GET`).
    fn get<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<Option<T>> {
        self.run(words(self, "GET").key(key).reply())
    }

    /// The value of a key from JSON.
    fn get_json<T>(&self, key: impl AsRef<[u8]>) -> Self::Out<Option<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.run(words(self, "GET").key(key).reply_by(unwrapped))
    }

    /// Sets a key, whatever was there, for ever (`SET`).
    fn set(&self, key: impl AsRef<[u8]>, value: impl ToArg) -> Self::Out<()> {
        self.run(words(self, "SET").key(key).arg(value).reply())
    }

    /// Sets a key for some time.
    fn set_ex(&self, key: impl AsRef<[u8]>, value: impl ToArg, after: Duration) -> Self::Out<()> {
        let words = words(self, "SET").key(key).arg(value);
        self.run(words.expiry(Some(Expiry::After(after))).reply())
    }

    /// Sets a key under conditions; whether it was set.
    fn set_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl ToArg,
        options: SetOptions,
    ) -> Self::Out<bool> {
        let words = words(self, "SET").key(key).arg(value).set_options(options);
        self.run(words.reply_by(|value, _| Ok(!value.is_null())))
    }

    /// As [`set_with`](Self::set_with), and returns what was there before (`SET … GET`). With
    /// [`if_missing`](SetOptions::if_missing) that it was `None` says that it was set (since Redis 7.0).
    fn set_get<T: FromValue>(
        &self,
        key: impl AsRef<[u8]>,
        value: impl ToArg,
        options: SetOptions,
    ) -> Self::Out<Option<T>> {
        let words = words(self, "SET").key(key).arg(value).set_options(options);
        self.run(words.word("GET").reply())
    }

    /// Sets a key to a value as JSON.
    fn set_json<T: Serialize + ?Sized>(&self, key: impl AsRef<[u8]>, value: &T) -> Self::Out<()> {
        self.set(key, Json(value))
    }

    /// Sets a key to a value as JSON under conditions; whether it was set.
    fn set_json_with<T: Serialize + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &T,
        options: SetOptions,
    ) -> Self::Out<bool> {
        self.set_with(key, Json(value), options)
    }

    /// The value of a key, which is deleted (`GETDEL`).
    fn get_del<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<Option<T>> {
        self.run(words(self, "GETDEL").key(key).reply())
    }

    /// The value of a key, which gets another time to live (`GETEX`). With [`Expiry::Keep`] it keeps
    /// what it has.
    fn get_ex<T: FromValue>(&self, key: impl AsRef<[u8]>, expiry: Expiry) -> Self::Out<Option<T>> {
        let expiry = Some(expiry).filter(|it| *it != Expiry::Keep);
        self.run(words(self, "GETEX").key(key).expiry(expiry).reply())
    }

    /// The value of a key, which stays for ever (`GETEX … PERSIST`).
    fn get_persist<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<Option<T>> {
        self.run(words(self, "GETEX").key(key).word("PERSIST").reply())
    }

    /// The values of several keys, in their order (`MGET`). In a cluster they must be in one slot.
    fn mget<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self::Out<Vec<Option<T>>> {
        self.run(words(self, "MGET").keys(keys).reply())
    }

    /// Sets several keys at once (`MSET`). In a cluster they must be in one slot.
    fn mset(
        &self,
        values: impl IntoIterator<Item = (impl AsRef<[u8]>, impl ToArg)>,
    ) -> Self::Out<()> {
        let words = words(self, "MSET");
        let words = values.into_iter().fold(words, |words, (key, value)| words.key(key).arg(value));
        self.run(words.reply())
    }

    /// Sets several keys at once if none of them is there; whether they were set (`MSETNX`). In a
    /// cluster they must be in one slot.
    fn mset_nx(
        &self,
        values: impl IntoIterator<Item = (impl AsRef<[u8]>, impl ToArg)>,
    ) -> Self::Out<bool> {
        let words = words(self, "MSETNX");
        let words = values.into_iter().fold(words, |words, (key, value)| words.key(key).arg(value));
        self.run(words.reply())
    }

    /// Adds 1 to a number, which is 0 if there is none, and returns the result (`INCR`).
    fn incr(&self, key: impl AsRef<[u8]>) -> Self::Out<i64> {
        self.run(words(self, "INCR").key(key).reply())
    }

    /// Takes 1 from a number (`DECR`).
    fn decr(&self, key: impl AsRef<[u8]>) -> Self::Out<i64> {
        self.run(words(self, "DECR").key(key).reply())
    }

    /// Adds to a number (`INCRBY`).
    fn incr_by(&self, key: impl AsRef<[u8]>, n: i64) -> Self::Out<i64> {
        self.run(words(self, "INCRBY").key(key).arg(n).reply())
    }

    /// Adds to a floating-point number (`INCRBYFLOAT`).
    fn incr_by_float(&self, key: impl AsRef<[u8]>, n: f64) -> Self::Out<f64> {
        self.run(words(self, "INCRBYFLOAT").key(key).arg(n).reply())
    }

    /// Appends to a string, and returns its length in bytes (`APPEND`).
    fn append(&self, key: impl AsRef<[u8]>, value: impl ToArg) -> Self::Out<u64> {
        self.run(words(self, "APPEND").key(key).arg(value).reply())
    }

    /// The length of a string in bytes; 0 if there is none (`STRLEN`).
    fn strlen(&self, key: impl AsRef<[u8]>) -> Self::Out<u64> {
        self.run(words(self, "STRLEN").key(key).reply())
    }

    /// The bytes from `start` to `end`, both included; negative numbers count from the end
    /// (`GETRANGE`).
    fn get_range<T: FromValue>(&self, key: impl AsRef<[u8]>, start: i64, end: i64) -> Self::Out<T> {
        self.run(words(self, "GETRANGE").key(key).arg(start).arg(end).reply())
    }

    /// Overwrites from `offset` on, and returns the length in bytes (`SETRANGE`).
    fn set_range(&self, key: impl AsRef<[u8]>, offset: u64, value: impl ToArg) -> Self::Out<u64> {
        self.run(words(self, "SETRANGE").key(key).arg(offset).arg(value).reply())
    }

    /// Sets a bit, and returns what it was; offset 0 is the highest bit of the first byte (`SETBIT`).
    fn set_bit(&self, key: impl AsRef<[u8]>, offset: u64, bit: bool) -> Self::Out<bool> {
        self.run(words(self, "SETBIT").key(key).arg(offset).arg(u16::from(bit)).reply())
    }

    /// A bit; false beyond the end (`GETBIT`).
    fn get_bit(&self, key: impl AsRef<[u8]>, offset: u64) -> Self::Out<bool> {
        self.run(words(self, "GETBIT").key(key).arg(offset).reply())
    }

    /// How many bits are set (`BITCOUNT`).
    fn bit_count(&self, key: impl AsRef<[u8]>) -> Self::Out<u64> {
        self.run(words(self, "BITCOUNT").key(key).reply())
    }
}

/// What JSON was.
pub(super) fn unwrapped<T: DeserializeOwned + Send + 'static>(
    value: fanfare_client::Value,
    _: &fanfare_client::Namespace,
) -> Result<Option<T>, Error> {
    Ok(Option::<Json<T>>::from_value(value)?.map(|Json(value)| value))
}

impl<R: Run + ?Sized> Strings for R {}
