//! One order for every channel, whatever reactors publishers and subscribers are on, under random schedules.
//!
//! Four publishers and eight subscribers over four reactors; what everybody saw is checked afterwards by `judge`.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test that can not go on ends")]

mod judge;
mod receiver;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fanfare_testkit::{Rng, seed};

use crate::peer::{Frame, Peer, addr_of, broker, command};
use receiver::{Receiver, Seen};

const N_PUBLISHERS: usize = 4;
const N_SUBSCRIBERS: usize = 8;
const N_CHANNELS: usize = 5;
/// Matches every channel of the test.
const PATTERN: &str = "order:*";
/// Tells subscribers that all has been published.
const CONTROL: &str = "control";

/// How far each publisher is: numbers of messages.
#[derive(Default)]
struct Progress {
    /// May have been sent.
    sent: [AtomicU64; N_PUBLISHERS],
    /// Have been answered.
    answered: [AtomicU64; N_PUBLISHERS],
}

/// The numbers at one moment.
type Snapshot = [u64; N_PUBLISHERS];

impl Progress {
    fn sent(&self) -> Snapshot {
        self.sent.each_ref().map(|it| it.load(Ordering::SeqCst))
    }

    fn answered(&self) -> Snapshot {
        self.answered.each_ref().map(|it| it.load(Ordering::SeqCst))
    }
}

/// What a publisher did.
struct Published {
    /// Sum of the replies.
    n_subscriptions: u64,
    /// Messages per channel.
    n_messages: [u64; N_CHANNELS],
    /// Its own connection, if that is subscribed too.
    receiver: Option<Receiver>,
}

fn channel(index: usize) -> String {
    format!("order:{index}")
}

#[test]
fn every_subscriber_sees_the_same_order() {
    let seed = seed();
    let n_rounds = if std::env::var_os("FANFARE_FULL").is_some() { 40 } else { 3 };
    for round in 0..n_rounds {
        // Every third round with mailboxes that are always full.
        let mailbox_bytes_max = if round % 3 == 2 { 2048 } else { 64 << 20 };
        run(&mut Rng::new(seed.wrapping_add(round)), mailbox_bytes_max, 1500);
    }
}

fn run(rng: &mut Rng, mailbox_bytes_max: u64, n_messages: u64) {
    let broker = broker(|config| {
        config.reactors = 4;
        config.mailbox_bytes_max = mailbox_bytes_max;
    });
    assert_eq!(broker.n_reactors(), 4);
    let addr = addr_of(&broker);
    let progress = Arc::new(Progress::default());
    let mut subscribers = Vec::new();
    for index in 0..N_SUBSCRIBERS {
        let mut receiver = Receiver::new(addr, Arc::clone(&progress), index % 2 == 1);
        match index {
            0 => (0..N_CHANNELS).for_each(|it| receiver.subscribe(&channel(it))),
            1 => receiver.subscribe(PATTERN),
            _ => {}
        }
        receiver.subscribe(CONTROL);
        receiver.wait_confirmed();
        let rng = Rng::new(rng.next_u64());
        subscribers.push(thread::spawn(move || receive(receiver, rng, 2 <= index)));
    }
    let mut publishers = Vec::new();
    for index in 0..N_PUBLISHERS {
        let (progress, rng) = (Arc::clone(&progress), Rng::new(rng.next_u64()));
        publishers.push(thread::spawn(move || publish(addr, index, progress, rng, n_messages)));
    }
    let published: Vec<Published> =
        publishers.into_iter().map(|it| it.join().expect("the publisher holds")).collect();
    let n_told = Peer::connect(addr).call(&["PUBLISH", CONTROL, "end"]).int();
    assert_eq!(n_told, N_SUBSCRIBERS as i64 + 2, "subscribers of {CONTROL}");
    let mut seen: Vec<Seen> =
        subscribers.into_iter().map(|it| it.join().expect("the subscriber holds")).collect();
    let mut n_subscriptions = 0;
    let mut n_messages = [0; N_CHANNELS];
    for publisher in published {
        n_subscriptions += publisher.n_subscriptions;
        n_messages.iter_mut().zip(publisher.n_messages).for_each(|(sum, n)| *sum += n);
        seen.extend(publisher.receiver.map(|it| receive(it, Rng::new(0), false)));
    }
    judge::judge(&seen, &n_messages, n_subscriptions);
    assert!(Peer::connect(addr).call(&["PING"]) == Frame::Simple(b"PONG".to_vec()));
    broker.shutdown();
}

