//! Whether what all connections saw agrees.

use std::collections::{HashMap, HashSet};

use super::receiver::{Id, Seen, Session};
use super::{N_CHANNELS, N_PUBLISHERS, PATTERN, channel};

/// The order of every channel: what the subscriber saw that was there from before the first message to the end.
struct Order {
    by_channel: HashMap<String, Vec<Id>>,
}

impl Order {
    fn new(witness: &Seen) -> Self {
        let ids = |it: &Session| it.messages.iter().map(|it| it.1).collect();
        Self { by_channel: witness.sessions.iter().map(|it| (it.name.clone(), ids(it))).collect() }
    }

    fn of(&self, channel: &str) -> &[Id] {
        self.by_channel.get(channel).map(Vec::as_slice).unwrap_or_default()
    }
}

/// `seen` begins with the subscriber of all channels and the one of the pattern; `n_messages` were published to each
/// channel; `n_subscriptions` is the sum of the replies.
pub(super) fn judge(seen: &[Seen], n_messages: &[u64; N_CHANNELS], n_subscriptions: u64) {
    let Some(witness) = seen.first() else { panic!("nobody was there") };
    let order = Order::new(witness);
    for (index, n) in n_messages.iter().enumerate() {
        assert_eq!(order.of(&channel(index)).len() as u64, *n, "messages on {}", channel(index));
    }
    for session in seen.iter().flat_map(|it| &it.sessions) {
        for index in 0..N_CHANNELS {
            let channel = channel(index);
            if session.name == channel || session.name == PATTERN {
                judge_range(session, &channel, order.of(&channel));
            }
        }
    }
    seen.iter().for_each(judge_publishers_order);
    let n_delivered: usize = seen.iter().map(|it| it.stream.len()).sum();
    assert_eq!(n_delivered as u64, n_subscriptions, "deliveries and the sum of the replies");
}

/// What a session got of a channel is a range of its order without a hole, with the right ends.
fn judge_range(session: &Session, channel: &str, order: &[Id]) {
    let got: Vec<Id> =
        session.messages.iter().filter(|it| it.0 == channel).map(|it| it.1).collect();
    if let Some(first) = got.first() {
        let Some(start) = order.iter().position(|it| it == first) else {
            panic!("{first:?} is not in the order of {channel}");
        };
        let expected = order.get(start..start + got.len()).unwrap_or_default();
        let differs = got.iter().zip(expected).position(|(got, expected)| got != expected);
        assert_eq!(differs, None, "order of {channel} from {start}: {got:?} for {expected:?}");
        assert_eq!(got.len(), expected.len(), "more than was published on {channel}");
    }
    let got: HashSet<Id> = got.into_iter().collect();
    for id in order {
        let at = |snapshot: &[u64; N_PUBLISHERS]| {
            snapshot.get(id.publisher).copied().unwrap_or_default()
        };
        if id.number <= at(&session.answered_before) {
            assert!(
                !got.contains(id),
                "{id:?} was answered before SUBSCRIBE {} was sent",
                session.name
            );
        }
        let is_after_start = at(&session.sent_at_start) < id.number;
        let is_before_end = session.answered_at_end.as_ref().is_none_or(|it| id.number <= at(it));
        if is_after_start && is_before_end {
            assert!(
                got.contains(id),
                "{id:?} on {channel} is missing: {} was subscribed",
                session.name
            );
        }
    }
}

/// A publisher's messages come in the order in which it sent them, whatever their channels.
fn judge_publishers_order(seen: &Seen) {
    let mut last = [0; N_PUBLISHERS];
    let mut met = HashSet::new();
    for (name, id) in &seen.stream {
        assert!(met.insert((name, *id)), "{id:?} came twice for {name}");
        let Some(last) = last.get_mut(id.publisher) else { panic!("no such publisher: {id:?}") };
        assert!(*last <= id.number, "{id:?} for {name} came after {last}");
        *last = id.number;
    }
}
