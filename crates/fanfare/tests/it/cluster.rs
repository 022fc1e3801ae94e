//! A cluster: every command finds its node, and everything survives nodes that die and slots that
//! move.

use std::{collections::HashSet, time::Duration};

use fanfare::{
    Error, ErrorKind, Fanfare, Kind, Options, Subscription,
    stream::{Position, Tail},
};
use fanfare_testkit::{ClusterGroup, RedisServer, ServerProcess};
use futures_util::future::join_all;
use tokio::runtime::Handle;

use crate::support::{TestResult, next, run};

/// Keys of three different nodes: their slots lie in the first, second and last third.
const KEYS: [&str; 3] = ["b", "c", "a"];

async fn text(fanfare: &Fanfare, command: &[&str]) -> Result<String, fanfare::Error> {
    let value = fanfare.command(command).await?;
    Ok(value.as_str().map_or_else(|| format!("{value:?}"), str::to_owned))
}

#[test]
fn commands_find_their_nodes() {
    let group = ClusterGroup::start();
    run(async move {
        let owners: HashSet<_> = KEYS.iter().map(|key| group.owner(key).port()).collect();
        assert_eq!(owners.len(), 3, "the keys are of three nodes");
        let first = group.nodes().next().ok_or("no node")?.addr();
        let fanfare = Fanfare::connect(&format!("redis+cluster://{first}")).await?;
        for n in 0..300 {
            let (key, value) = (format!("key:{n}"), n.to_string());
            assert_eq!(text(&fanfare, &["SET", &key, &value]).await?, "OK");
        }
        for n in 0..300 {
            assert_eq!(text(&fanfare, &["GET", &format!("key:{n}")]).await?, n.to_string());
        }
        assert_eq!(fanfare.command(["DBSIZE"]).await?.as_int(), Some(300));
        let keys = fanfare.command(["KEYS", "key:*"]).await?.into_array().ok_or("no list")?;
        assert_eq!(keys.len(), 300);
        let sha = text(&fanfare, &["SCRIPT", "LOAD", "return redis.call('GET', KEYS[1])"]).await?;
        for n in 0..30 {
            let answer = text(&fanfare, &["EVALSHA", &sha, "1", &format!("key:{n}")]).await?;
            assert_eq!(answer, n.to_string());
        }
        let across = fanfare.command(["MGET", "a", "b"]).await.err().ok_or("it worked")?;
        assert_eq!(across.server_code(), Some("CROSSSLOT"));
        let scan = fanfare.command(["SCAN", "0"]).await.err().ok_or("it worked")?;
        assert_eq!(scan.kind(), ErrorKind::InvalidRequest);
        assert_eq!(text(&fanfare, &["FLUSHALL"]).await?, "OK");
        assert_eq!(fanfare.command(["DBSIZE"]).await?.as_int(), Some(0));
        fanfare.close().await;
        let closed = fanfare.ping().await.err().ok_or("it answered")?;
        assert_eq!(closed.kind(), ErrorKind::Closed);
        Ok(())
    });
}

