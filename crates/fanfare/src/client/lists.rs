//! Lists.

use super::{
    arg::ToArg,
    command::{Run, words},
    value::FromValue,
};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its head.
    Left,
    /// Its tail.
    Right,
}

impl End {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Left => "LEFT",
            Self::Right => "RIGHT",
        }
    }
}

/// Commands about lists. Those that wait for an element are methods of
/// [`Client`](super::Client#method.blpop).
pub trait Lists: Run {
    /// Puts elements before the head, each before the one before, and returns the length (`LPUSH`).
    fn lpush(
        &self,
        key: impl AsRef<[u8]>,
        elements: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<u64> {
        self.run(words(self, "LPUSH").key(key).args(elements).reply())
    }

    /// Puts elements behind the tail, and returns the length (`RPUSH`).
    fn rpush(
        &self,
        key: impl AsRef<[u8]>,
        elements: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<u64> {
        self.run(words(self, "RPUSH").key(key).args(elements).reply())
    }

    /// Takes the head; `None` if there is no list (`LPOP`).
    fn lpop<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<Option<T>> {
        self.run(words(self, "LPOP").key(key).reply())
    }

    /// Takes the tail (`RPOP`).
    fn rpop<T: FromValue>(&self, key: impl AsRef<[u8]>) -> Self::Out<Option<T>> {
        self.run(words(self, "RPOP").key(key).reply())
    }

    /// Takes up to `n` elements from an end, in the order in which they are taken (`LPOP`, `RPOP` with
    /// a count).
    fn pop_n<T: FromValue>(&self, key: impl AsRef<[u8]>, from: End, n: u64) -> Self::Out<Vec<T>> {
        let name = match from {
            End::Left => "LPOP",
            End::Right => "RPOP",
        };
        self.run(
            words(self, name)
                .key(key)
                .arg(n)
                .reply_by(|value, _| Ok(Option::<Vec<T>>::from_value(value)?.unwrap_or_default())),
        )
    }

    /// The elements from `start` to `stop`, both included; negative numbers count from the end: 0 and
    /// -1 are all (`LRANGE`).
    fn lrange<T: FromValue>(
        &self,
        key: impl AsRef<[u8]>,
        start: i64,
        stop: i64,
    ) -> Self::Out<Vec<T>> {
        self.run(words(self, "LRANGE").key(key).arg(start).arg(stop).reply())
    }

    /// How many elements there are (`LLEN`).
    fn llen(&self, key: impl AsRef<[u8]>) -> Self::Out<u64> {
        self.run(words(self, "LLEN").key(key).reply())
    }

    /// The element at an index; negative ones count from the end (`LINDEX`).
    fn lindex<T: FromValue>(&self, key: impl AsRef<[u8]>, index: i64) -> Self::Out<Option<T>> {
        self.run(words(self, "LINDEX").key(key).arg(index).reply())
    }

    /// Overwrites the element at an index; that there is none is an error (`LSET`).
    fn lset(&self, key: impl AsRef<[u8]>, index: i64, element: impl ToArg) -> Self::Out<()> {
        self.run(words(self, "LSET").key(key).arg(index).arg(element).reply())
    }

    /// Puts an element beside the first one that equals `pivot`, on its left or its right, and returns
    /// the length. `None`: there is no such element, or no list (`LINSERT`).
    fn linsert(
        &self,
        key: impl AsRef<[u8]>,
        side: End,
        pivot: impl ToArg,
        element: impl ToArg,
    ) -> Self::Out<Option<u64>> {
        let side = match side {
            End::Left => "BEFORE",
            End::Right => "AFTER",
        };
        let words = words(self, "LINSERT").key(key).word(side).arg(pivot).arg(element);
        self.run(words.reply_by(|value, _| {
            // 0: no list; -1: no such element.
            let len = i64::from_value(value)?;
            Ok(u64::try_from(len).ok().filter(|len| *len != 0))
        }))
    }

    /// Removes elements that equal this one: up to `n` from the head, up to `-n` from the tail, all
    /// with 0. Returns how many (`LREM`).
    fn lrem(&self, key: impl AsRef<[u8]>, n: i64, element: impl ToArg) -> Self::Out<u64> {
        self.run(words(self, "LREM").key(key).arg(n).arg(element).reply())
    }

    /// Keeps the elements from `start` to `stop`, both included (`LTRIM`).
    fn ltrim(&self, key: impl AsRef<[u8]>, start: i64, stop: i64) -> Self::Out<()> {
        self.run(words(self, "LTRIM").key(key).arg(start).arg(stop).reply())
    }

    /// The index of the first element that equals this one (`LPOS`).
    fn lpos(&self, key: impl AsRef<[u8]>, element: impl ToArg) -> Self::Out<Option<u64>> {
        self.run(words(self, "LPOS").key(key).arg(element).reply())
    }

    /// Takes an element from an end of one list, puts it at an end of another, and returns it
    /// (`LMOVE`).
    fn lmove<T: FromValue>(
        &self,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
        (from_end, to_end): (End, End),
    ) -> Self::Out<Option<T>> {
        let words = words(self, "LMOVE").key(from).key(to);
        self.run(words.word(from_end.word()).word(to_end.word()).reply())
    }
}

impl<R: Run + ?Sized> Lists for R {}
