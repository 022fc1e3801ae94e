//! One list with many elements.

use fanfare_engine::value::List;
use fanfare_testkit::Rng;

use crate::server::{Server, Session};
use crate::steps::{Big, collect};

/// Numbers, texts, and some that are chunks of their own.
fn element(index: u64) -> Vec<u8> {
    match index {
        _ if index.is_multiple_of(10_007) => format!("{index:09000}").into(),
        _ if index.is_multiple_of(3) => index.to_string().into(),
        _ => format!("element:{index}").into(),
    }
}

pub(crate) fn fill(session: &mut Session<'_>, n_items: u64) {
    collect(session, "rpush", "big", (0..n_items).map(|index| vec![element(index)]));
}

fn write(session: &mut Session<'_>, rng: &mut Rng, n_items: u64) {
    let index = rng.below(n_items).to_string();
    let (big, index) = (&b"big"[..], index.as_bytes());
    match rng.below(1_000) {
        0 => session.call(&[b"linsert", big, b"before", &element(rng.below(2_000)), b"written"]),
        1 => session.call(&[b"lrem", big, b"1", &element(rng.below(2_000))]),
        2 => session.call(&[b"ltrim", big, b"2", b"-2"]),
        3..200 => session.call(&[b"lpush", big, b"written", index]),
        200..400 => session.call(&[b"rpush", big, b"written", index]),
        400..500 => session.call(&[b"lpop", big, b"3"]),
        500..600 => session.call(&[b"rpop", big]),
        600..700 => session.call(&[b"lmove", big, big, b"left", b"right"]),
        _ => session.call(&[b"lset", big, index, b"written"]),
    };
}

/// What else happens when so many steps were read.
fn happen(_: &Server, session: &mut Session<'_>, n_steps: u64) {
    match n_steps {
        8 => drop(session.line("swapdb 0 1")),
        10 => drop(session.line("swapdb 0 1")),
        12 => drop(session.line("set big string")),
        13 => drop(session.line("del big")),
        14 => drop(session.line("flushall")),
        _ => {}
    }
}

#[test]
fn a_list_stays_what_it_was() {
    let big = Big { fill, write, happen };
    big.stays(|list: &List, n_items, note_read| {
        assert_eq!(list.len() as u64, n_items);
        let mut elements = list.iter();
        for index in 0..n_items {
            let found = elements.next().expect("it is there");
            assert_eq!(*found.to_bytes(), *element(index), "element {index}");
            note_read();
        }
        assert!(elements.next().is_none());
        for index in (0..n_items).step_by(997) {
            let found = list.get(index as usize).expect("it is there");
            assert_eq!(*found, *element(index), "element {index}");
        }
    });
}
