//! Random changes of entries beside a naive list, with clones that must stay as they were.

mod groups;
mod producers;

use fanfare_testkit::{Rng, seed};

use super::slice::Shown;
use super::{Entry, Finder, Keep, Limits, Marks, Order, Slice, Stream, StreamId, Trim};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Clone, Debug, Default)]
struct Model {
    entries: Vec<(StreamId, Fields)>,
    marks: Marks,
}

pub(super) fn pick(rng: &mut Rng, n: usize) -> usize {
    usize::try_from(rng.below(n as u64)).unwrap()
}

fn text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(12) {
        0 => rng.next_u64().cast_signed().to_string().into_bytes(),
        1 => Vec::new(),
        2 => vec![b'x'; pick(rng, 300)],
        3 => vec![0xFF; pick(rng, 5000)],
        4..8 => rng.below(200).to_string().into_bytes(),
        _ => vec![b'v'; pick(rng, 9)],
    }
}

/// Most entries have the same fields, so that some share the names of their block.
fn fields(rng: &mut Rng) -> Fields {
    let names: &[&[u8]] = match rng.below(8) {
        0 => &[b"7", b"", b"7"],
        1 => &[b"other"],
        2 => &[b"name"],
        _ => &[b"name", b"12"],
    };
    names.iter().map(|it| (it.to_vec(), text(rng))).collect()
}

/// An ID after another: next to it, or in a later millisecond, sometimes near the end of its range.
fn id_after(rng: &mut Rng, last: StreamId) -> Option<StreamId> {
    let StreamId { ms, seq } = last;
    match rng.below(400) {
        0 => Some(StreamId { ms, seq: u64::MAX - rng.below(3) }).filter(|it| last < *it),
        1 => Some(StreamId { ms: u64::MAX - rng.below(1000), seq }).filter(|it| last < *it),
        2..200 => Some(StreamId { ms, seq: seq.checked_add(1 + rng.below(3))? }),
        200..220 => Some(StreamId { ms: ms.checked_add(1 + rng.below(1 << 40))?, seq: 0 }),
        220..230 => Some(StreamId { ms: ms.checked_add(1)?, seq: rng.next_u64() }),
        _ => Some(StreamId { ms: ms.checked_add(1 + rng.below(3))?, seq: rng.below(2) }),
    }
}

/// An ID that an entry has, or one beside it.
fn any_id(rng: &mut Rng, model: &Model) -> StreamId {
    let at = pick(rng, model.entries.len() + 1);
    let id = model.entries.get(at).map_or(StreamId::MIN, |it| it.0);
    match rng.below(6) {
        0 => id.next().unwrap_or(StreamId::MAX),
        1 => id.previous().unwrap_or(StreamId::MIN),
        2 if rng.below(8) == 0 => StreamId::MAX,
        3 if rng.below(8) == 0 => StreamId { ms: id.ms, seq: 0 },
        _ => id,
    }
}

fn owned(entry: &Entry<'_>) -> (StreamId, Fields) {
    let fields: Fields = entry
        .fields()
        .map(|(name, value)| (name.to_bytes().into_owned(), value.to_bytes().into_owned()))
        .collect();
    assert_eq!(fields.len(), entry.n_fields());
    (entry.id, fields)
}

fn add(stream: &mut Stream, id: StreamId, fields: &Fields, limits: Limits) {
    let fields = fields.iter().map(|(name, value)| (&name[..], &value[..]));
    stream.push(id, fields, limits).unwrap();
}

fn change(stream: &mut Stream, model: &mut Model, limits: Limits, rng: &mut Rng) {
    match rng.below(30) {
        0..20 => {
            let Some(id) = id_after(rng, model.marks.last_id) else { return };
            let fields = fields(rng);
            add(stream, id, &fields, limits);
            model.entries.push((id, fields));
            (model.marks.last_id, model.marks.n_added) = (id, model.marks.n_added + 1);
        }
        20..28 => {
            let id = any_id(rng, model);
            let at = model.entries.iter().position(|it| it.0 == id);
            assert_eq!(stream.remove(id), at.is_some());
            if let Some(at) = at {
                model.entries.remove(at);
                model.marks.max_deleted_id = model.marks.max_deleted_id.max(id);
            }
        }
        28 => trim(stream, model, rng),
        _ => trim_unless(stream, model, rng),
    }
}

