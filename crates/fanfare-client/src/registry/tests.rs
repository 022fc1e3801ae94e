//! Who is told what, and when.

use std::task::{Context, Poll};

use futures_util::task::noop_waker;
use tokio::sync::oneshot;

use super::*;
use crate::{Delivery, ErrorKind, Overflow, Queue as Bounds, message::Outage};

struct Fixture {
    registry: Registry,
    now: Instant,
    n_members: u64,
}

struct Member {
    id: u64,
    queue: Arc<Queue>,
    ready: Call,
}

impl Fixture {
    fn new() -> Self {
        Self { registry: Registry::default(), now: Instant::now(), n_members: 0 }
    }

    fn join(&mut self, names: &[&str], messages_max: usize) -> Member {
        let bounds = Bounds::new(Overflow::DropOldest, messages_max, 1 << 20);
        let queue = Arc::new(Queue::new(bounds, Arc::default()));
        self.n_members += 1;
        let (id, (_, ready)) = (self.n_members, oneshot::channel());
        let mut member = Member { id, queue, ready };
        drop(self.add(&mut member, names));
        member
    }

    /// Another call of a member, which is no longer interested in the last one.
    fn add(&mut self, member: &mut Member, names: &[&str]) -> Call {
        let (ready, receiver) = oneshot::channel();
        let targets = names.iter().map(|name| target(name)).collect();
        self.registry.join(member.id, &member.queue, targets, ready);
        std::mem::replace(&mut member.ready, receiver)
    }

    /// The server confirms everything that is asked, but refuses batches with this name.
    fn serve(&mut self, forbidden: &str) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(batch) = self.registry.poll_batch() {
            if batch.ask == Ask::Subscribe && batch.names.iter().any(|name| name == forbidden) {
                let error = Error::server(b"NOPERM no");
                events.extend(self.registry.handle_refused(self.now, batch, &error));
                continue;
            }
            for name in batch.names {
                let target = Target { kind: batch.kind, name };
                self.registry.handle_confirmed(batch.ask, &target);
            }
        }
        self.registry.wake();
        events
    }

    fn deliver(&mut self, channel: &'static str) {
        let incoming = Incoming {
            kind: Kind::Channel,
            pattern: None,
            channel: Bytes::from_static(channel.as_bytes()),
            payload: Bytes::from_static(b"x"),
        };
        assert!(self.registry.deliver(self.now, SystemTime::UNIX_EPOCH, incoming).is_empty());
    }
}

type Call = oneshot::Receiver<Result<(), Error>>;

/// `None` while it waits.
fn told(call: &mut Call) -> Option<Result<(), ErrorKind>> {
    call.try_recv().ok().map(|it| it.map_err(|error| error.kind()))
}

impl Member {
    /// What its last call was told.
    fn told(&mut self) -> Option<Result<(), ErrorKind>> {
        told(&mut self.ready)
    }

    fn drain(&self) -> String {
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        let mut out = Vec::new();
        while let Poll::Ready(Some(delivery)) = self.queue.poll_next(&mut cx) {
            out.push(match delivery {
                Delivery::Message(message) => message.channel_name().into_owned(),
                Delivery::Gap(_) => "gap".to_owned(),
            });
        }
        out.join(" ")
    }
}

fn target(name: &str) -> Target {
    Target { kind: Kind::Channel, name: Bytes::copy_from_slice(name.as_bytes()) }
}

fn outage() -> Gap {
    let outage = Outage::new(SystemTime::UNIX_EPOCH, Duration::from_secs(1));
    Gap { n_dropped: 0, outage: Some(outage) }
}

