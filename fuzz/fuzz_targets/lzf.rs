//! Compressed bytes that another program wrote, and any bytes there and back.
//!
//! The first two bytes are the length that is claimed.

#![no_main]

use fanfare_engine::rdb::{Compressor, lzf::decompress};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((claimed, packed)) = bytes.split_first_chunk() else {
        return;
    };
    let len = usize::from(u16::from_le_bytes(*claimed));
    if let Ok(unfolded) = decompress(packed, len) {
        assert_eq!(unfolded.len(), len);
    }
    assert!(decompress(packed, usize::MAX).is_err());

    let mut out = Vec::new();
    if Compressor::new().compress(packed, &mut out) {
        assert!(out.len() + 4 <= packed.len());
        assert_eq!(decompress(&out, packed.len()).as_deref(), Ok(packed));
    } else {
        assert!(out.is_empty());
    }
});
