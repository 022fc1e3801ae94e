//! Which messages are the same one.

use sha2::{Digest, Sha256};

use super::WithoutId;
use crate::{Call, SourceKind};

/// An id that is longer stands for itself by its hash: it is the sender's choice, and it becomes a key.
const ID_MAX: usize = 256;

/// The name of the record: all that makes a message the same, each part with its length in front, so
/// that no choice of ids can make two messages one. `None`: nothing tells the message from others.
pub(super) fn key(
    handler: &str,
    group: Option<&str>,
    without_id: WithoutId,
    call: &Call,
) -> Option<Vec<u8>> {
    let source = call.source();
    let group = match (group, source.kind(), source.through()) {
        (Some(group), ..) => group.as_bytes(),
        (None, SourceKind::Stream, Some(group)) => group,
        (None, ..) => b"",
    };
    let (kind, name): (&[u8], &[u8]) = match call.head() {
        // An event is the same one wherever it comes from.
        Some(head) => (b"event", head.source().as_bytes()),
        None => (source.kind().name().as_bytes(), source.name()),
    };
    let mut key = b"fanfare:done:".to_vec();
    for part in [handler.as_bytes(), group, kind, name] {
        push(&mut key, part);
    }
    match (call.id(), without_id) {
        (Some(id), _) if id.len() <= ID_MAX => {
            push(&mut key, b"id");
            push(&mut key, id.as_bytes());
        }
        (Some(id), _) => {
            push(&mut key, b"long");
            push(&mut key, &Sha256::digest(id.as_bytes()));
        }
        (None, WithoutId::Hash) => {
            push(&mut key, b"hash");
            push(&mut key, &Sha256::digest(call.payload().ok()?));
        }
        (None, WithoutId::Run | WithoutId::Refuse) => return None,
    }
    Some(key)
}

fn push(key: &mut Vec<u8>, part: &[u8]) {
    key.extend_from_slice(part.len().to_string().as_bytes());
    key.push(b':');
    key.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{
        Envelope,
        layers::fixture::{call, delivered},
    };

    fn of(source: &str, id: &str) -> Call {
        call(Envelope::new("x", 7).source(source).id(id).to_payload().unwrap())
    }

    #[test]
    fn no_choice_of_names_and_ids_makes_two_messages_one() {
        let parts = ["", "a", "b", "a:b", ":", "1:a", "a1:b", "2:id", "a\n"];
        let mut keys = HashSet::new();
        for handler in parts {
            for group in parts {
                for source in parts {
                    for id in parts.into_iter().filter(|id| !id.is_empty()) {
                        let call = of(source, id);
                        let key = key(handler, Some(group), WithoutId::Run, &call).unwrap();
                        assert!(keys.insert(key), "{handler:?} {group:?} {source:?} {id:?}");
                    }
                }
            }
        }
        let long = |n: usize| key("h", None, WithoutId::Run, &of("s", &"x".repeat(n))).unwrap();
        assert!(long(1_000_000).len() < 100 && long(1_000_000) != long(1_000_001));
    }

    #[test]
    fn an_event_is_the_same_one_wherever_it_comes_from() {
        let payload = Envelope::new("x", 7).source("shop").to_payload().unwrap();
        let (entry, _) = delivered(payload.clone());
        let key = |call: &Call| key("h", Some("g"), WithoutId::Run, call);
        assert_eq!(key(&entry), key(&call(payload)));
        // A plain entry is told by its stream, group and ID.
        let (plain, _) = delivered("7");
        let plain = super::key("h", None, WithoutId::Run, &plain).unwrap();
        let expected = "fanfare:done:1:h7:billing6:stream6:orders2:id3:7-1";
        assert_eq!(String::from_utf8(plain).unwrap(), expected);
    }

    #[test]
    fn a_message_without_an_id_has_one_by_its_payload_if_that_is_wanted() {
        let key = |payload: &str, without_id| {
            super::key("h", None, without_id, &call(payload.to_owned()))
        };
        assert_eq!(key("7", WithoutId::Run), None);
        assert_eq!(key("7", WithoutId::Hash), key("7", WithoutId::Hash));
        assert!(key("7", WithoutId::Hash) != key("8", WithoutId::Hash));
    }
}
