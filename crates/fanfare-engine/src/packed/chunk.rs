//! What one node of a list holds.
//!
//! A list is a sequence of chunks that are large enough to be compact and small enough to be changed and copied
//! quickly. How large is Redis's `list-max-listpack-size`. An element that does not fit into a chunk with others is a
//! chunk of its own, shared with the replies that carry it.

use std::sync::Arc;

use super::gapped::Gapped;
use super::{Element, Full, Pack, listpack};

/// What a chunk may have in bytes where only its number of elements is limited.
const BYTES_MAX_BY_COUNT: usize = 8192;
/// What an element may take beside its own bytes, as Redis reckons before it knows.
const ELEMENT_OVERHEAD: usize = 8;
/// What two listpacks need less when they become one: a header and an end.
const SAVED_BY_MERGE: usize = 7;
/// The two counts beside the bytes of an `Arc<[u8]>`.
const ARC_OVERHEAD: usize = 16;

/// How much a chunk may hold: Redis's `list-max-listpack-size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    bytes_max: usize,
    elements_max: usize,
}

impl Fill {
    /// From the directive: a number of elements, or -1 to -5 for 4, 8, 16, 32 or 64 KiB.
    #[must_use]
    pub fn new(list_max_listpack_size: i32) -> Self {
        let bytes_max = match list_max_listpack_size {
            0.. => BYTES_MAX_BY_COUNT,
            -1 => 4096,
            -2 => 8192,
            -3 => 16_384,
            -4 => 32_768,
            ..=-5 => 65_536,
        };
        let elements_max = match usize::try_from(list_max_listpack_size) {
            Ok(elements_max) => elements_max.max(1),
            Err(_) => usize::MAX,
        };
        Self { bytes_max, elements_max }
    }

    fn allows(self, n_bytes: usize, n_elements: usize) -> bool {
        n_bytes <= self.bytes_max && n_elements <= self.elements_max
    }
}

impl Default for Fill {
    /// Redis's default, -2.
    fn default() -> Self {
        Self::new(-2)
    }
}

/// What one node of a list holds. It does not grow beyond its [`Fill`] if it is asked first ([`fits`](Self::fits)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Several elements.
    Packed(Pack<Gapped>),
    /// One large element.
    Plain(Arc<[u8]>),
}

impl Chunk {
    /// A chunk with one element: plain if nothing else would fit beside it.
    ///
    /// # Errors
    /// Never for an element that [`Pack`] can hold.
    pub fn new(element: Element<'_>, fill: Fill) -> Result<Self, Full> {
        match element {
            Element::Bytes(bytes) if fill.bytes_max < bytes.len() => Ok(Self::Plain(bytes.into())),
            _ => {
                let mut packed = Pack::new();
                packed.push_back(element)?;
                Ok(Self::Packed(packed))
            }
        }
    }

    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.len(),
            Self::Plain(_) => 1,
        }
    }

    /// Whether its last element was removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory it holds, beside its own size.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.n_bytes(),
            Self::Plain(bytes) => bytes.len() + ARC_OVERHEAD,
        }
    }

    /// Whether an element of so many bytes may be added.
    #[must_use]
    pub fn fits(&self, element_len: usize, fill: Fill) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Packed(packed) => {
                let added = element_len.saturating_add(ELEMENT_OVERHEAD);
                fill.allows(packed.as_bytes().len().saturating_add(added), packed.len() + 1)
            }
        }
    }

    /// The element number `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        match self {
            Self::Packed(packed) => packed.get(index),
            Self::Plain(bytes) => (index == 0).then_some(Element::Bytes(bytes)),
        }
    }

    /// The elements from first to last.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        match self {
            Self::Packed(packed) => Iter::Packed(packed.iter()),
            Self::Plain(bytes) => Iter::Plain(Some(Element::Bytes(bytes)).into_iter()),
        }
    }

    /// The elements from number `index` on.
    #[must_use]
    pub fn iter_from(&self, index: usize) -> Iter<'_> {
        match self {
            Self::Packed(packed) => {
                let from = packed.seek(index).unwrap_or(packed.end());
                Iter::Packed(packed.range(from, packed.end()))
            }
            Self::Plain(_) if index == 0 => self.iter(),
            Self::Plain(_) => Iter::Plain(None.into_iter()),
        }
    }

    /// Whether an element spells `wanted`.
    #[must_use]
    pub fn contains(&self, wanted: &[u8]) -> bool {
        match self {
            Self::Packed(packed) => packed.find(wanted, packed.start(), 0).is_some(),
            Self::Plain(bytes) => **bytes == *wanted,
        }
    }

    /// Adds an element before the one number `index`, or after the last one.
    ///
    /// # Errors
    /// If the chunk is plain, or the element too large for any listpack.
    pub fn insert(&mut self, index: usize, element: Element<'_>) -> Result<(), Full> {
        match self {
            Self::Plain(_) => Err(Full),
            Self::Packed(packed) if index < packed.len() => {
                let position = packed.seek(index).unwrap_or(packed.end());
                packed.insert(position, element)
            }
            Self::Packed(packed) => packed.push_back(element),
        }
    }

    /// Removes `n` elements from number `index` on, or as many as there are, and says how many those were.
    pub fn remove_range(&mut self, index: usize, n: usize) -> usize {
        match self {
            Self::Packed(packed) => packed.remove_range(index, n),
            Self::Plain(_) if index == 0 && n != 0 => {
                *self = Self::Packed(Pack::new());
                1
            }
            Self::Plain(_) => 0,
        }
    }

    /// Puts an element in the place of number `index`, if there is room for it beside the others; false if not.
    pub fn replace(&mut self, index: usize, element: Element<'_>, fill: Fill) -> bool {
        let has_room = self.fits(element.spelled_len(), fill);
        let Self::Packed(packed) = self else { return false };
        let position = packed.seek(index).filter(|_| has_room);
        position.is_some_and(|it| packed.replace(it, element).is_ok())
    }

    /// Removes elements that spell `wanted`, `n_max` at most: the first ones, or the last ones. Returns how many.
    pub fn remove_matching(&mut self, wanted: &[u8], n_max: usize, last: bool) -> usize {
        let packed = match self {
            Self::Packed(packed) => packed,
            Self::Plain(bytes) => {
                let n = usize::from(**bytes == *wanted && n_max != 0);
                return self.remove_range(0, n);
            }
        };
        let mut n_removed = 0;
        let mut position = if last { packed.end() } else { packed.start() };
        while n_removed < n_max {
            let found = if last {
                let element = Element::new(wanted);
                let mut before = packed.prev(position);
                while before.is_some_and(|it| packed.at(it) != Some(element)) {
                    before = before.and_then(|it| packed.prev(it));
                }
                before
            } else {
                packed.find(wanted, position, 0)
            };
            let Some(found) = found else { break };
            packed.remove(found, 1);
            position = found;
            n_removed += 1;
        }
        n_removed
    }

    /// Takes off the elements from number `index` on; `None` if there are none.
    #[must_use = "the elements are gone from this chunk"]
    pub fn split_off(&mut self, index: usize) -> Option<Self> {
        match self {
            Self::Packed(packed) if index < packed.len() => {
                Some(Self::Packed(packed.split_off(index)))
            }
            Self::Plain(_) if index == 0 => {
                Some(std::mem::replace(self, Self::Packed(Pack::new())))
            }
            _ => None,
        }
    }

    /// Whether the elements of the next chunk fit into this one, too.
    #[must_use]
    pub fn may_merge(&self, next: &Self, fill: Fill) -> bool {
        let (Self::Packed(packed), Self::Packed(next)) = (self, next) else { return false };
        let n_bytes = (packed.as_bytes().len() + next.as_bytes().len()) - SAVED_BY_MERGE;
        fill.allows(n_bytes, packed.len() + next.len())
    }

    /// Adds the elements of the next chunk after the last one, if all of them fit; false if they do not.
    pub fn merge(&mut self, next: &Self, fill: Fill) -> bool {
        if !self.may_merge(next, fill) {
            return false;
        }
        let (Self::Packed(packed), Self::Packed(next)) = (self, next) else { return false };
        packed.append(next).is_ok()
    }
}

