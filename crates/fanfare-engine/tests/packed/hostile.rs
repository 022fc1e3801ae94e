//! Bytes that are nearly right: nothing panics, nothing runs on, nothing takes memory that was only claimed.

use fanfare_engine::packed::{Element, IntSet, Listpack};
use fanfare_engine::rdb::{Compressor, Reader, Text, lzf, payload, write_len, write_string};
use fanfare_testkit::{Rng, seed};

use crate::sample::{below, element, elements, listpack, mutate, number, string};

const N_MUTATIONS: usize = 200_000;

/// Gives many mutations of what `valid` makes.
fn each_mutation(
    mut valid: impl FnMut(&mut Rng) -> Vec<u8>,
    mut check: impl FnMut(&mut Rng, Vec<u8>),
) {
    let mut rng = Rng::new(seed());
    let mut original = Vec::new();
    for round in 0..N_MUTATIONS {
        if round % 100 == 0 {
            original = valid(&mut rng);
        }
        let mut bytes = original.clone();
        mutate(&mut rng, &mut bytes);
        check(&mut rng, bytes);
    }
}

#[test]
fn mutated_listpacks_do_no_harm() {
    let mut n_accepted = 0;
    each_mutation(
        |rng| {
            let few: Vec<_> = elements(rng, 12).into_iter().filter(|it| it.len() < 200).collect();
            listpack(&few).as_bytes().to_vec()
        },
        |rng, mut bytes| {
            // Half of them with a length that is right, so that more than that is looked at.
            let len = u32::try_from(bytes.len()).expect("small").to_le_bytes();
            if rng.below(2) == 0
                && let Some(header) = bytes.first_chunk_mut()
            {
                *header = len;
            }
            let n_bytes = bytes.capacity();
            let Ok(mut packed) = Listpack::from_bytes(&bytes) else { return };
            n_accepted += 1;
            assert_eq!(packed.iter().count(), packed.len());
            assert_eq!(packed.iter().rev().count(), packed.len());
            let index = below(rng, packed.len() + 1);
            let position = packed.seek(index).unwrap_or(packed.end());
            let _ = packed.find(b"5", position, 1);
            packed.insert(position, Element::Bytes(b"five")).expect("small");
            packed.remove_range(below(rng, 5), 2);
            let tail = packed.split_off(index);
            packed.append(&tail).expect("small");
            assert!(packed.n_bytes() <= 2 * n_bytes + 64);
            assert_eq!(Listpack::from_bytes(packed.as_bytes()), Ok(packed));
        },
    );
    assert!(N_MUTATIONS / 50 < n_accepted, "{n_accepted}");
}

#[test]
fn mutated_intsets_do_no_harm() {
    let mut n_accepted = 0;
    each_mutation(
        |rng| {
            let shift = rng.below(64);
            let mut set = IntSet::new();
            (0..rng.below(12)).for_each(|_| _ = set.insert(number(rng) >> shift));
            set.to_bytes()
        },
        |rng, bytes| {
            let n_bytes = bytes.capacity();
            let Ok(mut set) = IntSet::from_bytes(&bytes) else { return };
            n_accepted += 1;
            let numbers: Vec<i64> = set.iter().collect();
            assert!(numbers.is_sorted_by(|left, right| left < right));
            assert!(numbers.iter().all(|it| set.contains(*it)));
            let new = number(rng);
            assert_eq!(set.insert(new), Ok(!numbers.contains(&new)));
            assert!(set.n_bytes() <= 6 * n_bytes + 64);
            assert!(set.remove(new));
            assert!(set.iter().eq(numbers.into_iter().filter(|it| *it != new)));
        },
    );
    assert!(N_MUTATIONS / 50 < n_accepted, "{n_accepted}");
}

#[test]
fn mutated_compression_does_no_harm() {
    let mut n_accepted = 0;
    each_mutation(
        |rng| {
            let mut out = Vec::new();
            let input = string(rng, 600);
            if Compressor::new().compress(&input, &mut out) { out } else { vec![0, b'a', 0x20, 0] }
        },
        |rng, packed| {
            let len = usize::try_from(rng.next_u64() >> rng.below(64)).expect("64 bits");
            let expected = unfolded(&packed);
            let expected_len = expected.as_ref().map(Vec::len);
            assert!(Some(len) == expected_len || lzf::decompress(&packed, len).is_err());
            let found = lzf::decompress(&packed, expected_len.unwrap_or(len)).ok();
            assert!(found == expected);
            if let Some(found) = found {
                n_accepted += 1;
                assert!(found.capacity() <= 88 * packed.len());
            }
        },
    );
    assert!(N_MUTATIONS / 50 < n_accepted, "{n_accepted}");
}

/// What `packed` unfolds to, byte by byte.
fn unfolded(packed: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = packed.iter().map(|it| usize::from(*it));
    while let Some(control) = bytes.next() {
        if control < 32 {
            for _ in 0..=control {
                out.push(u8::try_from(bytes.next()?).expect("a byte"));
            }
            continue;
        }
        let len = 2 + match control >> 5 {
            7 => 7 + bytes.next()?,
            len => len,
        };
        let distance = 1 + 256 * (control % 32) + bytes.next()?;
        for _ in 0..len {
            out.push(*out.get(out.len().checked_sub(distance)?)?);
        }
    }
    Some(out)
}

#[test]
fn mutated_strings_do_no_harm() {
    let mut n_read: usize = 0;
    each_mutation(
        |rng| {
            let mut out = Vec::new();
            let mut compressor = Compressor::new();
            for _ in 0..4 {
                write_len(&mut out, rng.next_u64() >> rng.below(64));
                let text = if rng.below(2) == 0 { element(rng) } else { string(rng, 300) };
                write_string(&mut out, &text, Some(&mut compressor));
            }
            out
        },
        |rng, bytes| {
            let mut reader = Reader::new(&bytes).with_string_len_max(1 << 20);
            loop {
                let before = reader.offset();
                let item_len_min = below(rng, 3);
                let outcome = match rng.below(4) {
                    0 => reader.length().map(|_| 0),
                    1 => reader.count(item_len_min).inspect(|it| {
                        assert!(it * item_len_min.max(1) <= bytes.len());
                    }),
                    _ => reader.string().map(|it| match it {
                        Text::Int(_) => 0,
                        Text::Bytes(bytes) => bytes.len(),
                    }),
                };
                match outcome {
                    Ok(n) => {
                        n_read += 1;
                        assert!(n <= 88 * bytes.len());
                        assert!(before < reader.offset() && reader.offset() <= bytes.len());
                    }
                    Err(error) => {
                        assert_eq!((reader.offset(), error.offset), (before, before));
                        break;
                    }
                }
            }
            let _ = payload::open(&bytes);
        },
    );
    assert!(N_MUTATIONS < n_read, "{n_read}");
}
