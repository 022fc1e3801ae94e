//! Consecutive elements of a list, for a reply.

use fanfare_resp::Writer;

use super::List;
use crate::packed::Element;

/// Consecutive elements of a list as it was when they were taken. It shares the list's memory: a reply of many elements
/// needs none of its own.
#[derive(Clone, Debug)]
pub struct Slice {
    list: List,
    start: usize,
    n: usize,
}

impl Slice {
    pub(super) fn new(list: List, start: usize, n: usize) -> Self {
        let start = start.min(list.len());
        let n = n.min(list.len() - start);
        Self { list, start, n }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        self.list.iter_from(self.start).take(self.n)
    }

    /// Appends the wire form: an array of strings.
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.array(self.n);
        let mut digits = itoa::Buffer::new();
        for element in self.iter() {
            out.bulk(element.spelled(&mut digits));
        }
    }
}

impl PartialEq for Slice {
    fn eq(&self, other: &Self) -> bool {
        self.n == other.n && self.iter().eq(other.iter())
    }
}
