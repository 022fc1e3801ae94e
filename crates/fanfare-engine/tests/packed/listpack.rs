//! A listpack beside a vector.

use fanfare_engine::packed::{Element, Listpack, Position};
use fanfare_testkit::{Rng, seed};

use crate::sample::{below, bytes_of, element, elements, listpack};

#[test]
fn a_listpack_is_a_vector_of_strings() {
    let mut rng = Rng::new(seed());
    for _ in 0..60 {
        let mut model: Vec<Vec<u8>> = Vec::new();
        let mut packed = Listpack::new();
        for _ in 0..120 {
            step(&mut rng, &mut model, &mut packed);
            assert_same(&packed, &model);
        }
        look(&mut rng, &packed, &model);
    }
}

fn step(rng: &mut Rng, model: &mut Vec<Vec<u8>>, packed: &mut Listpack) {
    let index = below(rng, model.len() + 1);
    let position = packed.seek(index).unwrap_or(packed.end());
    let new = element(rng);
    let element = Element::Bytes(&new);
    match rng.below(12) {
        0..3 => {
            packed.push_back(element).expect("small");
            model.push(new);
        }
        3 => {
            packed.push_front(element).expect("small");
            model.insert(0, new);
        }
        4..7 => {
            packed.insert(position, element).expect("small");
            model.insert(index, new);
        }
        7 => {
            packed.replace(position, element).expect("small");
            if let Some(old) = model.get_mut(index) {
                *old = new;
            }
        }
        8 => {
            let n = below(rng, 3);
            let end = (index + n).min(model.len());
            assert_eq!(packed.remove(position, n), end - index);
            model.drain(index..end);
        }
        9 => {
            let n = below(rng, 6);
            let end = (index + n).min(model.len());
            assert_eq!(packed.remove_range(index, n), end - index);
            model.drain(index..end);
        }
        10 => {
            let tail = packed.split_off(index);
            let model_tail = model.split_off(index);
            assert_same(&tail, &model_tail);
            if rng.below(4) != 0 {
                packed.append(&tail).expect("small");
                model.extend(model_tail);
            }
        }
        _ => {
            let others = elements(rng, 5);
            packed.append(&listpack(&others)).expect("small");
            model.extend(others);
            packed.shrink_to_fit();
        }
    }
}

/// The bytes are those of a listpack that was written at once, and every way to read gives the model.
fn assert_same(packed: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(packed.as_bytes(), listpack(model).as_bytes());
    assert_eq!(packed.len(), model.len());
    assert_eq!(bytes_of(packed), model);
    assert!(packed.as_bytes().len() <= packed.n_bytes());
}

fn look(rng: &mut Rng, packed: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(Listpack::from_bytes(packed.as_bytes()).as_ref(), Ok(packed));
    let mut backwards = bytes_of(packed.iter().rev());
    backwards.reverse();
    assert_eq!(backwards, model);

    let mut positions: Vec<Position> = Vec::new();
    let mut position = packed.start();
    while let Some(next) = packed.next(position) {
        positions.push(position);
        position = next;
    }
    assert_eq!((position, positions.len()), (packed.end(), model.len()));
    for (index, expected) in model.iter().enumerate() {
        assert_eq!(packed.seek(index), Some(positions[index]));
        assert_eq!(packed.get(index), Some(Element::Bytes(expected)));
        assert_eq!(packed.prev(positions[index]), index.checked_sub(1).map(|it| positions[it]));
        assert_eq!(bytes_of(packed.range(positions[index], packed.end())), model[index..]);
        assert_eq!(bytes_of(packed.range(packed.start(), positions[index])), model[..index]);
    }
    assert_eq!((packed.get(model.len()), packed.at(packed.end())), (None, None));

    for n_skipped in 0..3 {
        let from = below(rng, model.len() + 1);
        let wanted = model.get(below(rng, model.len() + 1)).cloned().unwrap_or_default();
        let expected = (from..model.len()).step_by(n_skipped + 1).find(|it| model[*it] == wanted);
        let start = positions.get(from).copied().unwrap_or(packed.end());
        let found = packed.find(&wanted, start, n_skipped);
        assert_eq!(found, expected.map(|it| positions[it]));
    }
}

