//! The chunks of a list.
//!
//! The two at the ends, where lists are pushed to and popped from, lie beside the tree of the others: a queue descends
//! the tree once per chunk, not once per element.

use std::mem::size_of;

use triomphe::Arc;

use super::Side;
use crate::packed::{Chunk, Pack};
use crate::tree::RankTree;
use crate::tree::rank::Item;

/// A reference count.
const ARC_LEN: usize = size_of::<usize>();

/// Chunks in order. None is empty, but for the only one of an empty list.
#[derive(Clone, Debug)]
pub(super) enum Chunks {
    One(Arc<Chunk>),
    Many(Arc<Many>),
}

/// At least two.
#[derive(Clone, Debug)]
pub(super) struct Many {
    head: Chunk,
    body: RankTree<Node>,
    tail: Chunk,
    /// What the chunks of the body take.
    body_bytes: usize,
}

/// A chunk of the body.
#[derive(Clone, Debug)]
struct Node {
    n_elements: usize,
    chunk: Arc<Chunk>,
}

impl Node {
    fn new(chunk: Chunk) -> Self {
        Self { n_elements: chunk.len(), chunk: Arc::new(chunk) }
    }

    fn n_bytes(&self) -> usize {
        n_bytes_of(&self.chunk)
    }

    /// The chunk; a copy if a clone of the list still holds it.
    fn into_chunk(self) -> Chunk {
        Arc::try_unwrap(self.chunk).unwrap_or_else(|shared| Chunk::clone(&shared))
    }
}

impl Item for Node {
    type Hint = ();

    fn hint(&self) {}

    fn weight(&self) -> usize {
        self.n_elements
    }
}

/// What a chunk behind an `Arc` takes.
fn n_bytes_of(chunk: &Chunk) -> usize {
    ARC_LEN + size_of::<Chunk>() + chunk.n_bytes()
}

fn empty() -> Chunk {
    Chunk::Packed(Pack::new())
}

impl Default for Chunks {
    fn default() -> Self {
        Self::One(Arc::new(empty()))
    }
}

/// Reading.
impl Chunks {
    /// How many chunks there are.
    pub(super) fn n_chunks(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.body.len() + 2,
        }
    }

    /// How many elements they have.
    #[inline]
    pub(super) fn n_elements(&self) -> usize {
        match self {
            Self::One(chunk) => chunk.len(),
            Self::Many(many) => many.head.len() + many.body.weight() + many.tail.len(),
        }
    }

    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::One(chunk) => n_bytes_of(chunk),
            Self::Many(many) => {
                let Many { head, body, tail, body_bytes } = &**many;
                let ends = head.n_bytes() + tail.n_bytes();
                ARC_LEN + size_of::<Many>() + ends + body.n_bytes() + body_bytes
            }
        }
    }

    /// The chunk number `at`.
    pub(super) fn get(&self, at: usize) -> Option<&Chunk> {
        match self {
            Self::One(chunk) => (at == 0).then_some(chunk),
            Self::Many(many) if at == 0 => Some(&many.head),
            Self::Many(many) if at == many.body.len() + 1 => Some(&many.tail),
            Self::Many(many) => many.body.get(at - 1).map(|it| &*it.chunk),
        }
    }

    /// Which chunk has the element `index`, and which of its elements that is.
    pub(super) fn seek(&self, index: usize) -> Option<(usize, usize)> {
        let many = match self {
            Self::One(chunk) => return (index < chunk.len()).then_some((0, index)),
            Self::Many(many) => many,
        };
        let Some(in_body) = index.checked_sub(many.head.len()) else { return Some((0, index)) };
        if let Some((at, _, rest)) = many.body.locate(in_body) {
            return Some((at + 1, rest));
        }
        let in_tail = in_body.checked_sub(many.body.weight())?;
        (in_tail < many.tail.len()).then_some((many.body.len() + 1, in_tail))
    }

    /// The chunks from number `at` on.
    pub(super) fn iter_from(&self, at: usize) -> impl DoubleEndedIterator<Item = &Chunk> {
        let (head, many) = match self {
            Self::One(chunk) => (Some(&**chunk), None),
            Self::Many(many) => (Some(&many.head), Some(&**many)),
        };
        let body = many.map(|it| it.body.range(at.saturating_sub(1)..)).into_iter().flatten();
        let tail = many.filter(|it| at <= it.body.len() + 1).map(|it| &it.tail);
        head.filter(|_| at == 0).into_iter().chain(body.map(|it| &*it.chunk)).chain(tail)
    }
}

