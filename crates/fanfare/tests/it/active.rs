//! Who is subscribed, asked in as few round trips as can be.

use fanfare::{ActiveChannel, ErrorKind, Kind};

use crate::support::{Target, TestResult, on_everything};

on_everything!(active_channels_are_counted_on_all_nodes);

async fn active_channels_are_counted_on_all_nodes(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    assert!(fanfare.active_channels("news.*").await?.is_empty());
    // Each with a connection of its own, of a cluster perhaps to another node.
    let mut others = Vec::new();
    for n in 0..5 {
        let other = server.connect().await?;
        let names = ["news.all".to_owned(), format!("news.{n}")];
        let subscriber = other.subscriber().channels(names).patterns(["news.*"]);
        others.push(subscriber.sharded(["{a}s", "{b}s", "{c}s"]).connect().await?);
    }
    let counts = |channels: Vec<ActiveChannel>| -> Vec<(String, u64)> {
        let name = |it: &ActiveChannel| String::from_utf8_lossy(&it.name).into_owned();
        channels.iter().map(|it| (name(it), it.n_subscribers)).collect()
    };
    let expected: Vec<_> = (0..5).map(|n| (format!("news.{n}"), 1)).collect();
    let all = counts(fanfare.active_channels("news.*").await?);
    assert_eq!(all.get(..5), Some(&expected[..]));
    assert_eq!(all.get(5..), Some(&[("news.all".to_owned(), 5)][..]));
    let sharded = counts(fanfare.active_sharded_channels("*").await?);
    assert_eq!(sharded, ["{a}s", "{b}s", "{c}s"].map(|name| (name.to_owned(), 5)));
    let names = ["news.all", "nobody", "news.3"];
    assert_eq!(fanfare.count_subscribers(Kind::Channel, names).await?, [5, 0, 1]);
    assert_eq!(fanfare.count_subscribers(Kind::Shard, ["{b}s", "x"]).await?, [5, 0]);
    let refused = fanfare.count_subscribers(Kind::Pattern, ["*"]).await.err().ok_or("counted")?;
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest);
    Ok(())
}
