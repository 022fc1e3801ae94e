//! What large collections are made of: trees of shared nodes, and the names in them. A clone takes constant time, a
//! write copies only nodes that a clone still holds.
//!
//! | module | holds |
//! |---|---|
//! | [`name`] | [`Name`]: the bytes of a key, a field or a member |
//! | [`hash`] | [`HashTree`]: a hash table |
//! | [`rank`] | [`RankTree`]: a sequence by position, for sorted sets and lists |

pub mod hash;
pub mod name;
pub mod rank;

pub use hash::HashTree;
pub use name::Name;
pub use rank::RankTree;
