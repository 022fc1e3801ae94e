//! Settings of the engine that change while it runs: thresholds of packed values, notifications, eviction.
//!
//! They are read by commands on every thread and written by `CONFIG SET`; each is a number of its own, so relaxed loads
//! and stores do.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::keyspace::Policy;
use crate::notify::Classes;

/// Declares settings: an atomic, its getter and its setter.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident, $set:ident: $atomic:ident as $number:ty = $default:expr;)*) => {
        /// Live settings of a [`Keyspace`](crate::Keyspace); the defaults are Redis's.
        #[derive(Debug)]
        pub struct Tuning {
            $($name: $atomic,)*
            notify: AtomicU32,
            policy: AtomicU8,
            broadcasts: AtomicBool,
        }

        impl Default for Tuning {
            fn default() -> Self {
                Self {
                    $($name: $atomic::new($default),)*
                    notify: AtomicU32::new(0),
                    policy: AtomicU8::new(Policy::default().number()),
                    broadcasts: AtomicBool::new(false),
                }
            }
        }

        impl Tuning {
            $(
                $(#[$doc])*
                #[inline]
                #[must_use]
                pub fn $name(&self) -> $number {
                    self.$name.load(Ordering::Relaxed)
                }

                #[doc = concat!("Sets [`Self::", stringify!($name), "`].")]
                pub fn $set(&self, value: $number) {
                    self.$name.store(value, Ordering::Relaxed);
                }
            )*
        }
    };
}

settings! {
    /// `list-max-listpack-size`
    list_fill, set_list_fill: AtomicI32 as i32 = -2;
    /// `hash-max-listpack-entries`
    hash_entries_max, set_hash_entries_max: AtomicU32 as u32 = 512;
    /// `hash-max-listpack-value`
    hash_value_max, set_hash_value_max: AtomicU32 as u32 = 64;
    /// `zset-max-listpack-entries`
    zset_entries_max, set_zset_entries_max: AtomicU32 as u32 = 128;
    /// `zset-max-listpack-value`
    zset_value_max, set_zset_value_max: AtomicU32 as u32 = 64;
    /// `set-max-intset-entries`
    intset_entries_max, set_intset_entries_max: AtomicU32 as u32 = 512;
    /// `stream-node-max-bytes`; 0: no limit
    stream_bytes_max, set_stream_bytes_max: AtomicU64 as u64 = 4096;
    /// `stream-node-max-entries`; 0: no limit
    stream_entries_max, set_stream_entries_max: AtomicU64 as u64 = 100;
    /// `stream-idmp-duration` in seconds
    idmp_duration_s, set_idmp_duration_s: AtomicU32 as u32 = 100;
    /// `stream-idmp-maxsize`
    idmp_n_max, set_idmp_n_max: AtomicU32 as u32 = 100;
    /// `proto-max-bulk-len`: how long a string may become
    string_bytes_max, set_string_bytes_max: AtomicU64 as u64 = 512 << 20;
    /// `maxmemory` in bytes; 0: no limit
    memory_max, set_memory_max: AtomicU64 as u64 = 0;
    /// `maxmemory-samples`
    samples, set_samples: AtomicU32 as u32 = 5;
    /// `lfu-log-factor`
    lfu_log_factor, set_lfu_log_factor: AtomicU32 as u32 = 10;
    /// `tracking-table-max-keys`; 0: no limit
    tracked_keys_max, set_tracked_keys_max: AtomicU64 as u64 = 1_000_000;
    /// `lfu-decay-time` in minutes
    lfu_decay_min, set_lfu_decay_min: AtomicU32 as u32 = 1;
}

impl Tuning {
    /// `notify-keyspace-events`
    #[inline]
    #[must_use]
    pub fn notify(&self) -> Classes {
        Classes::from_bits(self.notify.load(Ordering::Relaxed))
    }

    /// `maxmemory-policy`
    #[inline]
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy::from_number(self.policy.load(Ordering::Relaxed))
    }

    /// Sets [`Self::policy`].
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(policy.number(), Ordering::Relaxed);
    }

    /// Whether a client wants to know of every key that changes (`CLIENT TRACKING ... BCAST`).
    #[inline]
    #[must_use]
    pub fn broadcasts(&self) -> bool {
        self.broadcasts.load(Ordering::Relaxed)
    }

    /// Sets [`Self::broadcasts`].
    pub fn set_broadcasts(&self, on: bool) {
        self.broadcasts.store(on, Ordering::Relaxed);
    }

    /// Sets [`Self::notify`].
    pub fn set_notify(&self, classes: Classes) {
        self.notify.store(classes.bits(), Ordering::Relaxed);
    }
}
