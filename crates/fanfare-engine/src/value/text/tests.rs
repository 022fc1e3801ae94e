//! Changes in part, beside a plain vector, with clones that are looked at later.

use fanfare_testkit::{Rng, seed};

use super::*;

fn bytes(text: &Text) -> Vec<u8> {
    text.bytes(&mut itoa::Buffer::new()).to_vec()
}

#[test]
fn behaves_as_a_vector_does() {
    let mut rng = Rng::new(seed());
    for _ in 0..200 {
        let (mut text, mut model) = (Text::default(), Vec::new());
        let mut snapshots = Vec::new();
        for _ in 0..60 {
            let at = usize::try_from(rng.below(80)).unwrap();
            let part = vec![b'0' + rng.next_u64().to_le_bytes()[0] % 10; at % 7];
            match rng.below(4) {
                0 => {
                    model.extend_from_slice(&part);
                    assert_eq!(text.append(&part), model.len());
                }
                1 if !part.is_empty() => {
                    model.resize(model.len().max(at + part.len()), 0);
                    model[at..at + part.len()].copy_from_slice(&part);
                    assert_eq!(text.write_at(at, &part), model.len());
                }
                2 => {
                    let (mask, on) = (1 << rng.below(8), rng.below(2) == 0);
                    let before = model.clone();
                    model.resize(model.len().max(at + 1), 0);
                    let was_on = model[at] & mask != 0;
                    model[at] = if on { model[at] | mask } else { model[at] & !mask };
                    assert_eq!(text.set_bit(at, mask, on), (was_on, model != before));
                }
                _ => {
                    model = rng.below(1000).to_string().into_bytes();
                    text = Text::new(&model);
                }
            }
            assert_eq!(bytes(&text), model);
            assert_eq!(text.len(), model.len());
            snapshots.push((text.clone(), model.clone()));
        }
        assert!(snapshots.iter().all(|(text, model)| bytes(text) == *model));
    }
}

/// As `OBJECT ENCODING` of redis-server 7.0.15 tells.
#[test]
fn what_changed_in_part_is_raw() {
    let encoding = |before: &str, change: fn(&mut Text)| {
        let mut text = Text::new(before.as_bytes());
        change(&mut text);
        text.encoding()
    };
    assert_eq!(encoding("12", |_| {}), "int");
    assert_eq!(encoding("x", |_| {}), "embstr");
    assert_eq!(encoding(&"x".repeat(44), |_| {}), "embstr");
    assert_eq!(encoding(&"x".repeat(45), |_| {}), "raw");
    assert_eq!(encoding("12", |it| assert_eq!(it.append(b"3"), 3)), "raw");
    assert_eq!(encoding("x", |it| assert_eq!(it.append(b""), 1)), "raw");
    assert_eq!(encoding("x", |it| assert_eq!(it.write_at(0, b"y"), 1)), "raw");
    // Even if it is the same afterwards.
    assert_eq!(encoding("x", |it| assert_eq!(it.set_bit(0, 1, false), (false, false))), "raw");
    assert_eq!(encoding("12", |it| *it = Text::Int(it.to_int().unwrap())), "int");
}

#[test]
fn reserves_are_bounded() {
    let mut text = Text::new(b"x");
    let mut n_moves = 0;
    let mut n_bytes = 0;
    while text.len() < 8 << 20 {
        text.append(&[b'x'; 1000]);
        n_moves += usize::from(text.n_bytes() != n_bytes);
        n_bytes = text.n_bytes();
        assert!(n_bytes <= 2 * text.len() + GROWN_LEN);
        assert!(n_bytes <= text.len() + RESERVE_LEN_MAX + GROWN_LEN);
    }
    assert!(n_moves < 40, "it moved {n_moves} times");
    // What is not used of it yet need not be there.
    let mut text = Text::default();
    assert_eq!(text.write_at(100 << 20, b"x"), (100 << 20) + 1);
    assert_eq!(text.n_bytes(), (100 << 20) + 1 + GROWN_LEN);
}
