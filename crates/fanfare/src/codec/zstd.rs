//! Zstandard, with what it works in kept for the next time.

use std::{cell::RefCell, io};

use zstd::{bulk::Compressor, stream::read::Decoder, zstd_safe::DCtx};

use super::compression::read;

thread_local! {
    // To make them anew takes longer than a small message. They shrink by themselves when they have
    // been far too large for a while.
    static COMPRESSOR: RefCell<Compressor<'static>> = RefCell::default();
    static DECOMPRESSOR: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// The window that every decoder should allow, by RFC 8878: 8 MiB.
const WINDOW_LOG_MIN: u32 = 23;

/// The largest that there is on 32 bits.
const WINDOW_LOG_MAX: u32 = 30;

pub(super) fn compress(level: i32, data: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.set_compression_level(level)?;
        compressor.include_checksum(true)?;
        let mut compressed = compressor.compress(data)?;
        compressed.shrink_to_fit();
        Ok(compressed)
    })
}

/// At most `limit` bytes. A frame says how large a window it wants, and gets it at once: no larger one
/// than there may be bytes.
pub(super) fn expand(compressed: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let limit_log = limit.checked_next_power_of_two().map_or(u64::BITS, u64::ilog2);
    DECOMPRESSOR.with_borrow_mut(|context| {
        let mut decoder = Decoder::with_context(compressed, context);
        decoder.window_log_max(limit_log.clamp(WINDOW_LOG_MIN, WINDOW_LOG_MAX))?;
        read(decoder, limit)
    })
}
