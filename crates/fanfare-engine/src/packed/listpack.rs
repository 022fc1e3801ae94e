//! A sequence of strings and integers in one piece of memory: Redis's listpack, byte for byte.
//!
//! ```text
//! total bytes (u32) | number of elements (u16, 65535: more than that) | elements … | 0xFF
//! ```
//!
//! How an element is written is in [`element`].

mod iter;

pub use iter::Iter;

use std::fmt;

use super::element::{self, Element, Encoded};
use super::{BYTES_MAX, Full, Malformed, make_room, reserve};

const HEADER_LEN: usize = 6;
const EMPTY: [u8; HEADER_LEN + 1] = [7, 0, 0, 0, 0, 0, element::END];
/// What the header says if there are so many elements or more.
const N_ELEMENTS_UNKNOWN: u16 = u16::MAX;

/// A sequence of [`Element`]s as packed bytes.
///
/// ```
/// use fanfare_engine::packed::{Element, Listpack};
///
/// let mut colours = Listpack::new();
/// colours.push_back(&b"red"[..])?;
/// colours.push_front(Element::Int(7))?;
/// assert_eq!(colours.get(1), Some(Element::Bytes(b"red")));
/// assert_eq!(Listpack::from_bytes(colours.clone().into_bytes()), Ok(colours));
/// # Ok::<(), fanfare_engine::packed::Full>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Listpack {
    bytes: Vec<u8>,
    /// The header can not count beyond 65534.
    n_elements: usize,
}

/// Where an element of a [`Listpack`] begins, or where it ends. Holds until the listpack is changed at or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(usize);

impl Position {
    /// How many bytes there are from an earlier position to this one.
    pub(crate) fn distance(self, earlier: Self) -> usize {
        self.0.saturating_sub(earlier.0)
    }
}

