//! The transactional outbox: what is committed arrives, once and in order; what is not, never.

mod database;
mod garbage;
mod outages;
mod process;
mod relays;
mod tables;

use std::time::Duration;

use fanfare::{
    Envelope, ErrorKind, Fanfare,
    outbox::{Destination, Outbox, RelayEvent},
    stream::Trim,
};

use self::database::{Database, Outcome, order, with};
use crate::{
    contracts::{events, is_refused, reading, readings},
    support::{TestResult, next, until},
};

/// One test of each on these databases, with a broker in this process.
macro_rules! on {
    ([$($database:ident),+] $name:ident) => {
        mod $name {$(
            #[test]
            fn $database() {
                let name = concat!(module_path!(), stringify!($database)).replace("::", "-");
                crate::support::run(async {
                    let fanfare = fanfare::Fanfare::connect(&format!("embedded:{name}")).await?;
                    let database = crate::outbox::database::Database::$database().await?;
                    super::$name(database, fanfare).await
                });
            }
        )+}
    };
    ($databases:tt: $($name:ident),+ $(,)?) => {
        $(crate::outbox::on!($databases $name);)+
    };
}

use on;

on!([postgres, sqlite]:
    what_is_rolled_back_never_was,
    writers_at_the_same_time_lose_nothing_and_keep_their_order,
    a_message_that_is_refused_for_good_does_not_hold_up_the_rest,
    messages_to_channels_are_sent_while_they_are_new,
    large_messages_and_many_at_once_arrive_in_order,
    everything_is_within_the_namespace,
    a_row_is_written_only_if_the_message_fits,
);

on!([postgres]: a_message_that_is_committed_late_is_not_passed_over);

const LONG: Duration = Duration::from_secs(60);

/// The numbers that are in the stream.
async fn orders(fanfare: &Fanfare) -> Result<Vec<u64>, fanfare::Error> {
    let entries = fanfare.stream("orders").range(.., None).await?;
    entries.iter().map(|it| Envelope::<u64>::from_entry(it).map(|it| it.data)).collect()
}

/// What is in the stream is what was committed, each once, that of each writer (the number by 1,000,000) in
/// its order.
async fn check(database: &Database, fanfare: &Fanfare) -> Outcome<usize> {
    let mut arrived = orders(fanfare).await?;
    let committed = database.committed().await?;
    // Stable, so the order of each writer stays as it is.
    arrived.sort_by_key(|n| n / 1_000_000);
    assert!(arrived.is_sorted_by(|a, b| a < b), "once, and each writer in order: {arrived:?}");
    assert_eq!(arrived, committed, "no more and no less than what was committed");
    Ok(arrived.len())
}

async fn what_is_rolled_back_never_was(database: Database, fanfare: Fanfare) -> TestResult {
    let relay = database.relay(&fanfare).start().await?;
    let outbox = Outbox::new();
    let mut transaction = database.begin().await?;
    for n in 0..3 {
        transaction.publish("orders", n).await?;
    }
    transaction.rollback().await?;
    let mut transaction = database.begin().await?;
    transaction.publish("orders", 3).await?;
    drop(transaction);
    assert_eq!(database.contents().await?.waiting, 0);
    // A transaction that is not committed is not seen.
    let mut transaction = database.begin().await?;
    for n in 4..7 {
        transaction.publish(&Destination::stream("orders").keep(Trim::maxlen(5)), n).await?;
    }
    assert_eq!(relay.stats().sent, 0);
    transaction.commit().await?;
    database.drained().await;
    assert_eq!(orders(&fanfare).await?, [4, 5, 6]);
    // The other ways of writing, and what is kept of the stream.
    let mut transaction = database.begin().await?;
    let sealed = order(7).seal()?;
    with!(transaction, it => outbox.publish_sealed(it, "orders", &sealed).await?);
    with!(transaction, it => outbox.add(it, "plain", [("field", "value")]).await?);
    let none: [(&str, &str); 0] = [];
    let error = with!(transaction, it => outbox.add(it, "plain", none).await).err();
    assert_eq!(error.map(|it| it.kind()), Some(ErrorKind::InvalidRequest));
    let bounded = Destination::stream("bounded").keep(Trim::maxlen(2));
    for n in 0..5 {
        with!(transaction, it => outbox.publish(it, &bounded, &order(n)).await?);
    }
    transaction.commit().await?;
    database.drained().await;
    assert_eq!(orders(&fanfare).await?, [4, 5, 6, 7]);
    assert_eq!(fanfare.stream("bounded").len().await?, 2);
    let entries = fanfare.stream("plain").range(.., None).await?;
    assert_eq!(entries.first().ok_or("none")?.text("field")?, "value");
    let entries = fanfare.stream("orders").range(.., None).await?;
    let read = Envelope::<u64>::from_entry(entries.first().ok_or("none")?)?;
    assert_eq!(read.head.id(), "id 4");
    let stats = relay.close(LONG).await;
    assert_eq!((stats.sent, stats.duplicates, stats.buried, stats.dead), (10, 0, 0, 0));
    assert_eq!(stats.database_errors + stats.broker_errors, 0, "{stats:?}");
    Ok(())
}

