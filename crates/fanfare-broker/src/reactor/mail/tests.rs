//! What was posted behind something that panicked is handled all the same.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::ListId;

use super::super::mailbox::Payload;
use super::super::tests::{SLOT, reactor};
use super::*;

/// Posts a subscriber to `c`, three messages that can not be handed out together, and the subscriber's end.
fn post(reactor: &mut Reactor) -> ListId {
    let list = reactor.index.reserve(Kind::Channel, b"c");
    let mailbox = reactor.mailbox().unwrap();
    mailbox.post(Item::Subscribe { list, slot: SLOT });
    for payload in [b"1", b"2", b"3"] {
        mailbox.publish(Kind::Channel, b"c", &Payload::Small(payload));
        mailbox.post(Item::Resume);
    }
    mailbox.post(Item::Unsubscribe { list, slot: SLOT });
    mailbox.publish(Kind::Channel, b"c", &Payload::Small(b"nobody hears it"));
    list
}

/// Takes what was posted and panics at its `n`th message, as if handing it out had failed.
fn panic_at_message(reactor: &mut Reactor, n: usize, in_command: bool) {
    let n_messages = Cell::new(0);
    let is_last = |item: &Item| {
        n_messages.set(n_messages.get() + usize::from(matches!(item, Item::Publish { .. })));
        if n_messages.get() == n {
            resume_unwind(Box::new("on purpose"));
        }
        false
    };
    inbox::take_mail(reactor);
    let handle = || inbox::handle_inbox(reactor, in_command, is_last);
    let handled = catch_unwind(AssertUnwindSafe(handle));
    assert!(handled.is_err());
}

fn counts(reactor: &Reactor) -> (u64, u64) {
    let stats = reactor.stats().unwrap();
    (stats.n_delivered.get(), stats.n_messages_lost.get())
}

#[test]
fn a_panic_loses_what_is_in_hand_and_counts_it() {
    for in_command in [false, true] {
        let (mut reactor, _around) = reactor();
        post(&mut reactor);
        panic_at_message(&mut reactor, 2, in_command);
        assert_eq!(counts(&reactor), (1, 1));
        reactor.drain();
        assert_eq!(counts(&reactor), (2, 1));
        assert_eq!(reactor.index.find(Kind::Channel, b"c"), None, "the last marker was handled");
    }
}

#[test]
fn messages_that_go_out_together_are_lost_together() {
    let (mut reactor, _around) = reactor();
    let mailbox = reactor.mailbox().unwrap();
    for payload in [b"1", b"2", b"3"] {
        mailbox.publish(Kind::Channel, b"c", &Payload::Small(payload));
    }
    mailbox.post(Item::Resume);
    let mut queue = Queue::default();
    mailbox.take(&mut queue);
    reactor.inbox.take_in_hand(3);
    inbox::count_lost(&mut reactor, &queue);
    assert_eq!(counts(&reactor), (0, 3));
}

#[test]
fn what_is_posted_after_a_panic_comes_after_the_rest() {
    let (mut reactor, _around) = reactor();
    let list = post(&mut reactor);
    panic_at_message(&mut reactor, 1, true);
    reactor.index.reserve(Kind::Channel, b"c");
    let mailbox = reactor.mailbox().unwrap();
    mailbox.post(Item::Subscribe { list, slot: SLOT });
    mailbox.publish(Kind::Channel, b"c", &Payload::Small(b"4"));
    reactor.drain_until(list, SLOT);
    assert_eq!(counts(&reactor), (2, 1), "up to the end of the first subscription");
    reactor.drain();
    assert_eq!(counts(&reactor), (3, 1));
    assert_eq!(reactor.index.subscribers(list), [SLOT]);
}

#[test]
fn those_who_wait_for_room_are_told_in_spite_of_a_panic() {
    let (mut reactor, around) = reactor();
    let shared = &around.shared;
    shared.mailboxes[0].set_bytes_max(1);
    post(&mut reactor);
    assert!(shared.mailboxes[0].must_wait());
    panic_at_message(&mut reactor, 1, false);
    reactor.drain();
    let mut posted = Queue::default();
    shared.mailboxes[1].take(&mut posted);
    assert!(matches!(posted.items.as_slice(), [Item::Resume]), "{posted:?}");
}
