//! Conversations with servers that there are not.

use super::*;

const ROOM: Option<Bounds> = Some(Bounds { entries_max: 1_000_000, bytes_max: 1 << 20 });

/// A reader, and what it says.
struct Script(Reader);

impl Script {
    fn new(start: Position, can_push: bool) -> Self {
        let mut reader = Reader::new(Bytes::from_static(b"s"), start, Duration::from_millis(2_500));
        reader.handle_connected(can_push);
        Self(reader)
    }

    /// The next question, its commands separated by commas.
    fn asks(&mut self, room: Option<Bounds>) -> String {
        let Some(question) = self.0.poll_question(room) else { return String::new() };
        let text = String::from_utf8(question.bytes.to_vec()).unwrap();
        let mut commands: Vec<String> = Vec::new();
        for line in text.split_terminator("\r\n") {
            match (line.starts_with('*'), line.starts_with('$'), commands.last_mut()) {
                (true, ..) => commands.push(String::new()),
                (_, true, _) => {}
                (.., Some(last)) if last.is_empty() => last.push_str(line),
                (.., Some(last)) => *last += &format!(" {line}"),
                (.., None) => panic!("{text}"),
            }
        }
        commands.join(", ")
    }

    /// Takes answers: `!` begins an error.
    fn hears(&mut self, replies: impl IntoIterator<Item = Value>) -> Result<Vec<String>, Error> {
        let reply = |value: Value| match value.as_error() {
            Some(text) => Err(Error::server(text)),
            None => Ok(value),
        };
        let replies = replies.into_iter().map(reply).collect();
        let found = self.0.handle_replies(replies, SystemTime::UNIX_EPOCH)?;
        Ok(found.iter().map(show).collect())
    }

    fn pushed(&mut self, items: Vec<Value>) -> Option<String> {
        let found = self.0.handle_push(items, SystemTime::UNIX_EPOCH).unwrap();
        found.as_ref().map(show)
    }

    /// Up to the first read from a server that does not push.
    fn reading(start: Position) -> Self {
        let mut script = Self::new(start, true);
        assert_eq!(script.asks(ROOM), "COMMAND INFO xsubscribe, XINFO STREAM s");
        assert_eq!(script.hears([Value::Array(vec![Value::Null]), info(10, 10)]).unwrap(), [""; 0]);
        script
    }

    /// Up to the subscription at a server that pushes.
    fn joining() -> Self {
        let mut script = Self::new(Position::After(StreamId::new(7, 0)), true);
        script.asks(ROOM);
        script.hears([Value::Array(vec![Value::Array(vec![])]), info(10, 10)]).unwrap();
        assert_eq!(script.asks(None), "", "not before there is room");
        assert_eq!(script.asks(ROOM), "XSUBSCRIBE FROM 7-0 s, XINFO STREAM s");
        script
    }
}

