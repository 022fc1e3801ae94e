//! A small set of integers: sorted, all with the width that the widest one needs. Redis's intset, byte for byte.
//!
//! ```text
//! bytes per integer (u32: 2, 4 or 8) | number of integers (u32) | integers …
//! ```

use std::fmt;

use super::{BYTES_MAX, Full, Malformed, make_room, reserve};

const HEADER_LEN: usize = 8;
const EMPTY: [u8; HEADER_LEN] = [2, 0, 0, 0, 0, 0, 0, 0];

/// A sorted set of integers as packed bytes.
///
/// ```
/// use fanfare_engine::packed::IntSet;
///
/// let mut primes = IntSet::new();
/// for number in [5, 3, 70_000, 3] {
///     primes.insert(number)?;
/// }
/// assert!(primes.contains(5) && !primes.contains(4));
/// assert_eq!(primes.iter().collect::<Vec<_>>(), [3, 5, 70_000]);
/// # Ok::<(), fanfare_engine::packed::Full>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct IntSet {
    bytes: Vec<u8>,
    width: Width,
}

/// How many bytes each integer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Two,
    Four,
    Eight,
}

impl Width {
    fn of(number: i64) -> Self {
        if i16::try_from(number).is_ok() {
            Self::Two
        } else if i32::try_from(number).is_ok() {
            Self::Four
        } else {
            Self::Eight
        }
    }

    fn from_header(n_bytes: u32) -> Option<Self> {
        match n_bytes {
            2 => Some(Self::Two),
            4 => Some(Self::Four),
            8 => Some(Self::Eight),
            _ => None,
        }
    }

    const fn n_bytes(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// The integer number `index` of those that follow the header.
    #[inline]
    fn read(self, bytes: &[u8], index: usize) -> Option<i64> {
        let start = index.checked_mul(self.n_bytes())?.checked_add(HEADER_LEN)?;
        let rest = bytes.get(start..)?;
        Some(match self {
            Self::Two => i64::from(i16::from_le_bytes(*rest.first_chunk()?)),
            Self::Four => i64::from(i32::from_le_bytes(*rest.first_chunk()?)),
            Self::Eight => i64::from_le_bytes(*rest.first_chunk()?),
        })
    }

    /// Writes an integer, which is not wider than this, over the one number `index`.
    fn write(self, bytes: &mut [u8], index: usize, number: i64) {
        let start = index * self.n_bytes() + HEADER_LEN;
        let place = bytes.get_mut(start..).and_then(|it| it.get_mut(..self.n_bytes()));
        for (to, from) in place.into_iter().flatten().zip(number.to_le_bytes()) {
            *to = from;
        }
    }
}

impl IntSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: EMPTY.to_vec(), width: Width::Two }
    }

    /// Takes an intset that was written elsewhere. It is read through.
    ///
    /// # Errors
    /// If `bytes` are not an intset, or its integers are not in order.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Malformed> {
        let malformed = |offset, reason| Malformed { offset, reason };
        let Some(&[a, b, c, d, e, f, g, h]) = bytes.first_chunk() else {
            return Err(malformed(0, "an intset of less than eight bytes"));
        };
        let Some(width) = Width::from_header(u32::from_le_bytes([a, b, c, d])) else {
            return Err(malformed(0, "an intset of an unknown width"));
        };
        let n_claimed = usize::try_from(u32::from_le_bytes([e, f, g, h])).ok();
        let n_bytes = n_claimed.and_then(|it| it.checked_mul(width.n_bytes()));
        if n_bytes != Some(bytes.len() - HEADER_LEN) {
            return Err(malformed(4, "an intset with another number of integers than it says"));
        }
        let set = Self { bytes, width };
        let is_sorted = set.iter().zip(set.iter().skip(1)).position(|(left, right)| right <= left);
        match is_sorted {
            None => Ok(set),
            Some(index) => {
                let offset = HEADER_LEN + (index + 1) * width.n_bytes();
                Err(malformed(offset, "an intset that is not in order"))
            }
        }
    }

    /// The bytes as Redis has them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as Redis has them.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many integers it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(HEADER_LEN) / self.width.n_bytes()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory it holds, also those that are not used yet.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back the memory that is not used.
    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Whether it has this integer.
    #[must_use]
    pub fn contains(&self, number: i64) -> bool {
        self.search(number).is_ok()
    }

    /// The integer number `index`, the smallest first.
    #[must_use]
    pub fn nth(&self, index: usize) -> Option<i64> {
        self.width.read(&self.bytes, index)
    }

    /// The integers from the smallest on.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + '_ {
        (0..self.len()).map(|index| self.nth(index).unwrap_or_default())
    }

    /// Adds an integer; false if it was there.
    ///
    /// # Errors
    /// If the set would be too large.
    pub fn insert(&mut self, number: i64) -> Result<bool, Full> {
        let Err(index) = self.search(number) else { return Ok(false) };
        let width = self.width.max(Width::of(number));
        if BYTES_MAX < HEADER_LEN + (self.len() + 1) * width.n_bytes() {
            return Err(Full);
        }
        if self.width < width {
            self.widen(width);
        }
        let start = HEADER_LEN + index * width.n_bytes();
        if make_room(&mut self.bytes, start, 0, width.n_bytes()) {
            width.write(&mut self.bytes, index, number);
            self.set_header();
        }
        Ok(true)
    }

    /// Removes an integer; false if it was not there. The width stays, as in Redis.
    pub fn remove(&mut self, number: i64) -> bool {
        let Ok(index) = self.search(number) else { return false };
        let start = HEADER_LEN + index * self.width.n_bytes();
        make_room(&mut self.bytes, start, self.width.n_bytes(), 0);
        self.set_header();
        true
    }

    /// Removes the integers that are not wanted, in one go. The width stays.
    pub fn retain(&mut self, mut is_wanted: impl FnMut(i64) -> bool) {
        let mut n_kept = 0;
        for index in 0..self.len() {
            let Some(number) = self.nth(index) else { break };
            if is_wanted(number) {
                self.width.write(&mut self.bytes, n_kept, number);
                n_kept += 1;
            }
        }
        self.bytes.truncate(HEADER_LEN + n_kept * self.width.n_bytes());
        self.set_header();
    }

    /// Where an integer is, or where it would be.
    fn search(&self, number: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let Some(found) = self.nth(middle) else { break };
            match found.cmp(&number) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Gives each integer more bytes: from the last one on, so that none is overwritten before it is read.
    fn widen(&mut self, width: Width) {
        let len = self.len();
        let n_more = len * (width.n_bytes() - self.width.n_bytes());
        // The integer for which this is done comes next.
        reserve(&mut self.bytes, n_more + width.n_bytes());
        self.bytes.resize(self.bytes.len() + n_more, 0);
        for index in (0..len).rev() {
            let number = self.width.read(&self.bytes, index).unwrap_or_default();
            width.write(&mut self.bytes, index, number);
        }
        self.width = width;
    }

    fn set_header(&mut self) {
        let len = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let width = u32::try_from(self.width.n_bytes()).unwrap_or_default();
        let fields = width.to_le_bytes().into_iter().chain(len.to_le_bytes());
        for (to, from) in self.bytes.iter_mut().zip(fields) {
            *to = from;
        }
    }
}

