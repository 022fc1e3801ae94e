//! The allocator of the `fanfare` program: [`Mimalloc`], and [`collect`].
//!
//! mimalloc gives freed memory back to the system some time later, as a side effect of later calls; a thread that has
//! gone quiet makes none. A broker that has just lost a slow subscriber with its 32 MiB would stay that much larger
//! until the next rush. So a reactor that has become idle calls [`collect`].
//!
//! This is the only crate with `unsafe`: calls into C, whose arguments are those of `GlobalAlloc`. See
//! `docs/adr/0007-allocator.md`.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc,
    mi_zalloc_aligned,
};

/// mimalloc, asked for an alignment only where its blocks do not have it anyway.
///
/// Its functions that take an alignment ask for that much more, unless the block's size is a power of two of at most 4
/// KiB, and so often give the next larger block: 96 bytes for 80.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mimalloc;

/// Blocks of at least so many bytes have this alignment: `MI_MAX_ALIGN_SIZE` (mimalloc/types.h).
const ALIGN_MAX: usize = 16;

/// Whether every block for the layout is aligned as it asks: blocks of less than [`ALIGN_MAX`] bytes have 8 and are
/// aligned to 8.
#[inline]
fn is_aligned_anyway(layout: Layout) -> bool {
    layout.align() <= ALIGN_MAX && layout.align() <= layout.size()
}

#[expect(unsafe_code, reason = "this is what an allocator is")]
// SAFETY: each call does what mimalloc.h says of it, which is what `GlobalAlloc` asks for; blocks of the functions with
// and without an alignment may be freed and resized by either; none of them unwinds.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = if is_aligned_anyway(layout) {
            // SAFETY: any size may be asked for.
            unsafe { mi_malloc(layout.size()) }
        } else {
            // SAFETY: any size may be asked for, and a `Layout` has an alignment that is a power of two.
            unsafe { mi_malloc_aligned(layout.size(), layout.align()) }
        };
        block.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = if is_aligned_anyway(layout) {
            // SAFETY: as in `alloc`.
            unsafe { mi_zalloc(layout.size()) }
        } else {
            // SAFETY: as in `alloc`.
            unsafe { mi_zalloc_aligned(layout.size(), layout.align()) }
        };
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the caller's block is from here and is not used again.
        unsafe { mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let resized = if layout.align() <= ALIGN_MAX && layout.align() <= new_size {
            // SAFETY: the caller's block is from here; any size may be asked for.
            unsafe { mi_realloc(block.cast(), new_size) }
        } else {
            // SAFETY: as above, and a `Layout` has an alignment that is a power of two.
            unsafe { mi_realloc_aligned(block.cast(), new_size, layout.align()) }
        };
        resized.cast()
    }
}

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
    use std::alloc::{GlobalAlloc as _, Layout};

    use super::Mimalloc;

    /// Blocks of every size and alignment, filled with a byte of their own. Many of each, so that it is not by chance that a
    /// free one is aligned.
    #[test]
    #[expect(unsafe_code, reason = "allocators are called so")]
    fn blocks_are_aligned_and_apart_and_keep_their_bytes() {
        let layouts = || {
            let sizes = (1..=160).chain([1_000, 4_096, 70_000, 2_000_000]);
            sizes.flat_map(|size| [1, 2, 4, 8, 16, 32, 64, 4_096].map(|align| (size, align)))
        };
        let n_each = |size: usize| if size <= 160 { 100 } else { 2 };
        // What is zeroed below was used before.
        for (size, align) in layouts() {
            let layout = Layout::from_size_align(size, align).expect("a power of two");
            // SAFETY: the size is not 0, only the bytes of the block are written, and it is freed once.
            unsafe {
                let block = Mimalloc.alloc(layout);
                block.write_bytes(0xA5, size);
                Mimalloc.dealloc(block, layout);
            }
        }
        let mut blocks = Vec::new();
        for (size, align) in layouts() {
            let layout = Layout::from_size_align(size, align).expect("a power of two");
            for n in 0..n_each(size) {
                // SAFETY: the size is not 0, and only the bytes of the block are written.
                let block = unsafe {
                    let block = if n % 2 == 0 {
                        Mimalloc.alloc(layout)
                    } else {
                        Mimalloc.alloc_zeroed(layout)
                    };
                    assert!(!block.is_null() && block.addr().is_multiple_of(align), "{layout:?}");
                    let is_zero =
                        || std::slice::from_raw_parts(block, size).iter().all(|it| *it == 0);
                    assert!(n % 2 == 0 || is_zero(), "{layout:?}");
                    block.write_bytes((n % 251) as u8, size);
                    block
                };
                blocks.push((block, layout, (n % 251) as u8));
            }
        }
        for (n, (block, layout, byte)) in blocks.into_iter().enumerate() {
            let len = layout.size();
            let new_len = [len, len / 2 + 1, len * 2, len + 7][n % 4];
            // SAFETY: the block is one of ours and is used no more; a block is as long as was asked for.
            unsafe {
                let resized = Mimalloc.realloc(block, layout, new_len);
                let is_aligned = resized.addr().is_multiple_of(layout.align());
                assert!(!resized.is_null() && is_aligned, "{layout:?} to {new_len}");
                let kept = std::slice::from_raw_parts(resized, len.min(new_len));
                assert!(kept.iter().all(|it| *it == byte), "{layout:?} to {new_len}");
                let layout =
                    Layout::from_size_align(new_len, layout.align()).expect("a power of two");
                Mimalloc.dealloc(resized, layout);
            }
        }
    }

    /// What this allocator is there for.
    #[test]
    #[expect(unsafe_code, reason = "allocators are called so")]
    fn blocks_are_no_larger_than_they_must_be() {
        for (size, align) in [(48, 8), (80, 8), (80, 16), (96, 8), (112, 16), (160, 8), (8192, 8)] {
            let layout = Layout::from_size_align(size, align).expect("a power of two");
            let blocks: Vec<_> = (0..10_000)
                .map(|n| {
                    // SAFETY: the size is not 0.
                    let block = unsafe {
                        if n % 2 == 0 {
                            Mimalloc.alloc(layout)
                        } else {
                            Mimalloc.alloc_zeroed(layout)
                        }
                    };
                    // SAFETY: the block is alive.
                    let given = unsafe { libmimalloc_sys::mi_usable_size(block.cast()) };
                    assert_eq!(given, size);
                    block
                })
                .collect();
            for block in blocks {
                // SAFETY: it is from above and is used no more.
                unsafe { Mimalloc.dealloc(block, layout) };
            }
        }
    }

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
