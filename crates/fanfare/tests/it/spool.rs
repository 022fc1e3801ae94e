//! Spools: what is published while the broker is away arrives, once and in order.
//!
//! T2 of the sketches: a fallback that stored what could not be published stored nothing, and was never
//! played back.

mod disk;
mod process;

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use fanfare::{
    Envelope, ErrorKind, Fanfare, Value, WhileDown,
    spool::{Accepted, Destination, Fsync, Spool, SpoolBuilder, SpoolEvent, WhenFull},
    stream::Trim,
};

use crate::support::{Target, TestResult, next, on_embedded, on_every_broker, until};

/// One test of each on a cluster, and on servers with sentinels under which no replica takes over: what
/// that would lose of what the master had is not the spool's.
macro_rules! on_groups {
    ($($name:ident),+ $(,)?) => {
        mod cluster {$(
            #[test]
            fn $name() {
                let group = fanfare_testkit::ClusterGroup::start();
                crate::support::run(super::$name(crate::support::Target::Cluster(group)));
            }
        )+}

        mod sentinel {$(
            #[test]
            fn $name() {
                let group = super::patient_sentinels();
                crate::support::run(super::$name(crate::support::Target::Sentinel(group)));
            }
        )+}
    };
}

on_groups!(
    a_broker_that_hangs_gets_everything_once_and_in_order,
    a_broker_that_was_away_gets_everything_whoever_opens_the_directory,
);

on_every_broker!(
    a_broker_that_hangs_gets_everything_once_and_in_order,
    a_broker_that_was_away_gets_everything_whoever_opens_the_directory,
    what_is_refused_for_good_does_not_hold_up_the_rest,
    messages_to_channels_wait_if_they_are_to_be_kept_and_not_for_long,
    what_was_sent_before_a_crash_is_not_sent_again,
    a_full_spool_refuses_or_drops_the_oldest,
    closing_sends_what_waits,
    what_the_broker_takes_is_sent_directly,
    what_is_remembered_is_within_the_namespace,
);

on_embedded!(
    a_broker_that_was_away_gets_everything_whoever_opens_the_directory,
    what_the_broker_takes_is_sent_directly,
    what_is_remembered_is_within_the_namespace,
);

/// A directory that is gone with this.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let n = fanfare_testkit::seed() ^ u64::from(std::process::id());
        let thread = std::thread::current().name().unwrap_or_default().replace("::", "-");
        let path = std::env::temp_dir().join(format!("fanfare-it-{n:x}-{thread}"));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const LONG: Duration = Duration::from_secs(60);

fn patient_sentinels() -> fanfare_testkit::SentinelGroup {
    fanfare_testkit::SentinelGroup::start_with_timeout(LONG)
}

/// A spool that does not wait for long when a broker hangs.
fn impatient(fanfare: &Fanfare, directory: &Directory) -> SpoolBuilder {
    fanfare.spool(directory.path()).try_for(Duration::from_millis(500))
}

fn order(n: u64) -> Envelope<u64> {
    Envelope::new("order.created", n).id(format!("id {n}"))
}

async fn publish(spool: &Spool, numbers: std::ops::Range<u64>) -> TestResult {
    for n in numbers {
        spool.publish("orders", &order(n)).await?;
    }
    Ok(())
}

/// The numbers that are in the stream.
async fn orders(fanfare: &Fanfare) -> Result<Vec<u64>, fanfare::Error> {
    let entries = fanfare.stream("orders").range(.., None).await?;
    entries.iter().map(|it| Envelope::<u64>::from_entry(it).map(|it| it.data)).collect()
}

async fn drained(spool: &Spool) -> TestResult {
    until("nothing waits", || spool.stats().waiting == 0).await
}