impl Default for IntSet {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for IntSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::IntSet;

    #[test]
    fn widths_are_redis_s() {
        let mut set = IntSet::new();
        assert_eq!(set.insert(1), Ok(true));
        assert_eq!(set.as_bytes(), [2, 0, 0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(set.insert(-32_769), Ok(true));
        assert_eq!(set.as_bytes(), [4, 0, 0, 0, 2, 0, 0, 0, 0xFF, 0x7F, 0xFF, 0xFF, 1, 0, 0, 0]);
        assert_eq!(set.insert(i64::MAX), Ok(true));
        assert_eq!(set.insert(i64::MAX), Ok(false));
        assert_eq!(set.iter().rev().collect::<Vec<_>>(), [i64::MAX, 1, -32_769]);
        assert!(set.remove(i64::MAX) && !set.remove(i64::MAX));
        assert_eq!(set.as_bytes().len(), 8 + 2 * 8);
    }

    #[test]
    fn what_is_retained_keeps_its_width() {
        let mut set = IntSet::new();
        for number in [5, -3, 70_000, 8] {
            assert_eq!(set.insert(number), Ok(true));
        }
        set.retain(|it| it != 70_000 && it != -3);
        assert_eq!(set.as_bytes(), [4, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0]);
        set.retain(|_| false);
        assert_eq!(set.as_bytes(), [4, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_intset_is_refused() {
        let offset = |bytes: &[u8]| IntSet::from_bytes(bytes.to_vec()).map_err(|it| it.offset);
        assert_eq!(offset(&[2, 0, 0, 0, 0, 0, 0]), Err(0));
        assert_eq!(offset(&[3, 0, 0, 0, 0, 0, 0, 0]), Err(0));
        assert_eq!(offset(&[2, 0, 0, 0, 2, 0, 0, 0, 1, 0]), Err(4));
        assert_eq!(offset(&[8, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]), Err(4));
        assert_eq!(offset(&[2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 5, 0]), Err(10));
        assert_eq!(offset(&[2, 0, 0, 0, 0, 0, 0, 0]), Ok(IntSet::new()));
    }
}
