//! What is random, and the same for the same seed.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use fanfare::{
    stream::Position,
    testing::{self, Fault, Proxy, Rng, Script, Way, seed},
};
use futures_util::FutureExt;

use super::through_proxy;
use crate::support::run;

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
fn numbers_of_a_seed_are_for_good() {
    let mut rng = Rng::new(7);
    assert_eq!(rng.next_u64(), 7_191_089_600_892_374_487);
    assert!((0..100).all(|_| rng.below(3) < 3) && rng.below(0) == 0);
}
