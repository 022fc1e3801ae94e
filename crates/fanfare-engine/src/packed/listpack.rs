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

use super::buffer::{Buffer, Shared};
use super::element::{self, Element, Encoded};
use super::{BYTES_MAX, Full, Malformed};

const HEADER_LEN: usize = 6;
const EMPTY: [u8; HEADER_LEN + 1] = [7, 0, 0, 0, 0, 0, element::END];
/// What the header says if there are so many elements or more.
const N_ELEMENTS_UNKNOWN: u16 = u16::MAX;

/// A sequence of [`Element`]s as packed bytes. A clone shares them, until one of the two is changed.
///
/// ```
/// use fanfare_engine::packed::{Element, Listpack};
///
/// let mut colours = Listpack::new();
/// colours.push_back(&b"red"[..])?;
/// colours.push_front(Element::Int(7))?;
/// assert_eq!(colours.get(1), Some(Element::Bytes(b"red")));
/// assert_eq!(Listpack::from_bytes(colours.as_bytes()), Ok(colours.clone()));
/// # Ok::<(), fanfare_engine::packed::Full>(())
/// ```
pub type Listpack = Pack<Shared>;

/// A [`Listpack`] in one kind of memory or the other.
#[derive(Clone)]
pub struct Pack<B>(B);

/// Where an element of a [`Listpack`] begins, or where it ends. Holds until the listpack is changed at or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(usize);

impl Position {
    /// How many bytes there are from an earlier position to this one.
    pub(crate) fn distance(self, earlier: Self) -> usize {
        self.0.saturating_sub(earlier.0)
    }
}

