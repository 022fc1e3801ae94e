//! Streams as RDB has them, written byte by byte.

use std::collections::BTreeSet;

use fanfare_engine::rdb::payload::kind;
use fanfare_engine::rdb::{Compressor, write_len, write_string};
use fanfare_testkit::Rng;

use crate::sample::{below, element, listpack, number, string};

type Id = (u64, u64);

fn put(rng: &mut Rng, out: &mut Vec<u8>, bytes: &[u8]) {
    let mut compressor = Compressor::new();
    let compressor = if rng.below(2) == 0 { Some(&mut compressor) } else { None };
    write_string(out, bytes, compressor);
}

fn raw(id: Id) -> [u8; 16] {
    (u128::from(id.0) << 64 | u128::from(id.1)).to_be_bytes()
}

fn put_id(out: &mut Vec<u8>, (ms, seq): Id) {
    write_len(out, ms);
    write_len(out, seq);
}

/// A stream with up to `n` entries in a block, and groups and producers where the type has them.
pub(crate) fn stream(rng: &mut Rng, kind: u8, n: usize, out: &mut Vec<u8>) {
    let mut last = (rng.below(1 << 42), rng.below(3));
    let n_blocks = below(rng, 4);
    let (mut ids, mut first) = (Vec::new(), None);
    write_len(out, n_blocks as u64);
    for _ in 0..n_blocks {
        let n_entries = 1 + below(rng, n);
        let n_before = ids.len();
        let base = (last.0 + rng.below(3), last.1 + 1);
        let elements = block(rng, (base, n_entries), &mut last, &mut ids);
        first = first.or(ids.get(n_before).copied());
        put(rng, out, &raw(base));
        put(rng, out, listpack(&elements).as_bytes());
    }
    write_len(out, ids.len() as u64);
    put_id(out, last);
    if kind != kind::STREAM_LISTPACKS {
        put_id(out, first.unwrap_or_default());
        put_id(out, if rng.below(2) == 0 { (0, 0) } else { last });
        write_len(out, ids.len() as u64 + rng.below(5));
    }
    ids.push((last.0, last.1 + 7));
    let names: BTreeSet<_> = (0..below(rng, 3)).map(|_| string(rng, 4)).collect();
    write_len(out, names.len() as u64);
    for name in names {
        put(rng, out, &name);
        group(rng, kind, &ids, out);
    }
    if matches!(kind, kind::STREAM_LISTPACKS_4 | kind::STREAM_LISTPACKS_5) {
        producers(rng, &ids, out);
    }
}

/// The elements of a block whose entries have the IDs from `base` on. Those that live are added to `ids`.
fn block(
    rng: &mut Rng,
    (base, n_entries): (Id, usize),
    last: &mut Id,
    ids: &mut Vec<Id>,
) -> Vec<Vec<u8>> {
    let text = |it: u64| it.cast_signed().to_string().into_bytes();
    let names: Vec<_> = (0..1 + below(rng, 3)).map(|_| element(rng)).collect();
    let mut entries = Vec::new();
    let (mut id, mut n_deleted) = (base, 0);
    for index in 0..n_entries {
        // The first one lives, so that a block is never empty.
        let is_deleted = index != 0 && rng.below(4) == 0;
        let is_same = rng.below(3) != 0;
        let flags = 2 * u64::from(is_same) + u64::from(is_deleted);
        let n_before = entries.len();
        entries.extend([text(flags), text(id.0 - base.0), text(id.1.wrapping_sub(base.1))]);
        if is_same {
            entries.extend(names.iter().map(|_| element(rng)));
        } else {
            let n_fields = 1 + below(rng, 3);
            entries.push(text(n_fields as u64));
            entries.extend((0..2 * n_fields).map(|_| element(rng)));
        }
        entries.push(text((entries.len() - n_before) as u64));
        n_deleted += u64::from(is_deleted);
        if !is_deleted {
            ids.push(id);
        }
        *last = id;
        id = if rng.below(2) == 0 { (id.0, id.1 + 1) } else { (id.0 + 1 + rng.below(9), 0) };
    }
    let n_live = n_entries as u64 - n_deleted;
    let mut elements = vec![text(n_live), text(n_deleted), text(names.len() as u64)];
    elements.extend(names);
    elements.push(text(0));
    elements.extend(entries);
    elements
}

fn group(rng: &mut Rng, kind: u8, ids: &[Id], out: &mut Vec<u8>) {
    put_id(out, ids[below(rng, ids.len())]);
    if kind != kind::STREAM_LISTPACKS {
        write_len(out, [u64::MAX, 0, ids.len() as u64 - 1][below(rng, 3)]);
    }
    // 0 is nobody.
    let n_consumers = below(rng, 4);
    let is_last = kind == kind::STREAM_LISTPACKS_5;
    let owner_min = usize::from(!is_last);
    let mut pending = Vec::new();
    for id in ids {
        if owner_min <= n_consumers && rng.below(2) == 0 {
            pending.push((*id, owner_min + below(rng, n_consumers + 1 - owner_min)));
        }
    }
    write_len(out, pending.len() as u64);
    for (id, owner) in &pending {
        out.extend(raw(*id));
        let time = if *owner == 0 { 0 } else { rng.below(1 << 41) };
        out.extend(time.to_le_bytes());
        write_len(out, rng.below(5));
    }
    let ids_of = |out: &mut Vec<u8>, owner: usize| {
        let its: Vec<_> = pending.iter().filter(|it| it.1 == owner).collect();
        write_len(out, its.len() as u64);
        its.iter().for_each(|it| out.extend(raw(it.0)));
    };
    write_len(out, n_consumers as u64);
    for owner in 1..=n_consumers {
        put(rng, out, format!("consumer:{owner}").as_bytes());
        out.extend(rng.below(1 << 41).to_le_bytes());
        if !matches!(kind, kind::STREAM_LISTPACKS | kind::STREAM_LISTPACKS_2) {
            out.extend([u64::MAX, 5][below(rng, 2)].to_le_bytes());
        }
        ids_of(out, owner);
    }
    if is_last {
        ids_of(out, 0);
    }
}

fn producers(rng: &mut Rng, ids: &[Id], out: &mut Vec<u8>) {
    write_len(out, 1 + rng.below(86_400));
    write_len(out, 1 + rng.below(10_000));
    let n_producers = below(rng, 3);
    write_len(out, n_producers as u64);
    for number in 0..n_producers {
        put(rng, out, format!("producer {number}").as_bytes());
        let n = below(rng, ids.len()).min(1);
        write_len(out, n as u64);
        for id in ids.iter().take(n) {
            let iid = number_text(rng);
            put(rng, out, &iid);
            put_id(out, *id);
        }
    }
    write_len(out, rng.below(1 << 40));
    write_len(out, rng.below(1 << 40));
}

fn number_text(rng: &mut Rng) -> Vec<u8> {
    number(rng).to_string().into_bytes()
}