/// A transaction: before which moment it had not begun, after which it had ended, and what it wrote.
struct Written {
    began: u64,
    ended: u64,
    numbers: std::ops::Range<u64>,
}

/// Writes transactions of one to three messages, and leaves time between writing and committing.
async fn write(
    database: &Database,
    writer: u64,
    n_transactions: u64,
    clock: &std::cell::Cell<u64>,
) -> Outcome<Vec<Written>> {
    let mut rng = fanfare_testkit::Rng::new(fanfare_testkit::seed() ^ writer);
    let (mut n, mut written) = (writer * 1_000_000, Vec::new());
    let pause = async |ms| tokio::time::sleep(Duration::from_millis(ms)).await;
    let tick = || clock.replace(clock.get() + 1);
    for _ in 0..n_transactions {
        let began = tick();
        let mut transaction = database.begin().await?;
        let begin = n;
        for _ in 0..=rng.below(3) {
            transaction.publish("orders", n).await?;
            pause(rng.below(6)).await;
            n += 1;
        }
        if rng.below(5) == 0 {
            transaction.rollback().await?;
            continue;
        }
        transaction.commit().await?;
        written.push(Written { began, ended: tick(), numbers: begin..n });
        pause(rng.below(6)).await;
    }
    Ok(written)
}

/// The ids of PostgreSQL are not in the order of commits: whoever remembers the last one loses messages.
async fn writers_at_the_same_time_lose_nothing_and_keep_their_order(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let relay = database.relay(&fanfare).poll(Duration::from_millis(1)).start().await?;
    println!("seed {}", fanfare_testkit::seed());
    let clock = std::cell::Cell::new(0);
    let writers = (0..8).map(|writer| write(&database, writer, 20, &clock));
    let mut written = Vec::new();
    for of_one in futures_util::future::join_all(writers).await {
        written.extend(of_one?);
    }
    database.drained().await;
    let n = check(&database, &fanfare).await?;
    // Of transactions of which one had ended before the other began, it comes first.
    let mut ended_after = u64::MAX;
    for n in orders(&fanfare).await?.iter().rev() {
        let of = written.iter().find(|it| it.numbers.contains(n)).ok_or("nobody wrote it")?;
        assert!(of.began < ended_after, "{n} comes before what had ended before it began");
        ended_after = ended_after.min(of.ended);
    }
    let stats = relay.close(LONG).await;
    assert_eq!((stats.sent, stats.duplicates), (u64::try_from(n)?, 0));
    Ok(())
}

/// Its id is lower than that of one which was sent long before.
async fn a_message_that_is_committed_late_is_not_passed_over(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let relay = database.relay(&fanfare).start().await?;
    let mut late = database.begin().await?;
    let first = late.publish("orders", 0).await?;
    let mut early = database.begin().await?;
    let second = early.publish("orders", 1).await?;
    assert!(first < second);
    early.commit().await?;
    until("the second one is sent", || relay.stats().sent == 1).await?;
    late.publish("orders", 2).await?;
    late.commit().await?;
    until("all are sent", || relay.stats().sent == 3).await?;
    assert_eq!(orders(&fanfare).await?, [1, 0, 2]);
    Ok(())
}