impl<B: Buffer> Pack<B> {
    /// An empty listpack.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(EMPTY.len())
    }

    /// An empty listpack that can grow to `n_bytes` without moving.
    #[must_use]
    pub fn with_capacity(n_bytes: usize) -> Self {
        Self(B::with_capacity(&EMPTY, n_bytes))
    }

    /// Takes a listpack that was written elsewhere. Every element is checked.
    ///
    /// # Errors
    /// If `bytes` are not a listpack.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        check(bytes)?;
        Ok(Self(B::exact(bytes)))
    }

    /// The bytes as Redis has them.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let all = self.0.all();
        all.get(..self.n_used()).unwrap_or(all)
    }

    /// How many bytes there are, of those that there is room for.
    #[inline]
    pub(crate) fn n_used(&self) -> usize {
        let n_used = self.0.all().first_chunk().map_or(0, |it| u32::from_le_bytes(*it));
        usize::try_from(n_used).unwrap_or(usize::MAX)
    }

    /// How many elements the header says that there are; `None`: more than it can say, or were once.
    #[inline]
    fn n_said(&self) -> Option<u16> {
        match self.0.all() {
            [_, _, _, _, low, high, ..] => {
                Some(u16::from_le_bytes([*low, *high])).filter(|it| *it != N_ELEMENTS_UNKNOWN)
            }
            _ => None,
        }
    }

    /// How many elements it has. They are counted one by one if there are more than 65534.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match self.n_said() {
            Some(n_elements) => usize::from(n_elements),
            None => self.count(),
        }
    }

    #[cold]
    fn count(&self) -> usize {
        let bytes = self.0.all();
        let mut at = HEADER_LEN;
        let mut n_elements = 0;
        while let Some(next) = element::skip(bytes, at) {
            (at, n_elements) = (next, n_elements + 1);
        }
        n_elements
    }

    /// Whether it has no elements.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n_used() <= EMPTY.len()
    }

    /// How many bytes of memory it holds, also those that are not used yet.
    #[inline]
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    /// Gives back the memory that is not used, unless that is little.
    pub fn shrink_to_fit(&mut self) {
        let n_used = self.n_used();
        if n_used < self.n_bytes() / 8 * 7 {
            self.0 = B::exact(self.as_bytes());
        }
    }

    /// Makes room for `n_more` bytes, so that what is added does not move it again and again.
    pub fn reserve(&mut self, n_more: usize) {
        let n_used = self.n_used();
        self.0.edit(n_used, n_used.saturating_add(n_more).min(BYTES_MAX));
    }

    /// The elements from first to last.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.range(self.start(), self.end())
    }

    /// The elements that begin at or after `from` and end at or before `to`.
    #[must_use]
    pub fn range(&self, from: Position, to: Position) -> Iter<'_> {
        Iter::new(self.0.all(), from.0, to.0.min(self.end().0))
    }

    /// Where the first element begins.
    #[must_use]
    pub fn start(&self) -> Position {
        Position(HEADER_LEN)
    }

    /// Where the last element ends.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.n_used().saturating_sub(1))
    }

    /// The element at a position; `None` at the end.
    #[must_use]
    pub fn at(&self, position: Position) -> Option<Element<'_>> {
        element::decode(self.0.all(), position.0).map(|(element, _)| element)
    }

    /// The element at a position, and where the next one begins; `None` at the end.
    #[inline]
    #[must_use]
    pub fn read(&self, position: Position) -> Option<(Element<'_>, Position)> {
        element::decode(self.0.all(), position.0).map(|(element, next)| (element, Position(next)))
    }

    /// Where the element after that at `position` begins, which may be the end; `None` at the end.
    #[must_use]
    pub fn next(&self, position: Position) -> Option<Position> {
        element::skip(self.0.all(), position.0).map(Position)
    }

    /// Where the element before `position` begins; `None` at the start.
    #[must_use]
    pub fn prev(&self, position: Position) -> Option<Position> {
        prev(self.0.all(), position.0).map(Position)
    }

    /// Where the element number `index` begins. Found from the nearer end.
    #[inline]
    #[must_use]
    pub fn seek(&self, index: usize) -> Option<Position> {
        let n_after = self.len().checked_sub(index).filter(|it| *it != 0)?;
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
        let bytes = self.0.all();
        let mut at = from.0;
        while let Some((is_wanted, next)) = element::spells(bytes, at, (wanted, number)) {
            if is_wanted {
                return Some(Position(at));
            }
            at = next;
            for _ in 0..n_skipped {
                at = element::skip(bytes, at)?;
            }
        }
        None
    }

    /// Adds an element after the last one.
    ///
    /// # Errors
    /// If it would be too large.
    #[inline]
    pub fn push_back<'a>(&mut self, element: impl Into<Element<'a>>) -> Result<(), Full> {
        let encoded = Encoded::new(element.into())?;
        let n_used = self.check_room(encoded.len())?;
        let n_elements = self.n_said().map(|it| it + 1);
        let bytes = self.0.edit(n_used, n_used + encoded.len());
        if let Some(to) = bytes.get_mut(n_used - 1..) {
            let behind = encoded.write_over(to);
            behind.first_mut().into_iter().for_each(|it| *it = element::END);
        }
        set_header(bytes, n_used + encoded.len(), n_elements);
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
        let n_elements = self.n_said().map(|it| it + 1);
        self.put(position.min(self.end()), 0, &encoded, n_elements);
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
        if let Some(next) = self.next(position) {
            self.put(position, next.0 - position.0, &encoded, self.n_said());
        }
        Ok(())
    }

    /// Removes `n` elements from `position` on, or as many as there are, and says how many those were. Then `position`
    /// is where the element after them begins.
    pub fn remove(&mut self, position: Position, n: usize) -> usize {
        let (mut n_removed, mut end) = (0, position.0);
        while n_removed < n
            && let Some(next) = element::skip(self.0.all(), end)
        {
            (n_removed, end) = (n_removed + 1, next);
        }
        if n_removed == 0 {
            return 0;
        }
        let (n_used, n_bytes) = (self.n_used(), end.saturating_sub(position.0));
        let n_elements = u16::try_from(self.len().saturating_sub(n_removed)).ok();
        if let Some(bytes) = self.0.splice(n_used, position.0, (n_bytes, 0)) {
            set_header(bytes, n_used - n_bytes, n_elements);
            self.0.give_back(n_used - n_bytes);
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
        let len = self.len();
        let moved = self.as_bytes().get(position.0..).unwrap_or_default();
        let n_moved = moved.len();
        let mut tail = B::with_capacity(&EMPTY, HEADER_LEN + n_moved);
        let bytes = tail.edit(HEADER_LEN, HEADER_LEN + n_moved);
        if let Some(to) = bytes.get_mut(HEADER_LEN..HEADER_LEN + n_moved) {
            to.copy_from_slice(moved);
        }
        set_header(bytes, HEADER_LEN + n_moved, u16::try_from(len - index).ok());

        let bytes = self.0.edit(position.0, position.0 + 1);
        bytes.get_mut(position.0).into_iter().for_each(|it| *it = element::END);
        set_header(bytes, position.0 + 1, u16::try_from(index).ok());
        self.0.give_back(position.0 + 1);
        Self(tail)
    }

    /// Adds the elements of another listpack after the last one.
    ///
    /// # Errors
    /// If it would be too large.
    pub fn append(&mut self, other: &Self) -> Result<(), Full> {
        let added = other.as_bytes().get(HEADER_LEN..).unwrap_or_default();
        let n_used = self.check_room(added.len())?;
        let n_elements = self.n_said().zip(other.n_said()).and_then(|(it, n)| it.checked_add(n));
        // Over the end of the first, up to that of the other.
        let n_used_then = n_used - 1 + added.len();
        let bytes = self.0.edit(n_used, n_used_then);
        if let Some(to) = bytes.get_mut(n_used - 1..n_used_then) {
            to.copy_from_slice(added);
        }
        set_header(bytes, n_used_then, n_elements);
        Ok(())
    }

    /// Whether there may be so many bytes more; returns how many there are.
    #[inline]
    fn check_room(&self, n_more: usize) -> Result<usize, Full> {
        let n_used = self.n_used();
        if BYTES_MAX < n_used.saturating_add(n_more) { Err(Full) } else { Ok(n_used) }
    }

    /// Writes an element over the `n_old` bytes at `position`, if there are so many.
    fn put(
        &mut self,
        position: Position,
        n_old: usize,
        encoded: &Encoded<'_>,
        n_elements: Option<u16>,
    ) {
        let n_used = self.n_used();
        let Some(bytes) = self.0.splice(n_used, position.0, (n_old, encoded.len())) else { return };
        if let Some(to) = bytes.get_mut(position.0..) {
            encoded.write_over(to);
        }
        let n_used = n_used - n_old + encoded.len();
        set_header(bytes, n_used, n_elements);
        if encoded.len() < n_old {
            self.0.give_back(n_used);
        }
    }
}

