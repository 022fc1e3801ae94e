//! Sets.

use super::{
    arg::ToArg,
    command::{Run, words},
    value::FromValue,
};

/// Commands about sets. Those about several need keys of one slot in a cluster.
pub trait Sets: Run {
    /// Adds members, and returns how many are new (`SADD`).
    fn sadd(
        &self,
        key: impl AsRef<[u8]>,
        members: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<u64> {
        self.run(words(self, "SADD").key(key).args(members).reply())
    }

    /// Removes members, and returns how many there were (`SREM`).
    fn srem(
        &self,
        key: impl AsRef<[u8]>,
        members: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<u64> {
        self.run(words(self, "SREM").key(key).args(members).reply())
    }

    /// All members, as a `Vec` or a `HashSet` (`SMEMBERS`).
    fn smembers<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<T> {
        self.run(words(self, "SMEMBERS").key(key).reply())
    }

    /// Whether this is a member (`SISMEMBER`).
    fn sismember(&self, key: impl AsRef<[u8]>, member: impl ToArg) -> Self::Out<bool> {
        self.run(words(self, "SISMEMBER").key(key).arg(member).reply())
    }

    /// Whether these are members, in their order (`SMISMEMBER`).
    fn smismember(
        &self,
        key: impl AsRef<[u8]>,
        members: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<Vec<bool>> {
        self.run(words(self, "SMISMEMBER").key(key).args(members).reply())
    }

    /// How many members there are (`SCARD`).
    fn scard(&self, key: impl AsRef<[u8]>) -> Self::Out<u64> {
        self.run(words(self, "SCARD").key(key).reply())
    }

    /// Takes any member (`SPOP`).
    fn spop<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<Option<T>> {
        self.run(words(self, "SPOP").key(key).reply())
    }

    /// Takes any `n` members, or all if there are fewer.
    fn spop_n<T: FromValue>(&self, key: impl AsRef<[u8]>, n: u64) -> Self::Out<Vec<T>> {
        self.run(words(self, "SPOP").key(key).arg(n).reply())
    }

    /// Any `n` different members, or all if there are fewer (`SRANDMEMBER`).
    fn srandmember<T: FromValue>(&self, key: impl AsRef<[u8]>, n: u32) -> Self::Out<Vec<T>> {
        self.run(words(self, "SRANDMEMBER").key(key).arg(n).reply())
    }

    /// Moves a member; whether it was there (`SMOVE`).
    fn smove(
        &self,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
        member: impl ToArg,
    ) -> Self::Out<bool> {
        self.run(words(self, "SMOVE").key(from).key(to).arg(member).reply())
    }

    /// What is in all of these (`SINTER`).
    fn sinter<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self::Out<T> {
        self.run(words(self, "SINTER").keys(keys).reply())
    }

    /// What is in any of these (`SUNION`).
    fn sunion<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self::Out<T> {
        self.run(words(self, "SUNION").keys(keys).reply())
    }

    /// What is in the first and in none of the others (`SDIFF`).
    fn sdiff<T: FromValue>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self::Out<T> {
        self.run(words(self, "SDIFF").keys(keys).reply())
    }

    /// How many members are in all of these; no more than `limit` are counted (`SINTERCARD`, since Redis
    /// 7.0).
    fn sinter_card(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        limit: Option<u64>,
    ) -> Self::Out<u64> {
        let words = words(self, "SINTERCARD").counted(keys);
        let words = limit.into_iter().fold(words, |it, n| it.word("LIMIT").arg(n));
        self.run(words.reply())
    }

    /// Keeps what is in all of these under `to`, and returns how many (`SINTERSTORE`).
    fn sinter_store(
        &self,
        to: impl AsRef<[u8]>,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self::Out<u64> {
        self.run(words(self, "SINTERSTORE").key(to).keys(keys).reply())
    }

    /// Keeps what is in any of these under `to`, and returns how many (`SUNIONSTORE`).
    fn sunion_store(
        &self,
        to: impl AsRef<[u8]>,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self::Out<u64> {
        self.run(words(self, "SUNIONSTORE").key(to).keys(keys).reply())
    }

    /// Keeps what is in the first only under `to`, and returns how many (`SDIFFSTORE`).
    fn sdiff_store(
        &self,
        to: impl AsRef<[u8]>,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self::Out<u64> {
        self.run(words(self, "SDIFFSTORE").key(to).keys(keys).reply())
    }
}

impl<R: Run + ?Sized> Sets for R {}
