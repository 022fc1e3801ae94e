//! Nobody sleeps while there is something for him.

use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::Index;
use shuttle::thread;

use crate::check;
use crate::inbox;
use crate::mailbox::{Item, Payload};
use crate::thread::{Address, Owner};

const N_POSTERS: usize = 3;
const N_EACH: usize = 2;

#[test]
fn no_wake_up_is_lost() {
    check(|| {
        let address = Address::new(usize::MAX);
        let posters: Vec<_> = (0..N_POSTERS)
            .map(|_| {
                let address = address.clone();
                thread::spawn(move || (0..N_EACH).for_each(|_| address.post(Item::Resume)))
            })
            .collect();
        let mut owner = Owner::new(&address, &[]);
        while owner.n_resumes < N_POSTERS * N_EACH {
            owner.turn();
        }
        posters.into_iter().for_each(|it| assert!(it.join().is_ok()));
    });
}

/// Publishers on reactors of their own, and a subscriber's reactor whose mailbox is full after one message.
#[test]
fn a_publisher_that_waits_is_resumed() {
    check(|| publish_to(|_| ()));
}

/// As above, and between its turns the subscriber's reactor runs a command that takes from its mailbox.
#[test]
fn a_publisher_that_waits_is_resumed_whoever_took_its_message() {
    check(|| {
        let list = Index::default().reserve(Kind::Channel, b"c");
        publish_to(|subscriber| {
            subscriber.address.mailbox.post(Item::Unsubscribe { list, slot: 0 });
            inbox::drain_until(subscriber, list, 0);
        });
    });
}

fn publish_to(between_turns: impl Fn(&mut Owner)) {
    let address = Address::new(1);
    let publishers: Vec<_> = (0..N_POSTERS).map(|_| Address::new(usize::MAX)).collect();
    let threads: Vec<_> = publishers
        .iter()
        .map(|me| {
            let (me, subscriber) = (me.clone(), address.clone());
            thread::spawn(move || publish(&me, &subscriber))
        })
        .collect();
    let mut subscriber = Owner::new(&address, &publishers);
    let mut n_turns = 0;
    // Each publisher says when it is done.
    while subscriber.n_resumes < N_POSTERS {
        subscriber.turn();
        n_turns += 1;
        // A command makes for another turn: without an end of commands there might be none of turns.
        if n_turns <= N_POSTERS {
            between_turns(&mut subscriber);
        }
    }
    assert_eq!(subscriber.n_messages, N_POSTERS * N_EACH);
    threads.into_iter().for_each(|it| assert!(it.join().is_ok()));
}

/// Publishes as a reactor does for one session: after a message that finds no room, it goes on when resumed.
fn publish(me: &Address, subscriber: &Address) {
    let mut owner = Owner::new(me, &[]);
    for _ in 0..N_EACH {
        let is_full = subscriber.mailbox.publish(Kind::Channel, b"c", &Payload::Small(b"p"));
        let is_parked = is_full && subscriber.mailbox.must_wait();
        subscriber.mailbox.wake();
        // A `Resume` that was posted before it was parked counts too, as it is found only now.
        let n_resumes = owner.n_resumes;
        inbox::drain(&mut owner);
        while is_parked && owner.n_resumes == n_resumes {
            owner.turn();
        }
    }
    subscriber.post(Item::Resume);
}
