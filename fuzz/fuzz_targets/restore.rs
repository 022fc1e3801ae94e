//! A type and a value of it from elsewhere, as RESTORE takes them: reading, writing, reading again.

#![no_main]

use std::sync::LazyLock;

use fanfare_engine::Keyspace;
use fanfare_engine::rdb::{Compressor, Forms, Reader, read_value, write_value};
use libfuzzer_sys::fuzz_target;

static FORMS: LazyLock<Forms> = LazyLock::new(|| Forms::of(&Keyspace::new(1, 7)));

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = read_value(&mut Reader::new(bytes), &FORMS) else {
        return;
    };
    assert!(value.n_bytes() <= 200 * bytes.len() + 1000);
    let mut written = Vec::new();
    write_value(&mut written, &value, Some(&mut Compressor::new()));
    let mut reader = Reader::new(&written);
    let again = read_value(&mut reader, &FORMS).unwrap();
    assert!(reader.rest().is_empty());
    assert_eq!(again.type_name(), value.type_name());

    // What was written once is written so again. The order in a table, and so the bytes, depend on how it came to be.
    let mut plain = Vec::new();
    write_value(&mut plain, &value, None);
    let mut plain_again = Vec::new();
    write_value(&mut plain_again, &again, None);
    assert_eq!(plain_again.len(), plain.len());
});
