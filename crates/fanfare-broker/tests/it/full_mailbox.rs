//! A mailbox without room makes publishers wait; nothing is lost and everybody goes on afterwards.

use std::thread;

use fanfare_broker::config::Allow;

use crate::peer::{Frame, Peer, addr_of, broker, command, info};

const N_PUBLISHERS: usize = 4;
const N_SUBSCRIBERS: usize = 8;
const N_MESSAGES: usize = 3000;
/// Messages of one transaction: more than a mailbox has room for.
const PER_EXEC: usize = 50;

#[test]
fn publishers_wait_for_room_and_nothing_is_lost() {
    flood(publish_all, N_MESSAGES);
}

#[test]
fn publishers_in_transactions_wait_for_room_and_nothing_is_lost() {
    flood(publish_all_in_transactions, N_MESSAGES / PER_EXEC * PER_EXEC);
}

#[test]
fn publishers_in_long_scripts_wait_for_room_and_nothing_is_lost() {
    flood(publish_all_in_scripts, N_MESSAGES / PER_EXEC * PER_EXEC);
}

#[test]
fn who_is_monitored_waits_for_room_and_every_command_is_shown() {
    let broker = broker(|config| {
        config.reactors = 4;
        config.mailbox_bytes_max = 1024;
        config.enable_debug_command = Allow::Yes;
    });
    let addr = addr_of(&broker);
    let mut monitor = Peer::connect(addr);
    assert_eq!(monitor.call(&["MONITOR"]), Frame::Simple(b"OK".to_vec()));
    let mut admin = Peer::connect(addr);
    thread::scope(|scope| {
        for peer in 0..N_PUBLISHERS {
            scope.spawn(move || {
                let mut peer_of = Peer::connect(addr);
                let echo = |n: usize| command(&["ECHO", &format!("{peer}:{n}")]);
                peer_of.write(&(0..N_MESSAGES).flat_map(echo).collect::<Vec<u8>>());
                for n in 0..N_MESSAGES {
                    assert_eq!(peer_of.read(), Frame::Bulk(format!("{peer}:{n}").into_bytes()));
                }
            });
        }
        for _ in 0..10 {
            assert_eq!(admin.call(&["DEBUG", "SLEEP", "0.02"]), Frame::Simple(b"OK".to_vec()));
        }
        let mut next = [0; N_PUBLISHERS];
        while next.iter().any(|n| *n != N_MESSAGES) {
            let Frame::Simple(line) = monitor.read() else { panic!("a line is a status") };
            let line = String::from_utf8(line).unwrap();
            let Some((_, word)) = line.split_once("\"ECHO\" ") else { continue };
            let (peer, n) = word.trim_matches('"').split_once(':').unwrap();
            let seen = &mut next[peer.parse::<usize>().unwrap()];
            assert_eq!(n.parse::<usize>().unwrap(), *seen, "{line}");
            *seen += 1;
        }
    });
    assert!(0 < info(&mut admin, "pubsub_mailbox_waits"), "nobody ever waited");
}

/// Many publish at once to mailboxes with hardly any room, while reactors stand still now and then.
fn flood(publish: fn(Peer, usize), n_messages: usize) {
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
            scope.spawn(move || read_all(peer, n_messages));
        }
        for publisher in 0..N_PUBLISHERS {
            scope.spawn(move || publish(Peer::connect(addr), publisher));
        }
        for _ in 0..10 {
            assert_eq!(admin.call(&["DEBUG", "SLEEP", "0.02"]), Frame::Simple(b"OK".to_vec()));
        }
    });
    assert!(0 < info(&mut admin, "pubsub_mailbox_waits"), "no publisher ever waited");
    assert_eq!(info(&mut admin, "pubsub_mailbox_bytes"), 0);
    let n_delivered = (N_PUBLISHERS * n_messages * N_SUBSCRIBERS) as u64;
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

/// Transactions that hold a key which all others want, each with more messages than there is room for.
fn publish_all_in_transactions(mut peer: Peer, publisher: usize) {
    let mut batch = Vec::new();
    for numbers in (0..N_MESSAGES / PER_EXEC).map(|it| it * PER_EXEC..(it + 1) * PER_EXEC) {
        batch.extend(command(&["MULTI"]));
        batch.extend(command(&["INCR", "shared"]));
        for number in numbers {
            batch.extend(command(&["PUBLISH", "busy", &format!("{publisher}:{number}")]));
        }
        batch.extend(command(&["INCR", &format!("own {publisher}")]));
        batch.extend(command(&["EXEC"]));
    }
    let mut reader = peer.split();
    thread::scope(|scope| {
        scope.spawn(|| peer.write(&batch));
        for transaction in 1..=(N_MESSAGES / PER_EXEC) as i64 {
            (0..PER_EXEC + 3).for_each(|_| assert!(!reader.read().text().is_empty()));
            let reply = reader.read();
            let [Frame::Int(_), published @ .., Frame::Int(own)] = reply.items() else {
                panic!("{reply:?}")
            };
            assert_eq!(published, vec![Frame::Int(N_SUBSCRIBERS as i64); PER_EXEC]);
            assert_eq!(*own, transaction);
        }
    });
}

/// Scripts that run so long that others are parked for them.
fn publish_all_in_scripts(mut peer: Peer, publisher: usize) {
    let code = "for n = ARGV[2], ARGV[3] do redis.call('PUBLISH', 'busy', ARGV[1] .. ':' .. n) end \
                for n = 1, 100000 do end";
    let (publisher, n_scripts) = (publisher.to_string(), N_MESSAGES / PER_EXEC);
    for script in 0..n_scripts {
        let [first, last] =
            [script * PER_EXEC, (script + 1) * PER_EXEC - 1].map(|it| it.to_string());
        peer.send(&["EVAL", code, "0", &publisher, &first, &last]);
    }
    (0..n_scripts).for_each(|_| assert_eq!(peer.read(), Frame::Null));
}

fn read_all(mut peer: Peer, n_messages: usize) {
    let mut next = [0; N_PUBLISHERS];
    for _ in 0..N_PUBLISHERS * n_messages {
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
