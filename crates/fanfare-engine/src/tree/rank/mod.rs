//! [`RankTree`]: a sequence in which everything has a position: the members of a large sorted set, the chunks of a large
//! list.
//!
//! A B+ tree: items are in leaves, inner nodes keep for each child how many items and how much weight are below it, so
//! that position and item are found from each other in one descent.
//!
//! | file | holds |
//! |---|---|
//! | `item` | [`Item`]: what the tree asks of what it holds |
//! | `tree` | [`RankTree`] itself |
//! | `node` | nodes, their sums, and descents that only read |
//! | `slots` | what leaves and inner nodes have in common: a few entries, in order |
//! | `insert`, `remove`, `build` | the ways to change a tree |
//! | `range` | [`Range`]: items one after the other, from either end |
//!
//! Invariants, which the tests check after every change: all leaves are equally deep; every node is at least half full,
//! but for the root and the nodes at either edge, which are never empty; the sums and the hint of a child are those of
//! what is below it. The edges are exempt so that a queue, which grows at one end and shrinks at the other, fills its
//! nodes completely and never merges any.

mod build;
mod insert;
mod item;
mod node;
mod range;
mod remove;
mod slots;
mod tree;

#[cfg(test)]
mod tests;

pub use item::Item;
pub use range::Range;
pub use tree::RankTree;
