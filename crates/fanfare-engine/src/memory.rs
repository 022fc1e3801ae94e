//! What an allocation really takes.

/// The memory that allocators give to who asks for `n_bytes`: both mimalloc and jemalloc have four sizes between a power
/// of two and the next, and below 128 bytes one every 16. Who asks for less wastes the rest, and who grows should fill it
/// first.
#[inline]
#[must_use]
pub(crate) fn given_for(n_bytes: usize) -> usize {
    let step = match n_bytes {
        0..=128 => 16,
        // A quarter of the largest power of two below it.
        129.. => 1 << ((n_bytes - 1).ilog2() - 2),
    };
    n_bytes.checked_next_multiple_of(step).unwrap_or(n_bytes)
}

#[cfg(test)]
mod tests {
    use super::given_for;

    #[test]
    fn sizes_are_those_of_the_allocators() {
        let sizes: Vec<usize> = (1..=1024).map(given_for).collect();
        let mut classes = sizes.clone();
        classes.dedup();
        let expected = [
            16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768,
            896, 1024,
        ];
        assert_eq!(classes, expected);
        assert!(sizes.iter().zip(1..).all(|(given, asked)| asked <= *given));
        assert_eq!((given_for(0), given_for(usize::MAX)), (0, usize::MAX));
    }
}