/// Publishes to each of the keys as a sharded channel and as a plain one, until every one of them
/// has brought something that was published after this was called.
async fn wait_messages(
    fanfare: &Fanfare,
    subscription: &mut Subscription,
    round: &str,
) -> TestResult {
    let mut missing: HashSet<String> =
        KEYS.iter().flat_map(|key| [format!("shard:{key}"), format!("plain:{key}")]).collect();
    let publishing = async {
        loop {
            for key in KEYS {
                // What fails is sent again in the next round.
                let _ = fanfare.command(["SPUBLISH", &format!("{{{key}}}s"), round]).await;
                let _ = fanfare.publish(&format!("{key}:p"), round).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let listening = async {
        while !missing.is_empty() {
            let message = next(subscription).await?;
            if message.payload != round.as_bytes() {
                continue;
            }
            let channel = message.channel_name().into_owned();
            for key in KEYS {
                if channel == format!("{{{key}}}s") {
                    missing.remove(&format!("shard:{key}"));
                } else if channel == format!("{key}:p") {
                    missing.remove(&format!("plain:{key}"));
                }
            }
        }
        Ok(())
    };
    tokio::select! {
        result = listening => result,
        () = publishing => Err("it goes on for ever".into()),
    }
}

async fn subscribe_all(fanfare: &Fanfare) -> Result<Subscription, Error> {
    fanfare
        .subscriber()
        .sharded(KEYS.map(|key| format!("{{{key}}}s")))
        .channels([format!("{}:p", KEYS[0])])
        .patterns([format!("{}:*", KEYS[1]), format!("{}:*", KEYS[2])])
        .connect()
        .await
}

#[test]
fn channels_patterns_and_shards_of_all_nodes_are_one_subscription() {
    let group = ClusterGroup::start();
    run(async move {
        let fanfare = Fanfare::connect(&group.url()).await?;
        let mut subscription = subscribe_all(&fanfare).await?;
        // Confirmed is subscribed: the first message of each arrives.
        for key in KEYS {
            let to_shard = ["SPUBLISH", &format!("{{{key}}}s"), "x"];
            assert_eq!(fanfare.command(to_shard).await?.as_int(), Some(1));
        }
        for _ in KEYS {
            assert_eq!(next(&mut subscription).await?.payload, "x");
        }
        wait_messages(&fanfare, &mut subscription, "all").await?;
        assert!(subscription.stats().is_up);
        let stats = subscription.stats();
        assert_eq!((stats.gaps, stats.dropped, stats.reconnects), (0, 0, 0));

        let shard = format!("{{{}}}s", KEYS[0]);
        subscription.remove([(Kind::Shard, shard.clone().into())]).await;
        while fanfare.command(["SPUBLISH", &shard, "x"]).await?.as_int() != Some(0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    });
}

async fn next_number(tail: &mut Tail) -> Result<u64, Box<dyn std::error::Error>> {
    let entry = tokio::time::timeout(Duration::from_secs(60), tail.next()).await?;
    Ok(entry.ok_or("the tail ended")?.text("n")?.parse()?)
}

/// A master dies and is not started again: what it served goes on at its replica, while the dead
/// node is still listed.
#[test]
fn a_dead_shard_is_followed_to_its_replica() {
    let mut group = ClusterGroup::start_with_timeout(Duration::from_millis(1_500));
    run(async move {
        for key in KEYS {
            let fanfare = Fanfare::connect(&group.url()).await?;
            let mut subscription = subscribe_all(&fanfare).await?;
            wait_messages(&fanfare, &mut subscription, &format!("before {key}")).await?;
            let stream = fanfare.stream(format!("{{{key}}}stream"));
            stream.add([("n", "1")]).await?;
            let mut tail = stream.tail(Position::Start).await?;
            assert_eq!(next_number(&mut tail).await?, 1);
            group.wait_replicated(key);

            let port = group.owner(key).port();
            group.owner_mut(key).stop();
            wait_messages(&fanfare, &mut subscription, &format!("after {key}")).await?;
            assert!(1 <= subscription.stats().gaps, "nobody told of the gap");
            while stream.add([("n", "2")]).await.is_err() {}
            assert_eq!(next_number(&mut tail).await?, 2);
            assert!(group.owner(key).port() != port);
            assert!(subscription.stats().is_up);
            // A third of the masters may be missing, not two.
            group.nodes_mut().filter(|it| it.pid().is_none()).for_each(ServerProcess::restart);
            group.wait_whole();
        }
        Ok(())
    });
}

/// Slots move under commands, sharded channels and tails: what a node sends elsewhere goes there.
#[test]
fn slots_that_move_are_followed() {
    let group = ClusterGroup::start();
    run(async move {
        let fanfare = Fanfare::connect(&group.url()).await?;
        let mut subscription = subscribe_all(&fanfare).await?;
        let stream = fanfare.stream("{a}stream");
        let mut tail = stream.tail(Position::Start).await?;
        let mut n_added = 0;
        for round in 0..4 {
            for n in 0..20 {
                fanfare.command(["SET", &format!("{{a}}{n}"), &n.to_string()]).await?;
            }
            n_added += 1;
            stream.add([("n", n_added.to_string())]).await?;
            let mut asked = None;
            tokio::task::block_in_place(|| {
                group.move_slot("a", || {
                    // A key that the old node does not have: it sends the command on (`ASK`), and
                    // the slot does not move on before that is done.
                    let set = fanfare.command(["SET", "{a}new", "here"]);
                    asked = Some(Handle::current().block_on(set));
                });
            });
            asked.expect("the slot was half moved")?;
            assert_eq!(text(&fanfare, &["GET", "{a}new"]).await?, "here");
            fanfare.command(["DEL", "{a}new"]).await?;
            for n in 0..20 {
                assert_eq!(text(&fanfare, &["GET", &format!("{{a}}{n}")]).await?, n.to_string());
            }
            wait_messages(&fanfare, &mut subscription, &format!("round {round}")).await?;
            assert_eq!(next_number(&mut tail).await?, n_added);
        }
        assert_eq!(stream.len().await?, n_added);
        assert!(1 <= subscription.stats().gaps, "nobody told of the gaps");
        Ok(())
    });
}

/// Each outcome is that of its command, although they go to three nodes.
#[test]
fn a_batch_is_spread_and_put_together_again() {
    let group = ClusterGroup::start();
    run(async move {
        let fanfare = Fanfare::connect(&group.url()).await?;
        for n in (0..1_000).step_by(2) {
            fanfare.command(["SET", &format!("n:{n}"), &n.to_string()]).await?;
        }
        let stream = fanfare.stream("s");
        let entries = (0..500).map(|n| [("n", n.to_string())]);
        let outcomes = stream.add_batch(entries).await;
        assert!(outcomes.iter().all(Result::is_ok) && outcomes.len() == 500);
        assert_eq!(stream.len().await?, 500);

        let mut subscription = fanfare.subscriber().patterns(["ch:*"]).connect().await?;
        let batch: Vec<_> = (0..1_000).map(|n| (format!("ch:{}", n % 10), n.to_string())).collect();
        let outcomes = fanfare.publish_batch(batch).await;
        assert!(outcomes.iter().all(Result::is_ok) && outcomes.len() == 1_000);
        let mut last = [None; 10];
        for _ in 0..1_000 {
            let message = next(&mut subscription).await?;
            let n: usize = message.text()?.parse()?;
            // Each channel keeps its order.
            let last = &mut last[n % 10];
            assert!(*last < Some(n), "{n} after {last:?}");
            *last = Some(n);
        }
        Ok(())
    });
}

/// A node that hangs, and to which there is no connection yet, holds up nobody but those who want it.
#[test]
fn a_node_that_hangs_holds_up_its_own_commands_only() {
    let group = ClusterGroup::start_with_timeout(Duration::from_secs(120));
    run(async move {
        let options = |it: Options| {
            it.connect_timeout(Duration::from_secs(60)).request_timeout(Duration::from_secs(20))
        };
        // Each has a connection to one node: most of them not to the one that will hang.
        let mut links = Vec::new();
        for _ in 0..6 {
            links.push(Fanfare::builder(&group.url()).options(options).connect().await?);
        }
        let hung = group.owner("b");
        hung.sigstop();
        let publish = async |fanfare: &Fanfare| {
            fanfare.publish_batch([("b", "x"), ("c", "x"), ("a", "x")]).await
        };
        for outcomes in join_all(links.iter().map(publish)).await {
            let worked: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
            assert_eq!(worked, [false, true, true], "{outcomes:?}");
        }
        hung.sigcont();
        Ok(())
    });
}

#[test]
fn a_node_that_hangs_keeps_nobody_from_connecting() {
    let group = ClusterGroup::start_with_timeout(Duration::from_secs(120));
    run(async move {
        let hung = group.owner("b");
        hung.sigstop();
        for _ in 0..12 {
            let options = |it: Options| it.connect_timeout(Duration::from_secs(20));
            Fanfare::builder(&group.url()).options(options).connect().await?;
        }
        hung.sigcont();
        Ok(())
    });
}

#[test]
fn what_is_wrong_is_said() {
    let server = RedisServer::start(&[]);
    run(async move {
        let failed = async |url: String| match Fanfare::connect(&url).await {
            Ok(_) => Err("it connected"),
            Err(error) => Ok(error),
        };
        let error = failed(format!("redis+cluster://{}", server.addr())).await?;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("write `redis://`"), "{error}");
        let error = failed("redis+cluster://127.0.0.1:1,127.0.0.1:2".to_owned()).await?;
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.is_retryable(), "{error:?}");
        Ok(())
    });
}
