//! What was missed, told from what a server says of a stream.

use super::*;

fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

/// A stream of `added` entries 1-0, 2-0, … of which the newest `length` are left.
fn trimmed(added: u64, length: u64) -> Facts {
    let first = (length != 0).then(|| id(added - length + 1));
    Facts { length, added: Some(added), first, last: id(added), max_deleted: StreamId::MIN }
}

/// What is told, in short.
fn judge(cursor: &mut Cursor, facts: impl Into<Option<Facts>>) -> Vec<String> {
    let show = |delivery: Delivery| match delivery {
        Delivery::Gap { after, upto } => format!("gap {}..{}", after.ms, upto.ms),
        Delivery::Reset => "reset".to_owned(),
        other => panic!("{other:?}"),
    };
    cursor.judge(facts.into().as_ref()).into_iter().map(show).collect()
}

/// Everything that the stream has is read.
fn read_all(cursor: &mut Cursor, facts: &Facts) {
    for ms in facts.first.map_or(facts.last.ms + 1, |first| first.ms)..=facts.last.ms {
        cursor.pass(id(ms));
    }
    cursor.catch_up(facts);
}

#[test]
fn what_is_trimmed_before_it_is_read_is_a_gap_once() {
    let mut cursor = Cursor::default();
    assert!(judge(&mut cursor, trimmed(10, 10)).is_empty());
    cursor.pass(id(1));
    cursor.pass(id(2));
    assert_eq!(judge(&mut cursor, trimmed(10, 4)), ["gap 2..6"]);
    assert!(judge(&mut cursor, trimmed(10, 4)).is_empty());
    assert_eq!(judge(&mut cursor, trimmed(10, 0)), ["gap 6..10"]);
    assert!(judge(&mut cursor, trimmed(10, 0)).is_empty());
    assert_eq!(cursor.last(), id(10));
}

#[test]
fn what_is_trimmed_after_it_was_read_is_none() {
    let mut cursor = Cursor::at_end(Some(&trimmed(10, 10)));
    for facts in [trimmed(10, 3), trimmed(10, 0), trimmed(15, 5)] {
        assert!(judge(&mut cursor, facts.clone()).is_empty(), "{facts:?}");
    }
    read_all(&mut cursor, &trimmed(15, 5));
    assert!(judge(&mut cursor, trimmed(15, 0)).is_empty());
    assert_eq!(judge(&mut cursor, trimmed(20, 4)), ["gap 15..16"]);
}

#[test]
fn from_an_id_that_is_gone_a_gap_is_told_when_there_may_be_one() {
    // 4 was the last entry that was trimmed: nothing is missing, but who knows.
    assert_eq!(judge(&mut Cursor::after(id(4)), trimmed(10, 6)), ["gap 4..4"]);
    assert_eq!(judge(&mut Cursor::after(id(2)), trimmed(10, 6)), ["gap 2..4"]);
    assert!(judge(&mut Cursor::after(id(5)), trimmed(10, 6)).is_empty());
    assert!(judge(&mut Cursor::after(id(5)), trimmed(10, 10)).is_empty());
    // An ID that was not given yet is one of another stream.
    assert!(judge(&mut Cursor::after(id(50)), None).is_empty());
    assert_eq!(judge(&mut Cursor::after(id(50)), trimmed(10, 10)), ["reset"]);
}

#[test]
fn a_stream_whose_numbers_shrink_is_another() {
    let seen = || {
        let mut cursor = Cursor::default();
        assert!(judge(&mut cursor, trimmed(10, 10)).is_empty());
        read_all(&mut cursor, &trimmed(10, 10));
        cursor
    };
    assert_eq!(judge(&mut seen(), None), ["reset"]);
    assert_eq!(judge(&mut seen(), trimmed(9, 9)), ["reset"]);
    assert_eq!(judge(&mut seen(), trimmed(9, 2)), ["reset", "gap 0..7"]);
    // More entries and a larger last ID, but none of the ten that were read are gone from it.
    let larger = Facts { first: Some(id(20)), last: id(40), ..trimmed(15, 15) };
    assert_eq!(judge(&mut seen(), larger), ["reset"]);
    let mut cursor = seen();
    assert_eq!(judge(&mut cursor, None), ["reset"]);
    assert!(judge(&mut cursor, None).is_empty(), "it is told once");
    assert!(judge(&mut cursor, trimmed(3, 3)).is_empty());
    assert!(cursor.pass(id(1)) && !cursor.pass(id(1)));
}

#[test]
fn deleted_entries_are_no_gap_while_the_place_is_there() {
    let mut cursor = Cursor::at_end(Some(&trimmed(10, 10)));
    // 11 to 15 are added, 12 and 13 deleted.
    let holes = Facts { length: 13, max_deleted: id(13), ..trimmed(15, 15) };
    assert!(judge(&mut cursor, holes.clone()).is_empty());
    for ms in [11, 14, 15] {
        cursor.pass(id(ms));
    }
    cursor.catch_up(&holes);
    assert!(judge(&mut cursor, Facts { length: 0, first: None, ..holes }).is_empty());
}

#[test]
fn an_old_redis_tells_of_no_gap() {
    let old = |added, length| Facts { added: None, ..trimmed(added, length) };
    let mut cursor = Cursor::default();
    assert!(judge(&mut cursor, old(10, 4)).is_empty());
    assert_eq!(judge(&mut cursor, old(9, 4)), ["reset"]);
}
