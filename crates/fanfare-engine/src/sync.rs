//! The locks and atomics of the registry, in one place: the model checks of fanfare-broker put others in their stead.

pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use parking_lot::{Mutex, RwLock};