fn any_trim(rng: &mut Rng, model: &Model) -> (Trim, usize) {
    let n_more = if rng.below(4) == 0 { model.entries.len() + 2 } else { 12 };
    let n_kept = model.entries.len().saturating_sub(pick(rng, n_more));
    // The largest ID is below no other: if that entry was deleted, its block goes as little as in Redis.
    let has_no_end = n_kept == 0 && model.marks.last_id == StreamId::MAX;
    let (keep, n_wanted) = if has_no_end || rng.below(2) == 0 {
        (Keep::Last(n_kept as u64), model.entries.len() - n_kept)
    } else {
        let at = model.entries.len() - n_kept;
        let id = model.entries.get(at).map_or(StreamId::MAX, |it| it.0);
        (Keep::From(id), model.entries.iter().take_while(|it| it.0 < id).count())
    };
    let n_max = if rng.below(3) == 0 { rng.below(40) } else { 0 };
    (Trim { keep, approximately: rng.below(2) == 0, n_max }, n_wanted)
}

fn trim(stream: &mut Stream, model: &mut Model, rng: &mut Rng) {
    let (trim, n_wanted) = any_trim(rng, model);
    // The sizes of the blocks say how much goes when it is not exact.
    let mut n_whole = 0;
    let (mut n_left, mut n_first) = (n_wanted, None);
    for block in stream.blocks() {
        let n_here = block.n_entries();
        let exceeds = trim.n_max != 0 && trim.n_max < (n_whole + n_here) as u64;
        if n_left < n_here || exceeds {
            n_first = Some((n_here, exceeds));
            break;
        }
        n_whole += n_here;
        n_left -= n_here;
    }
    let expected = match n_first {
        Some((_, false)) if !trim.approximately => n_wanted,
        _ => n_whole,
    };
    assert_eq!(stream.trim(trim), expected as u64, "{trim:?} of {}", model.entries.len());
    model.entries.drain(..expected);
}

fn trim_unless(stream: &mut Stream, model: &mut Model, rng: &mut Rng) {
    let (trim, n_wanted) = any_trim(rng, model);
    let odd = |id: StreamId| id.seq % 2 == 1;
    let n_before = stream.len();
    let last = if rng.below(2) == 0 { StreamId::MAX } else { any_id(rng, model) };
    let removed = stream.trim_unless((trim, last), |_, id| {
        assert!(id <= last, "what is behind it is not asked for");
        odd(id)
    });
    assert!(!removed.iter().any(|it| odd(*it)) && removed.is_sorted());
    assert_eq!(stream.len(), n_before - removed.len());
    if trim.n_max == 0 {
        let expected: Vec<_> = match trim.keep {
            Keep::From(id) => model.entries.iter().map(|it| it.0).filter(|it| *it < id).collect(),
            // Those that stay make others go, up to the end.
            Keep::Last(_) => model.entries.iter().map(|it| it.0).collect(),
        };
        let even = expected.into_iter().filter(|it| !odd(*it) && *it <= last);
        let even: Vec<_> = match trim.keep {
            Keep::From(_) => even.collect(),
            Keep::Last(_) => even.take(n_wanted).collect(),
        };
        assert!(even.starts_with(&removed), "only what is wanted, and the first ones");
        assert!(!matches!(trim.keep, Keep::From(_)) || even == removed);
    } else {
        assert!(removed.len() as u64 <= trim.n_max);
    }
    model.entries.retain(|it| !removed.contains(&it.0));
}

