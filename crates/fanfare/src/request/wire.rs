//! Requests and answers as envelopes.

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::Reply;
use crate::{Head, Sealed, codec::json, worker::shortened};

/// What the names of all inboxes begin with.
pub(crate) const INBOX: &str = "fanfare:inbox:";

/// The types of what is sent, unless the program names that of a request itself.
pub(super) const REQUEST: &str = "request";
const REPLY: &str = "reply";
const REPLY_ERROR: &str = "reply.error";

const REPLY_TO: &str = "reply_to";
const CAUSATION: &str = "causation_id";

/// Why there is no answer, as a responder says it.
#[derive(Serialize, Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

/// A request that is to be answered to this inbox.
pub(super) fn request(mut sealed: Sealed, inbox: &str) -> Sealed {
    sealed.head.metadata.insert(REPLY_TO.to_owned(), inbox.into());
    sealed
}

/// Where a request is to be answered. `None` if it is none, or asks for an answer elsewhere than to an
/// inbox: nobody shall be able to have a responder publish anywhere.
pub(super) fn reply_to(head: &Head) -> Option<&str> {
    head.text(REPLY_TO).filter(|channel| channel.starts_with(INBOX))
}

/// An answer to a request.
pub(super) fn reply(request: &Head, reply: Reply) -> Sealed {
    let mut head = caused_by(request, REPLY);
    let Reply { content_type, bytes } = reply;
    head.content_type = content_type.map(str::to_owned);
    Sealed { head, body: bytes }
}

/// The answer that there is none.
pub(super) fn refusal(request: &Head, code: &str, message: &str) -> Result<Bytes, Error> {
    let refusal = Refusal { code: code.to_owned(), message: shortened(message.to_owned()) };
    let body = json::encode(&refusal)?.into();
    Sealed { head: caused_by(request, REPLY_ERROR), body }.to_payload()
}

fn caused_by(request: &Head, kind: &str) -> Head {
    crate::Envelope::new(kind, ()).caused_by(request).head
}

/// An answer that came to the inbox: the id of its request, and what it says.
pub(super) fn read(payload: &Bytes) -> Result<(String, Result<Sealed, Error>), Error> {
    let sealed = Sealed::from_payload(payload)?;
    let no_id = || Error::new(ErrorKind::Decode, "the answer names no request");
    let id = sealed.head().text(CAUSATION).ok_or_else(no_id)?.to_owned();
    if sealed.head().kind() != REPLY_ERROR {
        return Ok((id, Ok(sealed)));
    }
    let Refusal { code, message } = sealed.open::<Refusal>()?.data;
    let (code, message) = (shortened(code), shortened(message));
    let text = format!("the responder answered with an error ({code}): {message}");
    Ok((id, Err(Error::new(ErrorKind::Refused, text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Envelope;

    #[test]
    fn an_answer_names_its_request() {
        let inbox = format!("{INBOX}1");
        let sealed = Envelope::new(REQUEST, 7).with("traceparent", "00-x").seal().unwrap();
        let request = request(sealed, &inbox);
        let head = Sealed::from_payload(&request.to_payload().unwrap()).unwrap().head;
        assert_eq!(reply_to(&head), Some(inbox.as_str()));
        let bytes = Bytes::from_static(b"\x00\xff");
        let answer = reply(&head, Reply { content_type: Some("image/png"), bytes });
        let (id, answer) = read(&answer.to_payload().unwrap()).unwrap();
        let answer = answer.unwrap();
        assert_eq!((id.as_str(), &answer.body()[..]), (head.id(), &b"\x00\xff"[..]));
        assert_eq!(answer.head().text("traceparent"), Some("00-x"));
        let (id, answer) = read(&refusal(&head, "failed", "no tea").unwrap()).unwrap();
        let error = answer.unwrap_err();
        assert_eq!((id.as_str(), error.kind()), (head.id(), ErrorKind::Refused));
        assert!(error.to_string().contains("(failed): no tea"));
    }

    #[test]
    fn an_error_is_told_in_a_few_words_whoever_says_it() {
        let head = Envelope::new(REQUEST, 7).head;
        let long = "ä".repeat(1_000_000);
        let answer = refusal(&head, "failed", &long).unwrap();
        assert!(answer.len() < 10_000, "{}", answer.len());
        // Of a responder that is not ours.
        let refusal = Refusal { code: long.clone(), message: long };
        let sealed = Envelope { head: caused_by(&head, REPLY_ERROR), data: refusal };
        let (_, answer) = read(&sealed.to_payload().unwrap()).unwrap();
        assert!(answer.unwrap_err().to_string().len() < 10_000);
    }

    #[test]
    fn nobody_is_answered_elsewhere_than_in_an_inbox() {
        let ask = |channel: &str| Envelope::new(REQUEST, 1).with(REPLY_TO, channel).head;
        assert!(reply_to(&ask("fanfare:inbox:7")).is_some());
        assert!(reply_to(&ask("orders")).is_none());
        assert!(reply_to(&Envelope::new(REQUEST, 1).head).is_none());
        for payload in ["", "x", "{}", r#"{"event_id":"1"}"#] {
            assert!(read(&Bytes::from_static(payload.as_bytes())).is_err());
        }
    }
}
