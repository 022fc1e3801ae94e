//! What a tree asks of its items.

/// Something that a [`RankTree`](super::RankTree) can hold.
pub trait Item: Clone {
    /// What an inner node keeps of the first item below each child. [`RankTree::search`](super::RankTree::search)
    /// compares it first and reads the item only where it is equal. For the member of a sorted set it is the score; a
    /// sequence that is not searched by order has `()`, which takes no room.
    type Hint: Copy + PartialOrd;

    /// Items that a leaf holds at most, at least 4. Fewer for large items: a write moves half a leaf on average, and
    /// copies a whole one if a clone holds it.
    const LEAF_MAX: usize = 64;

    /// Children that an inner node has at most, at least 4.
    const INNER_MAX: usize = 64;

    /// Its [`Hint`](Item::Hint). Items in order must have hints in order.
    fn hint(&self) -> Self::Hint;

    /// How many positions it takes: 1, or what a chunk of a list holds.
    fn weight(&self) -> usize {
        1
    }
}
