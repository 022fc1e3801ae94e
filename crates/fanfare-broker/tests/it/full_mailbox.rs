//! A mailbox without room makes publishers wait; nothing is lost and everybody goes on afterwards.

use std::thread;

use fanfare_broker::config::Allow;

use crate::peer::{Frame, Peer, addr_of, broker, command, info};

const N_PUBLISHERS: usize = 4;
const N_SUBSCRIBERS: usize = 8;
const N_MESSAGES: usize = 3000;

#[test]
fn publishers_wait_for_room_and_nothing_is_lost() {
    let broker = broker(|config| {
        config.reactors = 4;
        config.mailbox_bytes_max = 1024;
        config.enable_debug_command = Allow::Yes;
    });
    let addr = addr_of(&broker);
    let subscribers: Vec<Peer> = (0..N_SUBSCRIBERS)
        .map(|_| {
            let mut peer = Peer::connect(addr);
            peer.send(&["SUBSCRIBE", "busy"]);
            assert_eq!(peer.read().kind(), Some(&b"subscribe"[..]));
            peer
        })
        .collect();
    let mut admin = Peer::connect(addr);
    thread::scope(|scope| {
        for peer in subscribers {
            scope.spawn(move || read_all(peer));
        }
        for publisher in 0..N_PUBLISHERS {
            scope.spawn(move || publish_all(Peer::connect(addr), publisher));
        }
        for _ in 0..10 {
            assert_eq!(admin.call(&["DEBUG", "SLEEP", "0.02"]), Frame::Simple(b"OK".to_vec()));
        }
    });
    assert!(0 < info(&mut admin, "pubsub_mailbox_waits"), "no publisher ever waited");
    assert_eq!(info(&mut admin, "pubsub_mailbox_bytes"), 0);
    let n_delivered = (N_PUBLISHERS * N_MESSAGES * N_SUBSCRIBERS) as u64;
    assert_eq!(info(&mut admin, "pubsub_messages_delivered"), n_delivered);
}

/// Everything at once, as a client does that pipelines; then the replies.
fn publish_all(mut peer: Peer, publisher: usize) {
    let mut batch = Vec::new();
    for number in 0..N_MESSAGES {
        batch.extend(command(&["PUBLISH", "busy", &format!("{publisher}:{number}")]));
        if number % 7 == 0 {
            batch.extend(command(&["PING"]));
        }
    }
    let mut reader = peer.split();
    thread::scope(|scope| {
        scope.spawn(|| peer.write(&batch));
        for number in 0..N_MESSAGES {
            assert_eq!(reader.read(), Frame::Int(N_SUBSCRIBERS as i64));
            if number % 7 == 0 {
                assert_eq!(reader.read(), Frame::Simple(b"PONG".to_vec()));
            }
        }
    });
}

fn read_all(mut peer: Peer) {
    let mut next = [0; N_PUBLISHERS];
    for _ in 0..N_PUBLISHERS * N_MESSAGES {
        let payload = peer.read().items().get(2).map(Frame::text).unwrap_or_default();
        let number = payload.split_once(':').and_then(|(publisher, number)| {
            Some((publisher.parse::<usize>().ok()?, number.parse::<usize>().ok()?))
        });
        let Some((publisher, number)) = number else { panic!("payload: {payload}") };
        let Some(next) = next.get_mut(publisher) else { panic!("no such publisher: {payload}") };
        assert_eq!(number, std::mem::replace(next, number + 1));
    }
}

#[test]
fn a_client_that_waits_for_room_may_leave() {
    let broker = broker(|config| {
        config.reactors = 2;
        config.mailbox_bytes_max = 1;
    });
    let mut subscriber = Peer::of(&broker);
    subscriber.send(&["SUBSCRIBE", "busy"]);
    assert_eq!(subscriber.read().kind(), Some(&b"subscribe"[..]));
    let n_gone = 200;
    for _ in 0..n_gone {
        let mut peer = Peer::of(&broker);
        peer.write(&command(&["PUBLISH", "busy", "x"]).repeat(20));
    }
    let mut last = Peer::of(&broker);
    crate::peer::wait_until("all are gone", || info(&mut last, "connected_clients") == 2);
    assert_eq!(last.call(&["PUBLISH", "busy", "last"]), Frame::Int(1));
    let mut n_received = 0;
    while subscriber.read().items().get(2) != Some(&Frame::Bulk(b"last".to_vec())) {
        n_received += 1;
    }
    assert!(n_received <= n_gone * 20, "{n_received} messages");
    let n_counted = info(&mut last, "pubsub_messages_published");
    assert_eq!(n_received + 1, n_counted, "messages that were executed were delivered");
}