fn assert_same(stream: &Stream, model: &Model) {
    assert_eq!(stream.len(), model.entries.len());
    assert_eq!(stream.is_empty(), model.entries.is_empty());
    assert_eq!(stream.marks(), model.marks);
    assert_eq!(stream.first_id(), model.entries.first().map(|it| it.0).unwrap_or_default());
    let forwards: Vec<_> = stream.iter_from(StreamId::MIN).map(|it| owned(&it)).collect();
    assert_eq!(forwards, model.entries);
    let mut backwards: Vec<_> = stream.iter_back_from(StreamId::MAX).map(|it| owned(&it)).collect();
    backwards.reverse();
    assert_eq!(backwards, model.entries);
    assert_eq!(stream.blocks().map(|it| it.n_entries()).sum::<usize>(), stream.len());
    let n_block_bytes: usize = stream.blocks().map(|it| it.n_bytes()).sum();
    let mut fresh = Stream::default();
    assert!(stream.blocks().all(|it| fresh.push_block(it.clone())));
    let n_tree_bytes = stream.n_bytes() - n_block_bytes;
    assert!(n_tree_bytes <= 4 * (fresh.n_bytes() - n_block_bytes) + 4096, "{n_tree_bytes}");
}

/// Finds many with one finder: mostly in order, some that are not there, now and then one from before.
fn assert_finds(stream: &Stream, model: &Model, rng: &mut Rng) {
    let (mut finder, mut slice) = (Finder::default(), Slice::default());
    let (mut at, mut expected) = (pick(rng, model.entries.len() + 1), Vec::new());
    for _ in 0..100 {
        let next = model.entries.get(at).map_or(StreamId::MAX, |it| it.0);
        let id = match rng.below(10) {
            0 => any_id(rng, model),
            1 => next.next().unwrap_or_default(),
            _ => next,
        };
        at += pick(rng, 3);
        let known = model.entries.binary_search_by_key(&id, |it| it.0).ok();
        let known = known.and_then(|at| model.entries.get(at));
        assert_eq!(finder.find(stream, id), known.is_some(), "{id}");
        assert_eq!(finder.found().map(|it| owned(&it)).as_ref(), known, "{id}");
        finder.add_to(&mut slice, None);
        expected.extend(known.cloned());
    }
    let mut found = Vec::new();
    slice.for_each(|shown| match shown {
        Shown::Entry(entry) => found.push(owned(&entry)),
        other => panic!("nothing was added but entries: {other:?}"),
    });
    assert_eq!(found, expected);
}

/// Searches from random places, alone and in slices.
fn assert_found(stream: &Stream, model: &Model, rng: &mut Rng) {
    assert_finds(stream, model, rng);
    for _ in 0..4 {
        let (id, n) = (any_id(rng, model), 1 + pick(rng, 150));
        let at = model.entries.partition_point(|it| it.0 < id);
        let after: Vec<_> = stream.iter_from(id).take(n).map(|it| owned(&it)).collect();
        assert_eq!(after, model.entries[at..][..n.min(model.entries.len() - at)], "from {id}");
        let end = model.entries.partition_point(|it| it.0 <= id);
        let before: Vec<_> = stream.iter_back_from(id).take(n).map(|it| owned(&it)).collect();
        assert!(before.iter().eq(model.entries[..end].iter().rev().take(n)), "back from {id}");
        let found = stream.get(id).map(|it| owned(&it));
        assert_eq!(found.as_ref(), model.entries.get(at).filter(|it| it.0 == id));

        let (first, last) = (id, any_id(rng, model));
        let within = model.entries.iter().filter(|it| (first..=last).contains(&it.0));
        let within: Vec<_> = within.cloned().collect();
        for order in [Order::Forward, Order::Backward] {
            let mut n_left = n;
            let slice = stream.slice((first, last), order, |_| {
                n_left = n_left.saturating_sub(1);
                n_left != 0
            });
            let mut found = Vec::new();
            slice.for_each(|shown| match shown {
                Shown::Entry(entry) => found.push(owned(&entry)),
                other => panic!("a slice of a range has no {other:?}"),
            });
            let mut expected = within.clone();
            if order == Order::Backward {
                expected.reverse();
            }
            expected.truncate(n - 1);
            assert_eq!(found, expected, "{first} to {last}, {order:?}");
            assert_eq!(slice.len(), found.len());
        }
    }
}