async fn what_the_broker_takes_is_sent_directly(server: Target) -> TestResult {
    let (fanfare, directory) = (server.connect().await?, Directory::new());
    let spool = fanfare.spool(directory.path()).open().await?;
    let bounded = Destination::stream("orders").keep(Trim::maxlen(3));
    for n in 0..5 {
        assert_eq!(spool.publish(&bounded, &order(n)).await?, Accepted::Sent);
    }
    assert_eq!(orders(&fanfare).await?, [2, 3, 4]);
    let many = (0..100).map(|n| {
        let spool = spool.clone();
        async move { spool.add("many", [("n", n.to_string())]).await }
    });
    for outcome in futures_util::future::join_all(many).await {
        assert_eq!(outcome?, Accepted::Sent);
    }
    assert_eq!(fanfare.stream("many").len().await?, 100);
    // What the broker refuses is told at once.
    fanfare.command(["SET", "text", "x"]).await?;
    let error = spool.add("text", [("n", "1")]).await.err().ok_or("it was taken")?;
    assert_eq!(error.server_code(), Some("WRONGTYPE"));
    let fields = |n: u64| (0..n).map(|n| (format!("f{n}"), "v"));
    assert_eq!(spool.add("wide", fields(1_990)).await?, Accepted::Sent);
    let error = spool.add("wide", fields(2_010)).await.err().ok_or("it was taken")?;
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let error = spool.add("a}b", [("n", "1")]).await.err().ok_or("it was taken")?;
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let error = spool.add("n", Vec::<(&str, &str)>::new()).await.err().ok_or("it was taken")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    // Channels are as without it.
    assert_eq!(spool.publish(Destination::channel("news"), &order(1)).await?, Accepted::Sent);
    let stats = spool.close(LONG).await;
    assert_eq!((stats.sent, stats.spooled, stats.waiting), (106, 0, 0));
    let error = spool.publish("orders", &order(5)).await.err().ok_or("it was taken")?;
    assert_eq!(error.to_string(), "the spool is closed");
    assert!(spool.events().next().await.is_none());
    Ok(())
}

async fn what_is_remembered_is_within_the_namespace(server: Target) -> TestResult {
    let fanfare = Fanfare::builder(&server.url())
        .options(|options| options.namespace("eu:"))
        .connect()
        .await?;
    let directory = Directory::new();
    let spool = fanfare.spool(directory.path()).channels(LONG).open().await?;
    let mut news = fanfare.subscribe(["news"]).await?;
    publish(&spool, 0..3).await?;
    spool.publish(Destination::channel("news"), &order(3)).await?;
    assert_eq!(Envelope::<u64>::from_payload(&next(&mut news).await?.payload)?.data, 3);
    assert_eq!(orders(&fanfare).await?, [0, 1, 2]);
    let keys = fanfare.command(["KEYS", "*"]).await?;
    let mut keys: Vec<_> =
        keys.as_array().ok_or("none")?.iter().filter_map(|it| it.as_str()).collect();
    keys.sort_unstable();
    let [channel, stream, memory] = keys[..] else { return Err(format!("{keys:?}").into()) };
    assert!(channel.starts_with("eu:fanfare:channel:news:fanfare:sent:"), "{channel}");
    assert_eq!(stream, "eu:orders");
    assert!(memory.starts_with("eu:{eu:orders}:fanfare:sent:"), "{memory}");
    Ok(())
}

/// Answers are lost on the way: what was sent and not answered is sent again, and is there once.
async fn a_broker_that_hangs_gets_everything_once_and_in_order(server: Target) -> TestResult {
    let (fanfare, directory) = (server.connect().await?, Directory::new());
    let spool = impatient(&fanfare, &directory).open().await?;
    let mut events = spool.events();
    publish(&spool, 0..20).await?;
    assert_eq!(spool.stats().sent, 20);
    server.freeze().await?;
    let (first, second) = (order(20), order(21));
    let begun = [spool.publish("orders", &first), spool.publish("orders", &second)];
    for outcome in futures_util::future::join_all(begun).await {
        assert_eq!(outcome?, Accepted::Spooled);
    }
    publish(&spool, 22..120).await?;
    assert!(matches!(events.next().await, Some(SpoolEvent::Spooling { .. })));
    let stats = spool.stats();
    assert_eq!((stats.waiting, stats.spooled), (100, 100));
    assert!(stats.oldest_age.is_some() && stats.last_error.is_some());
    server.sigcont();
    publish(&spool, 120..150).await?;
    drained(&spool).await?;
    publish(&spool, 150..170).await?;
    drained(&spool).await?;
    assert_eq!(orders(&fanfare).await?, (0..170).collect::<Vec<_>>());
    let stats = spool.stats();
    assert_eq!(stats.sent + stats.replayed, 170);
    assert!(stats.oldest_age.is_none() && stats.dropped + stats.refused + stats.buried == 0);
    Ok(())
}

