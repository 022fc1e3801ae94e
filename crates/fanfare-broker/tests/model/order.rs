//! Reactors agree on the order of a channel, and publishers' counts agree with what is delivered.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::Index;
use shuttle::sync::Mutex;
use shuttle::thread;

use crate::check;
use crate::mailbox::{Item, Mailbox, Payload, Queue};
use crate::registry::{ReactorId, Registry};

const CHANNEL: &[u8] = b"channel";
const PATTERN: &[u8] = b"chan*";
const N_REACTORS: u8 = 2;

/// What the reactors share.
struct World {
    registry: Registry,
    mailboxes: Vec<Mailbox>,
    /// Messages that were answered.
    answered: Mutex<Vec<Vec<u8>>>,
}

/// A reactor with one subscriber: what the tables say, and what the subscriber was sent.
struct Reactor {
    id: ReactorId,
    world: Arc<World>,
    index: Index,
    received: Vec<Vec<u8>>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            registry: Registry::new(1),
            mailboxes: (0..N_REACTORS).map(|_| Mailbox::new(usize::MAX)).collect(),
            answered: Mutex::default(),
        })
    }

    fn mailbox(&self, id: ReactorId) -> &Mailbox {
        match self.mailboxes.get(usize::from(id.0)) {
            Some(mailbox) => mailbox,
            None => panic!("no such reactor: {id:?}"),
        }
    }

    /// PUBLISH: what it is answered.
    fn publish(&self, payload: &[u8]) -> usize {
        let n = self.registry.publish(Kind::Channel, CHANNEL, |interested| {
            for id in interested.iter() {
                self.mailbox(id).publish(Kind::Channel, CHANNEL, &Payload::Small(payload));
            }
        });
        self.lock_answered().push(payload.to_vec());
        n
    }

    fn lock_answered(&self) -> shuttle::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.answered.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Reactor {
    fn new(id: u8, world: &Arc<World>) -> Self {
        Self {
            id: ReactorId(id),
            world: Arc::clone(world),
            index: Index::default(),
            received: Vec::new(),
        }
    }

    fn subscribe(&mut self, kind: Kind, name: &[u8]) {
        let list = self.index.reserve(kind, name);
        let mailbox = self.world.mailbox(self.id);
        self.world
            .registry
            .subscribe(kind, name, self.id, || mailbox.post(Item::Subscribe { list, slot: 0 }));
    }

    fn unsubscribe(&mut self, kind: Kind, name: &[u8]) {
        let Some(list) = self.index.find(kind, name) else { panic!("not subscribed") };
        let mailbox = self.world.mailbox(self.id);
        self.world
            .registry
            .unsubscribe(kind, name, self.id, || mailbox.post(Item::Unsubscribe { list, slot: 0 }));
    }

    fn drain(&mut self) {
        let mut queue = Queue::default();
        self.world.mailbox(self.id).take(&mut queue);
        for item in &queue.items {
            match item {
                Item::Subscribe { list, slot } => self.index.add(*list, *slot),
                Item::Unsubscribe { list, slot } => self.index.remove(*list, *slot),
                Item::Publish { kind, start, channel_len, payload_len } => {
                    let channel = queue.slice(*start, *channel_len as usize);
                    let mut lists: Vec<_> = self.index.find(*kind, channel).into_iter().collect();
                    self.index.for_each_match(channel, |it| lists.push(it));
                    let payload =
                        queue.slice(*start + *channel_len as usize, *payload_len as usize);
                    let n = lists.into_iter().map(|it| self.index.subscribers(it).len()).sum();
                    self.received.extend(std::iter::repeat_n(payload.to_vec(), n));
                }
                other => panic!("nobody posts {other:?}"),
            }
        }
    }
}

/// One reactor's client comes and goes on the channel, the other's on a pattern, while two publish.
#[test]
fn reactors_agree_on_order_and_counts() {
    check(|| {
        let world = World::new();
        let publishers: Vec<_> = (0..2u8)
            .map(|publisher| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    (0..3).map(|number| world.publish(&[publisher, number])).sum::<usize>()
                })
            })
            .collect();
        let subscribers =
            [(0, Kind::Channel, CHANNEL), (1, Kind::Pattern, PATTERN)].map(|(id, kind, name)| {
                let mut reactor = Reactor::new(id, &world);
                thread::spawn(move || visit(&mut reactor, kind, name))
            });
        let n_answered: usize =
            publishers.into_iter().map(|it| it.join().unwrap_or(usize::MAX)).sum();
        let received = subscribers.map(|it| it.join().unwrap_or_default());
        assert_eq!(
            received.iter().map(Vec::len).sum::<usize>(),
            n_answered,
            "deliveries and the sum of the replies"
        );
        received.iter().for_each(|it| has_publishers_order(it));
        let [left, right] = &received;
        has_same_order(left, right);
    });
}

/// Subscribes, looks, leaves; what was received.
fn visit(reactor: &mut Reactor, kind: Kind, name: &[u8]) -> Vec<Vec<u8>> {
    let too_early = reactor.world.lock_answered().clone();
    reactor.subscribe(kind, name);
    reactor.drain();
    let before_end = reactor.world.lock_answered().clone();
    reactor.unsubscribe(kind, name);
    reactor.drain();
    let received = std::mem::take(&mut reactor.received);
    assert!(
        too_early.iter().all(|it| !received.contains(it)),
        "answered before SUBSCRIBE: {too_early:?} {received:?}"
    );
    // Between the first and the last that came nothing is missing, so what was answered before the end is in it
    // once anything is.
    if let Some(first) = received.first() {
        let from = before_end.iter().position(|it| it == first).unwrap_or(before_end.len());
        let later = before_end.iter().skip(from).filter(|it| it.first() == first.first());
        later.for_each(|it| assert!(received.contains(it), "{it:?} is missing in {received:?}"));
    }
    reactor.drain();
    assert!(reactor.received.is_empty(), "after the end");
    received
}

fn has_publishers_order(received: &[Vec<u8>]) {
    let mut last: HashMap<Option<u8>, Option<u8>> = HashMap::new();
    for message in received {
        let before = last.insert(message.first().copied(), message.get(1).copied());
        assert!(before.is_none_or(|it| it < message.get(1).copied()), "{received:?}");
    }
}

/// Messages that both got came to both in one order, and nothing is missing between them.
fn has_same_order(left: &[Vec<u8>], right: &[Vec<u8>]) {
    let common = |of: &[Vec<u8>], with: &[Vec<u8>]| -> Option<Vec<Vec<u8>>> {
        let first = of.iter().position(|it| with.contains(it))?;
        let last = of.iter().rposition(|it| with.contains(it))?;
        of.get(first..=last).map(<[_]>::to_vec)
    };
    assert_eq!(common(left, right), common(right, left), "{left:?} {right:?}");
}
