//! Compression and back.

use fanfare_engine::rdb::{Compressor, lzf::decompress};
use fanfare_testkit::{Rng, seed};

use crate::sample::string;

#[test]
fn what_was_compressed_unfolds_to_itself() {
    let mut rng = Rng::new(seed());
    let mut compressor = Compressor::new();
    let mut n_smaller = 0;
    for round in 0..3000 {
        let len_max = if round % 100 == 0 { 70_000 } else { 400 };
        let input = string(&mut rng, len_max);
        let mut out = Vec::new();
        if compressor.compress(&input, &mut out) {
            n_smaller += 1;
            assert!(out.len() + 4 <= input.len());
            let unfolded = decompress(&out, input.len());
            assert!(unfolded.is_ok_and(|it| it == input));
            assert!(decompress(&out, input.len() - 1).is_err());
            assert!(decompress(&out, input.len() + 1).is_err());
            // What came before does not matter.
            let mut alone = Vec::new();
            assert!(Compressor::new().compress(&input, &mut alone));
            assert!(alone == out);
        }
    }
    assert!(1000 < n_smaller, "{n_smaller}");
}
