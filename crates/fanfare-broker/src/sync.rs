//! The locks and atomics of the mailbox, in one place: the model checks in `tests/model` put others in their stead.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) use parking_lot::Mutex;