#[test]
fn memory_is_given_back_as_elements_go() {
    let full: Vec<_> = (0..200).map(|it| format!("element {it}").into_bytes()).collect();
    let check = |packed: &Listpack| {
        let (n_used, n_bytes) = (packed.as_bytes().len(), packed.n_bytes());
        assert!(n_bytes <= 256 || n_bytes / 4 <= n_used, "{n_bytes} for {n_used}");
    };
    let mut packed = listpack(&full);
    let mut model = full.clone();
    while !model.is_empty() {
        let index = model.len() / 2;
        assert_eq!(packed.remove_range(index, 1), 1);
        model.remove(index);
        assert_same(&packed, &model);
        check(&packed);
    }
    let mut packed = listpack(&full);
    assert_eq!(packed.split_off(2).len(), 198);
    check(&packed);
    let mut packed = listpack(&full);
    for index in 0..200 {
        let position = packed.seek(index).expect("there are 200");
        packed.replace(position, 1).expect("small");
        check(&packed);
    }
}

#[test]
fn numbers_that_another_program_left_as_strings_are_found() {
    // "5" as a string of one byte, and 5 as an integer of 16 bits.
    let bytes = vec![14, 0, 0, 0, 2, 0, 0x81, b'5', 2, 0xF1, 5, 0, 3, 0xFF];
    let packed = Listpack::from_bytes(&bytes).expect("Redis takes it too");
    assert_eq!(packed.find(b"5", packed.start(), 0), Some(packed.start()));
    let second = packed.next(packed.start()).expect("two elements");
    assert_eq!(packed.find(b"5", second, 0), Some(second));
    assert_eq!(packed.get(0), packed.get(1));
}

#[test]
fn a_length_that_reads_on_into_its_element_is_refused() {
    // The string "\0" with the length 2 | 128: read backwards it goes on into the string, which adds nothing.
    let mut bytes = vec![10, 0, 0, 0, 1, 0, 0x81, 0, 2, 0xFF];
    assert!(Listpack::from_bytes(&bytes).is_ok());
    bytes[8] |= 0x80;
    assert_eq!(Listpack::from_bytes(&bytes).map_err(|it| it.offset), Err(6));
}

#[test]
fn more_elements_than_the_header_can_count_are_counted() {
    let mut packed = Listpack::new();
    for _ in 0..65_534 {
        packed.push_back(1).expect("small");
    }
    assert_eq!(packed.as_bytes()[4..6], [0xFE, 0xFF]);
    packed.push_back(1).expect("small");
    packed.push_back(1).expect("small");
    assert_eq!((&packed.as_bytes()[4..6], packed.len()), (&[0xFF, 0xFF][..], 65_536));
    let read = Listpack::from_bytes(packed.as_bytes()).map(|it| it.len());
    assert_eq!(read, Ok(65_536));
}

#[test]
fn a_position_of_another_listpack_is_wrong_but_harmless() {
    let mut rng = Rng::new(seed());
    for _ in 0..2000 {
        let strange = listpack(&elements(&mut rng, 12));
        let mut packed = listpack(&elements(&mut rng, 12));
        let position = strange.seek(below(&mut rng, 12)).unwrap_or(strange.end());
        let _ = (packed.at(position), packed.next(position), packed.prev(position));
        let _ = packed.find(b"1", position, 1);
        match rng.below(4) {
            0 => packed.insert(position, 5).expect("small"),
            1 => packed.replace(position, 5).expect("small"),
            2 => _ = packed.remove(position, 2),
            _ => {}
        }
        assert!(packed.iter().count() + packed.iter().rev().count() <= packed.as_bytes().len());
        let _ = packed.get(3);
        let tail = packed.split_off(2);
        packed.append(&tail).expect("small");
    }
}
