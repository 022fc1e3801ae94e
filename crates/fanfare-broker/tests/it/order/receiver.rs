//! A subscriber that writes down what it saw, and when it asked for what.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{CONTROL, PATTERN, Progress, Snapshot};
use crate::peer::{Frame, Peer, Poll, command};

/// One message: publisher and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) publisher: usize,
    pub(super) number: u64,
}

/// From one SUBSCRIBE to its UNSUBSCRIBE.
#[derive(Debug)]
pub(super) struct Session {
    /// A channel, or the pattern.
    pub(super) name: String,
    /// Answered when SUBSCRIBE was sent: not to be delivered.
    pub(super) answered_before: Snapshot,
    /// Perhaps sent when the confirmation had arrived: what is not among them is to be delivered.
    pub(super) sent_at_start: Snapshot,
    /// Answered when UNSUBSCRIBE was sent: to be delivered, unless from before the start. `None`: stayed to the end.
    pub(super) answered_at_end: Option<Snapshot>,
    /// Channel and message, as received.
    pub(super) messages: Vec<(String, Id)>,
}

/// All that one connection saw.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) sessions: Vec<Session>,
    /// Every message in the order of arrival, by name of the subscription.
    pub(super) stream: Vec<(String, Id)>,
}

/// A subscription that was asked for and not confirmed yet, and one that is confirmed.
#[derive(Default)]
struct Place {
    asked: Option<Session>,
    open: Option<Session>,
    /// UNSUBSCRIBE was sent.
    leaving: bool,
}

/// A connection with subscriptions.
pub(super) struct Receiver {
    pub(super) peer: Peer,
    progress: Arc<Progress>,
    places: HashMap<String, Place>,
    seen: Seen,
    n_unconfirmed: usize,
    has_ended: bool,
}

impl Receiver {
    pub(super) fn new(addr: SocketAddr, progress: Arc<Progress>, is_resp3: bool) -> Self {
        let mut peer = Peer::connect(addr);
        if is_resp3 {
            assert!(matches!(peer.call(&["HELLO", "3"]), Frame::Array(_)));
        }
        let seen = Seen { sessions: Vec::new(), stream: Vec::new() };
        Self { peer, progress, places: HashMap::new(), seen, n_unconfirmed: 0, has_ended: false }
    }

    pub(super) fn subscribe(&mut self, name: &str) {
        let batch = self.asks_in(name);
        self.peer.write(&batch);
    }

    /// Comes if it is away and goes if it is there; `at_once` comes again in the same breath.
    pub(super) fn toggle(&mut self, name: &str, at_once: bool) {
        let place = self.places.entry(name.to_owned()).or_default();
        if place.asked.is_some() || place.leaving {
            return;
        }
        let mut batch = Vec::new();
        let was_open = if let Some(open) = &mut place.open {
            open.answered_at_end = Some(self.progress.answered());
            place.leaving = true;
            self.n_unconfirmed += 1;
            let word = if name == PATTERN { "PUNSUBSCRIBE" } else { "UNSUBSCRIBE" };
            batch.extend(command(&[word, name]));
            true
        } else {
            false
        };
        if !was_open || at_once {
            batch.extend(self.asks_in(name));
        }
        self.peer.write(&batch);
    }

    fn asks_in(&mut self, name: &str) -> Vec<u8> {
        self.places.entry(name.to_owned()).or_default().asked = Some(Session {
            name: name.to_owned(),
            answered_before: self.progress.answered(),
            sent_at_start: Snapshot::default(),
            answered_at_end: None,
            messages: Vec::new(),
        });
        self.n_unconfirmed += 1;
        command(&[if name == PATTERN { "PSUBSCRIBE" } else { "SUBSCRIBE" }, name])
    }

    pub(super) fn wait_confirmed(&mut self) {
        while self.n_unconfirmed != 0 {
            let frame = self.peer.read();
            self.take(&frame);
        }
    }

    /// Reads one frame; whether one came in time.
    pub(super) fn poll(&mut self, timeout: Duration) -> bool {
        match self.peer.poll(timeout) {
            Poll::Frame(frame) => {
                assert!(self.take(&frame), "nobody asked for {frame:?}");
                true
            }
            Poll::Nothing => false,
            Poll::Closed => panic!("the broker closed a subscriber's connection"),
        }
    }

    /// The next frame that is no message.
    pub(super) fn reply(&mut self) -> Frame {
        loop {
            let frame = self.peer.read();
            if !self.take(&frame) {
                return frame;
            }
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether everything was published and everything is confirmed.
    pub(super) fn is_done(&self) -> bool {
        self.has_ended && self.n_unconfirmed == 0
    }

    /// Makes sure that nothing follows.
    pub(super) fn finish(mut self) -> Seen {
        self.peer.send(&["PING", "last"]);
        let pong = self.peer.read();
        let is_pong =
            matches!(&pong, Frame::Bulk(it) if it == b"last") || pong.kind() == Some(b"pong");
        assert!(is_pong, "after the end came {pong:?}");
        let open = self.places.into_values().filter_map(|it| it.open);
        self.seen.sessions.extend(open.filter(|it| it.name != CONTROL));
        self.seen
    }

    /// Writes a message or confirmation down; whether the frame is one.
    fn take(&mut self, frame: &Frame) -> bool {
        let Some(kind) = frame.kind() else { return false };
        let texts = || frame.items().iter().skip(1).map(Frame::text);
        match kind {
            b"message" => {
                let [channel, payload] = two(texts());
                self.message(&channel.clone(), channel, &payload);
            }
            b"pmessage" => {
                let mut texts = texts();
                let pattern = texts.next().unwrap_or_default();
                let [channel, payload] = two(texts);
                self.message(&pattern, channel, &payload);
            }
            b"subscribe" | b"psubscribe" => {
                let name = frame.items().get(1).map(Frame::text).unwrap_or_default();
                let place = self.places.entry(name.clone()).or_default();
                let Some(mut session) = place.asked.take() else { panic!("unasked: {frame:?}") };
                assert!(place.open.is_none(), "{name} confirmed twice");
                session.sent_at_start = self.progress.sent();
                place.open = Some(session);
                self.n_unconfirmed -= 1;
            }
            b"unsubscribe" | b"punsubscribe" => {
                let name = frame.items().get(1).map(Frame::text).unwrap_or_default();
                let place = self.places.entry(name).or_default();
                assert!(std::mem::take(&mut place.leaving), "unasked: {frame:?}");
                self.seen.sessions.extend(place.open.take());
                self.n_unconfirmed -= 1;
            }
            _ => return false,
        }
        true
    }

    fn message(&mut self, name: &str, channel: String, payload: &str) {
        assert!(!self.has_ended, "{channel} after the end: {payload}");
        let open = self.places.get_mut(name).and_then(|it| it.open.as_mut());
        let Some(session) = open else { panic!("{name} is not subscribed: {channel} {payload}") };
        if channel == CONTROL {
            self.has_ended = true;
            return;
        }
        let mut parts = payload.split(':');
        let mut number = || parts.next().and_then(|it| it.parse::<u64>().ok());
        let (Some(publisher), Some(number)) = (number(), number()) else {
            panic!("payload: {payload}")
        };
        let id = Id { publisher: usize::try_from(publisher).unwrap_or(usize::MAX), number };
        session.messages.push((channel, id));
        self.seen.stream.push((name.to_owned(), id));
    }
}

fn two(mut texts: impl Iterator<Item = String>) -> [String; 2] {
    [texts.next().unwrap_or_default(), texts.next().unwrap_or_default()]
}
