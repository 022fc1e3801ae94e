//! The twins of publishers and subscribers of data.

use std::{sync::mpsc, thread, time::Duration};

use fanfare::{
    ErrorKind,
    blocking::{DataPublisher, DataSubscriber, Fanfare},
    data::{Arrival, PublisherOptions, Received, Record, SubscriberOptions},
};

use super::PATIENCE;
use crate::support::{Target, TestResult};

on_everything!(records_come_without_a_runtime, whole_urls_are_opened_without_a_runtime);

fn records_come_without_a_runtime(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let subscriber = fanfare.data_subscriber("shard:alerts")?;
    subscriber.start()?;
    assert!(subscriber.is_running() && subscriber.try_recv()?.is_none());
    assert!(subscriber.recv_within(Duration::from_millis(10))?.is_none());
    let publisher = fanfare.data_publisher("shard:alerts")?;
    let publishing = thread::spawn(move || {
        for n in 0..20 {
            publisher.publish(&n)?;
        }
        let outcomes = publisher.publish_records(vec![Record::new(&20)?, Record::new(&21)?]);
        outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))?;
        Ok::<_, fanfare::Error>(publisher.stop())
    });
    for n in 0..22 {
        match subscriber.recv_within(PATIENCE)? {
            Some(Arrival::Record(received)) => assert_eq!(received.json::<u32>()?, n),
            other => return Err(format!("{other:?}").into()),
        }
    }
    let stats = publishing.join().map_err(|_| "the publisher panicked")??;
    assert_eq!((stats.published, stats.is_running), (22, false));
    assert_eq!((subscriber.message_count(), subscriber.stats().delivered), (22, 22));
    // A stop ends whoever waits.
    let stopped = thread::scope(|scope| {
        let waiting = scope.spawn(|| subscriber.recv().err().map(|error| error.kind()));
        subscriber.stop();
        waiting.join()
    });
    assert_eq!(stopped.map_err(|_| "it panicked")?, Some(ErrorKind::Closed));
    let keys = fanfare.data_publisher_with("key:k", PublisherOptions::new().key_member("id"))?;
    let published = keys.publish_at("a", "x")?;
    let found = fanfare.data_value("a")?.ok_or("it is not there")?;
    assert_eq!((found.json::<String>()?.as_str(), found.version), ("x", published.version));
    assert_eq!(keys.publish("x").err().map(|it| it.kind()), Some(ErrorKind::InvalidRecord));
    Ok(())
}

fn whole_urls_are_opened_without_a_runtime(server: &Target) -> TestResult {
    let url = format!("{}#stream:orders", server.url());
    let publisher = DataPublisher::open(&url)?;
    publisher.publish("first")?;
    let (sender, handled) = mpsc::channel();
    let options = SubscriberOptions::new().name("orders").blocking_handler(
        move |received: Received| -> Result<(), fanfare::Error> {
            // Nobody listens at the end.
            let _ = sender.send(received.json::<String>()?);
            Ok(())
        },
    );
    let subscriber = DataSubscriber::open_with(&url, options)?;
    assert_eq!((subscriber.name(), subscriber.destination().name()), ("orders", "orders"));
    subscriber.start()?;
    assert_eq!(handled.recv_timeout(PATIENCE)?, "first");
    publisher.publish("second")?;
    assert_eq!(handled.recv_timeout(PATIENCE)?, "second");
    assert_eq!(subscriber.stop().received, 2);
    publisher.stop();
    assert!(!publisher.is_running() && publisher.publish("third").is_err());
    publisher.start()?;
    publisher.publish("third")?;
    let taken: Vec<_> = {
        let subscriber = DataSubscriber::open(&url)?;
        subscriber.start()?;
        subscriber.take(3).collect()
    };
    assert!(taken.iter().all(|it| matches!(it, Arrival::Record(_))) && taken.len() == 3);
    Ok(())
}
