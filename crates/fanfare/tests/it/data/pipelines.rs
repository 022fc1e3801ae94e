//! Many records go out without waiting for the answer to each.

use std::time::Duration;

use fanfare::{
    Fanfare, Options,
    data::{DataPublisher, Record},
    testing::{Fault, Proxy, Way},
};

use super::HOUR;
use crate::support::{Target, TestResult, on_every_broker, until};

on_every_broker!(a_batch_waits_for_no_answer_between_its_records);

const N: u64 = 40;

/// Answers are held up until all records are seen at the server by another way.
async fn a_batch_waits_for_no_answer_between_its_records(server: Target) -> TestResult {
    let proxy = Proxy::start(server.addr())?;
    // However slow the machine is, nobody takes the server for gone meanwhile.
    let patient = |options: Options| options.request_timeout(HOUR).heartbeat(HOUR, HOUR);
    let fanfare = Fanfare::builder(&proxy.url()).options(patient).connect().await?;
    let other = server.connect().await?;
    let heard = other.subscribe(["c"]).await?;
    let keys: Vec<String> = (0..N).map(|n| format!("k:{n}")).collect();
    let exists: Vec<&str> = ["EXISTS"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    let all = format!(":{N}\r\n");
    let arrived = || heard.stats().received == N;
    let added = || server.say(&["XLEN", "s"]) == all;
    let written = || server.say(&exists) == all;
    let cases: [(&str, &dyn Fn() -> bool); 3] =
        [("channel:c", &arrived), ("stream:s", &added), ("key:k", &written)];
    // Whoever runs a script has to be told its name once.
    fanfare.data_publisher("key:warm")?.publish_records(vec![record("w")?]).await;
    for (destination, is_there) in cases {
        let publisher: Box<dyn DataPublisher> = fanfare.data_publisher(destination)?;
        let records = keys.iter().map(|key| record(key)).collect::<Result<Vec<_>, _>>()?;
        proxy.inject(Fault::Delay { way: Way::ToClient, latency: HOUR, jitter: Duration::ZERO });
        let publishing = tokio::spawn(async move { publisher.publish_records(records).await });
        until("all are there", is_there).await?;
        assert!(!publishing.is_finished(), "{destination}: there was no answer");
        proxy.heal();
        let outcomes = publishing.await?;
        assert!(outcomes.len() == keys.len() && outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
    Ok(())
}

fn record(key: &str) -> Result<Record, fanfare::Error> {
    Record::from_json(format!(r#"{{"__dagserver_key":"{key}"}}"#).as_bytes())
}
