//! Streams that are pushed: XSUBSCRIBE and what becomes of it.

mod gone;
mod replaced;
mod seam;
mod slow;
mod walk;

use std::net::SocketAddr;

use fanfare_testkit::Rng;

use crate::peer::{Frame, Peer};

/// An ID of an entry.
pub(crate) type Id = (u64, u64);

/// What a subscriber has been pushed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pushed {
    Entry(Id, Vec<String>),
    Gap(Id, Id),
    Reset,
}

pub(crate) fn id(text: &str) -> Id {
    let parsed =
        text.split_once('-').and_then(|(ms, seq)| Some((ms.parse().ok()?, seq.parse().ok()?)));
    parsed.unwrap_or_else(|| panic!("no ID: {text}"))
}

pub(crate) fn spelled((ms, seq): Id) -> String {
    format!("{ms}-{seq}")
}

/// An item of an array.
pub(crate) fn at(frame: &Frame, index: usize) -> &Frame {
    frame.items().get(index).unwrap_or_else(|| panic!("no item {index} in {frame:?}"))
}

/// A number below this one, and below 2^32.
pub(crate) fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap_or(0)
}

/// Whether it is the last entry of a test.
pub(crate) fn is_end(fields: &[String]) -> bool {
    fields.first().is_some_and(|it| it == "end")
}

/// Connects in this version of RESP.
pub(crate) fn connect(addr: SocketAddr, version: u8) -> Peer {
    let mut peer = Peer::connect(addr);
    peer.call(&["HELLO", &version.to_string()]);
    peer
}

/// Subscribes to one stream and reads the confirmation.
pub(crate) fn subscribe(peer: &mut Peer, from: &str, key: &str) {
    peer.send(&["XSUBSCRIBE", "FROM", from, key]);
    let confirmed = peer.read();
    assert_eq!(confirmed.kind(), Some(&b"xsubscribe"[..]), "{confirmed:?}");
    assert_eq!(at(&confirmed, 1).text(), key);
}

/// What is pushed next of a stream.
pub(crate) fn next(peer: &mut Peer, key: &str) -> Pushed {
    let frame = peer.read();
    assert_eq!(at(&frame, 1).text(), key);
    match frame.kind() {
        Some(b"xmessage") => {
            let entry = at(&frame, 2);
            let fields = at(entry, 1).items().iter().map(Frame::text).collect();
            Pushed::Entry(id(&at(entry, 0).text()), fields)
        }
        Some(b"xgap") => Pushed::Gap(id(&at(&frame, 2).text()), id(&at(&frame, 3).text())),
        Some(b"xreset") => Pushed::Reset,
        other => panic!("not pushed of a stream: {other:?}"),
    }
}

/// The IDs of all entries of a stream.
pub(crate) fn ids(peer: &mut Peer, key: &str) -> Vec<Id> {
    let entries = peer.call(&["XRANGE", key, "-", "+"]);
    entries.items().iter().map(|it| id(&at(it, 0).text())).collect()
}
