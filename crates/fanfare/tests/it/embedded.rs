//! The broker inside the program: one for each name, for as long as somebody holds it.

use fanfare::{ErrorKind, Fanfare, stream::Position};

use crate::support::{next, run};

#[test]
fn handles_of_one_name_share_a_broker_and_others_do_not() {
    run(async {
        let here = Fanfare::connect("embedded:shared").await?;
        let too = Fanfare::connect("embedded:shared").await?;
        let elsewhere = Fanfare::connect("embedded:other").await?;
        let mut subscription = here.subscribe(["c"]).await?;
        assert_eq!(elsewhere.publish("c", "not seen").await?, 0);
        assert_eq!(too.publish("c", "seen").await?, 1);
        assert_eq!(next(&mut subscription).await?.payload, "seen");
        Ok(())
    });
}

#[test]
fn it_lives_as_long_as_the_last_handle_or_subscription() {
    run(async {
        let name = "embedded:short-lived";
        let first = Fanfare::connect(name).await?;
        first.command(["SET", "key", "value"]).await?;
        let mut subscription = first.subscribe(["c"]).await?;
        drop(first);
        let second = Fanfare::connect(name).await?;
        assert_eq!(second.command(["GET", "key"]).await?.as_str(), Some("value"));
        second.publish("c", "x").await?;
        assert_eq!(next(&mut subscription).await?.payload, "x");
        drop((second, subscription));
        // The tasks that own the connections hold it too, for a moment.
        for _ in 0..1_000 {
            let fresh = Fanfare::connect(name).await?;
            if fresh.command(["GET", "key"]).await?.is_null() {
                return Ok(());
            }
            fresh.close().await;
            drop(fresh);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Err("the broker outlived its last handle".into())
    });
}

#[test]
fn it_listens_on_the_loopback_interface_only() {
    run(async {
        let fanfare = Fanfare::connect("embedded:loopback").await?;
        let bind = fanfare.command(["CONFIG", "GET", "bind"]).await?;
        let text = format!("{bind:?}");
        assert!(text.contains("127.0.0.1") && !text.contains('*'), "{text}");
        Ok(())
    });
}

#[test]
fn half_a_million_messages_within_one_program() {
    run(async {
        let fanfare = Fanfare::connect("embedded:blast").await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let publishing = tokio::spawn({
            let fanfare = fanfare.clone();
            async move { fanfare.publish_batch((0..500_000).map(|n| ("c", format!("{n:0100}")))).await }
        });
        for expected in 0..500_000 {
            assert_eq!(next(&mut subscription).await?.text()?.parse::<u64>()?, expected);
        }
        for outcome in publishing.await? {
            assert_eq!(outcome?, 1);
        }
        assert_eq!(subscription.stats().dropped, 0);
        Ok(())
    });
}

#[test]
fn a_tail_alone_keeps_its_broker() {
    run(async {
        let name = "embedded:followed";
        let fanfare = Fanfare::connect(name).await?;
        let stream = fanfare.stream("s");
        let mut tail = stream.tail(Position::New).await?;
        for outcome in stream.add_batch((0..20_000).map(|n| [("n", n.to_string())])).await {
            outcome?;
        }
        drop((fanfare, stream));
        let late = Fanfare::connect(name).await?;
        late.stream("s").add([("n", "20000")]).await?;
        for expected in 0..=20_000 {
            let entry = tail.next().await.ok_or("the tail ended")?;
            assert_eq!(entry.text("n")?, expected.to_string());
        }
        assert_eq!(tail.stats().reconnects, 0);
        Ok(())
    });
}

#[test]
fn closing_one_handle_leaves_the_others_alone() {
    run(async {
        let one = Fanfare::connect("embedded:two").await?;
        let other = Fanfare::connect("embedded:two").await?;
        one.close().await;
        assert_eq!(one.ping().await.err().map(|error| error.kind()), Some(ErrorKind::Closed));
        other.ping().await?;
        Ok(())
    });
}

#[test]
fn a_broker_that_was_shut_down_is_replaced() {
    run(async {
        let first = Fanfare::connect("embedded:shut-down").await?;
        // The answer to SHUTDOWN is a closed connection.
        let _ = first.command(["SHUTDOWN", "NOSAVE"]).await;
        let second = Fanfare::connect("embedded:shut-down").await?;
        second.ping().await?;
        Ok(())
    });
}
