//! A set of glob patterns that finds those which match a channel.
//!
//! Patterns are filed under their literal prefix and, among equal prefixes, under their literal suffix. A lookup tries
//! only the lengths that occur, one hash lookup each, so that thousands of patterns that can not match cost nothing;
//! the glob is run on what remains.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use crate::glob;

/// Patterns, each with a value.
#[derive(Debug)]
pub struct Patterns<T> {
    by_prefix: Keyed<Keyed<Vec<Filed<T>>>>,
    n_patterns: usize,
}

#[derive(Debug)]
struct Filed<T> {
    pattern: Box<[u8]>,
    value: T,
}

/// A hash map by byte strings that also knows which lengths occur, shortest first.
#[derive(Debug)]
struct Keyed<V> {
    map: HashMap<Box<[u8]>, V, FixedState>,
    lengths: BTreeMap<usize, usize>,
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self { by_prefix: Keyed::default(), n_patterns: 0 }
    }
}

impl<T> Patterns<T> {
    /// Number of patterns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n_patterns
    }

    /// Whether there is none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n_patterns == 0
    }

    /// The value of `pattern`.
    #[must_use]
    pub fn get(&self, pattern: &[u8]) -> Option<&T> {
        let filed = self.by_prefix.map.get(glob::literal_prefix(pattern))?;
        let filed = filed.map.get(literal_suffix(pattern))?;
        filed.iter().find(|it| *it.pattern == *pattern).map(|it| &it.value)
    }

    /// The value of `pattern`, made if it is not there.
    pub fn get_or_insert_with(&mut self, pattern: &[u8], make: impl FnOnce() -> T) -> &mut T {
        let bucket = self.by_prefix.entry(glob::literal_prefix(pattern));
        let bucket = bucket.entry(literal_suffix(pattern));
        let index = match bucket.iter().position(|it| *it.pattern == *pattern) {
            Some(index) => index,
            None => {
                bucket.push(Filed { pattern: pattern.into(), value: make() });
                self.n_patterns += 1;
                bucket.len() - 1
            }
        };
        #[expect(clippy::indexing_slicing, reason = "the index was found or made just above")]
        &mut bucket[index].value
    }

    /// Removes `pattern`.
    pub fn remove(&mut self, pattern: &[u8]) -> Option<T> {
        let (prefix, suffix) = (glob::literal_prefix(pattern), literal_suffix(pattern));
        let by_suffix = self.by_prefix.map.get_mut(prefix)?;
        let bucket = by_suffix.map.get_mut(suffix)?;
        let index = bucket.iter().position(|it| *it.pattern == *pattern)?;
        let removed = bucket.swap_remove(index);
        self.n_patterns -= 1;
        if bucket.is_empty() {
            by_suffix.remove(suffix);
        }
        if by_suffix.map.is_empty() {
            self.by_prefix.remove(prefix);
        }
        Some(removed.value)
    }

    /// Calls `found` for every pattern that matches `channel`.
    pub fn for_each_match<'a>(&'a self, channel: &[u8], mut found: impl FnMut(&'a [u8], &'a T)) {
        for &prefix_len in self.by_prefix.lengths.keys() {
            let Some(prefix) = channel.get(..prefix_len) else { break };
            let Some(by_suffix) = self.by_prefix.map.get(prefix) else { continue };
            for &suffix_len in by_suffix.lengths.keys() {
                let Some(suffix_start) = channel.len().checked_sub(suffix_len) else { break };
                let suffix = channel.get(suffix_start..).unwrap_or_default();
                for filed in by_suffix.map.get(suffix).into_iter().flatten() {
                    if glob::matches(&filed.pattern, channel) {
                        found(&filed.pattern, &filed.value);
                    }
                }
            }
        }
    }

    /// Every pattern with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &T)> {
        let by_suffix = self.by_prefix.map.values().flat_map(|it| it.map.values());
        by_suffix.flatten().map(|it| (&*it.pattern, &it.value))
    }
}

impl<V> Default for Keyed<V> {
    fn default() -> Self {
        Self { map: HashMap::with_hasher(FixedState::with_seed(0)), lengths: BTreeMap::new() }
    }
}

impl<V: Default> Keyed<V> {
    fn entry(&mut self, key: &[u8]) -> &mut V {
        if !self.map.contains_key(key) {
            *self.lengths.entry(key.len()).or_default() += 1;
        }
        self.map.entry(key.into()).or_default()
    }
}

impl<V> Keyed<V> {
    fn remove(&mut self, key: &[u8]) {
        if self.map.remove(key).is_none() {
            return;
        }
        if let Some(n) = self.lengths.get_mut(&key.len()) {
            *n -= 1;
            if *n == 0 {
                self.lengths.remove(&key.len());
            }
        }
    }
}

/// The bytes that every match must end with. Only plain bytes after the last `*` count, so that no escape or class
/// is cut in two.
fn literal_suffix(pattern: &[u8]) -> &[u8] {
    let Some(star) = pattern.iter().rposition(|&it| it == b'*') else { return &[] };
    let head = pattern.get(..star).unwrap_or_default();
    let tail = pattern.get(star + 1..).unwrap_or_default();
    let plain = !tail.iter().any(|it| matches!(it, b'?' | b'[' | b']' | b'\\'))
        && !head.iter().any(|it| matches!(it, b'[' | b'\\'));
    if plain { tail } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::Patterns;
    use crate::glob;

    const PATTERNS: &[&str] = &[
        "*",
        "a*",
        "*a",
        "a*a",
        "news.*",
        "news.*.eu",
        "news.[ab]*",
        "plain",
        "h?llo",
        "a\\*b*",
        "*b\\*",
        "[a*]b",
        "",
        "**",
        "x*y*z",
        "*.eu",
    ];

    const CHANNELS: &[&str] = &[
        "",
        "a",
        "aa",
        "aba",
        "news.",
        "news.art.eu",
        "news.b.eu",
        "plain",
        "hello",
        "a*bc",
        "b*",
        "ab",
        "*b",
        "xyz",
        "x1y2z",
    ];

    #[test]
    fn finds_what_the_glob_matches_and_nothing_else() {
        let mut patterns = Patterns::default();
        for (index, pattern) in PATTERNS.iter().enumerate() {
            patterns.get_or_insert_with(pattern.as_bytes(), || index);
        }
        for removed in 0..=PATTERNS.len() {
            for channel in CHANNELS {
                let mut found = Vec::new();
                patterns.for_each_match(channel.as_bytes(), |_, index| found.push(*index));
                found.sort_unstable();
                let expected: Vec<_> = (removed..PATTERNS.len())
                    .filter(|&it| glob::matches(PATTERNS[it].as_bytes(), channel.as_bytes()))
                    .collect();
                assert_eq!(found, expected, "{channel:?} without the first {removed} patterns");
            }
            if let Some(pattern) = PATTERNS.get(removed) {
                assert_eq!(patterns.remove(pattern.as_bytes()), Some(removed));
                assert_eq!(patterns.remove(pattern.as_bytes()), None);
            }
        }
        assert!(patterns.is_empty());
        assert_eq!(patterns.iter().count(), 0);
    }
}
