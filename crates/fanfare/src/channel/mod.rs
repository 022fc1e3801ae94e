//! Names of channels, and patterns of them, built from segments.
//!
//! A name of segments has a colon between them: `events:user:7:login`. What comes from outside, a user's
//! id say, is a segment: whatever it contains, it stays one, and none of its characters means anything to
//! a pattern.

mod name;
mod pattern;
mod segment;

pub use name::Channel;
pub use pattern::Pattern;

#[cfg(test)]
mod tests;