/// Reads to the end; a fickle subscriber comes and goes.
fn receive(mut receiver: Receiver, mut rng: Rng, fickle: bool) -> Seen {
    while !receiver.is_done() {
        let got = receiver.poll(Duration::from_millis(5));
        if fickle && !receiver.has_ended() && (!got || rng.below(40) == 0) {
            let name =
                if rng.below(5) == 0 { PATTERN.to_owned() } else { channel(any_channel(&mut rng)) };
            receiver.toggle(&name, rng.below(4) == 0);
        }
        if rng.below(400) == 0 {
            thread::sleep(Duration::from_micros(rng.below(3000)));
        }
    }
    receiver.finish()
}

/// Publishes `n_messages` in batches of random size to random channels. The first two publishers speak RESP3 and
/// are subscribed themselves.
fn publish(
    addr: SocketAddr,
    me: usize,
    progress: Arc<Progress>,
    mut rng: Rng,
    n_messages: u64,
) -> Published {
    let mut receiver = Receiver::new(addr, Arc::clone(&progress), me < 2);
    if me < 2 {
        receiver.subscribe(if me == 0 { PATTERN } else { "order:1" });
        receiver.subscribe(CONTROL);
        receiver.wait_confirmed();
    }
    let mut published =
        Published { n_subscriptions: 0, n_messages: [0; N_CHANNELS], receiver: None };
    let mut number = 0;
    while number < n_messages {
        let n = (1 + rng.below(32)).min(n_messages - number);
        let in_transaction = rng.below(4) == 0;
        let mut batch = Vec::new();
        if in_transaction {
            batch.extend_from_slice(b"MULTI\r\n");
        }
        for _ in 0..n {
            number += 1;
            let to = any_channel(&mut rng);
            published.n_messages[to] += 1;
            batch.extend_from_slice(&command(&[
                "PUBLISH",
                &channel(to),
                &payload(me, number, &mut rng),
            ]));
        }
        if in_transaction {
            batch.extend_from_slice(b"EXEC\r\n");
        }
        progress.sent[me].store(number, Ordering::SeqCst);
        receiver.peer.write(&batch);
        published.n_subscriptions += read_replies(&mut receiver, n, in_transaction);
        progress.answered[me].store(number, Ordering::SeqCst);
        if rng.below(8) == 0 {
            thread::sleep(Duration::from_micros(rng.below(2000)));
        }
    }
    if me < 2 {
        published.receiver = Some(receiver);
    }
    published
}

/// The sum of what `n` publishes were answered.
fn read_replies(receiver: &mut Receiver, n: u64, in_transaction: bool) -> u64 {
    let counts: Vec<Frame> = if in_transaction {
        assert_eq!(receiver.reply(), Frame::Simple(b"OK".to_vec()));
        (0..n).for_each(|_| assert_eq!(receiver.reply(), Frame::Simple(b"QUEUED".to_vec())));
        receiver.reply().items().to_vec()
    } else {
        (0..n).map(|_| receiver.reply()).collect()
    };
    assert_eq!(counts.len() as u64, n);
    counts.iter().map(|it| it.int().unsigned_abs()).sum()
}

/// `publisher:number:`, now and then with so much behind it that it is not copied from reactor to reactor.
fn payload(publisher: usize, number: u64, rng: &mut Rng) -> String {
    let len = if rng.below(100) == 0 { 20_000 } else { rng.below(80) };
    format!("{publisher}:{number}:{}", "x".repeat(usize::try_from(len).unwrap_or_default()))
}

fn any_channel(rng: &mut Rng) -> usize {
    usize::try_from(rng.below(N_CHANNELS as u64)).unwrap_or_default()
}