/// The broker is away and back without what it had; meanwhile the spool is closed and opened again.
async fn a_broker_that_was_away_gets_everything_whoever_opens_the_directory(
    mut server: Target,
) -> TestResult {
    let (fanfare, directory) = (server.connect().await?, Directory::new());
    server.stop();
    let spool = impatient(&fanfare, &directory).open().await?;
    let begin = SystemTime::now() - Duration::from_millis(1);
    publish(&spool, 0..60).await?;
    let error = spool.clone();
    let second = impatient(&fanfare, &directory).open().await.err().ok_or("it was taken")?;
    assert_eq!(second.kind(), ErrorKind::Storage, "{second}");
    assert_eq!(spool.close(Duration::ZERO).await.waiting, 60);
    drop((spool, error));
    let lazy = Fanfare::builder(&server.url()).connect_lazy().await?;
    let spool = impatient(&lazy, &directory).open().await?;
    assert_eq!((spool.recovery().messages, spool.recovery().cut_bytes), (60, 0));
    publish(&spool, 60..90).await?;
    let end = SystemTime::now();
    server.restart();
    drained(&spool).await?;
    let entries = lazy.stream("orders").range(.., None).await?;
    let read: Vec<Envelope<u64>> =
        entries.iter().map(Envelope::from_entry).collect::<Result<_, _>>()?;
    assert_eq!(read.iter().map(|it| it.data).collect::<Vec<_>>(), (0..90).collect::<Vec<_>>());
    for envelope in &read {
        assert_eq!(envelope.head.id(), format!("id {}", envelope.data));
        let time = envelope.head.time();
        assert!(begin <= time && time <= end);
    }
    Ok(())
}

async fn what_is_refused_for_good_does_not_hold_up_the_rest(server: Target) -> TestResult {
    let (fanfare, directory) = (server.connect().await?, Directory::new());
    let spool = impatient(&fanfare, &directory).open().await?;
    fanfare.command(["SET", "text", "x"]).await?;
    server.freeze().await?;
    for n in 0..10 {
        spool.publish("text", &order(n)).await?;
        spool.publish("orders", &order(n)).await?;
    }
    server.sigcont();
    drained(&spool).await?;
    assert_eq!(orders(&fanfare).await?, (0..10).collect::<Vec<_>>());
    let stats = spool.stats();
    assert_eq!((stats.buried, stats.dead, stats.replayed), (10, 10, 10));
    let letters = spool.dead_letters().await?;
    assert_eq!(letters.len(), 10);
    let first = letters.first().ok_or("none")?;
    assert!(first.error.starts_with("WRONGTYPE"), "{first:?}");
    assert_eq!(first.destination, Destination::stream("text"));
    assert_eq!(first.id.as_deref(), Some("id 0"));
    assert!(first.fields.iter().any(|it| it.0 == "event_id" && it.1 == "id 0"), "{first:?}");
    // Another one opens the directory, and the reason is gone.
    spool.close(LONG).await;
    let spool = impatient(&fanfare, &directory).open().await?;
    fanfare.command(["DEL", "text"]).await?;
    assert_eq!(spool.requeue([first.sequence]).await?, 1);
    assert_eq!(spool.requeue_all().await?, 9);
    drained(&spool).await?;
    let entries = fanfare.stream("text").range(.., None).await?;
    let ids: Vec<_> = entries.iter().filter_map(|it| it.text("event_id").ok()).collect();
    assert_eq!(ids, (0..10).map(|n| format!("id {n}")).collect::<Vec<_>>());
    assert_eq!(spool.stats().dead, 0);
    Ok(())
}

