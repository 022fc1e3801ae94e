//! Sorted sets: members by score.

use std::ops::{Bound, RangeBounds};

use super::{
    arg::ToArg,
    command::{Run, Words, words},
    value::{FromValue, pairs},
};

/// Conditions of a [`zadd_with`](SortedSets::zadd_with). By default there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ZaddOptions {
    presence: Option<&'static str>,
    direction: Option<&'static str>,
    counts_changes: bool,
}

impl ZaddOptions {
    /// No conditions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only adds members, never changes a score (`NX`).
    pub fn if_missing(mut self) -> Self {
        self.presence = Some("NX");
        self
    }

    /// Only changes scores, never adds a member (`XX`).
    pub fn if_exists(mut self) -> Self {
        self.presence = Some("XX");
        self
    }

    /// Only raises scores (`GT`).
    pub fn if_greater(mut self) -> Self {
        self.direction = Some("GT");
        self
    }

    /// Only lowers scores (`LT`).
    pub fn if_less(mut self) -> Self {
        self.direction = Some("LT");
        self
    }

    /// Counts those whose score has changed too (`CH`).
    pub fn count_changes(mut self) -> Self {
        self.counts_changes = true;
        self
    }
}

/// A bound of scores, as the server has it.
fn bound(bound: Bound<&f64>, open: &str) -> String {
    match bound {
        Bound::Included(score) => score.to_string(),
        Bound::Excluded(score) => format!("({score}"),
        Bound::Unbounded => open.to_owned(),
    }
}

impl Words<'_> {
    fn scores(self, range: &impl RangeBounds<f64>) -> Self {
        self.arg(bound(range.start_bound(), "-inf")).arg(bound(range.end_bound(), "+inf"))
    }
}

/// Commands about sorted sets. Those that wait for a member are methods of
/// [`Client`](super::Client#method.bzpopmin).
pub trait SortedSets: Run {
    /// Adds members with their scores, or changes their scores, and returns how many are new
    /// (`ZADD`).
    fn zadd(
        &self,
        key: impl AsRef<[u8]>,
        members: impl IntoIterator<Item = (f64, impl ToArg)>,
    ) -> Self::Out<u64> {
        self.zadd_with(key, members, ZaddOptions::default())
    }

    /// The same under conditions.
    fn zadd_with(
        &self,
        key: impl AsRef<[u8]>,
        members: impl IntoIterator<Item = (f64, impl ToArg)>,
        options: ZaddOptions,
    ) -> Self::Out<u64> {
        let conditions = options.presence.into_iter().chain(options.direction);
        let words = conditions.fold(words(self, "ZADD").key(key), Words::word);
        self.run(words.word_if(options.counts_changes, "CH").pairs(members).reply())
    }

    /// Adds to a member's score, and returns it (`ZINCRBY`).
    fn zincr_by(&self, key: impl AsRef<[u8]>, member: impl ToArg, n: f64) -> Self::Out<f64> {
        self.run(words(self, "ZINCRBY").key(key).arg(n).arg(member).reply())
    }

    /// A member's score (`ZSCORE`).
    fn zscore(&self, key: impl AsRef<[u8]>, member: impl ToArg) -> Self::Out<Option<f64>> {
        self.run(words(self, "ZSCORE").key(key).arg(member).reply())
    }

