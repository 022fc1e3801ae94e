//! One stream with many entries, half of which a group was given.

use fanfare_engine::value::Stream;
use fanfare_engine::value::stream::StreamId;
use fanfare_testkit::Rng;

use crate::server::{START_MS, Server, Session};
use crate::steps::Big;

/// Consumers of the group.
const N_CONSUMERS: u64 = 5;
/// Entries that one of them is given at once.
const N_GIVEN: u64 = 500;

/// The ID of entry `number`.
fn id(number: u64) -> StreamId {
    StreamId { ms: 1 + number / 3, seq: number % 3 }
}

/// How many entries the group was given.
fn n_given(n_items: u64) -> u64 {
    n_items / 2 / N_GIVEN * N_GIVEN
}

pub(crate) fn fill(session: &mut Session<'_>, n_items: u64) {
    for number in 0..n_items {
        session.line(&format!("xadd big {} number {number} text value:{number}", id(number)));
    }
    session.line("xgroup create big g 0");
    for turn in 0..n_given(n_items) / N_GIVEN {
        let consumer = turn % N_CONSUMERS;
        session.line(&format!("xreadgroup group g c:{consumer} count {N_GIVEN} streams big >"));
    }
}

/// Another consumer has it.
pub(crate) fn claim(session: &mut Session<'_>, number: u64) {
    session.line(&format!("xclaim big g c:0 0 {} justid force", id(number)));
}

pub(crate) fn delete(session: &mut Session<'_>, number: u64) {
    session.line(&format!("xdel big {}", id(number)));
}

fn write(session: &mut Session<'_>, rng: &mut Rng, n_items: u64) {
    let id = |rng: &mut Rng| id(rng.below(n_items));
    let consumer = rng.below(2 * N_CONSUMERS);
    let line = match rng.below(1000) {
        0 => format!("xtrim big minid {}", id(&mut Rng::new(rng.next_u64() % 50))),
        1 => format!("xgroup delconsumer big g c:{consumer}"),
        2 => format!("xgroup setid big g {}", id(rng)),
        3 => format!("xgroup create big other:{consumer} 0"),
        4 => format!("xautoclaim big g c:{consumer} 0 - count 20"),
        5..200 => "xadd big * written later".into(),
        200..300 => format!("xadd big maxlen ~ {n_items} * written later"),
        300..500 => format!("xdel big {} {}", id(rng), id(rng)),
        500..600 => format!("xreadgroup group g c:{consumer} count 3 streams big >"),
        600..800 => format!("xack big g {} {}", id(rng), id(rng)),
        800..850 => format!("xnack big g fail ids 1 {} force", id(rng)),
        850..900 => format!("xdelex big delref ids 1 {}", id(rng)),
        _ => format!("xclaim big g c:{consumer} 0 {} force", id(rng)),
    };
    // Some find that there is nothing of what they want: an error is as good as any other reply.
    session.call(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>());
}

/// What else happens when so many steps were read.
fn happen(server: &Server, session: &mut Session<'_>, n_steps: u64) {
    match n_steps {
        5 => server.pass(2_000),
        7 => drop(session.call(&[b"xgroup", b"destroy", b"big", b"g"])),
        8 => drop(session.line("rename big other")),
        10 => drop(session.line("copy other big replace")),
        12 => drop(session.line("swapdb 0 1")),
        14 => drop(session.line("xtrim big maxlen 0")),
        15 => drop(session.line("flushall")),
        _ => {}
    }
}

#[test]
fn a_stream_stays_what_it_was() {
    let big = Big { fill, write, happen };
    big.stays(|stream: &Stream, n_items, note_read| {
        assert_eq!(stream.len() as u64, n_items);
        let group = stream.group(b"g").expect("it is there");
        let mut entries = stream.iter_from(StreamId::MIN);
        let mut pending = group.pending_from(StreamId::MIN);
        for number in 0..n_items {
            let entry = entries.next().expect("it is there");
            assert_eq!(entry.id, id(number));
            let values: Vec<_> = entry.fields().map(|it| it.1.to_bytes().into_owned()).collect();
            let text = [number.to_string().into_bytes(), format!("value:{number}").into()];
            assert_eq!(values, text);
            let Some(found) = (number < n_given(n_items)).then(|| pending.next()) else {
                note_read();
                continue;
            };
            let found = found.expect("it is pending");
            assert_eq!(
                (found.id, found.delivered_ms, found.n_deliveries),
                (id(number), START_MS, 1)
            );
            let consumer = found.owner.and_then(|it| group.consumer(it)).expect("somebody has it");
            let name = format!("c:{}", number / N_GIVEN % N_CONSUMERS);
            assert_eq!(*consumer.name, *name.as_bytes());
            note_read();
        }
        assert!(entries.next().is_none() && pending.next().is_none());
        // What finds them otherwise is as it was, too.
        assert!(group.idle(u64::MAX).eq((0..n_given(n_items)).map(id)));
        let n_of_all: usize = group.consumers().map(|it| it.n_pending()).sum();
        assert_eq!((n_of_all as u64, group.n_consumers() as u64), (n_given(n_items), N_CONSUMERS));
        assert!((0..n_items).step_by(97).all(|it| stream.get(id(it)).is_some()));
        let mut backwards = stream.iter_back_from(StreamId::MAX).map(|it| it.id);
        assert!((0..n_items).rev().step_by(97).all(|it| backwards.any(|found| found == id(it))));
        assert_eq!((group.last_id(), stream.n_groups()), (id(n_given(n_items) - 1), 1));
    });
}
