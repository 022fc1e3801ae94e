//! One set with many members.

use fanfare_engine::value::Value;
use fanfare_testkit::{Rng, seed};

use crate::server::{Server, Session};
use crate::steps::{Seen, collect, number_of, while_writing};
use crate::{alone, n_items};

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
fn happen(session: &mut Session<'_>, n_steps: u64) {
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
    let _alone = alone();
    let (seed, n_items) = (seed(), n_items());
    let server = Server::new(seed);
    let mut session = server.session();
    fill(&mut session, n_items);
    let snapshot = server.keyspace.snapshot().expect("no script runs");
    let write = |session: &mut Session<'_>, rng: &mut Rng| write(session, rng, n_items);
    while_writing((&server, seed), n_items, write, |pace| {
        let mut entries = snapshot.entries(0);
        let Some(Value::Set(set)) = entries.next().map(|it| it.value()) else {
            panic!("there is one set");
        };
        let mut seen = Seen::new(n_items);
        for member in set {
            seen.see(number_of(&member.to_name(), "m:"));
            if let Some(n_steps) = pace.read() {
                happen(&mut session, n_steps);
            }
        }
        assert_eq!((seen.n_seen(), set.len() as u64), (n_items, n_items));
        for number in (0..n_items).step_by(97) {
            assert!(set.contains(format!("m:{number}").as_bytes()), "m:{number}");
            assert!(!set.contains(format!("n:{number}").as_bytes()), "n:{number}");
        }
        assert!(entries.next().is_none());
    });
}