impl Listpack {
    /// An empty listpack.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: EMPTY.to_vec(), n_elements: 0 }
    }

    /// An empty listpack that can grow to `n_bytes` without moving.
    #[must_use]
    pub fn with_capacity(n_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(n_bytes.max(EMPTY.len()));
        bytes.extend_from_slice(&EMPTY);
        Self { bytes, n_elements: 0 }
    }

    /// Takes a listpack that was written elsewhere. Every element is checked.
    ///
    /// # Errors
    /// If `bytes` are not a listpack.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Malformed> {
        let n_elements = check(&bytes)?;
        Ok(Self { bytes, n_elements })
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

    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n_elements
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n_elements == 0
    }

    /// How many bytes of memory it holds, also those that are not used yet.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back the memory that is not used, unless that is little.
    pub fn shrink_to_fit(&mut self) {
        if self.bytes.len() < self.bytes.capacity() / 8 * 7 {
            // Moved: where they are, allocators leave what is more than half full as it is.
            self.bytes = self.bytes.as_slice().to_vec();
        }
    }

    /// The elements from first to last.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.range(self.start(), self.end())
    }

    /// The elements that begin at or after `from` and end at or before `to`.
    #[must_use]
    pub fn range(&self, from: Position, to: Position) -> Iter<'_> {
        Iter::new(&self.bytes, from.0, to.0.min(self.end().0))
    }

    /// Where the first element begins.
    #[must_use]
    pub fn start(&self) -> Position {
        Position(HEADER_LEN)
    }

    /// Where the last element ends.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.bytes.len().saturating_sub(1))
    }

    /// The element at a position; `None` at the end.
    #[must_use]
    pub fn at(&self, position: Position) -> Option<Element<'_>> {
        element::decode(&self.bytes, position.0).map(|(element, _)| element)
    }

    /// The element at a position, and where the next one begins; `None` at the end.
    #[inline]
    #[must_use]
    pub fn read(&self, position: Position) -> Option<(Element<'_>, Position)> {
        element::decode(&self.bytes, position.0).map(|(element, next)| (element, Position(next)))
    }

    /// Where the element after that at `position` begins, which may be the end; `None` at the end.
    #[must_use]
    pub fn next(&self, position: Position) -> Option<Position> {
        element::skip(&self.bytes, position.0).map(Position)
    }

    /// Where the element before `position` begins; `None` at the start.
    #[must_use]
    pub fn prev(&self, position: Position) -> Option<Position> {
        prev(&self.bytes, position.0).map(Position)
    }

    /// Where the element number `index` begins. Found from the nearer end.
    #[inline]
    #[must_use]
    pub fn seek(&self, index: usize) -> Option<Position> {
        let n_after = self.n_elements.checked_sub(index).filter(|it| *it != 0)?;
        if index <= n_after {
            (0..index).try_fold(self.start(), |it, _| self.next(it))
        } else {
            (0..n_after).try_fold(self.end(), |it, _| self.prev(it))
        }
    }

    /// The element number `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        self.at(self.seek(index)?)
    }

    /// The first element at or after `from` that spells `wanted`. After each element that was compared, `n_skipped` are
    /// passed over: 1 finds a field among fields and values.
    #[must_use]
    pub fn find(&self, wanted: &[u8], from: Position, n_skipped: usize) -> Option<Position> {
        let number = element::parse_int(wanted);
        let mut at = from.0;
        while let Some((is_wanted, next)) = element::spells(&self.bytes, at, (wanted, number)) {
            if is_wanted {
                return Some(Position(at));
            }
            at = next;
            for _ in 0..n_skipped {
                at = element::skip(&self.bytes, at)?;
            }
        }
        None
    }

    /// Adds an element after the last one.
    ///
    /// # Errors
    /// If it would be too large.
    pub fn push_back<'a>(&mut self, element: impl Into<Element<'a>>) -> Result<(), Full> {
        let encoded = Encoded::new(element.into())?;
        self.check_room(encoded.len())?;
        reserve(&mut self.bytes, encoded.len());
        self.bytes.pop();
        encoded.append_to(&mut self.bytes);
        self.bytes.push(element::END);
        self.set_header(self.n_elements + 1);
        Ok(())
    }

    /// Adds an element before the first one.
    ///
    /// # Errors
    /// If it would be too large.
    pub fn push_front<'a>(&mut self, element: impl Into<Element<'a>>) -> Result<(), Full> {
        self.insert(self.start(), element)
    }

    /// Adds an element before that at `position`.
    ///
    /// # Errors
    /// If it would be too large.
    pub fn insert<'a>(
        &mut self,
        position: Position,
        element: impl Into<Element<'a>>,
    ) -> Result<(), Full> {
        let encoded = Encoded::new(element.into())?;
        self.check_room(encoded.len())?;
        if self.put(position.min(self.end()), 0, &encoded) {
            self.set_header(self.n_elements + 1);
        }
        Ok(())
    }

    /// Puts an element in the place of that at `position`. Nothing happens at the end.
    ///
    /// # Errors
    /// If it would be too large.
    pub fn replace<'a>(
        &mut self,
        position: Position,
        element: impl Into<Element<'a>>,
    ) -> Result<(), Full> {
        let encoded = Encoded::new(element.into())?;
        self.check_room(encoded.len())?;
        if let Some(next) = self.next(position)
            && self.put(position, next.0 - position.0, &encoded)
        {
            self.set_header(self.n_elements);
        }
        Ok(())
    }

    /// Removes `n` elements from `position` on, or as many as there are, and says how many those were. Then `position`
    /// is where the element after them begins.
    pub fn remove(&mut self, position: Position, n: usize) -> usize {
        let (mut n_removed, mut end) = (0, position.0);
        while n_removed < n
            && let Some(next) = element::skip(&self.bytes, end)
        {
            (n_removed, end) = (n_removed + 1, next);
        }
        let n_bytes = end.saturating_sub(position.0);
        if n_removed != 0 && make_room(&mut self.bytes, position.0, n_bytes, 0) {
            self.set_header(self.n_elements.saturating_sub(n_removed));
        }
        n_removed
    }

    /// Removes `n` elements from number `index` on, or as many as there are, and says how many those were.
    pub fn remove_range(&mut self, index: usize, n: usize) -> usize {
        self.seek(index).map_or(0, |position| self.remove(position, n))
    }

    /// Takes off the elements from number `index` on.
    #[must_use = "the elements are gone from this listpack"]
    pub fn split_off(&mut self, index: usize) -> Self {
        let Some(position) = self.seek(index) else { return Self::new() };
        let moved = self.bytes.get(position.0..).unwrap_or_default();
        let mut tail = Self::with_capacity(HEADER_LEN + moved.len());
        tail.bytes.truncate(HEADER_LEN);
        tail.bytes.extend_from_slice(moved);
        tail.set_header(self.n_elements - index);
        self.bytes.truncate(position.0);
        self.bytes.push(element::END);
        self.set_header(index);
        tail
    }

    /// Adds the elements of another listpack after the last one.
    ///
    /// # Errors
    /// If it would be too large.
    pub fn append(&mut self, other: &Self) -> Result<(), Full> {
        let added = other.bytes.get(HEADER_LEN..).unwrap_or_default();
        self.check_room(added.len())?;
        reserve(&mut self.bytes, added.len());
        self.bytes.pop();
        self.bytes.extend_from_slice(added);
        self.set_header(self.n_elements + other.n_elements);
        Ok(())
    }

    fn check_room(&self, n_more: usize) -> Result<(), Full> {
        if BYTES_MAX < self.bytes.len().saturating_add(n_more) { Err(Full) } else { Ok(()) }
    }

    /// Writes an element over the `n_old` bytes at `position`; false if there are not so many.
    fn put(&mut self, position: Position, n_old: usize, encoded: &Encoded<'_>) -> bool {
        let is_room = make_room(&mut self.bytes, position.0, n_old, encoded.len());
        if is_room && let Some(to) = self.bytes.get_mut(position.0..) {
            encoded.write_over(to);
        }
        is_room
    }

    fn set_header(&mut self, n_elements: usize) {
        self.n_elements = n_elements;
        let n_bytes = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let n_elements = u16::try_from(n_elements).unwrap_or(N_ELEMENTS_UNKNOWN);
        if let Some((header, _)) = self.bytes.split_first_chunk_mut::<HEADER_LEN>() {
            let [a, b, c, d] = n_bytes.to_le_bytes();
            let [e, f] = n_elements.to_le_bytes();
            *header = [a, b, c, d, e, f];
        }
    }
}

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Listpack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Where the element before `at` begins.
fn prev(bytes: &[u8], at: usize) -> Option<usize> {
    let len = element::read_back(bytes, at)?;
    let start = at.checked_sub(len)?.checked_sub(element::back_len(len))?;
    (HEADER_LEN <= start).then_some(start)
}

