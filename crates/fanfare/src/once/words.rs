//! Texts as bytes, each with its length in front.

use bytes::{Buf, BufMut, Bytes};

/// A text with its length in front. What is longer than 4 GiB makes the whole too long for what it is
/// kept in, which is told there.
pub(crate) fn put(out: &mut Vec<u8>, text: &[u8]) {
    out.put_u32_le(u32::try_from(text.len()).unwrap_or(u32::MAX));
    out.put_slice(text);
}

/// The next one.
pub(crate) fn get(body: &mut &[u8]) -> Option<Bytes> {
    let len = usize::try_from(body.try_get_u32_le().ok()?).ok()?;
    let (text, rest) = body.split_at_checked(len)?;
    *body = rest;
    Some(Bytes::copy_from_slice(text))
}

/// All that are left. `None`: the last one is not whole.
pub(crate) fn get_all(mut body: &[u8]) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    while !body.is_empty() {
        words.push(get(&mut body)?);
    }
    Some(words)
}
