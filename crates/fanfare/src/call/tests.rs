//! What a call says of itself, whatever it was made of.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use fanfare_client::{ErrorKind, Kind, Message};

use super::Call;
use crate::{Envelope, Extract, Json, Raw, Sealed, Text};

fn message(payload: impl Into<Bytes>) -> Call {
    let at = SystemTime::UNIX_EPOCH;
    Message::new(Kind::Channel, Bytes::from_static(b"news"), payload.into(), at).into()
}

fn text(call: &Call) -> Result<String, ErrorKind> {
    Text::extract(call, &()).map(|Text(text)| text).map_err(|error| error.kind())
}

#[test]
fn plain_payloads_stay_as_they_are() {
    for payload in ["", "7", "{", "{}", r#"{"event_id": 7}"#, r#"{"event_id":"1"}"#, "fanfare:1 "] {
        let call = message(payload);
        assert!(call.head().is_none(), "{payload}");
        assert_eq!(text(&call).as_deref(), Ok(payload));
        assert_eq!(call.id(), None);
        assert_eq!(call.sealed().unwrap_err().kind(), ErrorKind::Decode, "{payload}");
    }
    assert_eq!(text(&message(&b"\xff"[..])), Err(ErrorKind::Decode));
}

#[test]
fn an_envelope_is_opened() {
    let envelope = Envelope::new("counted", 7).with("correlation_id", "c");
    let call = message(envelope.to_payload().unwrap());
    assert_eq!(call.id().as_deref(), Some(envelope.head.id()));
    assert_eq!(text(&call).as_deref(), Ok("7"));
    assert_eq!(Json::<u64>::extract(&call, &()).unwrap().0, 7);
    assert_eq!(Envelope::<u64>::extract(&call, &()).unwrap(), envelope);
    assert_eq!(call.source().to_string(), "channel news");

    let call = call.with_payload("8");
    assert_eq!(Envelope::<u64>::extract(&call, &()).unwrap().data, 8);
    assert_eq!(call.head(), Some(&envelope.head));
}

/// Layers said that it was none, and the extractor that it was one.
#[test]
fn an_envelope_whose_names_are_escaped_is_one_for_everybody() {
    let envelope = Envelope::new("counted", 7).id("1");
    let plain = String::from_utf8(envelope.to_payload().unwrap().to_vec()).unwrap();
    let call = message(plain.replace("event_id", "\\u0065vent_id"));
    assert_eq!(Envelope::<u64>::extract(&call, &()).unwrap(), envelope);
    assert_eq!((call.id().as_deref(), text(&call).as_deref()), (Some("1"), Ok("7")));
}

#[test]
fn what_is_compressed_is_not_taken_for_text() {
    let mut sealed = Sealed::new(crate::Head::new("x"), "text/plain", "ab");
    sealed.head.content_encoding = Some("zstd".to_owned());
    let call = message(sealed.to_payload().unwrap());
    assert_eq!(text(&call), Err(ErrorKind::Decode));
    assert_eq!(&Raw::extract(&call, &()).unwrap().0[..], b"ab");
}

#[test]
fn what_is_noted_is_found_by_its_type() {
    let mut call = message("");
    call.note(1_u8);
    call.note(2_u8);
    call.note(Arc::new("three"));
    assert_eq!(call.clone().noted::<u8>(), Some(&2));
    assert_eq!(call.noted::<Arc<&str>>().map(|it| **it), Some("three"));
    assert_eq!(call.noted::<u16>(), None);
}
