//! The end of a broker: what was ready is sent, connections are closed, threads end, wherever it is dropped.

use std::time::Duration;

use fanfare_broker::Broker;
use fanfare_testkit::TempDir;
use socket2::SockRef;

use crate::peer::{Frame, Peer, addr_of, broker, command, wait_until};

fn subscriber(broker: &Broker) -> Peer {
    let mut peer = Peer::of(broker);
    peer.send(&["SUBSCRIBE", "c"]);
    assert_eq!(peer.read().kind(), Some(&b"subscribe"[..]));
    peer
}

#[test]
fn what_was_answered_and_published_before_is_sent() {
    for _ in 0..20 {
        let broker = broker(|config| config.reactors = 4);
        let addr = addr_of(&broker);
        let mut subscribers: Vec<Peer> = (0..8).map(|_| subscriber(&broker)).collect();
        let mut idle: Vec<Peer> = (0..8).map(|_| Peer::of(&broker)).collect();
        let mut publisher = Peer::of(&broker);
        publisher.write(&command(&["PUBLISH", "c", "p"]).repeat(100));
        (0..100).for_each(|_| assert_eq!(publisher.read(), Frame::Int(8)));
        broker.shutdown();
        for peer in &mut subscribers {
            let messages = peer.read_to_end();
            assert_eq!(messages.len(), 100);
            assert!(messages.iter().all(|it| it.kind() == Some(b"message")));
        }
        idle.iter_mut().for_each(|it| assert!(it.read_to_end().is_empty()));
        assert!(publisher.read_to_end().is_empty());
        assert!(std::net::TcpStream::connect(addr).is_err(), "somebody still listens");
    }
}

#[test]
fn those_who_do_not_read_do_not_hold_it_up() {
    let broker = broker(|config| {
        config.reactors = 2;
        config.output_limits.pubsub.hard_bytes = 0;
        config.output_limits.pubsub.soft_bytes = 0;
    });
    let mut deaf = subscriber(&broker);
    assert!(SockRef::from(deaf.stream()).set_recv_buffer_size(64 * 1024).is_ok());
    let mut publisher = Peer::of(&broker);
    let payload = "x".repeat(100_000);
    (0..200).for_each(|_| assert_eq!(publisher.call(&["PUBLISH", "c", &payload]), Frame::Int(1)));
    // One that waits for the end of a pause, too.
    let mut paused = Peer::of(&broker);
    assert_eq!(
        publisher.call(&["CLIENT", "PAUSE", "1000000", "WRITE"]),
        Frame::Simple(b"OK".to_vec())
    );
    paused.send(&["PUBLISH", "c", "never"]);
    broker.shutdown();
    assert!(deaf.read_to_end().len() < 200);
    assert!(paused.read_to_end().is_empty());
}

#[test]
fn a_client_can_ask_for_the_end() {
    let broker = broker(|config| config.reactors = 4);
    let (mut others, mut asking) = (subscriber(&broker), Peer::of(&broker));
    assert!(!broker.is_stopping());
    asking.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(asking.read_to_end().is_empty());
    assert!(others.read_to_end().is_empty());
    wait_until("it is stopping", || broker.is_stopping());
    broker.shutdown();
}

#[test]
fn it_can_be_dropped_anywhere() {
    let dropped = |broker: Broker| {
        let mut peer = subscriber(&broker);
        drop(broker);
        assert!(peer.read_to_end().is_empty());
    };
    dropped(broker(|config| config.reactors = 4));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { panic!("no runtime") };
    runtime.block_on(async { dropped(broker(|config| config.reactors = 4)) });
    runtime.block_on(async {
        let broker = broker(|config| config.reactors = 4);
        let task = tokio::task::spawn(async move {
            tokio::time::timeout(Duration::from_millis(1), broker.stopping()).await.is_err()
        });
        // The broker is dropped with the task.
        assert!(task.await.is_ok_and(|it| it), "nobody asked for the end");
    });
    let unwound = std::panic::catch_unwind(|| {
        let _broker = broker(|config| config.reactors = 4);
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(unwound.is_err());
}

#[test]
fn brokers_come_and_go() {
    let Ok(dir) = TempDir::new() else { panic!("no temporary directory") };
    let path = dir.path().join("broker.sock");
    for _ in 0..100 {
        let broker = broker(|config| {
            config.reactors = 4;
            config.unixsocket = Some(path.clone());
        });
        let mut peer = Peer::of(&broker);
        peer.send(&["PING"]);
        assert!(path.exists());
        broker.shutdown();
        assert!(!path.exists(), "the socket is left behind");
    }
}