#[test]
fn a_member_is_told_once_everything_is_confirmed() {
    let mut fixture = Fixture::new();
    let mut one = fixture.join(&["a", "b"], 10);
    let batch = fixture.registry.poll_batch().unwrap();
    fixture.registry.handle_confirmed(batch.ask, &target("a"));
    fixture.registry.wake();
    assert_eq!(one.told(), None);
    fixture.registry.handle_confirmed(batch.ask, &target("b"));
    fixture.registry.wake();
    assert_eq!(one.told(), Some(Ok(())));
    let mut two = fixture.join(&["b"], 10);
    assert_eq!(two.told(), Some(Ok(())), "it is confirmed already");
    fixture.deliver("b");
    assert_eq!((one.drain(), two.drain()), ("b".into(), "b".into()));
}

#[test]
fn who_waits_through_a_loss_needs_all_confirmations_anew() {
    let mut fixture = Fixture::new();
    let mut one = fixture.join(&["a", "b"], 10);
    let batch = fixture.registry.poll_batch().unwrap();
    fixture.registry.handle_confirmed(batch.ask, &target("a"));
    fixture.registry.handle_disconnected();
    fixture.registry.push_outage(&outage());
    let batch = fixture.registry.poll_batch().unwrap();
    fixture.registry.handle_confirmed(batch.ask, &target("b"));
    fixture.registry.wake();
    assert_eq!(one.told(), None, "a is not confirmed on this connection");
    fixture.registry.handle_confirmed(batch.ask, &target("a"));
    fixture.registry.wake();
    assert_eq!(one.told(), Some(Ok(())));
    assert_eq!(one.drain(), "", "who never was subscribed has missed nothing");
}

#[test]
fn an_outage_is_a_gap_for_those_who_were_subscribed() {
    let mut fixture = Fixture::new();
    let old = fixture.join(&["a"], 10);
    fixture.serve("");
    fixture.deliver("a");
    fixture.registry.handle_disconnected();
    let new = fixture.join(&["a"], 10);
    fixture.registry.push_outage(&outage());
    fixture.serve("");
    fixture.deliver("a");
    assert_eq!((old.drain(), new.drain()), ("a gap a".into(), "a".into()));
}

#[test]
fn a_refusal_fails_who_waits_and_is_an_event_for_who_had_it() {
    let mut fixture = Fixture::new();
    let had_it = fixture.join(&["secret", "open"], 10);
    fixture.serve("");
    fixture.registry.handle_disconnected();
    let mut wants_it = fixture.join(&["secret", "other"], 10);
    let events = fixture.serve("secret");
    assert!(matches!(events.as_slice(), [Event::Refused { .. }]), "{events:?}");
    assert_eq!(wants_it.told(), Some(Err(ErrorKind::Server)));
    fixture.serve("secret");
    for channel in ["open", "other"] {
        fixture.deliver(channel);
    }
    assert_eq!(had_it.drain(), "open");
    assert_eq!(wants_it.drain(), "", "it gets all or nothing");
    fixture.now += Duration::from_secs(10);
    fixture.registry.handle_timeout(fixture.now);
    fixture.serve("");
    fixture.deliver("secret");
    assert_eq!(had_it.drain(), "secret", "it is allowed again");
}

#[test]
fn drops_are_reported_at_most_once_a_second_and_add_up() {
    let mut fixture = Fixture::new();
    let lazy = fixture.join(&["a"], 1);
    fixture.serve("");
    let mut reports = Vec::new();
    for step in 0..40 {
        fixture.deliver("a");
        if fixture.registry.poll_timeout().is_some_and(|at| at <= fixture.now) {
            for event in fixture.registry.handle_timeout(fixture.now) {
                let Event::Dropped { subscription, n } = event else { panic!("{event:?}") };
                assert_eq!(subscription, lazy.id);
                reports.push((step, n));
            }
        }
        fixture.now += Duration::from_millis(100);
    }
    assert_eq!(reports, [(1, 1), (11, 10), (21, 10), (31, 10)]);
}