impl<'a> IntoIterator for &'a Chunk {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The elements of a [`Chunk`].
#[derive(Clone, Debug)]
pub enum Iter<'a> {
    /// Of several.
    Packed(listpack::Iter<'a>),
    /// Of one.
    Plain(std::option::IntoIter<Element<'a>>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Self::Packed(iter) => iter.next(),
            Self::Plain(iter) => iter.next(),
        }
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Packed(iter) => iter.next_back(),
            Self::Plain(iter) => iter.next_back(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunk, Element, Fill};

    #[test]
    fn large_elements_stay_alone() {
        let large = vec![b'x'; 8193];
        let mut plain = Chunk::new(Element::Bytes(&large), Fill::default()).unwrap();
        assert!(matches!(plain, Chunk::Plain(_)));
        assert!(!plain.fits(1, Fill::default()));
        assert!(plain.insert(0, Element::Int(1)).is_err());
        assert_eq!(plain.get(0), Some(Element::Bytes(&large)));
        assert_eq!(plain.iter().rev().count(), 1);
        let mut packed = Chunk::new(Element::Int(1), Fill::default()).unwrap();
        assert!(!packed.merge(&plain, Fill::default()) && !plain.merge(&packed, Fill::default()));
        assert_eq!(plain.split_off(1), None);
        let moved = plain.split_off(0);
        assert!(plain.is_empty() && moved.is_some_and(|it| it.len() == 1));
    }

    #[test]
    fn a_fill_is_a_size_or_a_count() {
        let chunk = |n: usize| {
            let mut chunk = Chunk::new(Element::Int(0), Fill::default()).unwrap();
            (1..n).for_each(|_| chunk.insert(usize::MAX, Element::Int(0)).unwrap());
            chunk
        };
        assert!(chunk(2).fits(1, Fill::new(3)) && !chunk(3).fits(1, Fill::new(3)));
        assert!(!chunk(1).fits(1, Fill::new(0)));
        assert!(!chunk(1).fits(8192, Fill::new(1000)));
        assert!(chunk(1).fits(8192, Fill::new(-3)) && chunk(1).fits(60_000, Fill::new(-9)));
        let mut merged = chunk(2);
        assert!(!merged.merge(&chunk(2), Fill::new(3)) && merged.merge(&chunk(2), Fill::new(4)));
        assert_eq!(merged.len(), 4);
    }
}
