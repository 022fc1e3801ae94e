//! Reactors agree on the order of a channel, and publishers' counts agree with what is delivered.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::Index;
use shuttle::sync::{Mutex, MutexGuard};
use shuttle::thread;

use crate::check;
use crate::inbox::{self, Inbox, Recipient};
use crate::mailbox::{Item, Mailbox, Payload, Queue};
use crate::registry::{ReactorId, Registry};

const CHANNEL: &[u8] = b"channel";
const PATTERN: &[u8] = b"chan*";
const N_REACTORS: u8 = 2;

/// What the reactors share.
struct World {
    registry: Registry,
    mailboxes: Vec<Mailbox>,
    /// Messages whose PUBLISH was begun, and those whose PUBLISH was answered.
    begun: Mutex<Vec<Vec<u8>>>,
    answered: Mutex<Vec<Vec<u8>>>,
}

/// A reactor with one subscriber: what the tables say, and what the subscriber was sent.
struct Reactor {
    id: ReactorId,
    world: Arc<World>,
    index: Index,
    inbox: Inbox,
    received: Vec<Vec<u8>>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            registry: Registry::new(1),
            mailboxes: (0..N_REACTORS).map(|_| Mailbox::new(usize::MAX)).collect(),
            begun: Mutex::default(),
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
        lock(&self.begun).push(payload.to_vec());
        let n = self.registry.publish(Kind::Channel, CHANNEL, |interested| {
            for id in interested.iter() {
                self.mailbox(id).publish(Kind::Channel, CHANNEL, &Payload::Small(payload));
            }
        });
        lock(&self.answered).push(payload.to_vec());
        n
    }
}

fn lock(messages: &Mutex<Vec<Vec<u8>>>) -> MutexGuard<'_, Vec<Vec<u8>>> {
    messages.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Reactor {
    fn new(id: u8, world: &Arc<World>) -> Self {
        Self {
            id: ReactorId(id),
            world: Arc::clone(world),
            index: Index::default(),
            inbox: Inbox::default(),
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
        inbox::drain_until(self, list, 0);
    }

    fn drain(&mut self) {
        inbox::drain(self);
    }

    /// Sends a message to the subscriber, once for each list that it is on.
    fn receive(&mut self, queue: &Queue, message: &Item) {
        let Item::Publish { kind, start, channel_len, payload_len } = message else {
            panic!("no small message: {message:?}")
        };
        let channel = queue.slice(*start, *channel_len as usize);
        let mut lists: Vec<_> = self.index.find(*kind, channel).into_iter().collect();
        self.index.for_each_match(channel, |it| lists.push(it));
        let payload = queue.slice(*start + *channel_len as usize, *payload_len as usize);
        let n = lists.into_iter().map(|it| self.index.subscribers(it).len()).sum();
        self.received.extend(std::iter::repeat_n(payload.to_vec(), n));
    }
}

impl Recipient for Reactor {
    fn mailbox(&self) -> Option<&Mailbox> {
        Some(self.world.mailbox(self.id))
    }

    fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }

    fn fan_out(&mut self, queue: &Queue, at: usize) {
        // All are of one channel, so those behind it go out with it.
        let messages = queue.items.iter().skip(at).take_while(|it| it.is_message());
        self.inbox.take_in_hand(at + messages.clone().count());
        messages.for_each(|it| self.receive(queue, it));
    }

    fn handle(&mut self, item: Item) {
        match item {
            Item::Subscribe { list, slot } => self.index.add(list, slot),
            Item::Unsubscribe { list, slot } => self.index.remove(list, slot),
            other => panic!("nobody posts {other:?}"),
        }
    }

    fn schedule_turn(&mut self) {}

    fn resume_all(&self) {
        panic!("nobody waits for room");
    }

    fn count_lost(&self, n_messages: usize) {
        panic!("{n_messages} messages are lost");
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
    let too_early = lock(&reactor.world.answered).clone();
    reactor.subscribe(kind, name);
    // The confirmation is sent here.
    let perhaps = lock(&reactor.world.begun).clone();
    reactor.drain();
    let before_end = lock(&reactor.world.answered).clone();
    reactor.unsubscribe(kind, name);
    // And here that of the end.
    let received = std::mem::take(&mut reactor.received);
    assert!(
        too_early.iter().all(|it| !received.contains(it)),
        "answered before SUBSCRIBE: {too_early:?} {received:?}"
    );
    let sent_meanwhile = before_end.iter().filter(|it| !perhaps.contains(it));
    for message in sent_meanwhile {
        assert!(
            received.contains(message),
            "{message:?} was sent after the confirmation: {received:?}"
        );
    }
    // Nor is anything missing behind the first that came.
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
