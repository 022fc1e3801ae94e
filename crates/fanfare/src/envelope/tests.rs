//! Envelopes go to the wire and come back; what is not one is told why.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fanfare_client::ErrorKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Envelope, Head, Sealed, head::rounded};
use crate::stream::{Entry, StreamId};

/// What was an envelope on the wire from the first version on stays one.
const GOOD: &str = r#"{
    "event_id": "7d3e", "event_type": "user.login", "timestamp": "2026-11-22T15:04:05.123456",
    "version": "1.0", "source": "auth_service",
    "data": {"user_id": "user_123"},
    "metadata": {"correlation_id": "trace_abc123", "n": 1}
}"#;

fn payload(json: &Value) -> Bytes {
    json.to_string().into()
}

fn refusal(payload: impl Into<Bytes>) -> String {
    let error = Envelope::<Value>::from_payload(&payload.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    error.to_string()
}

#[test]
fn the_documented_form_is_read() {
    let good = GOOD.replace(".123456\"", ".123456Z\"");
    let read = Envelope::<Value>::from_payload(&good.into()).unwrap();
    assert_eq!((read.head.id(), read.head.kind()), ("7d3e", "user.login"));
    assert_eq!((read.head.version(), read.head.source()), ("1.0", "auth_service"));
    assert_eq!(read.head.text("correlation_id"), Some("trace_abc123"));
    assert_eq!((read.head.text("n"), read.head.text("none")), (None, None));
    assert_eq!(read.data, json!({"user_id": "user_123"}));
    let since = read.head.time().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(since, Duration::from_micros(1_795_359_845_123_456));
}

#[test]
fn unknown_members_are_ignored_and_missing_ones_have_defaults() {
    let good = json!({
        "event_id": "1", "event_type": "t", "timestamp": "2026-11-22T15:04:05+01:00",
        "data": null, "source": null, "new": [1, 2],
    });
    // For all but the data `null` is as good as nothing: `()` and `None` are data.
    let Envelope { data: (), .. } = Envelope::from_payload(&payload(&good)).unwrap();
    let mut good = good;
    good["data"] = json!(0);
    let read = Envelope::<u8>::from_payload(&payload(&good)).unwrap();
    assert_eq!((read.head.version(), read.head.source(), read.data), ("1.0", "", 0));
    assert!(read.head.metadata().is_empty());
}

#[test]
fn what_is_wrong_is_named() {
    let good: Value = serde_json::from_str(&GOOD.replace("56\"", "56Z\"")).unwrap();
    for member in ["event_id", "event_type", "timestamp", "data"] {
        let mut less = good.clone();
        less.as_object_mut().unwrap().remove(member);
        assert!(refusal(payload(&less)).contains(member), "{member}");
    }
    for member in ["event_id", "event_type", "timestamp", "version", "metadata"] {
        let mut wrong = good.clone();
        wrong[member] = json!(7);
        assert!(refusal(payload(&wrong)).contains("wrong type"), "{member}");
    }
    // A time without an offset could be anywhere.
    assert!(refusal(GOOD).contains("RFC 3339"));
    assert!(refusal("[1]").contains("wrong type"));
    assert!(refusal("hello").contains("not an object"));
    assert!(refusal(&b"\xff\xfe"[..]).contains("not an object"));
    assert!(refusal("fanfare:1 {}").contains("does not end"));
    assert!(refusal("fanfare:1 {}\n").contains("timestamp"));
}

#[test]
fn a_cause_is_passed_on() {
    let first = Envelope::new("a", ()).with("traceparent", "00-1-2-01");
    let second = Envelope::new("b", ()).caused_by(&first.head);
    let third = Envelope::new("c", ()).caused_by(&second.head);
    assert_eq!(third.head.text("causation_id"), Some(second.head.id()));
    assert_eq!(third.head.text("correlation_id"), Some(first.head.id()));
    assert_eq!(third.head.text("traceparent"), Some("00-1-2-01"));
}

#[test]
fn what_is_not_json_can_not_say_that_it_is() {
    let sealed = Sealed::new(Head::new("t"), "application/json; charset=utf-8", "{");
    assert_eq!(sealed.to_payload().unwrap_err().kind(), ErrorKind::Encode);
    assert_eq!(sealed.to_fields().unwrap_err().kind(), ErrorKind::Encode);
}

/// A head that came with MessagePack, around data that is written as JSON.
#[test]
fn json_under_the_head_of_another_form_says_that_it_is_json() {
    let head = Sealed::new(Head::new("t"), "application/msgpack", "x").head;
    let envelope = Envelope { head, data: 7 };
    for sealed in
        [envelope.seal().unwrap(), Sealed::from_payload(&envelope.to_payload().unwrap()).unwrap()]
    {
        assert_eq!(sealed.open::<u8>().unwrap().data, 7);
    }
    let fields = envelope.to_fields().unwrap();
    assert!(fields.iter().all(|(name, _)| *name != "content_type"));
}

#[test]
fn ids_are_in_the_order_of_their_times() {
    let ids: Vec<_> = (0..100).map(|_| Head::new("t").id).collect();
    assert!(ids.is_sorted() && ids.iter().collect::<std::collections::HashSet<_>>().len() == 100);
}

fn heads() -> impl Strategy<Value = Head> {
    let texts = (".*", ".*", ".*", ".*");
    // Years 1 to 9998.
    let seconds = -62_135_596_800_i64..253_370_764_800;
    let metadata = prop::collection::btree_map(".*", any::<i64>().prop_map(Value::from), 0..3);
    let rest = (seconds, 0..1_000_000_u32, metadata, any::<bool>());
    (texts, rest).prop_map(
        |((id, kind, version, source), (seconds, micros, metadata, is_packed))| {
            let since = Duration::new(seconds.unsigned_abs(), micros * 1_000);
            let epoch = SystemTime::UNIX_EPOCH;
            let time = if seconds < 0 { epoch - since } else { epoch + since };
            let content_type = is_packed.then(|| "application/msgpack".to_owned());
            let content_encoding = is_packed.then(|| "zstd".to_owned());
            let time = rounded(time);
            Head { id, kind, time, version, source, content_type, content_encoding, metadata }
        },
    )
}

proptest! {
    #[test]
    fn they_come_back_as_they_were(
        head in heads(),
        number in any::<f64>().prop_filter("no JSON has it", |it| it.is_finite()),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let body = if head.is_plain_json() {
            serde_json::to_vec(&json!({"n": number})).unwrap()
        } else {
            bytes
        };
        let sealed = Sealed { head, body: body.into() };
        prop_assert_eq!(&Sealed::from_payload(&sealed.to_payload().unwrap()).unwrap(), &sealed);
        let fields = sealed.to_fields().unwrap();
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let id = StreamId::new(1, 0);
        let entry = Entry::new(id, fields, SystemTime::UNIX_EPOCH);
        prop_assert_eq!(Sealed::from_entry(&entry).unwrap(), sealed);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for start in [&b""[..], b"fanfare:1 ", b"{\"event_id\":\"1\",", b"fanfare:1 {}\n"] {
            let _ = Sealed::from_payload(&[start, &bytes].concat().into());
        }
    }
}
