//! What clients meet on their way.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::super::mailbox::Queue;
use super::super::tests::{Around, SLOT, elastic, reactor};
use super::*;

/// Wakes nobody; each is another one.
struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

fn waker() -> Waker {
    Waker::from(Arc::new(Nobody))
}

/// Sends the only client of a reactor to another one, and returns it as it arrives there.
fn carried(from: &mut Reactor, to: ReactorId, around: &Around) -> Carried {
    assert_eq!(from.carry(SLOT, to, false), Sent::Away);
    assert!(from.conns.is_empty());
    let mut queue = Queue::default();
    around.shared.mailbox(to).unwrap().take(&mut queue);
    match queue.items.pop() {
        Some(Item::Carry(carried)) => *carried,
        other => panic!("{other:?} was posted"),
    }
}

/// How many clients each of two reactors is said to have.
fn n_connections(around: &Around) -> [usize; 2] {
    [0, 1].map(|at| around.shared.loads[at].n_connections.load(Ordering::Relaxed))
}

/// How many of them stay there.
fn n_settled(around: &Around) -> [usize; 2] {
    [0, 1].map(|at| around.shared.loads[at].n_settled.load(Ordering::Relaxed))
}

#[test]
fn who_comes_back_to_its_slot_is_served_by_one_task() {
    let (mut reactor, around) = reactor();
    let mut other = Reactor::new(ReactorId(1), Arc::clone(&around.shared));
    let _entered = around.runtime.enter();
    let id = reactor.conn(SLOT).unwrap().facts.id;
    let (before, after) = (waker(), waker());
    let (mut before, mut after) = (Context::from_waker(&before), Context::from_waker(&after));
    assert_eq!(reactor.poll_conn(SLOT, id, &mut before), Poll::Pending);
    other.take_in(carried(&mut reactor, other.id, &around));
    assert_eq!(n_connections(&around), [0, 1]);
    reactor.take_in(carried(&mut other, reactor.id, &around));
    assert_eq!(n_connections(&around), [1, 0]);
    // Whichever of the two is asked first goes on, and the other one ends.
    assert_eq!(reactor.poll_conn(SLOT, id, &mut before), Poll::Pending);
    assert_eq!(reactor.poll_conn(SLOT, id, &mut after), Poll::Ready(()));
    assert_eq!(reactor.poll_conn(SLOT, id, &mut before), Poll::Pending);
}

#[test]
fn who_is_lost_on_the_way_is_forgotten_when_no_command_runs() {
    let (mut reactor, around) = reactor();
    let mut other = Reactor::new(ReactorId(1), Arc::clone(&around.shared));
    let _entered = around.runtime.enter();
    let mut lost = carried(&mut reactor, other.id, &around);
    let id = lost.facts.id;
    // What is no socket can not be waited for.
    let file: OwnedFd = File::open("Cargo.toml").unwrap().into();
    let file = UnixStream::from(file);
    file.set_nonblocking(true).unwrap();
    lost.incoming = Incoming::Unix(file);
    other.take_in(lost);
    assert!(around.shared.clients.get(id).is_some(), "a command may be in progress");
    other.end_turn();
    assert!(around.shared.clients.get(id).is_none() && other.conns.is_empty());
    assert_eq!(n_connections(&around), [0, 0]);
}

#[test]
fn a_fixed_number_of_reactors_hands_nobody_over() {
    let (mut reactor, around) = reactor();
    let _entered = around.runtime.enter();
    around.shared.loads[0].n_connections.store(2, Ordering::Relaxed);
    reactor.hand_over();
    assert_eq!(reactor.conns.len(), 1);
}

#[test]
fn who_subscribes_while_a_script_runs_stays() {
    let (mut reactor, mut around) = elastic(1);
    around.peers[0].write_all(b"SUBSCRIBE c\r\n").unwrap();
    reactor.in_script = true;
    reactor.serve_one_while_busy(SLOT, &mut [0; 64]);
    assert!(reactor.conn(SLOT).unwrap().settled);
    assert_eq!(n_settled(&around), [1, 0]);
}

#[test]
fn those_who_subscribe_in_one_turn_are_spread() {
    let (mut reactor, around) = elastic(100);
    let _entered = around.runtime.enter();
    for slot in 0..100 {
        let mut session = reactor.conn(slot).unwrap().session.take().unwrap();
        reactor.run_arrived(slot, &mut session, b"SUBSCRIBE c\r\n");
        reactor.conn(slot).unwrap().session = Some(session);
    }
    reactor.end_turn();
    assert_eq!(n_settled(&around), [50, 50]);
    assert_eq!(n_connections(&around), [50, 50]);
}
