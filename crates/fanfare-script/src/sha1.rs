//! SHA-1, which names scripts.

/// The digest in lower-case hexadecimal.
pub(crate) fn hex(data: &[u8]) -> [u8; 40] {
    let mut state = [0x6745_2301_u32, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    let mut blocks = data.chunks_exact(64);
    for block in &mut blocks {
        compress(&mut state, block);
    }
    let mut tail = blocks.remainder().to_vec();
    tail.push(0x80);
    while tail.len() % 64 != 56 {
        tail.push(0);
    }
    let n_bits = u64::try_from(data.len()).unwrap_or(u64::MAX).wrapping_mul(8);
    tail.extend_from_slice(&n_bits.to_be_bytes());
    for block in tail.chunks_exact(64) {
        compress(&mut state, block);
    }
    let mut out = [0; 40];
    let nibbles = state.iter().flat_map(|word| (0..8).map(move |it| word >> (28 - 4 * it) & 0xF));
    for (to, nibble) in out.iter_mut().zip(nibbles) {
        *to = b"0123456789abcdef".get(nibble as usize).copied().unwrap_or(b'0');
    }
    out
}

fn compress(state: &mut [u32; 5], block: &[u8]) {
    let mut words = [0_u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    for i in 16..80 {
        let at = |back: usize| words.get(i - back).copied().unwrap_or(0);
        let word = (at(3) ^ at(8) ^ at(14) ^ at(16)).rotate_left(1);
        if let Some(it) = words.get_mut(i) {
            *it = word;
        }
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (i, word) in words.iter().enumerate() {
        let (f, k) = match i {
            0..20 => (b & c | !b & d, 0x5A82_7999),
            20..40 => (b ^ c ^ d, 0x6ED9_EBA1),
            40..60 => (b & c | b & d | c & d, 0x8F1B_BCDC),
            _ => (b ^ c ^ d, 0xCA62_C1D6_u32),
        };
        let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e);
        let next = next.wrapping_add(k).wrapping_add(*word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    for (to, from) in state.iter_mut().zip([a, b, c, d, e]) {
        *to = to.wrapping_add(from);
    }
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn digests_of_the_standard() {
        let check = |data: &[u8], digest: &str| assert_eq!(&hex(data)[..], digest.as_bytes());
        check(b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        check(b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
        check(&[b'a'; 1_000_000], "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    }
}
