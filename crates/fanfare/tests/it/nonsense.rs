//! Servers that speak nonsense for a while: an error that says so, and nothing hangs.

use std::time::Duration;

use fanfare::{
    ErrorKind, Event, Fanfare, Role,
    stream::Position,
    testing::{self, Fault, Proxy, Way, seed},
};

use crate::support::{Target, TestResult, on_every_broker, restored};

on_every_broker!(nonsense_ends_a_connection_and_no_more, garbled_traffic_is_survived);

const SECOND: Duration = Duration::from_secs(1);

/// What no server says in the middle of its answers.
const NONSENSE: [&[u8]; 9] = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"$-7\r\n",
    b"$18446744073709551615\r\nX\r\n",
    b"*99999999999\r\n",
    b":12a\r\n",
    b"\0\0\0\0\r\n",
    b"\x16\x03\x01\x02\0\x01",
    b"$3\r\nabcdef\r\n",
    b"+an answer to no question\r\n",
];

async fn nonsense_ends_a_connection_and_no_more(server: Target) -> TestResult {
    let proxy = Proxy::start(server.addr())?;
    let fanfare = Fanfare::connect(&proxy.url()).await?;
    let mut subscription = fanfare.subscribe(["c"]).await?;
    let stream = fanfare.stream("s");
    let mut tail = stream.tail(Position::Start).await?;
    let mut events = fanfare.events();
    for nonsense in NONSENSE {
        let shown = nonsense.escape_ascii();
        proxy.inject(Fault::Insert { way: Way::ToClient, bytes: nonsense.to_vec() });
        let mut left = vec![Role::Commands, Role::Subscriptions, Role::Streams];
        while !left.is_empty() {
            let is_down = |it: &Event| matches!(it, Event::Down { .. });
            let seen = testing::expect_event(&mut events, is_down).await;
            let Some(Event::Down { role, error }) = seen.last() else { continue };
            assert_eq!(error.kind(), ErrorKind::Protocol, "{role}, {shown}: {error:?}");
            assert!(!error.is_retryable(), "{error:?}");
            left.retain(|it| it != role);
        }
        restored(&subscription).await;
        testing::expect_subscribers(&fanfare, "c", 1).await;
        assert_eq!(fanfare.publish("c", nonsense).await?, 1, "{shown}");
        testing::expect_gap(&mut subscription).await;
        assert_eq!(testing::expect_message(&mut subscription).await.payload, nonsense);
        stream.add([("n", nonsense)]).await?;
        let entry = tail.next().await.ok_or("the tail ended")?;
        assert!(entry.get("n").is_some_and(|it| it == nonsense), "{entry:?}");
    }
    Ok(())
}

/// Flipped bits may change what is said into something else that makes sense, so nothing is promised
/// of the messages, but that everything goes on afterwards.
async fn garbled_traffic_is_survived(server: Target) -> TestResult {
    let seed = seed();
    let proxy = Proxy::start(server.addr())?;
    let fanfare = Fanfare::builder(&proxy.url())
        // Often asked, so that what is misunderstood is soon noticed, and never in a hurry.
        .options(|it| it.request_timeout(SECOND).heartbeat(SECOND / 4, 60 * SECOND))
        .connect()
        .await?;
    let mut subscription = fanfare.subscribe(["c"]).await?;
    for round in 0..10 {
        // To the server it might become a command that ends it.
        proxy.inject(Fault::Garble { way: Way::ToClient, one_in: 40, seed: seed + round });
        testing::eventually("an error", async || fanfare.publish("c", "x").await.is_err()).await;
        proxy.heal();
        testing::eventually("commands work", async || fanfare.ping().await.is_ok()).await;
        // The connection may have seen no error yet: what it misunderstood may swallow this.
        let end = format!("end {round}");
        testing::eventually("the end", async || {
            let _ = fanfare.publish("c", &end[..]).await;
            let is_there = async {
                while subscription.next().await?.payload != end {}
                Some(())
            };
            matches!(tokio::time::timeout(SECOND / 4, is_there).await, Ok(Some(())))
        })
        .await;
        restored(&subscription).await;
    }
    Ok(())
}