async fn a_message_that_is_refused_for_good_does_not_hold_up_the_rest(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    fanfare.command(["SET", "text", "x"]).await?;
    let mut transaction = database.begin().await?;
    for n in 0..20 {
        transaction.publish(if n % 2 == 0 { "orders" } else { "text" }, n).await?;
    }
    transaction.commit().await?;
    let relay = database.relay(&fanfare).start().await?;
    let mut events = relay.events();
    database.drained().await;
    assert_eq!(orders(&fanfare).await?, (0..20).step_by(2).collect::<Vec<_>>());
    let letters = database.dead_letters().await?;
    assert_eq!(letters.len(), 10);
    let first = letters.first().ok_or("none")?;
    assert!(first.error.starts_with("WRONGTYPE"), "{first:?}");
    assert_eq!(first.destination, Destination::stream("text"));
    assert_eq!(first.message_id.as_deref(), Some("id 1"));
    assert!(first.fields.iter().any(|it| it.0 == "event_id" && it.1 == "id 1"), "{first:?}");
    let age = first.time.elapsed()?;
    assert!(age < LONG, "{age:?}");
    until("the dead are counted", || relay.stats().dead == 10).await?;
    assert_eq!((relay.stats().buried, database.contents().await?.dead), (10, 10));
    while !matches!(events.next().await, Some(RelayEvent::Buried { .. })) {}
    // Two go, the reason for the rest is mended.
    let [a, b, c] = [0, 1, 2].map(|at| letters.get(at).map_or(0, |it| it.id));
    let outbox = Outbox::new();
    let mut transaction = database.begin().await?;
    let discarded = with!(transaction, it => outbox.discard(it, [a, b]).await?);
    let nothing = with!(transaction, it => outbox.requeue(it, [-1]).await?);
    transaction.commit().await?;
    assert_eq!((discarded, nothing), (2, 0));
    fanfare.command(["DEL", "text"]).await?;
    let mut transaction = database.begin().await?;
    let one = with!(transaction, it => outbox.requeue(it, [c]).await?);
    let rest = with!(transaction, it => outbox.requeue_all(it).await?);
    transaction.commit().await?;
    assert_eq!((one, rest), (1, 7));
    database.drained().await;
    let entries = fanfare.stream("text").range(.., None).await?;
    let ids: Vec<_> = entries.iter().filter_map(|it| it.text("event_id").ok()).collect();
    assert_eq!(ids, (5..20).step_by(2).map(|n| format!("id {n}")).collect::<Vec<_>>());
    assert_eq!(database.contents().await?.dead, 0);
    Ok(())
}

async fn messages_to_channels_are_sent_while_they_are_new(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let mut news = fanfare.subscribe(["news"]).await?;
    let channel = Destination::channel("news");
    let relay = database.relay(&fanfare).channels(LONG).start().await?;
    for n in 0..3 {
        let mut transaction = database.begin().await?;
        transaction.publish(&channel, n).await?;
        transaction.commit().await?;
    }
    for n in 0..3 {
        let read: Envelope<u64> = Envelope::from_payload(&next(&mut news).await?.payload)?;
        assert_eq!((read.data, read.head.id()), (n, format!("id {n}").as_str()));
    }
    database.drained().await;
    relay.close(LONG).await;
    let mut transaction = database.begin().await?;
    for n in 3..6 {
        transaction.publish(&channel, n).await?;
    }
    transaction.publish("orders", 6).await?;
    transaction.commit().await?;
    database.run("UPDATE fanfare_outbox SET created_us = created_us - 61000000").await?;
    let mut transaction = database.begin().await?;
    transaction.publish(&channel, 7).await?;
    transaction.commit().await?;
    let waiting = database.contents().await?;
    assert!(waiting.waiting == 5 && waiting.oldest_age.is_some_and(|it| LONG < it), "{waiting:?}");
    let relay = database.relay(&fanfare).channels(LONG).start().await?;
    let read: Envelope<u64> = Envelope::from_payload(&next(&mut news).await?.payload)?;
    assert_eq!(read.data, 7);
    database.drained().await;
    assert_eq!(orders(&fanfare).await?, [6]);
    let stats = relay.close(LONG).await;
    assert_eq!((stats.expired, stats.sent, stats.buried), (3, 2, 0));
    Ok(())
}

