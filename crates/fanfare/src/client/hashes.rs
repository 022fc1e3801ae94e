//! Hashes: fields of a key.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    arg::ToArg,
    command::{Run, words},
    keys::{Ttl, ms},
    strings::unwrapped,
    value::FromValue,
};
use crate::Json;

/// Commands about hashes.
pub trait Hashes: Run {
    /// Sets fields, and returns how many of them are new (`HSET`).
    fn hset(
        &self,
        key: impl AsRef<[u8]>,
        fields: impl IntoIterator<Item = (impl ToArg, impl ToArg)>,
    ) -> Self::Out<u64> {
        self.run(words(self, "HSET").key(key).pairs(fields).reply())
    }

    /// Sets a field to a value as JSON; whether it is new.
    fn hset_json<T: Serialize + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        field: impl ToArg,
        value: &T,
    ) -> Self::Out<bool> {
        self.run(words(self, "HSET").key(key).arg(field).arg(Json(value)).reply())
    }

    /// Sets a field unless it is there; whether it was set (`HSETNX`).
    fn hset_nx(
        &self,
        key: impl AsRef<[u8]>,
        field: impl ToArg,
        value: impl ToArg,
    ) -> Self::Out<bool> {
        self.run(words(self, "HSETNX").key(key).arg(field).arg(value).reply())
    }

    /// The value of a field (`HGET`).
    fn hget<T: FromValue>(&self, key: impl AsRef<[u8]>, field: impl ToArg) -> Self::Out<Option<T>> {
        self.run(words(self, "HGET").key(key).arg(field).reply())
    }

    /// The value of a field from JSON.
    fn hget_json<T>(&self, key: impl AsRef<[u8]>, field: impl ToArg) -> Self::Out<Option<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.run(words(self, "HGET").key(key).arg(field).reply_by(unwrapped))
    }

    /// The values of several fields, in their order (`HMGET`).
    fn hmget<T: FromValue>(
        &self,
        key: impl AsRef<[u8]>,
        fields: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<Vec<Option<T>>> {
        self.run(words(self, "HMGET").key(key).args(fields).reply())
    }

    /// All fields and values, such as a `HashMap<String, String>`; empty if there is no hash
    /// (`HGETALL`).
    fn hgetall<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<T> {
        self.run(words(self, "HGETALL").key(key).reply())
    }

    /// Deletes fields, and returns how many there were (`HDEL`).
    fn hdel(
        &self,
        key: impl AsRef<[u8]>,
        fields: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<u64> {
        self.run(words(self, "HDEL").key(key).args(fields).reply())
    }

    /// Whether a field is there (`HEXISTS`).
    fn hexists(&self, key: impl AsRef<[u8]>, field: impl ToArg) -> Self::Out<bool> {
        self.run(words(self, "HEXISTS").key(key).arg(field).reply())
    }

    /// How many fields there are (`HLEN`).
    fn hlen(&self, key: impl AsRef<[u8]>) -> Self::Out<u64> {
        self.run(words(self, "HLEN").key(key).reply())
    }

    /// The names of all fields (`HKEYS`).
    fn hkeys<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<Vec<T>> {
        self.run(words(self, "HKEYS").key(key).reply())
    }

    /// The values of all fields (`HVALS`).
    fn hvals<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<Vec<T>> {
        self.run(words(self, "HVALS").key(key).reply())
    }

    /// Adds to the number in a field, and returns the result (`HINCRBY`).
    fn hincr_by(&self, key: impl AsRef<[u8]>, field: impl ToArg, n: i64) -> Self::Out<i64> {
        self.run(words(self, "HINCRBY").key(key).arg(field).arg(n).reply())
    }

    /// Adds to the floating-point number in a field (`HINCRBYFLOAT`).
    fn hincr_by_float(&self, key: impl AsRef<[u8]>, field: impl ToArg, n: f64) -> Self::Out<f64> {
        self.run(words(self, "HINCRBYFLOAT").key(key).arg(field).arg(n).reply())
    }

    /// Lets fields expire after this. Of each: 1 it does, -2 there is no such field or no hash, 2 it
    /// is gone at once, since the time was 0 (`HPEXPIRE`, since Redis 7.4).
    fn hexpire(
        &self,
        key: impl AsRef<[u8]>,
        fields: impl IntoIterator<Item = impl ToArg>,
        after: Duration,
    ) -> Self::Out<Vec<i64>> {
        let fields: Vec<_> = fields.into_iter().collect();
        let words = words(self, "HPEXPIRE").key(key).arg(ms(after)).word("FIELDS");
        self.run(words.arg(fields.len()).args(fields).reply())
    }

    /// How long fields live (`HPTTL`, since Redis 7.4). If there is no hash, each is
    /// [`Missing`](Ttl::Missing), or the list is empty: servers differ.
    fn httl(
        &self,
        key: impl AsRef<[u8]>,
        fields: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<Vec<Ttl>> {
        let fields: Vec<_> = fields.into_iter().collect();
        let words = words(self, "HPTTL").key(key).word("FIELDS").arg(fields.len()).args(fields);
        self.run(
            words.reply_by(|value, _| {
                Ok(Option::<Vec<Ttl>>::from_value(value)?.unwrap_or_default())
            }),
        )
    }
}

impl<R: Run + ?Sized> Hashes for R {}
