//! The elements of a listpack, in both directions.

use std::iter::FusedIterator;

use super::prev;
use crate::packed::element::{Element, decode};

/// The elements of a part of a listpack.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    front: usize,
    back: usize,
}

impl<'a> Iter<'a> {
    pub(super) fn new(bytes: &'a [u8], front: usize, back: usize) -> Self {
        Self { bytes, front, back }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.back <= self.front {
            return None;
        }
        let (element, next) = decode(self.bytes, self.front)?;
        self.front = next;
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.back <= self.front {
            return None;
        }
        let start = prev(self.bytes, self.back).filter(|it| self.front <= *it)?;
        let (element, _) = decode(self.bytes, start)?;
        self.back = start;
        Some(element)
    }
}

impl FusedIterator for Iter<'_> {}
