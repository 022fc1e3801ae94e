//! Consumer groups: what the library asks and says about them.

use std::time::Duration;

use fanfare::{
    ErrorKind, Fanfare, Protocol,
    stream::{Pending, Position, StreamId},
};

use crate::support::{Target, TestResult, on_everything};

on_everything!(
    a_group_is_made_once_and_told_about,
    what_is_pending_is_listed_page_by_page,
    what_is_not_there_is_said,
);

/// A connection in each protocol: their answers have different shapes.
async fn connect_both(server: &Target) -> Result<[Fanfare; 2], fanfare::Error> {
    let old = Fanfare::builder(&server.url()).options(|it| it.protocol(Protocol::Resp2));
    Ok([server.connect().await?, old.connect().await?])
}

async fn read(fanfare: &Fanfare, key: &str, consumer: &str, count: u32) -> TestResult {
    let count = count.to_string();
    let command = ["XREADGROUP", "GROUP", "g", consumer, "COUNT", &count, "STREAMS", key, ">"];
    fanfare.command(command).await?;
    Ok(())
}

async fn a_group_is_made_once_and_told_about(server: Target) -> TestResult {
    for (n, fanfare) in connect_both(&server).await?.into_iter().enumerate() {
        let key = format!("s{n}");
        let stream = fanfare.stream(&key);
        let group = stream.group("g");
        assert!(group.create(Position::Start).await?);
        assert!(!group.create(Position::New).await?, "it was there");
        for ms in 1..=5 {
            let id = StreamId::new(ms, 0).to_string();
            fanfare.command(["XADD", &key, &id, "n", "1"]).await?;
        }
        read(&fanfare, &key, "alice", 2).await?;
        read(&fanfare, &key, "bob", 1).await?;
        let info = group.info().await?.ok_or("no group")?;
        assert_eq!((info.consumers, info.pending), (2, 3));
        assert_eq!(info.last_delivered, StreamId::new(3, 0));
        assert_eq!((info.entries_read, info.lag), (Some(3), Some(2)));
        let consumers = group.consumers().await?;
        let found: Vec<_> = consumers.iter().map(|it| (&it.name[..], it.pending)).collect();
        assert_eq!(found, [(&b"alice"[..], 2), (b"bob", 1)]);
        assert!(consumers.iter().all(|it| it.idle < Duration::from_secs(60)));

        assert_eq!(group.acknowledge([1, 2, 9].map(|ms| StreamId::new(ms, 0))).await?, 2);
        assert_eq!(group.acknowledge([]).await?, 0);
        group.set_position(StreamId::new(1, 0)).await?;
        let info = group.info().await?.ok_or("no group")?;
        assert_eq!((info.pending, info.last_delivered), (1, StreamId::new(1, 0)));
        assert!(stream.group("other").create(Position::New).await?);
        let names: Vec<_> = stream.groups().await?.into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["g", "other"]);
        assert!(group.delete().await?);
        assert!(!group.delete().await?);
        assert_eq!(group.info().await?, None);
    }
    Ok(())
}

async fn what_is_pending_is_listed_page_by_page(server: Target) -> TestResult {
    for (n, fanfare) in connect_both(&server).await?.into_iter().enumerate() {
        let key = format!("s{n}");
        let group = fanfare.stream(&key).group("g");
        group.create(Position::Start).await?;
        for ms in 1..=25 {
            let id = StreamId::new(ms, 0).to_string();
            fanfare.command(["XADD", &key, &id, "n", "1"]).await?;
        }
        read(&fanfare, &key, "alice", 20).await?;
        read(&fanfare, &key, "bob", 5).await?;
        fanfare.command(["XCLAIM", &key, "g", "bob", "0", "7-0", "RETRYCOUNT", "4"]).await?;

        let (mut listed, mut which) = (Vec::new(), Pending::new().limit(10));
        loop {
            let page = group.pending(which.clone()).await?;
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 10);
            which = which.after(last.id);
            listed.extend(page.iter().map(|it| it.id));
        }
        assert_eq!(listed, (1..=25).map(|ms| StreamId::new(ms, 0)).collect::<Vec<_>>());
        let of_bob = group.pending(Pending::new().consumer("bob")).await?;
        assert_eq!(of_bob.len(), 6);
        let claimed = of_bob.first().ok_or("nothing")?;
        assert_eq!((claimed.id, claimed.deliveries), (StreamId::new(7, 0), 4));
        assert_eq!(&claimed.consumer[..], b"bob");
        let old = group.pending(Pending::new().idle(Duration::from_secs(3_600))).await?;
        assert_eq!(old, []);
    }
    Ok(())
}

async fn what_is_not_there_is_said(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("nothing").group("g");
    assert_eq!((group.info().await?, group.stream().groups().await?), (None, Vec::new()));
    let error = group.pending(Pending::new()).await.err().ok_or("it was listed")?;
    assert_eq!((error.kind(), error.server_code()), (ErrorKind::Server, Some("NOGROUP")));
    assert!(group.set_position(Position::New).await.is_err());
    fanfare.command(["SET", "text", "x"]).await?;
    let error = fanfare.stream("text").group("g").create(Position::New).await;
    assert_eq!(error.err().ok_or("it was made")?.server_code(), Some("WRONGTYPE"));
    Ok(())
}
