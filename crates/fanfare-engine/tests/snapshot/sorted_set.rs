//! One sorted set with many members.

use fanfare_engine::value::SortedSet;
use fanfare_testkit::Rng;

use crate::server::{Server, Session};
use crate::steps::{Big, collect};

/// The member of a rank: names are in another order than scores, and prime to the number of items.
fn member(rank: u64, n_items: u64) -> u64 {
    rank * 7_919 % n_items
}

pub(crate) fn fill(session: &mut Session<'_>, n_items: u64) {
    let member = |rank| {
        vec![score(rank).to_string().into_bytes(), format!("m:{}", member(rank, n_items)).into()]
    };
    collect(session, "zadd", "big", (0..n_items).map(member));
}

/// Two members each have the same.
fn score(rank: u64) -> f64 {
    (rank / 2) as f64 + 0.5
}

fn write(session: &mut Session<'_>, rng: &mut Rng, n_items: u64) {
    let member = format!("m:{}", rng.below(n_items));
    let score = rng.below(n_items).to_string();
    let (big, member, score) = (&b"big"[..], member.as_bytes(), score.as_bytes());
    match rng.below(10) {
        0 => session.call(&[b"zrem", big, member]),
        1 => session.call(&[b"zpopmin", big]),
        2 => session.call(&[b"zpopmax", big, b"2"]),
        3 => session.call(&[b"zremrangebyscore", big, score, score]),
        4 => session.call(&[b"zremrangebyrank", big, score, score]),
        5 => session.call(&[b"zincrby", big, b"-17.25", member]),
        6 => session.call(&[b"zadd", big, b"gt", score, member]),
        _ => session.call(&[b"zadd", big, score, member]),
    };
}

/// What else happens when so many steps were read.
fn happen(server: &Server, session: &mut Session<'_>, n_steps: u64) {
    match n_steps {
        8 => drop(session.line("swapdb 0 1")),
        10 => drop(session.line("swapdb 0 1")),
        // Somebody finds that it has expired, or it is made again before.
        11 => drop(session.line("pexpire big 1")),
        12 => server.pass(100),
        14 => drop(session.line("flushall")),
        _ => {}
    }
}

#[test]
fn a_sorted_set_stays_what_it_was() {
    let big = Big { fill, write, happen };
    big.stays(|set: &SortedSet, n_items, note_read| {
        assert_eq!(set.len() as u64, n_items);
        let mut members = set.members(0..set.len());
        for first in (0..n_items).step_by(2) {
            // Of two with one score, the smaller name is the first.
            let mut pair = [first, first + 1].map(|rank| format!("m:{}", member(rank, n_items)));
            pair.sort_unstable();
            for (name, rank) in pair.iter().zip(first..) {
                let found = members.next().expect("it is there");
                assert_eq!((&*found.name, found.score), (name.as_bytes(), score(rank)));
                note_read();
            }
        }
        assert!(members.next().is_none());
        // What finds a member by its name is as it was, too.
        for rank in (0..n_items).step_by(97) {
            let name = format!("m:{}", member(rank, n_items));
            assert_eq!(set.score(name.as_bytes()), Some(score(rank)), "{name}");
        }
    });
}
