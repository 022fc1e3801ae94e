//! Brokers of one test each, and assertions about what is in them.

use fanfare::{
    Event, Fanfare,
    stream::Position,
    testing::{self, TestBroker},
};

use crate::support::run;

#[test]
fn brokers_are_apart_and_start_again_empty() {
    run(async {
        let (mut one, other) = (TestBroker::start()?, TestBroker::start()?);
        assert_ne!(one.url(), other.url());
        let (client, elsewhere) = (one.connect().await?, other.connect().await?);
        client.command(["SET", "key", "x"]).await?;
        assert!(elsewhere.command(["GET", "key"]).await?.is_null());

        let (url, mut events) = (one.url(), client.events());
        one.stop();
        testing::expect_event(&mut events, |it| matches!(it, Event::Down { .. })).await;
        assert!(Fanfare::connect(&url).await.is_err());
        one.restart()?;
        assert_eq!(one.url(), url);
        assert!(client.command(["GET", "key"]).await?.is_null());
        Ok(())
    });
}

#[test]
fn assertions_say_what_there_is() {
    run(async {
        let broker = TestBroker::start()?;
        let fanfare = broker.connect().await?;
        let stream = fanfare.stream("s");
        stream.add([("n", "1")]).await?;
        testing::expect_len(&stream, 1).await;
        let group = stream.group("g");
        group.create(Position::Start).await?;
        fanfare.command(["XREADGROUP", "GROUP", "g", "me", "STREAMS", "s", ">"]).await?;
        testing::expect_pending(&group, 1).await;

        let mut subscription = fanfare.subscribe(["c"]).await?;
        fanfare.publish("c", "unexpected").await?;
        let failed = tokio::spawn(async move {
            testing::expect_nothing(&fanfare, &mut subscription, "c").await;
        });
        let panic = failed.await.unwrap_err().into_panic();
        let text = panic.downcast_ref::<String>().ok_or("no text")?;
        assert!(text.contains("nothing was expected") && text.contains("unexpected"), "{text}");
        Ok(())
    });
}