#[test]
fn who_leaves_gets_nothing_and_the_last_one_unsubscribes() {
    let mut fixture = Fixture::new();
    let (one, two) = (fixture.join(&["a"], 10), fixture.join(&["a", "b"], 10));
    fixture.serve("");
    fixture.registry.leave(one.id);
    assert_eq!(fixture.registry.poll_batch(), None);
    fixture.deliver("a");
    assert_eq!((one.drain(), two.drain()), (String::new(), "a".into()));
    fixture.registry.part(two.id, &[target("a")]);
    assert_eq!(fixture.registry.poll_batch().unwrap().names, ["a"]);
    fixture.registry.leave(two.id);
    assert!(fixture.registry.is_empty());
    fixture.registry.leave(two.id);
}

#[test]
fn a_call_that_fails_takes_away_only_what_it_added() {
    for fail in [
        (|fixture, _| fixture.registry.fail_waiting(&Error::closed())) as fn(&mut Fixture, u64),
        |fixture, id| fixture.registry.take_back(id),
        |fixture, _| drop(fixture.serve("new")),
    ] {
        let mut fixture = Fixture::new();
        let mut one = fixture.join(&["old"], 10);
        fixture.serve("");
        fixture.registry.handle_disconnected();
        fixture.add(&mut one, &["old", "new"]);
        if one.told().is_none() {
            // Nobody waits for it any more.
            one.ready.close();
        }
        fail(&mut fixture, one.id);
        fixture.registry.push_outage(&outage());
        fixture.serve("new");
        fixture.deliver("old");
        fixture.deliver("new");
        assert_eq!(one.drain(), "gap old");
    }
}

#[test]
fn what_another_call_wants_is_not_taken_away() {
    let mut fixture = Fixture::new();
    let mut one = fixture.join(&["forbidden", "shared"], 10);
    let mut first = fixture.add(&mut one, &["shared", "more"]);
    fixture.serve("forbidden");
    fixture.serve("forbidden");
    assert_eq!(told(&mut first), Some(Err(ErrorKind::Server)));
    assert_eq!(one.told(), Some(Ok(())));
    fixture.deliver("shared");
    fixture.deliver("more");
    assert_eq!(one.drain(), "shared more");
}

#[test]
fn who_asked_and_has_gone_gets_nothing_more() {
    let mut fixture = Fixture::new();
    let mut one = fixture.join(&["old"], 10);
    fixture.serve("");
    drop(fixture.add(&mut one, &["new"]));
    one.ready.close();
    fixture.serve("");
    assert_eq!(fixture.serve("").len(), 0);
    fixture.deliver("old");
    fixture.deliver("new");
    assert_eq!(one.drain(), "old");
}

#[test]
fn an_outage_is_a_gap_also_for_who_asks_anew_meanwhile() {
    let mut fixture = Fixture::new();
    let mut one = fixture.join(&["a"], 10);
    fixture.serve("");
    fixture.registry.handle_disconnected();
    fixture.add(&mut one, &["a"]);
    fixture.registry.push_outage(&outage());
    fixture.serve("");
    assert_eq!((one.told(), one.drain()), (Some(Ok(())), "gap".into()));
}

#[test]
fn who_waits_for_what_is_given_up_waits_for_the_rest() {
    let mut fixture = Fixture::new();
    let mut one = fixture.join(&["a", "b"], 10);
    fixture.registry.part(one.id, &[target("a")]);
    assert_eq!(one.told(), None);
    fixture.serve("");
    assert_eq!(one.told(), Some(Ok(())));
}

#[test]
fn nobody_waits_where_nobody_shall_wait() {
    let mut fixture = Fixture::new();
    let mut one = fixture.join(&["a"], 10);
    fixture.registry.fail_waiting(&Error::new(ErrorKind::NotConnected, "down"));
    assert_eq!(one.told(), Some(Err(ErrorKind::NotConnected)));
    assert_eq!(fixture.registry.poll_batch(), None);
    let mut two = fixture.join(&["a"], 10);
    fixture.registry.close(&Error::closed());
    assert_eq!(two.told(), Some(Err(ErrorKind::Closed)));
    assert!(two.queue.has_ended());
}
