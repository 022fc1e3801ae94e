//! What is there before anything is measured.

use fanfare_testkit::Rng;

use crate::N_ITEMS;
use crate::mix::{BIG, Mix, key, member, put_string, put_timed};
use crate::server::Session;

/// Members that one command adds.
const N_BATCH: u64 = 1_000;

pub(crate) fn fill(session: &mut Session<'_>, mix: Mix) {
    match mix {
        Mix::Keys => (0..N_ITEMS).for_each(|number| put_any(session, number)),
        Mix::TimedKeys => {
            let mut rng = Rng::new(1);
            (0..N_ITEMS).for_each(|number| put_timed(session, number, &mut rng));
            // Times that no longer hold pile up until they outnumber those that do: nearly there.
            (0..N_ITEMS / 20 * 19).for_each(|number| put_timed(session, number, &mut rng));
        }
        Mix::Hash | Mix::SortedSet | Mix::Set | Mix::List => collect(session, mix),
    }
}

fn put_any(session: &mut Session<'_>, number: u64) {
    let (key, name) = (key(number), member(number));
    match number % 20 {
        0 => drop(session.call(&[b"hset", &key, &name, b"value"])),
        1 => drop(session.call(&[b"rpush", &key, &name, b"more"])),
        2 => drop(session.call(&[b"zadd", &key, b"1", &name])),
        3 => drop(session.call(&[b"sadd", &key, &name])),
        _ => put_string(session, number),
    }
}

fn collect(session: &mut Session<'_>, mix: Mix) {
    for first in (0..N_ITEMS / N_BATCH).map(|it| it * N_BATCH) {
        let command: &[u8] = match mix {
            Mix::Hash => b"hset",
            Mix::SortedSet => b"zadd",
            Mix::Set => b"sadd",
            Mix::List => b"rpush",
            Mix::Keys | Mix::TimedKeys => return,
        };
        let mut args = vec![command.to_vec(), BIG.to_vec()];
        for number in first..first + N_BATCH {
            match mix {
                Mix::Hash => args.extend([member(number), b"0123456789abcdef".to_vec()]),
                Mix::SortedSet => args.extend([number.to_string().into_bytes(), member(number)]),
                Mix::Keys | Mix::TimedKeys | Mix::Set | Mix::List => args.push(member(number)),
            }
        }
        let args: Vec<_> = args.iter().map(|it| &it[..]).collect();
        session.call(&args);
    }
}
