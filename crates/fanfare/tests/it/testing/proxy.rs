//! The proxy: what passes, and what does not.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use fanfare::{
    ErrorKind, Events, Fanfare, Role,
    testing::{self, Cut, Fault, Proxy, Refusal, TestBroker, Way},
};

use super::{HOUR, through_proxy};
use crate::support::{TestResult, is_down, is_up, run};

#[test]
fn what_passes_is_counted_and_unchanged() {
    run(async {
        let (_broker, proxy, fanfare) = through_proxy().await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let payload: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
        assert_eq!(fanfare.publish("c", &payload[..]).await?, 1);
        assert!(testing::expect_message(&mut subscription).await.payload == payload);
        let stats = proxy.stats();
        assert_eq!((stats.accepted, stats.open, stats.refused), (2, 2, 0));
        assert_eq!((stats.bytes_swallowed, stats.bytes_garbled), (0, 0));
        for n in [stats.bytes_to_server, stats.bytes_to_client] {
            assert!(3 << 20 < n && n < 4 << 20, "{stats:?}");
        }
        fanfare.close().await;
        drop(subscription);
        testing::eventually("all are closed", async || proxy.stats().open == 0).await;
        Ok(())
    });
}

/// The gap is told as soon as there is a connection; only then are channels subscribed to again.
async fn subscribed_again(events: &mut Events) {
    testing::expect_event(events, is_down(Role::Subscriptions)).await;
    testing::expect_event(events, is_up(Role::Subscriptions)).await;
}

#[test]
fn cut_connections_come_back() {
    run(async {
        let (_broker, proxy, fanfare) = through_proxy().await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let mut events = fanfare.events();
        for cut in [Cut::Close, Cut::Reset] {
            proxy.inject(Fault::Cut(cut));
            let gap = testing::expect_gap(&mut subscription).await;
            assert!(gap.outage.is_some());
            subscribed_again(&mut events).await;
            testing::expect_nothing(&fanfare, &mut subscription, "c").await;
        }
        assert_eq!(proxy.stats().accepted, 6);
        Ok(())
    });
}

#[test]
fn a_cut_is_an_end_or_a_reset() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Proxy::start(listener.local_addr()?)?;
        for (cut, refusal) in [(Cut::Close, Refusal::Close), (Cut::Reset, Refusal::Reset)] {
            let mut client = TcpStream::connect(proxy.addr())?;
            let (mut server, _) = listener.accept()?;
            client.write_all(b"x")?;
            server.read_exact(&mut [0])?;
            proxy.inject(Fault::Cut(cut));
            proxy.inject(Fault::Refuse(refusal));
            let mut refused = TcpStream::connect(proxy.addr())?;
            for end in [&mut client, &mut server, &mut refused] {
                let read = end.read(&mut [0]);
                match cut {
                    Cut::Close => assert_eq!(read?, 0),
                    Cut::Reset => {
                        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
                    }
                }
            }
            proxy.heal();
        }
        assert_eq!(proxy.stats().refused, 2);
        Ok(())
    });
}

#[test]
fn who_is_refused_comes_in_once_it_is_healed() {
    run(async {
        let (_broker, proxy, fanfare) = through_proxy().await?;
        for refusal in [Refusal::Close, Refusal::Reset, Refusal::Silence] {
            proxy.inject(Fault::Refuse(refusal));
            let url = proxy.url();
            let hasty = Fanfare::builder(&url)
                .options(|options| options.connect_timeout(Duration::from_millis(200)));
            let error = hasty.connect().await.err().ok_or("it connected")?;
            assert!(error.is_retryable(), "{refusal:?}: {error:?}");
            // Who is connected stays so.
            fanfare.ping().await?;
            let patient = tokio::spawn(async move {
                let options = |it: fanfare::Options| it.connect_timeout(HOUR).request_timeout(HOUR);
                let fanfare = Fanfare::builder(&url).options(options).connect_lazy().await?;
                fanfare.ping().await
            });
            let before = proxy.stats();
            testing::eventually("somebody waits", async || {
                let now = proxy.stats();
                before.accepted + before.refused < now.accepted + now.refused
            })
            .await;
            proxy.heal();
            patient.await??;
        }
        Ok(())
    });
}

#[test]
fn what_is_late_keeps_its_order_and_comes_when_it_is_healed() {
    run(async {
        let (broker, proxy, fanfare) = through_proxy().await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let direct = broker.connect().await?;
        let jitter = Duration::from_millis(3);
        proxy.inject(Fault::Delay { way: Way::Both, latency: Duration::ZERO, jitter });
        for n in 0..300 {
            direct.publish("c", n.to_string()).await?;
        }
        for n in 0..300 {
            let message = testing::expect_message(&mut subscription).await;
            assert_eq!(message.text()?, n.to_string());
        }
        proxy.inject(Fault::Delay { way: Way::ToClient, latency: HOUR, jitter: HOUR });
        direct.publish("c", "late").await?;
        let before = proxy.stats().bytes_to_client;
        fanfare.publish("c", "later").await.err();
        assert_eq!(proxy.stats().bytes_to_client, before);
        proxy.heal();
        assert_eq!(testing::expect_message(&mut subscription).await.payload, "late");
        Ok(())
    });
}

#[test]
fn who_is_not_read_fills_its_buffers() {
    run(async {
        let (broker, proxy, fanfare) = through_proxy().await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let direct = broker.connect().await?;
        proxy.inject(Fault::Throttle { way: Way::ToClient, bytes_per_second: 0 });
        let payload = vec![b'x'; 100_000];
        for _ in 0..100 {
            direct.publish("c", &payload[..]).await?;
        }
        let list = direct.command(["CLIENT", "LIST", "TYPE", "pubsub"]).await?;
        let list = list.as_str().unwrap_or_default();
        assert!(!list.contains(" omem=0 "), "the broker holds what is not read: {list}");
        proxy.inject(Fault::Throttle { way: Way::ToClient, bytes_per_second: 100_000_000 });
        for _ in 0..100 {
            assert_eq!(testing::expect_message(&mut subscription).await.payload.len(), 100_000);
        }
        Ok(())
    });
}

#[test]
fn who_has_lost_something_is_reset_in_the_end() {
    run(async {
        let (broker, proxy, fanfare) = through_proxy().await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let mut events = fanfare.events();
        proxy.inject(Fault::Swallow(Way::ToClient));
        broker.connect().await?.publish("c", "lost").await?;
        testing::eventually("it is lost", async || 0 < proxy.stats().bytes_swallowed).await;
        assert_eq!(proxy.stats().open, 2, "nobody noticed");
        proxy.heal();
        testing::expect_gap(&mut subscription).await;
        subscribed_again(&mut events).await;
        testing::expect_nothing(&fanfare, &mut subscription, "c").await;
        assert_eq!(fanfare.stats().commands.disconnects, 0, "that one lost nothing");
        Ok(())
    });
}

#[test]
fn without_a_server_clients_are_reset() {
    run(async {
        let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let proxy = Proxy::start(nobody)?;
        let error = Fanfare::connect(&proxy.url()).await.err().ok_or("it connected")?;
        assert!(matches!(error.kind(), ErrorKind::Connect | ErrorKind::Disconnected), "{error:?}");
        let broker = TestBroker::start()?;
        proxy.retarget(broker.addr());
        Fanfare::connect(&proxy.url()).await?.ping().await?;
        Ok(()) as TestResult
    });
}