fn show(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Entry(entry) => entry.id.to_string(),
        Delivery::Gap { after, upto } => format!("gap {after}..{upto}"),
        Delivery::Reset => "reset".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn text(text: &str) -> Value {
    Value::BulkString(Bytes::copy_from_slice(text.as_bytes()))
}

fn error(text: &str) -> Value {
    Value::SimpleError(Bytes::copy_from_slice(text.as_bytes()))
}

fn entry(ms: u64) -> Value {
    Value::Array(vec![text(&format!("{ms}-0")), Value::Array(vec![text("f"), text("v")])])
}

/// Of a stream of `added` entries the newest `length`.
fn info(added: u64, length: u64) -> Value {
    let first = if length == 0 { Value::Null } else { entry(added - length + 1) };
    let int = |n: u64| Value::Integer(i64::try_from(n).unwrap());
    let fields = [
        ("length", int(length)),
        ("last-generated-id", text(&format!("{added}-0"))),
        ("max-deleted-entry-id", text("0-0")),
        ("entries-added", int(added)),
        ("first-entry", first),
    ];
    Value::Map(fields.map(|(name, value)| (text(name), value)).to_vec())
}

/// The answers to a transaction.
fn exec(info: Value, ids: impl IntoIterator<Item = u64>) -> Vec<Value> {
    let entries: Vec<Value> = ids.into_iter().map(entry).collect();
    let read = match entries.is_empty() {
        true => Value::Null,
        false => Value::Map(vec![(text("s"), Value::Array(entries))]),
    };
    let ok = |word| Value::SimpleString(Bytes::from_static(word));
    vec![ok(b"OK"), ok(b"QUEUED"), ok(b"QUEUED"), Value::Array(vec![info, read])]
}

#[test]
fn it_reads_until_there_is_no_more_and_then_waits() {
    let mut script = Script::reading(Position::Start);
    assert_eq!(
        script.asks(ROOM),
        "MULTI, XINFO STREAM s, XREAD COUNT 16 STREAMS s 0-0, EXEC",
        "little, while the entries' size is unknown"
    );
    assert_eq!(script.asks(ROOM), "", "one question at a time");
    let ids: Vec<String> = (1..=16).map(|ms| format!("{ms}-0")).collect();
    assert_eq!(script.hears(exec(info(20, 20), 1..=16)).unwrap(), ids);
    assert!(script.0.is_settled());
    let read = "MULTI, XINFO STREAM s, XREAD COUNT 128 STREAMS s 16-0, EXEC";
    assert_eq!(script.asks(ROOM), read);
    script.hears(exec(info(20, 20), 17..=20)).unwrap();
    let wait = "XREAD COUNT 1 BLOCK 2500 STREAMS s 20-0, ";
    assert!(script.asks(ROOM).starts_with(wait));
    let mut answers = vec![Value::Null];
    answers.extend(exec(info(20, 0), []));
    assert!(script.hears(answers).unwrap().is_empty(), "it was read before it was trimmed");
    assert!(script.asks(ROOM).starts_with(wait));
}

#[test]
fn it_asks_for_as_much_as_there_is_room_for() {
    let mut script = Script::reading(Position::New);
    assert_eq!(script.asks(None), "");
    let room = |entries_max, bytes_max| Some(Bounds { entries_max, bytes_max });
    assert!(script.asks(room(5, 1 << 20)).contains("COUNT 5 STREAMS s 10-0"));
    script.hears(exec(info(15, 15), 11..=15)).unwrap();
    // Each entry counts 128 + 64 + 2 bytes.
    assert!(script.asks(room(1_000, 10 * 194 + 1)).contains("COUNT 10 STREAMS s 15-0"));
    script.hears(exec(info(25, 25), 16..=25)).unwrap();
    assert!(script.asks(room(1_000, 1)).contains("COUNT 1 STREAMS s 25-0"), "at least one");
}

#[test]
fn another_stream_is_read_from_its_start() {
    let mut script = Script::reading(Position::Start);
    script.asks(ROOM);
    script.hears(exec(info(10, 10), 1..=10)).unwrap();
    script.asks(ROOM);
    let mut answers = vec![Value::Null];
    answers.extend(exec(info(3, 2), []));
    assert_eq!(script.hears(answers).unwrap(), ["reset", "gap 0-0..1-18446744073709551615"]);
    assert!(script.asks(ROOM).ends_with("STREAMS s 1-18446744073709551615, EXEC"));
    assert_eq!(script.hears(exec(info(3, 2), 2..=3)).unwrap(), ["2-0", "3-0"]);
}

#[test]
fn an_error_says_what_the_server_said() {
    let mut script = Script::reading(Position::Start);
    script.asks(ROOM);
    let queued = Value::SimpleString(Bytes::from_static(b"OK"));
    let answers = [queued.clone(), error("NOPERM no"), queued, error("EXECABORT discarded")];
    assert_eq!(script.hears(answers).unwrap_err().server_code(), Some("NOPERM"));

    // That the key holds something else is a reset, told once entries can come again.
    let mut script = Script::reading(Position::Start);
    script.asks(ROOM);
    script.hears(exec(info(10, 10), 1..=10)).unwrap();
    script.0.handle_connected(true);
    script.asks(ROOM);
    let refused = script.hears([Value::Array(vec![Value::Null]), error("WRONGTYPE x")]);
    assert_eq!(refused.unwrap_err().server_code(), Some("WRONGTYPE"));
    script.0.handle_connected(true);
    script.asks(ROOM);
    script.hears([Value::Array(vec![Value::Null]), info(10, 10)]).unwrap();
    script.asks(ROOM);
    assert_eq!(script.hears(exec(info(10, 10), [1])).unwrap(), ["reset", "1-0"]);
}

#[test]
fn pushes_wait_until_it_is_known_to_be_the_same_stream() {
    let mut script = Script::joining();
    let message = |ms| vec![text("xmessage"), text("s"), entry(ms)];
    assert_eq!(script.pushed(vec![text("xsubscribe"), text("s"), Value::Integer(1)]), None);
    assert_eq!(script.pushed(message(8)), None);
    assert_eq!(script.hears([info(10, 10)]).unwrap(), ["8-0"]);
    assert!(script.0.is_live() && script.0.is_settled());
    assert_eq!(script.pushed(message(9)).as_deref(), Some("9-0"));
    assert_eq!(script.pushed(message(9)), None, "nothing comes twice");
    let gap = ["xgap", "s", "9-0", "12-0"].map(text).to_vec();
    assert_eq!(script.pushed(gap).as_deref(), Some("gap 9-0..12-0"));
    assert_eq!(script.pushed(["xreset", "s"].map(text).to_vec()).as_deref(), Some("reset"));
    assert_eq!(script.pushed(message(1)).as_deref(), Some("1-0"));

    // A new connection finds another stream: what is pushed behind the old place is not wanted.
    script.0.handle_connected(true);
    script.asks(ROOM);
    script.hears([Value::Array(vec![Value::Array(vec![])]), info(10, 10)]).unwrap();
    assert_eq!(script.asks(ROOM), "XSUBSCRIBE FROM 1-0 s, XINFO STREAM s");
    script.pushed(vec![text("xsubscribe"), text("s"), Value::Integer(1)]);
    script.pushed(message(5));
    assert_eq!(script.hears([error("ERR no such key")]).unwrap(), ["reset"]);
    assert_eq!(script.pushed(message(6)), None);
    assert_eq!(script.asks(ROOM), "XUNSUBSCRIBE s, XSUBSCRIBE FROM 0-0 s, XINFO STREAM s");
    assert_eq!(script.pushed(message(7)), None);
    script.pushed(vec![text("xunsubscribe"), text("s"), Value::Integer(0)]);
    script.pushed(vec![text("xsubscribe"), text("s"), Value::Integer(1)]);
    assert_eq!(script.pushed(message(1)), None);
    assert_eq!(script.hears([info(1, 1)]).unwrap(), ["1-0"]);
}

/// XTRIM ACKED leaves entries among those that it takes: they are told to be missing, and these come.
#[test]
fn what_is_left_of_a_gap_is_delivered() {
    let mut script = Script::joining();
    let message = |ms| vec![text("xmessage"), text("s"), entry(ms)];
    let gap = |upto: &str| ["xgap", "s", "7-0", upto].map(text).to_vec();
    script.pushed(vec![text("xsubscribe"), text("s"), Value::Integer(1)]);
    script.hears([info(15, 8)]).unwrap();
    assert_eq!(script.pushed(gap("12-0")).as_deref(), Some("gap 7-0..12-0"));
    assert_eq!(script.pushed(message(9)).as_deref(), Some("9-0"));

    // A new connection goes on from there, and is told of it again.
    script.0.handle_connected(true);
    script.asks(ROOM);
    script.hears([Value::Array(vec![Value::Array(vec![])]), info(15, 8)]).unwrap();
    assert_eq!(script.asks(ROOM), "XSUBSCRIBE FROM 9-0 s, XINFO STREAM s");
    script.pushed(vec![text("xsubscribe"), text("s"), Value::Integer(1)]);
    script.hears([info(15, 8)]).unwrap();
    assert_eq!(script.pushed(gap("12-0")), None, "it was told");
    assert_eq!(script.pushed(message(11)).as_deref(), Some("11-0"));
    assert_eq!(script.pushed(message(13)).as_deref(), Some("13-0"));
    assert_eq!(script.pushed(gap("14-0")).as_deref(), Some("gap 7-0..14-0"));
}

#[test]
fn without_resp3_nothing_is_pushed() {
    let mut script = Script::new(Position::Start, false);
    script.asks(ROOM);
    script.hears([Value::Array(vec![Value::Array(vec![])]), info(10, 10)]).unwrap();
    assert!(script.asks(ROOM).starts_with("MULTI"));
}
