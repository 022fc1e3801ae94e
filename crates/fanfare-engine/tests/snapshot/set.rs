//! One set with many members.

use fanfare_engine::value::Set;
use fanfare_testkit::Rng;

use crate::server::{Server, Session};
use crate::steps::{Big, Seen, collect, number_of};

pub(crate) fn fill(session: &mut Session<'_>, n_items: u64) {
    let member = |number| vec![format!("m:{number}").into_bytes()];
    collect(session, "sadd", "big", (0..n_items).map(member));
}

fn write(session: &mut Session<'_>, rng: &mut Rng, n_items: u64) {
    let member = format!("m:{}", rng.below(n_items));
    let (big, member) = (&b"big"[..], member.as_bytes());
    match rng.below(10) {
        0..3 => session.call(&[b"srem", big, member]),
        3 => session.call(&[b"spop", big, b"3"]),
        4 => session.call(&[b"smove", big, b"small", member]),
        5 => session.call(&[b"smove", b"small", big, member]),
        6 => session.call(&[b"sadd", big, format!("n:{}", rng.below(n_items)).as_bytes()]),
        _ => session.call(&[b"sadd", big, member]),
    };
}

/// What else happens when so many steps were read.
fn happen(_: &Server, session: &mut Session<'_>, n_steps: u64) {
    match n_steps {
        8 => drop(session.line("swapdb 0 1")),
        10 => drop(session.line("swapdb 0 1")),
        12 => drop(session.line("unlink big")),
        14 => drop(session.line("flushall async")),
        _ => {}
    }
}

#[test]
fn a_set_stays_what_it_was() {
    let big = Big { fill, write, happen };
    big.stays(|set: &Set, n_items, note_read| {
        let mut seen = Seen::new(n_items);
        for member in set {
            seen.see(number_of(&member.to_name(), "m:"));
            note_read();
        }
        assert_eq!((seen.n_seen(), set.len() as u64), (n_items, n_items));
        for number in (0..n_items).step_by(97) {
            assert!(set.contains(format!("m:{number}").as_bytes()), "m:{number}");
            assert!(!set.contains(format!("n:{number}").as_bytes()), "n:{number}");
        }
    });
}
