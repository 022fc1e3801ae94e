//! The table beside std's, with hashes good and bad, and its nodes' invariants.

#![expect(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod check;
mod model;
mod sample;
mod scan;

use super::HashTree;

/// A number, and where its hash comes from.
type Item = (u64, u64);

/// A hash function, as far as a table sees it.
type HashFn = fn(&Item) -> u64;

/// Good hashes, and such as nobody would choose.
const HASH_FNS: [(&str, HashFn); 7] = [
    ("good", good),
    ("equal", |_| 0x0123_4567_89ab_cdef),
    ("all ones", |_| u64::MAX),
    ("equal top bits", |item| good(item) >> 40),
    ("equal low bits", |item| good(item) << 40),
    ("few", |item| good(&(item.0 % 5, 0))),
    ("equal but the last bits", |item| (u64::MAX << 4) | (item.0 % 16)),
];

fn good(item: &Item) -> u64 {
    let mixed = (item.0 ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 32
}

/// A table of the numbers 0 to `n_items`.
fn numbers(n_items: u64, hash: HashFn) -> HashTree<Item> {
    let mut tree = HashTree::new();
    for number in 0..n_items {
        tree.insert(hash(&(number, 0)), (number, 0), hash);
    }
    tree
}

fn remove(tree: &mut HashTree<Item>, number: u64, hash: HashFn) -> Option<Item> {
    tree.remove(hash(&(number, 0)), |item| item.0 == number)
}
