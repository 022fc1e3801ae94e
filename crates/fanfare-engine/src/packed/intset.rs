//! A small set of integers: sorted, all with the width that the widest one needs, as in Redis's intset:
//!
//! ```text
//! bytes per integer (u32: 2, 4 or 8) | number of integers (u32) | integers …
//! ```
//!
//! Here both are in one number, for which half as much is enough; the integers are byte for byte the same.

use std::fmt;

use super::buffer::{Buffer, Shared};
use super::{BYTES_MAX, Full, Malformed};

/// Length of Redis's header.
const REDIS_HEADER_LEN: usize = 8;
const HEADER_LEN: usize = 4;
/// The lower bits of the header are the number of integers, the others tell the width.
const WIDTH_SHIFT: u32 = 30;
const EMPTY: [u8; HEADER_LEN] = [0; HEADER_LEN];

/// A sorted set of integers as packed bytes. A clone shares them, until one of the two is changed.
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
#[derive(Clone)]
pub struct IntSet(Shared);

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
        1 << self.log2()
    }

    const fn log2(self) -> u32 {
        match self {
            Self::Two => 1,
            Self::Four => 2,
            Self::Eight => 3,
        }
    }

    /// The integer number `index` of those that follow a header.
    #[inline]
    fn read(self, integers: &[u8], index: usize) -> Option<i64> {
        let rest = integers.get(index.checked_mul(self.n_bytes())?..)?;
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

/// What the header says.
#[derive(Clone, Copy)]
struct Header {
    width: Width,
    len: usize,
}

impl Header {
    #[inline]
    fn read(bytes: &[u8]) -> Self {
        let header = bytes.first_chunk().map_or(0, |it| u32::from_le_bytes(*it));
        let width = match header >> WIDTH_SHIFT {
            0 => Width::Two,
            1 => Width::Four,
            _ => Width::Eight,
        };
        let len = header & ((1 << WIDTH_SHIFT) - 1);
        Self { width, len: usize::try_from(len).unwrap_or(usize::MAX) }
    }

    fn write(self, bytes: &mut [u8]) {
        let len = u32::try_from(self.len).unwrap_or(u32::MAX);
        let header = ((self.width.log2() - 1) << WIDTH_SHIFT) | len;
        if let Some(place) = bytes.first_chunk_mut() {
            *place = header.to_le_bytes();
        }
    }

    /// Where the integer number `index` begins.
    #[inline]
    fn start_of(self, index: usize) -> usize {
        HEADER_LEN + index * self.width.n_bytes()
    }

    /// How many bytes there are.
    #[inline]
    fn n_used(self) -> usize {
        self.start_of(self.len)
    }
}

impl IntSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self(Shared::with_capacity(&EMPTY, EMPTY.len()))
    }

    /// Takes an intset that was written by Redis. It is read through.
    ///
    /// # Errors
    /// If `bytes` are not an intset, or its integers are not in order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let malformed = |offset, reason| Malformed { offset, reason };
        let Some((&[a, b, c, d, e, f, g, h], integers)) = bytes.split_first_chunk() else {
            return Err(malformed(0, "an intset of less than eight bytes"));
        };
        let Some(width) = Width::from_header(u32::from_le_bytes([a, b, c, d])) else {
            return Err(malformed(0, "an intset of an unknown width"));
        };
        let len = usize::try_from(u32::from_le_bytes([e, f, g, h])).ok();
        let n_bytes = len.and_then(|it| it.checked_mul(width.n_bytes()));
        if n_bytes != Some(integers.len()) || BYTES_MAX < bytes.len() {
            return Err(malformed(4, "an intset with another number of integers than it says"));
        }
        let header = Header { width, len: len.unwrap_or_default() };
        let mut own = Shared::with_capacity(&EMPTY, header.n_used());
        let place = own.edit(HEADER_LEN, header.n_used());
        header.write(place);
        if let Some(place) = place.get_mut(HEADER_LEN..header.n_used()) {
            place.copy_from_slice(integers);
        }
        let set = Self(own);
        let is_sorted = set.iter().zip(set.iter().skip(1)).position(|(left, right)| right <= left);
        match is_sorted {
            None => Ok(set),
            Some(index) => {
                let offset = REDIS_HEADER_LEN + (index + 1) * width.n_bytes();
                Err(malformed(offset, "an intset that is not in order"))
            }
        }
    }

    /// The bytes as Redis has them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Header { width, len } = self.header();
        let width = u32::try_from(width.n_bytes()).unwrap_or_default();
        let n = u32::try_from(len).unwrap_or(u32::MAX);
        let mut bytes = [width.to_le_bytes(), n.to_le_bytes()].concat();
        bytes.extend_from_slice(
            self.0.all().get(HEADER_LEN..self.header().n_used()).unwrap_or_default(),
        );
        bytes
    }

    #[inline]
    fn header(&self) -> Header {
        Header::read(self.0.all())
    }

    #[inline]
    fn integers(&self) -> &[u8] {
        self.0.all().get(HEADER_LEN..).unwrap_or_default()
    }

    /// How many integers it has.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.header().len
    }

    /// Whether it has none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory it holds, also those that are not used yet.
    #[inline]
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    /// Whether it has this integer.
    #[must_use]
    pub fn contains(&self, number: i64) -> bool {
        self.search(number).is_ok()
    }

    /// The integer number `index`, the smallest first.
    #[inline]
    #[must_use]
    pub fn nth(&self, index: usize) -> Option<i64> {
        let Header { width, len } = self.header();
        if index < len { width.read(self.integers(), index) } else { None }
    }

    /// The integers from the smallest on.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + '_ {
        let Header { width, len } = self.header();
        let integers = self.integers();
        (0..len).map(move |index| width.read(integers, index).unwrap_or_default())
    }

    /// Adds an integer; false if it was there.
    ///
    /// # Errors
    /// If the set would be too large.
    pub fn insert(&mut self, number: i64) -> Result<bool, Full> {
        let Err(index) = self.search(number) else { return Ok(false) };
        let mut header = self.header();
        let width = header.width.max(Width::of(number));
        if BYTES_MAX < REDIS_HEADER_LEN + (header.len + 1) * width.n_bytes() {
            return Err(Full);
        }
        if header.width < width {
            header = self.widen(width);
        }
        let (start, n_more) = (header.start_of(index), width.n_bytes());
        if let Some(bytes) = self.0.splice(header.n_used(), start, (0, n_more)) {
            width.write(bytes, index, number);
            Header { len: header.len + 1, width }.write(bytes);
        }
        Ok(true)
    }

    /// Removes an integer; false if it was not there. The width stays, as in Redis.
    pub fn remove(&mut self, number: i64) -> bool {
        let Ok(index) = self.search(number) else { return false };
        let header = self.header();
        let (start, n_less) = (header.start_of(index), header.width.n_bytes());
        let after = Header { len: header.len - 1, ..header };
        if let Some(bytes) = self.0.splice(header.n_used(), start, (n_less, 0)) {
            after.write(bytes);
        }
        self.0.give_back(after.n_used());
        true
    }

    /// Removes the integers that are not wanted, in one go. The width stays.
    pub fn retain(&mut self, mut is_wanted: impl FnMut(i64) -> bool) {
        let header = self.header();
        let bytes = self.0.edit(header.n_used(), header.n_used());
        let mut n_kept = 0;
        for index in 0..header.len {
            let integers = bytes.get(HEADER_LEN..).unwrap_or_default();
            let Some(number) = header.width.read(integers, index) else { break };
            if is_wanted(number) {
                header.width.write(bytes, n_kept, number);
                n_kept += 1;
            }
        }
        let after = Header { len: n_kept, ..header };
        after.write(bytes);
        self.0.give_back(after.n_used());
    }

    /// Where an integer is, or where it would be.
    #[inline]
    fn search(&self, number: i64) -> Result<usize, usize> {
        let Header { width, len } = self.header();
        let integers = self.integers();
        let (mut low, mut high) = (0, len);
        while low < high {
            let middle = low.midpoint(high);
            let Some(found) = width.read(integers, middle) else { break };
            match found.cmp(&number) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Gives each integer more bytes: from the last one on, so that none is overwritten before it is read.
    fn widen(&mut self, width: Width) -> Header {
        let narrow = self.header();
        let wide = Header { width, ..narrow };
        // The integer for which this is done comes next.
        let bytes = self.0.edit(narrow.n_used(), wide.start_of(wide.len + 1));
        for index in (0..narrow.len).rev() {
            let integers = bytes.get(HEADER_LEN..).unwrap_or_default();
            let number = narrow.width.read(integers, index).unwrap_or_default();
            width.write(bytes, index, number);
        }
        wide.write(bytes);
        wide
    }
}

impl PartialEq for IntSet {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for IntSet {}

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
        assert_eq!(set.to_bytes(), [2, 0, 0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(set.insert(-32_769), Ok(true));
        assert_eq!(set.to_bytes(), [4, 0, 0, 0, 2, 0, 0, 0, 0xFF, 0x7F, 0xFF, 0xFF, 1, 0, 0, 0]);
        assert_eq!(set.insert(i64::MAX), Ok(true));
        assert_eq!(set.insert(i64::MAX), Ok(false));
        assert_eq!(set.iter().rev().collect::<Vec<_>>(), [i64::MAX, 1, -32_769]);
        assert!(set.remove(i64::MAX) && !set.remove(i64::MAX));
        assert_eq!(set.to_bytes().len(), 8 + 2 * 8);
    }

    #[test]
    fn what_is_retained_keeps_its_width() {
        let mut set = IntSet::new();
        for number in [5, -3, 70_000, 8] {
            assert_eq!(set.insert(number), Ok(true));
        }
        set.retain(|it| it != 70_000 && it != -3);
        assert_eq!(set.to_bytes(), [4, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0]);
        set.retain(|_| false);
        assert_eq!(set.to_bytes(), [4, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_intset_is_refused() {
        let offset = |bytes: &[u8]| IntSet::from_bytes(bytes).map_err(|it| it.offset);
        assert_eq!(offset(&[2, 0, 0, 0, 0, 0, 0]), Err(0));
        assert_eq!(offset(&[3, 0, 0, 0, 0, 0, 0, 0]), Err(0));
        assert_eq!(offset(&[2, 0, 0, 0, 2, 0, 0, 0, 1, 0]), Err(4));
        assert_eq!(offset(&[8, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]), Err(4));
        assert_eq!(offset(&[2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 5, 0]), Err(10));
        assert_eq!(offset(&[2, 0, 0, 0, 0, 0, 0, 0]), Ok(IntSet::new()));
    }
}
