//! Values of every type as RDB has them, written byte by byte, in old forms and new ones.

use std::collections::BTreeSet;

use fanfare_engine::packed::IntSet;
use fanfare_engine::rdb::payload::kind;
use fanfare_engine::rdb::{Compressor, write_len, write_string};
use fanfare_testkit::Rng;

use crate::sample::{below, element, listpack, number, string};
use crate::stream::stream;

/// The types that redis-server 7.0 reads.
pub(crate) const OLD_KINDS: [u8; 17] = [
    kind::STRING,
    kind::LIST,
    kind::LIST_ZIPLIST,
    kind::LIST_QUICKLIST,
    kind::LIST_QUICKLIST_2,
    kind::SET,
    kind::SET_INTSET,
    kind::HASH,
    kind::HASH_ZIPMAP,
    kind::HASH_ZIPLIST,
    kind::HASH_LISTPACK,
    kind::ZSET,
    kind::ZSET_2,
    kind::ZSET_ZIPLIST,
    kind::ZSET_LISTPACK,
    kind::STREAM_LISTPACKS,
    kind::STREAM_LISTPACKS_2,
];

/// The types that later ones read.
pub(crate) const NEW_KINDS: [u8; 6] = [
    kind::SET_LISTPACK,
    kind::HASH_METADATA,
    kind::HASH_LISTPACK_EX,
    kind::STREAM_LISTPACKS_3,
    kind::STREAM_LISTPACKS_4,
    kind::STREAM_LISTPACKS_5,
];

/// A value with up to `n_max` elements or pairs of them.
pub(crate) fn value(rng: &mut Rng, kind: u8, n_max: usize) -> Vec<u8> {
    let n = 1 + below(rng, n_max);
    let mut out = vec![kind];
    match kind {
        kind::STRING => {
            let text = if rng.below(2) == 0 { element(rng) } else { string(rng, 20_000) };
            put(rng, &mut out, &text);
        }
        kind::LIST | kind::SET => {
            let elements = if kind == kind::SET { names(rng, n) } else { some(rng, n) };
            write_len(&mut out, elements.len() as u64);
            elements.iter().for_each(|it| put(rng, &mut out, it));
        }
        kind::HASH => {
            let names = names(rng, n);
            write_len(&mut out, names.len() as u64);
            for name in names {
                put(rng, &mut out, &name);
                let value = element(rng);
                put(rng, &mut out, &value);
            }
        }
        kind::ZSET | kind::ZSET_2 => zset(rng, kind, n, &mut out),
        kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => nodes(rng, kind, n, &mut out),
        kind::STREAM_LISTPACKS
        | kind::STREAM_LISTPACKS_2
        | kind::STREAM_LISTPACKS_3
        | kind::STREAM_LISTPACKS_4
        | kind::STREAM_LISTPACKS_5 => stream(rng, kind, n, &mut out),
        kind::HASH_METADATA => timed_fields(rng, n, &mut out),
        kind::HASH_LISTPACK_EX => timed_listpack(rng, n, &mut out),
        _ => {
            let pack = pack(rng, kind, n);
            put(rng, &mut out, &pack);
        }
    }
    out
}

fn put(rng: &mut Rng, out: &mut Vec<u8>, bytes: &[u8]) {
    let mut compressor = Compressor::new();
    let compressor = if rng.below(2) == 0 { Some(&mut compressor) } else { None };
    write_string(out, bytes, compressor);
}

fn some(rng: &mut Rng, n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|_| element(rng)).collect()
}

/// Elements of which no two are the same.
fn names(rng: &mut Rng, n: usize) -> Vec<Vec<u8>> {
    let names: BTreeSet<_> = some(rng, n).into_iter().collect();
    names.into_iter().collect()
}

pub(crate) fn score(rng: &mut Rng) -> f64 {
    let any = f64::from_bits(rng.next_u64());
    match rng.below(8) {
        0 => {
            [f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.1, -2.5, f64::MIN_POSITIVE, f64::MAX, 5e-324]
                [below(rng, 8)]
        }
        1 if !any.is_nan() => any,
        2 => number(rng) as f64,
        _ => (rng.below(2000) as f64 - 1000.0) / 4.0,
    }
}

fn zset(rng: &mut Rng, kind: u8, n: usize, out: &mut Vec<u8>) {
    let names = names(rng, n);
    write_len(out, names.len() as u64);
    for name in names {
        put(rng, out, &name);
        let score = score(rng);
        if kind == kind::ZSET_2 {
            out.extend(score.to_le_bytes());
        } else if score == f64::INFINITY {
            out.push(254);
        } else if score == f64::NEG_INFINITY {
            out.push(255);
        } else {
            let text = format!("{score:e}");
            out.push(u8::try_from(text.len()).expect("short"));
            out.extend(text.as_bytes());
        }
    }
}

fn nodes(rng: &mut Rng, kind: u8, n: usize, out: &mut Vec<u8>) {
    let n_nodes = 1 + below(rng, 4);
    write_len(out, n_nodes as u64);
    for _ in 0..n_nodes {
        let n = 1 + below(rng, n);
        let elements = some(rng, n);
        if kind == kind::LIST_QUICKLIST {
            put(rng, out, &ziplist(&elements));
        } else if rng.below(3) == 0 && !elements[0].is_empty() {
            write_len(out, kind::NODE_PLAIN);
            put(rng, out, &elements[0]);
        } else {
            write_len(out, kind::NODE_PACKED);
            put(rng, out, listpack(&elements).as_bytes());
        }
    }
}