/// More than is read, and more than is sent, at once; and one message that alone is more.
async fn large_messages_and_many_at_once_arrive_in_order(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let text = |n: usize, len: usize| format!("{n:06}{}", "x".repeat(len));
    let lens: Vec<usize> = [6 << 20, 10, 5 << 20, 5 << 20]
        .into_iter()
        .chain((0..40).map(|n| (n % 7) * 100_000))
        .chain((0..700).map(|_| 20))
        .collect();
    let mut transaction = database.begin().await?;
    for (n, len) in lens.iter().enumerate() {
        let large = Envelope::new("file.written", text(n, *len));
        with!(transaction, it => Outbox::new().publish(it, "files", &large).await?);
    }
    transaction.commit().await?;
    let relay = database.relay(&fanfare).try_for(LONG).start().await?;
    database.drained().await;
    let entries = fanfare.stream("files").range(.., None).await?;
    assert_eq!(entries.len(), lens.len());
    for (n, (entry, len)) in entries.iter().zip(lens).enumerate() {
        let read = Envelope::<String>::from_entry(entry)?;
        assert!(read.data == text(n, len), "message {n} is another one");
    }
    let stats = relay.close(LONG).await;
    assert_eq!((stats.sent, stats.duplicates, stats.buried), (744, 0, 0));
    Ok(())
}

async fn everything_is_within_the_namespace(database: Database, fanfare: Fanfare) -> TestResult {
    let url = format!("embedded:{}", fanfare_testkit::seed());
    let names = Fanfare::builder(&url).options(|it| it.namespace("eu:")).connect().await?;
    drop(fanfare);
    let relay = database.relay(&names).start().await?;
    let mut news = names.subscribe(["news"]).await?;
    database.publish(0..3).await?;
    let mut transaction = database.begin().await?;
    transaction.publish(Destination::channel("news"), 3).await?;
    transaction.commit().await?;
    assert_eq!(Envelope::<u64>::from_payload(&next(&mut news).await?.payload)?.data, 3);
    database.drained().await;
    assert_eq!(orders(&names).await?, [0, 1, 2]);
    relay.close(LONG).await;
    let keys = names.command(["KEYS", "*"]).await?;
    let mut keys: Vec<_> =
        keys.as_array().ok_or("none")?.iter().filter_map(|it| it.as_str()).collect();
    keys.sort_unstable();
    let [channel, stream, memory] = keys[..] else { return Err(format!("{keys:?}").into()) };
    assert!(channel.starts_with("eu:fanfare:channel:news:fanfare:sent:"), "{channel}");
    assert_eq!(stream, "eu:orders");
    assert!(memory.starts_with("eu:{eu:orders}:fanfare:sent:"), "{memory}");
    Ok(())
}

/// What breaks the contract is told before the database is: the transaction goes on.
async fn a_row_is_written_only_if_the_message_fits(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let outbox = Outbox::new();
    let envelope = |celsius: serde_json::Value| Envelope::new("read", reading(celsius));
    let (stream, channel) = (Destination::stream("readings"), Destination::channel("readings"));
    let places = [stream.contract(events("read")?), channel.contract(events("read")?)];
    let plain = Destination::stream("plain").contract(readings()?);
    let mut transaction = database.begin().await?;
    for to in &places {
        let bad = envelope("secret".into());
        is_refused(with!(transaction, it => outbox.publish(it, to, &bad).await))?;
        is_refused(with!(transaction, it => outbox.publish_sealed(it, to, &bad.seal()?).await))?;
        with!(transaction, it => outbox.publish(it, to, &envelope(7.into())).await?);
    }
    let field = |celsius: serde_json::Value| [("data", reading(celsius).to_string())];
    is_refused(with!(transaction, it => outbox.add(it, &plain, field("secret".into())).await))?;
    with!(transaction, it => outbox.add(it, &plain, field(8.into())).await?);
    transaction.commit().await?;
    assert_eq!(database.contents().await?.waiting, 3);
    let relay = database.relay(&fanfare).start().await?;
    database.drained().await;
    assert_eq!(fanfare.stream("readings").len().await?, 1);
    assert_eq!(fanfare.stream("plain").len().await?, 1);
    let stats = relay.close(LONG).await;
    assert_eq!((stats.sent, stats.buried), (3, 0), "{stats:?}");
    Ok(())
}
