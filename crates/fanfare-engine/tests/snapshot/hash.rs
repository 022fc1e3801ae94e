//! One hash with many fields, some of which expire.

use fanfare_engine::value::Hash;
use fanfare_testkit::Rng;

use crate::server::{START_MS, Server, Session};
use crate::steps::{Big, Seen, collect, number_of};

/// When field `number` expires: some while the snapshot is read.
fn expires_at_ms(number: u64) -> Option<u64> {
    (number.is_multiple_of(50)).then_some(START_MS + 1_000)
}

pub(crate) fn fill(session: &mut Session<'_>, n_items: u64) {
    let pair = |number| vec![format!("f:{number}").into(), format!("value:{number}").into()];
    collect(session, "hset", "big", (0..n_items).map(pair));
}

/// As [`fill`]; then some fields expire.
fn fill_timed(session: &mut Session<'_>, n_items: u64) {
    fill(session, n_items);
    for number in (0..n_items).filter(|it| expires_at_ms(*it).is_some()) {
        session.line(&format!("hpexpireat big {} fields 1 f:{number}", START_MS + 1_000));
    }
}

fn write(session: &mut Session<'_>, rng: &mut Rng, n_items: u64) {
    let (field, other) = (rng.below(n_items), rng.below(n_items));
    let name = format!("f:{field}");
    let (big, name) = (&b"big"[..], name.as_bytes());
    match rng.below(10) {
        0 => session.call(&[b"hdel", big, name, format!("f:{other}").as_bytes()]),
        1 => session.call(&[b"hincrby", big, b"counter", b"1"]),
        2 => session.call(&[b"hsetnx", big, format!("g:{other}").as_bytes(), b"new"]),
        3 => session.call(&[b"hpexpire", big, b"100000", b"fields", b"1", name]),
        4 => session.call(&[b"hgetdel", big, b"fields", b"1", name]),
        5 => session.call(&[b"hpersist", big, b"fields", b"1", name]),
        _ => session.call(&[b"hset", big, name, b"written", format!("f:{other}").as_bytes(), b"1"]),
    };
}

/// What else happens when so many steps were read.
fn happen(server: &Server, session: &mut Session<'_>, n_steps: u64) {
    match n_steps {
        // Whoever looks at the hash next removes the fields that are due.
        5 => server.pass(2_000),
        8 => drop(session.line("rename big other")),
        10 => drop(session.line("copy other big replace")),
        12 => drop(session.line("swapdb 0 1")),
        14 => drop(session.line("flushall")),
        _ => {}
    }
}

#[test]
fn a_hash_stays_what_it_was() {
    let big = Big { fill: fill_timed, write, happen };
    big.stays(|hash: &Hash, n_items, note_read| {
        let mut seen = Seen::new(n_items);
        for field in hash {
            let number = number_of(&field.name.to_name(), "f:");
            assert_eq!(*field.value.to_name(), *format!("value:{number}").as_bytes());
            assert_eq!(field.expires_at_ms, expires_at_ms(number), "f:{number}");
            seen.see(number);
            note_read();
        }
        assert_eq!((seen.n_seen(), hash.len() as u64), (n_items, n_items));
        // What finds a field is as it was, too.
        for number in (0..n_items).step_by(97) {
            let field = hash.get(format!("f:{number}").as_bytes()).expect("it is there");
            assert_eq!(*field.value.to_name(), *format!("value:{number}").as_bytes());
        }
        assert!(hash.get(b"counter").is_none());
    });
}