fn pack(rng: &mut Rng, kind: u8, n: usize) -> Vec<u8> {
    if kind == kind::SET_INTSET {
        let mut set = IntSet::new();
        (0..n).for_each(|_| _ = set.insert(number(rng)));
        return set.to_bytes();
    }
    let elements = match kind {
        kind::LIST_ZIPLIST => some(rng, n),
        kind::SET_LISTPACK => names(rng, n),
        kind::ZSET_ZIPLIST | kind::ZSET_LISTPACK => ranked(rng, n),
        _ => names(rng, n).into_iter().flat_map(|it| [it, element(rng)]).collect(),
    };
    match kind {
        kind::HASH_ZIPMAP => zipmap(rng, &elements),
        kind::LIST_ZIPLIST | kind::ZSET_ZIPLIST | kind::HASH_ZIPLIST => ziplist(&elements),
        _ => listpack(&elements).as_bytes().to_vec(),
    }
}

/// Members and scores in order.
fn ranked(rng: &mut Rng, n: usize) -> Vec<Vec<u8>> {
    let mut members: Vec<_> = names(rng, n).into_iter().map(|it| (score(rng), it)).collect();
    members.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
    members
        .into_iter()
        .flat_map(|(score, name)| [name, format!("{score:e}").into_bytes()])
        .collect()
}

fn timed_fields(rng: &mut Rng, n: usize, out: &mut Vec<u8>) {
    out.extend(rng.below(1 << 40).to_le_bytes());
    let names = names(rng, n);
    write_len(out, names.len() as u64);
    for name in names {
        let after = [0, 1, rng.below(1 << 30)][below(rng, 3)];
        write_len(out, after);
        put(rng, out, &name);
        put(rng, out, b"value");
    }
}

fn timed_listpack(rng: &mut Rng, n: usize, out: &mut Vec<u8>) {
    let mut times: Vec<u64> = (0..n).map(|_| 1 + rng.below(1 << 40)).collect();
    times.sort_unstable();
    out.extend(times[0].to_le_bytes());
    let n_timed = 1 + below(rng, n);
    times[n_timed..].fill(0);
    let fields = names(rng, n).into_iter().zip(times);
    let elements = fields.flat_map(|(it, time)| [it, b"v".to_vec(), time.to_string().into_bytes()]);
    put(rng, out, listpack(&elements.collect::<Vec<_>>()).as_bytes());
}

/// A ziplist as Redis 6 wrote it.
pub(crate) fn ziplist(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut entries = Vec::new();
    let (mut len_before, mut last_at) = (0, 0);
    for element in elements {
        last_at = entries.len();
        match u8::try_from(len_before) {
            Ok(len @ 0..254) => entries.push(len),
            Ok(_) | Err(_) => {
                entries.push(254);
                entries.extend(u32::try_from(len_before).expect("short").to_le_bytes());
            }
        }
        let text = std::str::from_utf8(element).unwrap_or("no number");
        match text.parse::<i64>().ok().filter(|it| it.to_string() == text) {
            Some(number) => ziplist_int(&mut entries, number),
            None => ziplist_string(&mut entries, element),
        }
        len_before = entries.len() - last_at;
    }
    let n_bytes = u32::try_from(entries.len() + 11).expect("short");
    let last_at = u32::try_from(last_at + 10).expect("short");
    let n = u16::try_from(elements.len()).unwrap_or(u16::MAX);
    let header = [&n_bytes.to_le_bytes()[..], &last_at.to_le_bytes(), &n.to_le_bytes()].concat();
    [&header[..], &entries, &[255]].concat()
}

fn ziplist_int(out: &mut Vec<u8>, number: i64) {
    let [a, b, c, d, ..] = number.to_le_bytes();
    match number {
        0..=12 => out.push(0xF1 + a),
        -0x80..=0x7F => out.extend([0xFE, a]),
        -0x8000..=0x7FFF => out.extend([0xC0, a, b]),
        -0x80_0000..=0x7F_FFFF => out.extend([0xF0, a, b, c]),
        -0x8000_0000..=0x7FFF_FFFF => out.extend([0xD0, a, b, c, d]),
        _ => {
            out.push(0xE0);
            out.extend(number.to_le_bytes());
        }
    }
}

fn ziplist_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let [a, b, c, d] = u32::try_from(bytes.len()).expect("short").to_be_bytes();
    match bytes.len() {
        0..0x40 => out.push(d),
        0x40..0x4000 => out.extend([0x40 | c, d]),
        _ => out.extend([0x80, a, b, c, d]),
    }
    out.extend(bytes);
}

fn zipmap(rng: &mut Rng, elements: &[Vec<u8>]) -> Vec<u8> {
    let n = elements.len() / 2;
    let mut out = vec![u8::try_from(n).unwrap_or(254).min(254)];
    let put_len = |out: &mut Vec<u8>, len: usize| match u8::try_from(len) {
        Ok(len @ 0..254) => out.push(len),
        Ok(_) | Err(_) => {
            out.push(254);
            out.extend(u32::try_from(len).expect("short").to_le_bytes());
        }
    };
    for pair in elements.chunks(2) {
        put_len(&mut out, pair[0].len());
        out.extend(&pair[0]);
        put_len(&mut out, pair[1].len());
        let n_unused = below(rng, 4);
        out.push(u8::try_from(n_unused).expect("small"));
        out.extend(&pair[1]);
        out.extend(vec![7; n_unused]);
    }
    out.push(255);
    out
}