/// Changing. What a clone of the list still holds is copied first.
impl Chunks {
    /// The first or the last chunk. If that leaves it empty, [`Self::remove`] it.
    #[inline]
    pub(super) fn end_mut(&mut self, side: Side) -> &mut Chunk {
        match (self, side) {
            (Self::One(chunk), _) => Arc::make_mut(chunk),
            (Self::Many(many), Side::Left) => &mut Arc::make_mut(many).head,
            (Self::Many(many), Side::Right) => &mut Arc::make_mut(many).tail,
        }
    }

    /// Has `edit` change the chunk number `at`. If that leaves it empty, [`Self::remove`] it.
    pub(super) fn edit<R>(&mut self, at: usize, edit: impl FnOnce(&mut Chunk) -> R) -> Option<R> {
        let n_chunks = self.n_chunks();
        if at == 0 {
            return Some(edit(self.end_mut(Side::Left)));
        }
        if at + 1 == n_chunks {
            return Some(edit(self.end_mut(Side::Right)));
        }
        let Self::Many(many) = self else { return None };
        let Many { body, body_bytes, .. } = Arc::make_mut(many);
        body.update(at - 1, |node| {
            let n_before = node.n_bytes();
            let result = edit(Arc::make_mut(&mut node.chunk));
            node.n_elements = node.chunk.len();
            *body_bytes = *body_bytes + node.n_bytes() - n_before;
            result
        })
    }

    /// Inserts a chunk that is not empty before number `at`, or after the last one.
    pub(super) fn insert(&mut self, at: usize, chunk: Chunk) {
        let many = match self {
            Self::One(only) if only.is_empty() => {
                *only = Arc::new(chunk);
                return;
            }
            Self::One(only) => {
                let only = std::mem::replace(Arc::make_mut(only), empty());
                let (head, tail) = if at == 0 { (chunk, only) } else { (only, chunk) };
                let body = RankTree::new();
                *self = Self::Many(Arc::new(Many { head, body, tail, body_bytes: 0 }));
                return;
            }
            Self::Many(many) => Arc::make_mut(many),
        };
        let n_body = many.body.len();
        let (at, node) = if at == 0 {
            (0, Node::new(std::mem::replace(&mut many.head, chunk)))
        } else if n_body + 1 < at {
            (n_body, Node::new(std::mem::replace(&mut many.tail, chunk)))
        } else {
            (at - 1, Node::new(chunk))
        };
        many.body_bytes += node.n_bytes();
        many.body.insert(at, node);
    }

    /// Removes the chunks from number `from` up to number `to`, which is not among them.
    pub(super) fn remove(&mut self, from: usize, to: usize) {
        let n_chunks = self.n_chunks();
        let to = to.min(n_chunks);
        if to <= from {
            return;
        }
        let many = match self {
            Self::One(_) => return *self = Self::default(),
            Self::Many(many) => Arc::make_mut(many),
        };
        let inner = from.max(1) - 1..to.min(n_chunks - 1) - 1;
        if inner.start < inner.end {
            let body_bytes = &mut many.body_bytes;
            many.body.remove_range(inner, |node| *body_bytes -= node.n_bytes());
        }
        let (loses_head, loses_tail) = (from == 0, to == n_chunks);
        if loses_head {
            match many.pop_body(Side::Left) {
                Some(chunk) => many.head = chunk,
                None if loses_tail => return *self = Self::default(),
                None => return self.keep_only(Side::Right),
            }
        }
        if loses_tail {
            match many.pop_body(Side::Right) {
                Some(chunk) => many.tail = chunk,
                None => self.keep_only(Side::Left),
            }
        }
    }

    /// Only the chunk at this end is left.
    fn keep_only(&mut self, side: Side) {
        let chunk = std::mem::replace(self.end_mut(side), empty());
        *self = Self::One(Arc::new(chunk));
    }
}

impl Many {
    /// Takes the chunk that is to be the first or the last out of the body.
    fn pop_body(&mut self, side: Side) -> Option<Chunk> {
        let node = match side {
            Side::Left => self.body.pop_front(),
            Side::Right => self.body.pop_back(),
        }?;
        self.body_bytes -= node.n_bytes();
        Some(node.into_chunk())
    }
}

#[cfg(test)]
impl Chunks {
    /// The invariants, and the bytes by looking at each chunk.
    pub(super) fn check(&self) {
        let Self::Many(many) = self else { return };
        assert!(!many.head.is_empty() && !many.tail.is_empty());
        let counted = many.body.iter().inspect(|it| {
            assert!(!it.chunk.is_empty());
            assert_eq!(it.n_elements, it.chunk.len());
        });
        assert_eq!(counted.map(Node::n_bytes).sum::<usize>(), many.body_bytes);
    }
}
