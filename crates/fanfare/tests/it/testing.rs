//! `fanfare::testing` itself: what stands between the other tests and their servers.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use fanfare::{
    ErrorKind, Event, Fanfare,
    stream::Position,
    testing::{self, Clock, Cut, Fault, Proxy, Refusal, Rng, Script, TestBroker, Way, seed},
};

use fanfare_testkit::{ClusterGroup, ServerProcess};
use futures_util::FutureExt;

use crate::support::{TestResult, restored, run, run_on_one_thread};

const HOUR: Duration = Duration::from_secs(3_600);

/// A broker, a proxy in front of it, and a program that talks through it.
async fn through_proxy() -> Result<(TestBroker, Proxy, Fanfare), Box<dyn std::error::Error>> {
    let broker = TestBroker::start()?;
    let proxy = Proxy::start(broker.addr())?;
    let fanfare = Fanfare::connect(&proxy.url()).await?;
    Ok((broker, proxy, fanfare))
}

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

#[test]
fn cut_connections_come_back() {
    run(async {
        let (_broker, proxy, fanfare) = through_proxy().await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        for cut in [Cut::Close, Cut::Reset] {
            proxy.inject(Fault::Cut(cut));
            let gap = testing::expect_gap(&mut subscription).await;
            assert!(gap.outage.is_some());
            restored(&subscription).await;
            testing::expect_subscribers(&fanfare, "c", 1).await;
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
        proxy.inject(Fault::Swallow(Way::ToClient));
        broker.connect().await?.publish("c", "lost").await?;
        testing::eventually("it is lost", async || 0 < proxy.stats().bytes_swallowed).await;
        assert_eq!(proxy.stats().open, 2, "nobody noticed");
        proxy.heal();
        testing::expect_gap(&mut subscription).await;
        restored(&subscription).await;
        testing::expect_nothing(&fanfare, &mut subscription, "c").await;
        assert_eq!(fanfare.stats().commands.disconnects, 0, "that one lost nothing");
        Ok(())
    });
}

/// What comes back from a server that sends back what it gets.
fn echo(fault: &Fault, sent: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let proxy = Proxy::start(listener.local_addr()?)?;
    thread::spawn(move || {
        let (mut client, _) = listener.accept()?;
        std::io::copy(&mut client.try_clone()?, &mut client)
    });
    proxy.inject(fault.clone());
    let mut client = TcpStream::connect(proxy.addr())?;
    client.write_all(sent)?;
    client.shutdown(std::net::Shutdown::Write)?;
    let mut received = Vec::new();
    client.read_to_end(&mut received)?;
    Ok(received)
}

#[test]
fn garbled_bytes_are_the_same_for_the_same_seed() {
    run(async {
        let sent: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let fault = |one_in, seed| Fault::Garble { way: Way::ToServer, one_in, seed };
        let received = echo(&fault(100, 7), &sent)?;
        let n_wrong = received.iter().zip(&sent).filter(|(one, other)| one != other).count();
        assert!((500..2_000).contains(&n_wrong), "{n_wrong} of 100,000");
        assert_eq!(received.len(), sent.len());
        assert!(received == echo(&fault(100, 7), &sent)?, "another traffic");
        assert!(received != echo(&fault(100, 8), &sent)?, "the seed does nothing");
        let all = echo(&fault(1, 7), &sent)?;
        assert!(all.iter().zip(&sent).all(|(one, other)| one != other));
        Ok(())
    });
}

#[test]
fn scripts_are_the_same_for_the_same_seed() {
    assert_eq!(Script::random(7, 20), Script::random(7, 20));
    assert_ne!(Script::random(7, 20), Script::random(8, 20));
    assert!(Script::random(7, 20).to_string().starts_with("the faults of seed 7:\n"));
}

/// Whatever happens to the connections: numbers come in order, and where one is missing there is a
/// gap; a tail misses nothing.
#[test]
fn a_random_script_loses_nothing_in_silence() {
    run(async {
        let seed = seed();
        let (broker, proxy, fanfare) = through_proxy().await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let mut tail = fanfare.stream("s").tail(Position::Start).await?;
        let direct = broker.connect().await?;
        let stream = direct.stream("s");
        let mut sent = 0;
        {
            let script = Script::random(seed, 20);
            let mut playing = Box::pin(proxy.play(&script));
            // Numbers go out for as long as the script lasts.
            while playing.as_mut().now_or_never().is_none() {
                sent += 1;
                direct.publish("c", sent.to_string()).await?;
                stream.add([("n", sent.to_string())]).await?;
                tokio::task::yield_now().await;
            }
        }
        testing::expect_subscribers(&direct, "c", 1).await;
        direct.publish("c", "end").await?;
        let (mut last, mut is_told) = (0, false);
        loop {
            let delivery = subscription.next_delivery().await.ok_or("it ended")?;
            let fanfare::Delivery::Message(message) = delivery else {
                is_told = true;
                continue;
            };
            if message.payload == "end" {
                assert!(last == sent || is_told, "{last} of {sent}");
                break;
            }
            let n: u64 = message.text()?.parse()?;
            assert!(n == last + 1 || (last < n && is_told), "{n} after {last}");
            (last, is_told) = (n, false);
        }
        for n in 1..=sent {
            assert_eq!(tail.next().await.ok_or("it ended")?.text("n")?, n.to_string());
        }
        Ok(())
    });
}

#[test]
fn time_stands_still_and_moves_on_demand() {
    run_on_one_thread(async {
        let (_broker, proxy, fanfare) = through_proxy().await?;
        let mut events = fanfare.events();
        let clock = Clock::pause();
        let start = tokio::time::Instant::now();
        // Servers answer although nothing moves.
        for _ in 0..100 {
            fanfare.ping().await?;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        // Two heartbeats of the defaults, which are of 5 s: nobody waits for them.
        for _ in 0..2 {
            let before = proxy.stats().bytes_to_client;
            clock.advance(Duration::from_secs(5)).await;
            let answered = async || before < proxy.stats().bytes_to_client;
            testing::eventually("an answer to a heartbeat", answered).await;
            fanfare.ping().await?;
        }
        proxy.inject(Fault::Swallow(Way::Both));
        clock.advance(Duration::from_secs(5)).await;
        testing::eventually("a ping", async || 0 < proxy.stats().bytes_swallowed).await;
        clock.advance(Duration::from_secs(5)).await;
        let seen = testing::expect_event(&mut events, |_| true).await;
        assert!(matches!(seen[..], [Event::Down { .. }]), "{seen:?}");
        assert!(Duration::from_secs(20) <= start.elapsed());

        drop(clock);
        let start = tokio::time::Instant::now();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(start.elapsed() < HOUR);
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

#[test]
fn numbers_of_a_seed_are_for_good() {
    let mut rng = Rng::new(7);
    assert_eq!(rng.next_u64(), 7_191_089_600_892_374_487);
    assert!((0..100).all(|_| rng.below(3) < 3) && rng.below(0) == 0);
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

/// Nodes that announce proxies in place of themselves. One is cut off from its clients, and all nodes
/// stay as they are: the subscription that was there goes to another one, and does not wait for an
/// answer from this one.
#[test]
fn a_node_of_a_cluster_that_vanishes_for_its_clients_is_left() {
    let group = ClusterGroup::start();
    run(async move {
        let mut proxies = Vec::new();
        for node in group.nodes() {
            let proxy = Proxy::start(node.addr())?;
            let port = proxy.addr().port().to_string();
            let set = ["CONFIG", "SET", "cluster-announce-port", &port];
            assert_eq!(node.client().call(&set), b"+OK\r\n");
            proxies.push(proxy);
        }
        let ports: Vec<String> =
            proxies.iter().map(|it| format!(":{}\r\n", it.addr().port())).collect();
        testing::eventually("all nodes know the ports of all proxies", async || {
            group.nodes().all(|node| {
                let slots = node.client().call(&["CLUSTER", "SLOTS"]);
                let slots = String::from_utf8_lossy(&slots).into_owned();
                ports.iter().all(|port| slots.contains(port))
            })
        })
        .await;

        let fanfare = Fanfare::builder(&format!("redis+cluster://{}", proxies[0].addr()))
            .options(|it| {
                it.heartbeat(Duration::from_millis(300), Duration::from_secs(5))
                    .connect_timeout(HOUR)
            })
            .connect()
            .await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let has_it = |node: &&ServerProcess| {
            node.client().call(&["PUBSUB", "NUMSUB", "c"]).ends_with(b":1\r\n")
        };
        let at = group.nodes().position(|node| has_it(&node)).ok_or("nobody has it")?;
        proxies[at].inject(Fault::Swallow(Way::Both));
        testing::expect_gap(&mut subscription).await;
        let elsewhere = || group.nodes().enumerate().filter(|(n, _)| *n != at).map(|it| it.1);
        testing::eventually("a subscriber elsewhere", async || elsewhere().any(|it| has_it(&it)))
            .await;
        let other = elsewhere().next().ok_or("no other node")?;
        other.client().call(&["PUBLISH", "c", "after"]);
        assert_eq!(testing::expect_message(&mut subscription).await.payload, "after");
        Ok(())
    });
}
