//! The allocator of the `fanfare` program: mimalloc, and [`collect`].
//!
//! mimalloc gives freed memory back to the system some time later, as a side effect of later calls; a thread that has
//! gone quiet makes none. A broker that has just lost a slow subscriber with its 32 MiB would stay that much larger
//! until the next rush. So a reactor that has become idle calls [`collect`].
//!
//! This is the only crate with `unsafe`: one call into C without arguments that could be wrong. See
//! `docs/adr/0007-allocator.md`.

pub use mimalloc::MiMalloc;

/// Gives what the calling thread has freed back to the system. Takes up to some milliseconds after a rush, microseconds
/// otherwise; may be called at any time, from any thread.
pub fn collect() {
    #[expect(
        unsafe_code,
        reason = "a C function that takes a flag and touches its own structures only"
    )]
    // SAFETY: mi_collect may be called by any thread at any time (mimalloc.h); the flag has no invalid value.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_alive_survives_a_collection() {
        let alive: Vec<Vec<u8>> = (0..1000u16).map(|n| vec![n.to_le_bytes()[0]; 1000]).collect();
        drop(vec![0u8; 10_000_000]);
        super::collect();
        assert!(
            alive.iter().zip(0..1000u16).all(|(it, n)| it.iter().all(|b| *b == n.to_le_bytes()[0]))
        );
    }
}