    /// Several members' scores, in their order (`ZMSCORE`).
    fn zmscore(
        &self,
        key: impl AsRef<[u8]>,
        members: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<Vec<Option<f64>>> {
        self.run(words(self, "ZMSCORE").key(key).args(members).reply())
    }

    /// Removes members, and returns how many there were (`ZREM`).
    fn zrem(
        &self,
        key: impl AsRef<[u8]>,
        members: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<u64> {
        self.run(words(self, "ZREM").key(key).args(members).reply())
    }

    /// How many members there are (`ZCARD`).
    fn zcard(&self, key: impl AsRef<[u8]>) -> Self::Out<u64> {
        self.run(words(self, "ZCARD").key(key).reply())
    }

    /// How many members have a score in the range (`ZCOUNT`).
    fn zcount(&self, key: impl AsRef<[u8]>, scores: impl RangeBounds<f64>) -> Self::Out<u64> {
        self.run(words(self, "ZCOUNT").key(key).scores(&scores).reply())
    }

    /// How many members have a lower score (`ZRANK`).
    fn zrank(&self, key: impl AsRef<[u8]>, member: impl ToArg) -> Self::Out<Option<u64>> {
        self.run(words(self, "ZRANK").key(key).arg(member).reply())
    }

    /// How many members have a higher score (`ZREVRANK`).
    fn zrevrank(&self, key: impl AsRef<[u8]>, member: impl ToArg) -> Self::Out<Option<u64>> {
        self.run(words(self, "ZREVRANK").key(key).arg(member).reply())
    }

    /// Members by rank, both bounds included, lowest score first; negative ranks count from the end
    /// (`ZRANGE`).
    fn zrange<T: FromValue>(
        &self,
        key: impl AsRef<[u8]>,
        start: i64,
        stop: i64,
    ) -> Self::Out<Vec<T>> {
        self.run(words(self, "ZRANGE").key(key).arg(start).arg(stop).reply())
    }

    /// The same with scores.
    fn zrange_with_scores<T: FromValue>(
        &self,
        key: impl AsRef<[u8]>,
        start: i64,
        stop: i64,
    ) -> Self::Out<Vec<(T, f64)>> {
        let words = words(self, "ZRANGE").key(key).arg(start).arg(stop).word("WITHSCORES");
        self.run(words.reply_by(|value, _| pairs(value)))
    }

    /// Members by rank with their scores, highest score first (`ZREVRANGE`).
    fn zrevrange_with_scores<T: FromValue>(
        &self,
        key: impl AsRef<[u8]>,
        start: i64,
        stop: i64,
    ) -> Self::Out<Vec<(T, f64)>> {
        let words = words(self, "ZREVRANGE").key(key).arg(start).arg(stop).word("WITHSCORES");
        self.run(words.reply_by(|value, _| pairs(value)))
    }

    /// Members with a score in the range and their scores, lowest first, at most `limit` (`ZRANGEBYSCORE`).
    fn zrange_by_score<T: FromValue>(
        &self,
        key: impl AsRef<[u8]>,
        scores: impl RangeBounds<f64>,
        limit: Option<u64>,
    ) -> Self::Out<Vec<(T, f64)>> {
        let words = words(self, "ZRANGEBYSCORE").key(key).scores(&scores).word("WITHSCORES");
        let words = limit.into_iter().fold(words, |it, n| it.word("LIMIT").arg(0_u64).arg(n));
        self.run(words.reply_by(|value, _| pairs(value)))
    }

    /// Members with a score in the range and their scores, highest first, at most `limit`
    /// (`ZREVRANGEBYSCORE`).
    fn zrevrange_by_score<T: FromValue>(
        &self,
        key: impl AsRef<[u8]>,
        scores: impl RangeBounds<f64>,
        limit: Option<u64>,
    ) -> Self::Out<Vec<(T, f64)>> {
        let words = words(self, "ZREVRANGEBYSCORE").key(key);
        let words = words.arg(bound(scores.end_bound(), "+inf"));
        let words = words.arg(bound(scores.start_bound(), "-inf")).word("WITHSCORES");
        let words = limit.into_iter().fold(words, |it, n| it.word("LIMIT").arg(0_u64).arg(n));
        self.run(words.reply_by(|value, _| pairs(value)))
    }

    /// Takes up to `n` members with the lowest scores (`ZPOPMIN`).
    fn zpopmin<T: FromValue>(&self, key: impl AsRef<[u8]>, n: u64) -> Self::Out<Vec<(T, f64)>> {
        self.run(words(self, "ZPOPMIN").key(key).arg(n).reply_by(|value, _| pairs(value)))
    }

    /// Takes up to `n` members with the highest scores (`ZPOPMAX`).
    fn zpopmax<T: FromValue>(&self, key: impl AsRef<[u8]>, n: u64) -> Self::Out<Vec<(T, f64)>> {
        self.run(words(self, "ZPOPMAX").key(key).arg(n).reply_by(|value, _| pairs(value)))
    }

    /// Removes members with a score in the range, and returns how many (`ZREMRANGEBYSCORE`).
    fn zrem_by_score(
        &self,
        key: impl AsRef<[u8]>,
        scores: impl RangeBounds<f64>,
    ) -> Self::Out<u64> {
        self.run(words(self, "ZREMRANGEBYSCORE").key(key).scores(&scores).reply())
    }

    /// Removes members by rank, both bounds included, and returns how many (`ZREMRANGEBYRANK`).
    fn zrem_by_rank(&self, key: impl AsRef<[u8]>, start: i64, stop: i64) -> Self::Out<u64> {
        self.run(words(self, "ZREMRANGEBYRANK").key(key).arg(start).arg(stop).reply())
    }

    /// Keeps what is in any of these under `to`, scores added, and returns how many (`ZUNIONSTORE`).
    fn zunion_store(
        &self,
        to: impl AsRef<[u8]>,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self::Out<u64> {
        self.run(words(self, "ZUNIONSTORE").key(to).counted(keys).reply())
    }

    /// Keeps what is in all of these under `to`, scores added, and returns how many (`ZINTERSTORE`).
    fn zinter_store(
        &self,
        to: impl AsRef<[u8]>,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Self::Out<u64> {
        self.run(words(self, "ZINTERSTORE").key(to).counted(keys).reply())
    }
}

impl<R: Run + ?Sized> SortedSets for R {}