async fn messages_to_channels_wait_if_they_are_to_be_kept_and_not_for_long(
    mut server: Target,
) -> TestResult {
    let (fanfare, directory) = (server.connect().await?, Directory::new());
    let mut news = fanfare.subscribe(["news"]).await?;
    let channel = Destination::channel("news");
    let spool = impatient(&fanfare, &directory).channels(LONG).open().await?;
    assert_eq!(spool.publish(&channel, &order(0)).await?, Accepted::Sent);
    server.freeze().await?;
    for n in 1..5 {
        assert_eq!(spool.publish(&channel, &order(n)).await?, Accepted::Spooled);
    }
    server.sigcont();
    for n in 0..5 {
        let read: Envelope<u64> = Envelope::from_payload(&next(&mut news).await?.payload)?;
        assert_eq!((read.data, read.head.id()), (n, format!("id {n}").as_str()));
    }
    drained(&spool).await?;
    spool.close(LONG).await;
    // What is live is of no use when it is old.
    let fail_fast = Fanfare::builder(&server.url())
        .options(|options| options.while_down(WhileDown::FailFast))
        .connect()
        .await?;
    let spool = impatient(&fail_fast, &directory).channels(Duration::from_millis(1)).open().await?;
    let mut events = spool.events();
    server.stop();
    until("it is noticed", || !fail_fast.stats().commands.is_up).await?;
    spool.publish("orders", &order(8)).await?;
    for n in 5..8 {
        spool.publish(&channel, &order(n)).await?;
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
    server.restart();
    drained(&spool).await?;
    crate::support::restored(&news).await;
    assert_eq!((spool.stats().expired, orders(&fanfare).await?), (3, vec![8]));
    let mut n_expired = 0;
    while n_expired < 3 {
        if let Some(SpoolEvent::Expired { n }) = events.next().await {
            n_expired += n;
        }
    }
    fanfare.publish("news", "the end").await?;
    assert_eq!(next(&mut news).await?.payload, "the end");
    Ok(())
}

/// The directory is as it was before anything was sent: as if the process had been killed before it noted
/// that.
async fn what_was_sent_before_a_crash_is_not_sent_again(server: Target) -> TestResult {
    let (fanfare, directory) = (server.connect().await?, Directory::new());
    let spool = impatient(&fanfare, &directory).open().await?;
    server.freeze().await?;
    publish(&spool, 0..700).await?;
    let before = Directory(directory.path().with_extension("before"));
    std::fs::create_dir_all(before.path())?;
    spool.close(Duration::ZERO).await;
    for entry in std::fs::read_dir(directory.path())? {
        let entry = entry?;
        std::fs::copy(entry.path(), before.path().join(entry.file_name()))?;
    }
    server.sigcont();
    for directory in [&directory, &before, &before] {
        let spool = impatient(&fanfare, directory).open().await?;
        drained(&spool).await?;
        assert_eq!(orders(&fanfare).await?, (0..700).collect::<Vec<_>>());
        if directory.path() == before.path() {
            break;
        }
        assert_eq!(spool.stats().duplicates, 0);
    }
    let keys = fanfare.command(["KEYS", "*:fanfare:sent:*"]).await?;
    let Some([key]) = keys.as_array() else { return Err(format!("{keys:?}").into()) };
    let key = key.as_str().ok_or("no text")?;
    assert!(key.starts_with("{orders}:fanfare:sent:"), "{key}");
    let ttl = fanfare.command(["PTTL", key]).await?.as_int().ok_or("no number")?;
    assert!(6 * 24 * 3_600_000 < ttl && ttl <= 7 * 24 * 3_600_000, "{ttl}");
    Ok(())
}

async fn a_full_spool_refuses_or_drops_the_oldest(mut server: Target) -> TestResult {
    let (fanfare, directory) = (server.connect().await?, Directory::new());
    server.stop();
    let spool = impatient(&fanfare, &directory).messages_max(10).open().await?;
    publish(&spool, 0..10).await?;
    let error = spool.publish("orders", &order(10)).await.err().ok_or("it was taken")?;
    assert_eq!(error.kind(), ErrorKind::SpoolFull);
    assert!(error.to_string().contains("messages_max"), "{error}");
    assert_eq!(spool.stats().refused, 1);
    spool.close(Duration::ZERO).await;
    let spool = impatient(&fanfare, &directory)
        .messages_max(10)
        .when_full(WhenFull::DropOldest)
        .fsync(Fsync::Always)
        .open()
        .await?;
    let mut events = spool.events();
    publish(&spool, 10..14).await?;
    assert_eq!((spool.stats().dropped, spool.stats().waiting), (4, 10));
    let mut n_dropped = 0;
    while n_dropped < 4 {
        if let Some(SpoolEvent::Dropped { n }) = events.next().await {
            n_dropped += n;
        }
    }
    server.restart();
    drained(&spool).await?;
    assert_eq!(orders(&fanfare).await?, (4..14).collect::<Vec<_>>());
    Ok(())
}

async fn closing_sends_what_waits(server: Target) -> TestResult {
    let (fanfare, directory) = (server.connect().await?, Directory::new());
    let spool = impatient(&fanfare, &directory).open().await?;
    server.freeze().await?;
    publish(&spool, 0..30).await?;
    let name = format!("spool {}", directory.path().display());
    let lag = || fanfare.health().live.iter().find(|it| it.name == name).and_then(|it| it.lag);
    until("health tells what waits", || lag() == Some(30)).await?;
    let closing = tokio::spawn({
        let spool = spool.clone();
        async move { spool.close(LONG).await }
    });
    server.sigcont();
    let stats = closing.await?;
    assert_eq!((stats.waiting, stats.replayed + stats.sent), (0, 30));
    assert_eq!(orders(&fanfare).await?, (0..30).collect::<Vec<_>>());
    let n = fanfare.command(["XLEN", "orders"]).await?;
    assert_eq!(n, Value::Integer(30));
    Ok(())
}