impl<B: Buffer> PartialEq for Pack<B> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<B: Buffer> Eq for Pack<B> {}

impl<B: Buffer> Default for Pack<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Buffer> fmt::Debug for Pack<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, B: Buffer> IntoIterator for &'a Pack<B> {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Writes how long a listpack is and how many elements it has, if the header can say that.
#[inline]
fn set_header(bytes: &mut [u8], n_used: usize, n_elements: Option<u16>) {
    let n_used = u32::try_from(n_used).unwrap_or(u32::MAX);
    if let Some((header, _)) = bytes.split_first_chunk_mut::<HEADER_LEN>() {
        let [a, b, c, d] = n_used.to_le_bytes();
        let [e, f] = n_elements.unwrap_or(N_ELEMENTS_UNKNOWN).to_le_bytes();
        *header = [a, b, c, d, e, f];
    }
}

/// Where the element before `at` begins.
fn prev(bytes: &[u8], at: usize) -> Option<usize> {
    let len = element::read_back(bytes, at)?;
    let start = at.checked_sub(len)?.checked_sub(element::back_len(len))?;
    (HEADER_LEN <= start).then_some(start)
}

/// Reads all of `bytes`.
///
/// It is a little stricter than Redis is with `sanitize-dump-payload yes`, which accepts a length behind an element that
/// is read on into the element: as soon as that element is replaced, the length is another one.
fn check(bytes: &[u8]) -> Result<(), Malformed> {
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
    Ok(())
}