#[test]
fn streams_are_lists_of_entries() {
    let mut rng = Rng::new(seed());
    let n_rounds = if std::env::var_os("FANFARE_FULL").is_some() { 400 } else { 20 };
    for round in 0..n_rounds {
        let limits = Limits {
            bytes_max: [0, 4096, 1, 200, 1000, usize::MAX][pick(&mut rng, 6)],
            entries_max: [0, 100, 1, 2, 7, usize::MAX][pick(&mut rng, 6)],
        };
        let (mut stream, mut model) = (Stream::default(), Model::default());
        if round % 4 == 3 {
            let last_id = StreamId { ms: u64::MAX - rng.below(300), seq: rng.next_u64() };
            model.marks.last_id = last_id;
            stream.set_marks(model.marks);
        }
        let mut kept = None;
        for step in 0..400 {
            change(&mut stream, &mut model, limits, &mut rng);
            if rng.below(60) == 0
                && let Some((before, its_model)) = kept.replace((stream.clone(), model.clone()))
            {
                assert_same(&before, &its_model);
            }
            if step % 16 == 0 {
                assert_same(&stream, &model);
                assert_found(&stream, &model, &mut rng);
            }
        }
        assert_same(&stream, &model);
        let all = Trim { keep: Keep::Last(0), approximately: false, n_max: 0 };
        if rng.below(2) == 0 {
            assert_eq!(stream.trim(all), model.entries.len() as u64);
        } else {
            assert!(model.entries.iter().all(|it| stream.remove(it.0)));
        }
        // What was deleted goes, whether it is trimmed again or not.
        assert_eq!((stream.len(), stream.iter_from(StreamId::MIN).count()), (0, 0));
        stream.trim(Trim { keep: Keep::From(StreamId::MAX), ..all });
        if stream.marks().last_id != StreamId::MAX {
            assert_eq!(stream.n_blocks(), 0);
            assert_eq!(stream.n_bytes(), Stream::default().n_bytes());
        }
        if let Some((before, its_model)) = kept {
            assert_same(&before, &its_model);
            assert_found(&before, &its_model, &mut rng);
        }
    }
}

/// An entry that is too large is refused, and nothing has changed.
#[test]
fn what_is_too_large_changes_nothing() {
    let limits = Limits { bytes_max: 0, entries_max: 0 };
    let (mut stream, large) = (Stream::default(), vec![b'x'; crate::packed::BYTES_MAX]);
    add(&mut stream, StreamId { ms: 1, seq: 0 }, &vec![(b"f".to_vec(), b"v".to_vec())], limits);
    let n_bytes = stream.n_bytes();
    for fields in [[(&b"f"[..], &large[..])], [(&large[..], &b"v"[..])]] {
        let id = StreamId { ms: 2, seq: 0 };
        assert!(stream.push(id, fields.into_iter(), limits).is_err());
        assert_eq!((stream.len(), stream.marks().n_added), (1, 1));
        assert_eq!(stream.marks().last_id, StreamId { ms: 1, seq: 0 });
        assert_eq!((stream.n_bytes(), stream.iter_from(StreamId::MIN).count()), (n_bytes, 1));
    }
}

/// As in Redis: a block of which the last entry was deleted before is not cut off wholly, and what is
/// left of it is no entry.
#[test]
fn a_block_whose_last_entry_was_deleted_is_not_cut_off_wholly() {
    let id = |ms| StreamId { ms, seq: 0 };
    let mut stream = Stream::default();
    for ms in [810, 814, 829] {
        add(
            &mut stream,
            id(ms),
            &vec![(b"a".to_vec(), b"1".to_vec())],
            Limits { bytes_max: 0, entries_max: 0 },
        );
    }
    assert!(stream.remove(id(829)));
    let trim = Trim { keep: Keep::From(id(821)), approximately: false, n_max: 0 };
    assert_eq!(stream.trim(trim), 2);
    assert_eq!((stream.len(), stream.n_blocks()), (0, 1));
}
