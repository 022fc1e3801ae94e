//! Random elements and strings, with what is special among them.

use fanfare_engine::packed::{Element, Listpack};
use fanfare_testkit::Rng;

pub(crate) fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).expect("a usize")
}

/// An integer of any width, often next to a power of two.
pub(crate) fn number(rng: &mut Rng) -> i64 {
    let bits = rng.below(64);
    let near = (1_i64 << bits.min(62)).wrapping_add(rng.below(5).cast_signed() - 2);
    let any = (rng.next_u64() >> bits).cast_signed();
    let number = if rng.below(2) == 0 { near } else { any };
    if rng.below(2) == 0 { number.wrapping_neg() } else { number }
}

/// The bytes of an element: numbers, what is nearly one, and strings around the lengths where encodings change.
pub(crate) fn element(rng: &mut Rng) -> Vec<u8> {
    match rng.below(10) {
        0..4 => number(rng).to_string().into_bytes(),
        4 => [&b""[..], b"-", b"-0", b"007", b"1.5", b"9223372036854775808", b"+1", b" 1"]
            [below(rng, 8)]
        .to_vec(),
        5 => string(rng, 4100),
        6 => string(rng, 130),
        _ => string(rng, 12),
    }
}

/// A string of up to `len_max` bytes, from noise to the same byte again and again.
pub(crate) fn string(rng: &mut Rng, len_max: usize) -> Vec<u8> {
    let len = below(rng, len_max + 1);
    let n_bits = rng.below(9);
    let n_letters = 1 + rng.below(1 << n_bits);
    (0..len).map(|_| (rng.below(n_letters) & 0xFF) as u8).collect()
}

pub(crate) fn elements(rng: &mut Rng, n_max: usize) -> Vec<Vec<u8>> {
    let n = below(rng, n_max + 1);
    (0..n).map(|_| element(rng)).collect()
}

pub(crate) fn listpack(elements: &[Vec<u8>]) -> Listpack {
    let mut packed = Listpack::new();
    for element in elements {
        packed.push_back(Element::Bytes(element)).expect("small");
    }
    packed
}

pub(crate) fn bytes_of<'a>(elements: impl IntoIterator<Item = Element<'a>>) -> Vec<Vec<u8>> {
    elements.into_iter().map(|it| it.to_bytes().into_owned()).collect()
}

/// Changes some bytes: flips bits, overwrites, cuts, repeats, swaps.
pub(crate) fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    const TELLING: [u8; 14] =
        [0, 1, 0x7F, 0x80, 0xBF, 0xC0, 0xC3, 0xDF, 0xE0, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF];
    for _ in 0..=rng.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = below(rng, bytes.len());
        match rng.below(8) {
            0 | 1 => bytes[at] ^= 1 << rng.below(8),
            2 | 3 => bytes[at] = TELLING[below(rng, TELLING.len())],
            4 => bytes[at] = bytes[at].wrapping_add(1),
            5 => bytes.truncate(at),
            6 => bytes.insert(at, TELLING[below(rng, TELLING.len())]),
            _ => {
                let end = (at + 1 + below(rng, 8)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = below(rng, bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}
