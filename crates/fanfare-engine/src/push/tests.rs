//! A cursor by itself; what reactors make of it is in fanfare-broker.

use super::{Chunk, Cursor, Message};
use crate::value::Stream;
use crate::value::stream::{Keep, Limits, StreamId, Trim};

fn id(ms: u64) -> StreamId {
    StreamId { ms, seq: 0 }
}

fn stream(identity: u64, ids: impl IntoIterator<Item = u64>) -> Stream {
    let mut stream = Stream::default();
    stream.set_identity(identity);
    for n in ids {
        add(&mut stream, n);
    }
    stream
}

fn add(stream: &mut Stream, n: u64) {
    let limits = Limits { bytes_max: 4096, entries_max: 3 };
    let fields = [(&b"n"[..], &b"1"[..])];
    stream.push(id(n), fields.into_iter(), limits).expect("it is small");
}

fn trim(stream: &mut Stream, n: u64) {
    stream.trim(Trim { keep: Keep::Last(n), approximately: false, n_max: 0 });
}

/// What a subscriber in RESP2 is told, without the key and in short.
fn told(chunk: &Chunk) -> String {
    let mut out = Vec::new();
    chunk.write(b"k", &mut fanfare_resp::Writer::new(&mut out, fanfare_resp::Version::Resp2));
    let text = String::from_utf8(out).expect("it is text");
    let words = text.split("\r\n").filter(|it| !it.is_empty() && !it.starts_with(['*', '$']));
    let words: Vec<_> = words.filter(|it| !matches!(*it, "k" | "n" | "1" | "xmessage")).collect();
    format!("{}{}", words.join(" "), if chunk.is_end() { "." } else { "" })
}

#[test]
fn history_is_read_in_chunks_to_its_end() {
    let mut stream = stream(1, 1..=5);
    let mut cursor = Cursor::after(id(1));
    assert_eq!(told(&cursor.read(Some(&stream), 0)), "2-0");
    assert_eq!(told(&cursor.read(Some(&stream), 100)), "3-0 4-0");
    assert_eq!(told(&cursor.read(Some(&stream), 1 << 20)), "5-0.");
    assert_eq!(told(&cursor.read(Some(&stream), 1 << 20)), ".");
    add(&mut stream, 7);
    assert_eq!(told(&cursor.read(Some(&stream), 0)), "7-0.");
}

#[test]
fn what_was_cut_off_is_told_once() {
    let mut stream = stream(1, 1..=8);
    let mut cursor = Cursor::default();
    assert_eq!(told(&cursor.read(Some(&stream), 0)), "1-0");
    trim(&mut stream, 4);
    assert_eq!(told(&cursor.read(Some(&stream), 0)), "xgap 1-0 4-0 5-0");
    trim(&mut stream, 3);
    assert_eq!(told(&cursor.read(Some(&stream), 0)), "6-0");
    trim(&mut stream, 0);
    assert_eq!(told(&cursor.read(Some(&stream), 0)), "xgap 6-0 8-0.");
    assert_eq!(told(&cursor.read(Some(&stream), 0)), ".");
}

#[test]
fn another_stream_is_pushed_from_its_beginning() {
    let mut cursor = Cursor::default();
    assert_eq!(told(&cursor.read(Some(&stream(1, 5..=6)), 0)), "5-0");
    assert_eq!(told(&cursor.read(Some(&stream(2, 5..=6)), 999)), "xreset 5-0 6-0.");
    assert_eq!(told(&cursor.read(None, 999)), "xreset.");
    assert_eq!(told(&cursor.read(None, 999)), ".");
    assert_eq!(told(&cursor.read(Some(&stream(3, [1])), 999)), "1-0.");
}

#[test]
fn an_id_that_the_stream_never_gave_is_of_another_one() {
    assert_eq!(told(&Cursor::after(id(7)).read(Some(&stream(1, 5..=6)), 999)), "xreset 5-0 6-0.");
    assert_eq!(told(&Cursor::after(id(6)).read(Some(&stream(1, 5..=6)), 999)), ".");
    assert_eq!(told(&Cursor::after(id(7)).read(None, 999)), "xreset.");
    assert_eq!(told(&Cursor::after(id(0)).read(None, 999)), ".");
    assert_eq!(told(&Cursor::after(StreamId::MAX).read(Some(&stream(1, [1])), 999)), "xreset 1-0.");
}

#[test]
fn a_message_tells_where_who_misses_it_stands() {
    assert_eq!(Message::parse(b""), Message::Restart);
    let numbers = [7_u64, 5, 0].map(u64::to_be_bytes).concat();
    let expected = Cursor { after: id(5), told: StreamId::MIN, identity: Some(7) };
    assert_eq!(Message::parse(&numbers), Message::Entry(expected));
}
