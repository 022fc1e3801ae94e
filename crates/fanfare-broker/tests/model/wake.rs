//! Nobody sleeps while there is something for him.

use fanfare_engine::host::Kind;
use shuttle::thread;

use crate::check;
use crate::mailbox::{Item, Payload};
use crate::thread::Owner;

const N_POSTERS: usize = 3;
const N_EACH: usize = 2;

#[test]
fn no_wake_up_is_lost() {
    check(|| {
        let owner = Owner::new(usize::MAX);
        let posters: Vec<_> = (0..N_POSTERS)
            .map(|_| {
                let owner = owner.clone();
                thread::spawn(move || (0..N_EACH).for_each(|_| owner.post(Item::Resume)))
            })
            .collect();
        let mut n = 0;
        while n < N_POSTERS * N_EACH {
            owner.sleep();
            n += owner.take().0.items.len();
        }
        posters.into_iter().for_each(|it| assert!(it.join().is_ok()));
    });
}

/// Publishers on reactors of their own, and a subscriber's reactor whose mailbox is full after one message.
#[test]
fn a_publisher_that_waits_is_resumed() {
    check(|| {
        let subscriber = Owner::new(1);
        let publishers: Vec<Owner> = (0..N_POSTERS).map(|_| Owner::new(usize::MAX)).collect();
        let threads: Vec<_> = publishers
            .iter()
            .map(|me| {
                let (me, subscriber) = (me.clone(), subscriber.clone());
                thread::spawn(move || publish(&me, &subscriber))
            })
            .collect();
        let mut n = 0;
        while n < N_POSTERS * N_EACH {
            subscriber.sleep();
            let (queue, somebody_waits) = subscriber.take();
            n += queue.items.len();
            if somebody_waits {
                publishers.iter().for_each(|it| it.post(Item::Resume));
            }
        }
        threads.into_iter().for_each(|it| assert!(it.join().is_ok()));
    });
}

/// Publishes as a reactor does for one session: after a message that finds no room, it goes on when resumed.
fn publish(me: &Owner, subscriber: &Owner) {
    for _ in 0..N_EACH {
        let is_full = subscriber.mailbox.publish(Kind::Channel, b"c", &Payload::Small(b"p"));
        let is_parked = is_full && subscriber.mailbox.must_wait();
        subscriber.mailbox.wake();
        // A `Resume` that was posted before it was parked counts too, as it is found only now.
        while !resume(me) && is_parked {
            me.sleep();
        }
    }
}

/// Handles what was posted to a publisher's reactor; whether parked sessions go on.
fn resume(me: &Owner) -> bool {
    !me.take().0.items.is_empty()
}