/// Reads all of `bytes` and counts the elements.
///
/// It is a little stricter than Redis is with `sanitize-dump-payload yes`, which accepts a length behind an element that
/// is read on into the element: as soon as that element is replaced, the length is another one.
fn check(bytes: &[u8]) -> Result<usize, Malformed> {
    let malformed = |offset, reason| Err(Malformed { offset, reason });
    let Some((header, elements)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return malformed(0, "a listpack without a header");
    };
    let [a, b, c, d, e, f] = *header;
    if usize::try_from(u32::from_le_bytes([a, b, c, d])) != Ok(bytes.len()) {
        return malformed(0, "a listpack of another length than its header says");
    }
    let Some((&element::END, mut rest)) = elements.split_last() else {
        return malformed(bytes.len(), "a listpack without an end");
    };
    let mut n_elements = 0;
    while !rest.is_empty() {
        let at = bytes.len() - 1 - rest.len();
        let Some((_, len)) = element::decode_first(rest) else {
            return malformed(at, "not an element of a listpack");
        };
        if !element::is_back(rest, len) {
            return malformed(at, "an element with another length behind it");
        }
        rest = rest.get(len + element::back_len(len)..).unwrap_or_default();
        n_elements += 1;
    }
    let claimed = u16::from_le_bytes([e, f]);
    if claimed != N_ELEMENTS_UNKNOWN && usize::from(claimed) != n_elements {
        return malformed(4, "a listpack with another number of elements than it says");
    }
    Ok(n_elements)
}
