//! Bytes of a listpack that another program wrote, through `Listpack`: reading, changing, reading again.

#![no_main]

use fanfare_engine::packed::{Element, Listpack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut packed) = Listpack::from_bytes(bytes) else {
        return;
    };
    let elements: Vec<Vec<u8>> = packed.iter().map(|it| it.to_bytes().into_owned()).collect();
    assert_eq!(elements.len(), packed.len());
    let backwards: Vec<_> = packed.iter().rev().map(|it| it.to_bytes().into_owned()).collect();
    assert!(backwards.iter().rev().eq(&elements));

    // Where it is changed depends on the input, and what it becomes is sound.
    let mut model = elements;
    let index = bytes.len() % (model.len() + 1);
    let position = packed.seek(index).unwrap_or(packed.end());
    packed.insert(position, Element::Bytes(b"new")).unwrap();
    model.insert(index, b"new".to_vec());
    assert!(packed.find(b"new", packed.start(), 0).is_some_and(|it| it <= position));
    if let Some(old) = model.first_mut() {
        packed.replace(packed.start(), 4711).unwrap();
        *old = b"4711".to_vec();
    }
    let tail = packed.split_off(index);
    assert_eq!(tail.len(), model.len() - index);
    packed.append(&tail).unwrap();
    assert_eq!(packed.remove_range(index / 2, 2), 2.min(model.len() - index / 2));
    model.drain(index / 2..(index / 2 + 2).min(model.len()));
    let again = Listpack::from_bytes(packed.as_bytes()).unwrap();
    assert!(again.iter().map(|it| it.to_bytes().into_owned()).eq(model));
});
