//! A part of a string, as GETRANGE, BITCOUNT and BITPOS read its bounds.

/// Bytes or bits from `first` to `last`; there is at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Span {
    pub(in crate::commands) first: u64,
    pub(in crate::commands) last: u64,
}

impl Span {
    /// The part from `start` to `end` of something that is `len` long; negative bounds count from the end. What lies
    /// outside is left out, but an end before the beginning means the beginning, as in Redis. `None`: nothing is left.
    pub(in crate::commands) fn new(start: i64, end: i64, len: u64) -> Option<Self> {
        let from_front = |bound: i64| match u64::try_from(bound) {
            Ok(bound) => bound,
            Err(_) => len.saturating_sub(bound.unsigned_abs()),
        };
        let (first, last) = (from_front(start), from_front(end).min(len.checked_sub(1)?));
        (first <= last).then_some(Self { first, last })
    }

    /// Those of `bytes` that are in it.
    pub(in crate::commands) fn of(self, bytes: &[u8]) -> &[u8] {
        let bound = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
        bytes.get(bound(self.first)..=bound(self.last)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn bounds_are_redis_s() {
        let span = |start, end, len| Span::new(start, end, len).map(|it| (it.first, it.last));
        assert_eq!(span(0, -1, 5), Some((0, 4)));
        assert_eq!(span(-2, -1, 5), Some((3, 4)));
        assert_eq!(span(-100, 100, 5), Some((0, 4)));
        assert_eq!(span(0, -100, 5), Some((0, 0)));
        assert_eq!(span(1, -100, 5), None);
        assert_eq!(span(5, 9, 5), None);
        assert_eq!(span(i64::MIN, i64::MAX, 5), Some((0, 4)));
        assert_eq!(span(0, 0, 0), None);
        assert_eq!(span(-1, -1, 0), None);
    }
}
