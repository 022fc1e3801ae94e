//! Typed commands: every family, pipelines, transactions, scripts, what waits, and what goes wrong.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare::{
    ErrorKind, Fanfare, Json, Value,
    client::{Client, Command, End, ExpireIf, Expiry, Script, SetOptions, Ttl, ZaddOptions},
    commands::*,
};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::support::{Target, TestResult, on_every_broker, on_everything};

on_everything!(
    every_family_does_what_redis_does,
    pipelines_and_transactions_are_answered_one_by_one,
    watched_keys_decide,
    who_waits_gets_what_comes,
    scripts_run_by_hash_and_by_text,
    all_keys_are_seen,
    a_namespace_is_before_all_names,
    several_connections_keep_the_order_of_each_client,
);

on_every_broker!(
    what_the_server_lacks_is_named,
    misuse_is_told,
    a_deadline_is_kept,
    dedicated_connections_are_bounded,
    a_dedicated_connection_that_broke_is_not_used_again,
    both_protocols_give_the_same,
);

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Order {
    id: u64,
    item: String,
}

fn order() -> Order {
    Order { id: 7, item: "tea".into() }
}

async fn client(server: &Target) -> Result<Client, fanfare::Error> {
    Ok(server.connect().await?.client())
}

async fn every_family_does_what_redis_does(server: Target) -> TestResult {
    let client = client(&server).await?;
    keys_and_strings(&client).await?;
    counters_and_json(&client).await?;
    hashes(&client).await?;
    lists(&client).await?;
    sets(&client).await?;
    sorted_sets(&client).await
}

async fn keys_and_strings(c: &Client) -> TestResult {
    c.set("{k}a", "1").await?;
    assert_eq!(c.get::<String>("{k}a").await?.as_deref(), Some("1"));
    assert_eq!(c.get::<u16>("{k}a").await?, Some(1));
    assert_eq!(c.get::<bool>("{k}a").await?, Some(true));
    assert_eq!(c.get::<Value>("{k}none").await?, None);
    let missing = SetOptions::new().if_missing();
    let brief = missing.expiry(Expiry::After(PATIENCE));
    assert!(!c.set_with("{k}a", "2", missing).await?);
    assert!(c.set_with("{k}b", "2", brief).await?);
    let Ttl::Left(left) = c.ttl("{k}b").await? else { return Err("it has no end".into()) };
    assert!(left <= PATIENCE);
    let keep = SetOptions::new().if_exists().expiry(Expiry::Keep);
    assert_eq!(c.set_get::<String>("{k}b", "3", keep).await?.as_deref(), Some("2"));
    assert!(matches!(c.ttl("{k}b").await?, Ttl::Left(_)));
    assert!(c.persist("{k}b").await?);
    assert_eq!(c.ttl("{k}b").await?, Ttl::Forever);
    assert_eq!(c.ttl("{k}none").await?, Ttl::Missing);
    assert!(c.expire("{k}b", PATIENCE).await?);
    assert!(!c.expire_if("{k}b", PATIENCE, ExpireIf::None).await?);
    assert!(c.expire_if("{k}b", PATIENCE * 2, ExpireIf::Longer).await?);
    assert!(c.expire_at("{k}b", SystemTime::now() + PATIENCE).await?);
    assert_eq!(c.get_persist::<String>("{k}b").await?.as_deref(), Some("3"));
    assert_eq!(c.get_ex::<String>("{k}b", Expiry::After(PATIENCE)).await?.as_deref(), Some("3"));
    assert!(matches!(c.ttl("{k}b").await?, Ttl::Left(_)));
    c.set_ex("{k}c", "4", PATIENCE).await?;
    assert_eq!(c.get_del::<u64>("{k}c").await?, Some(4));
    assert_eq!(c.key_type("{k}a").await?.as_deref(), Some("string"));
    assert_eq!(c.key_type("{k}c").await?, None);
    c.rename("{k}a", "{k}d").await?;
    assert!(!c.rename_nx("{k}d", "{k}b").await?);
    assert!(c.copy("{k}d", "{k}e", false).await?);
    assert_eq!(c.exists(["{k}a", "{k}d", "{k}e", "{k}e"]).await?, 3);
    assert_eq!(c.touch(["{k}d", "{k}x"]).await?, 1);
    c.mset([("{k}f", 1), ("{k}g", 2)]).await?;
    assert_eq!(c.mget::<i64>(["{k}f", "{k}x", "{k}g"]).await?, [Some(1), None, Some(2)]);
    assert_eq!(c.append("{k}f", "23").await?, 3);
    assert_eq!(c.strlen("{k}f").await?, 3);
    assert_eq!(c.get_range::<String>("{k}f", 1, -1).await?, "23");
    assert_eq!(c.set_range("{k}f", 1, "99").await?, 3);
    assert!(!c.mset_nx([("{k}f", 1), ("{k}h", 2)]).await?);
    assert!(c.mset_nx([("{k}h", 1), ("{k}i", 2)]).await?);
    assert!(!c.set_bit("{k}j", 9, true).await? && c.set_bit("{k}j", 9, true).await?);
    assert!(c.get_bit("{k}j", 9).await? && !c.get_bit("{k}j", 99).await?);
    assert_eq!(c.bit_count("{k}j").await?, 1);
    assert_eq!(c.del(["{k}d", "{k}x"]).await?, 1);
    assert_eq!(c.unlink(["{k}b", "{k}e"]).await?, 2);
    Ok(())
}

async fn counters_and_json(c: &Client) -> TestResult {
    assert_eq!(c.incr("n").await?, 1);
    assert_eq!(c.incr_by("n", 41).await?, 42);
    assert_eq!(c.decr("n").await?, 41);
    assert!((c.incr_by_float("n", 0.5).await? - 41.5).abs() < 1e-9);
    c.set_json("order", &order()).await?;
    assert_eq!(c.get_json::<Order>("order").await?, Some(order()));
    assert_eq!(c.get_json::<Order>("no order").await?, None);
    assert!(!c.set_json_with("order", &1, SetOptions::new().if_missing()).await?);
    let error = c.get_json::<u32>("order").await.err().ok_or("an order is no number")?;
    assert_eq!(error.kind(), ErrorKind::Decode);
    let keys_that_json_lacks = HashMap::from([((1, 2), 3)]);
    let error = c.set_json("order", &keys_that_json_lacks).await.err().ok_or("it has JSON")?;
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert_eq!(c.get_json::<Order>("order").await?, Some(order()));
    Ok(())
}

async fn hashes(c: &Client) -> TestResult {
    assert_eq!(c.hset("h", [("a", "1"), ("b", "2")]).await?, 2);
    assert!(!c.hset_nx("h", "a", 9).await?);
    assert_eq!(c.hget::<u32>("h", "a").await?, Some(1));
    assert_eq!(c.hmget::<u32>("h", ["b", "x"]).await?, [Some(2), None]);
    let all: BTreeMap<String, u32> = c.hgetall("h").await?;
    assert_eq!(all, BTreeMap::from([("a".into(), 1), ("b".into(), 2)]));
    assert!(c.hgetall::<HashMap<String, u32>>("none").await?.is_empty());
    assert_eq!(c.hincr_by("h", "a", 5).await?, 6);
    assert!((c.hincr_by_float("h", "a", 0.25).await? - 6.25).abs() < 1e-9);
    assert!(c.hset_json("h", "order", &order()).await?);
    assert_eq!(c.hget_json::<Order>("h", "order").await?, Some(order()));
    assert_eq!(c.hlen("h").await?, 3);
    assert!(c.hexists("h", "b").await?);
    assert_eq!(c.hkeys::<String>("h").await?.len(), 3);
    assert_eq!(c.hvals::<Bytes>("h").await?.len(), 3);
    assert_eq!(c.hdel("h", ["a", "x", "order"]).await?, 2);
    Ok(())
}

async fn lists(c: &Client) -> TestResult {
    assert_eq!(c.rpush("{l}", [1, 2, 3]).await?, 3);
    assert_eq!(c.lpush("{l}", [0]).await?, 4);
    assert_eq!(c.lrange::<i64>("{l}", 0, -1).await?, [0, 1, 2, 3]);
    assert_eq!(c.lindex::<i64>("{l}", -1).await?, Some(3));
    c.lset("{l}", 0, "7").await?;
    assert_eq!(c.lpos("{l}", 2).await?, Some(2));
    assert_eq!(c.lpos("{l}", 99).await?, None);
    assert_eq!(c.lrem("{l}", 0, 7).await?, 1);
    let ends = (End::Left, End::Right);
    assert_eq!(c.lmove::<i64>("{l}", "{l}2", ends).await?, Some(1));
    assert_eq!(c.rpop::<i64>("{l}").await?, Some(3));
    assert_eq!(c.lpop::<i64>("{l}2").await?, Some(1));
    assert_eq!(c.lpop::<i64>("{l}2").await?, None);
    c.rpush("{l}", [Json(order())]).await?;
    c.ltrim("{l}", -1, -1).await?;
    assert_eq!(c.llen("{l}").await?, 1);
    assert_eq!(c.lpop::<Json<Order>>("{l}").await?, Some(Json(order())));
    c.rpush("{l}", [1, 3]).await?;
    assert_eq!(c.linsert("{l}", End::Left, 3, 2).await?, Some(3));
    assert_eq!(c.linsert("{l}", End::Right, 3, 9).await?, Some(4));
    assert_eq!(c.linsert("{l}", End::Right, 7, 9).await?, None);
    assert_eq!(c.linsert("none", End::Right, 7, 9).await?, None);
    assert_eq!(c.rpop::<i64>("{l}").await?, Some(9));
    assert_eq!(c.pop_n::<i64>("{l}", End::Right, 2).await?, [3, 2]);
    assert!(c.pop_n::<i64>("none", End::Left, 2).await?.is_empty());
    Ok(())
}

async fn sets(c: &Client) -> TestResult {
    assert_eq!(c.sadd("{s}", ["a", "b", "c"]).await?, 3);
    c.sadd("{s}2", ["b", "c", "d"]).await?;
    assert!(c.sismember("{s}", "a").await?);
    assert_eq!(c.smismember("{s}", ["a", "x"]).await?, [true, false]);
    let set = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<HashSet<_>>();
    let keys = ["{s}", "{s}2"];
    assert_eq!(c.smembers::<HashSet<String>>("{s}").await?, set(&["a", "b", "c"]));
    assert_eq!(c.sinter::<HashSet<String>>(keys).await?, set(&["b", "c"]));
    assert_eq!(c.sunion::<HashSet<String>>(keys).await?, set(&["a", "b", "c", "d"]));
    assert_eq!(c.sdiff::<Vec<String>>(keys).await?, ["a"]);
    assert_eq!((c.sinter_card(keys, None).await?, c.sinter_card(keys, Some(1)).await?), (2, 1));
    assert_eq!(c.sinter_store("{s}3", keys).await?, 2);
    assert_eq!(c.sunion_store("{s}3", keys).await?, 4);
    assert_eq!(c.sdiff_store("{s}3", keys).await?, 1);
    assert!(c.smove("{s}", "{s}3", "b").await?);
    assert_eq!(c.srandmember::<String>("{s}3", 9).await?.len(), 2);
    assert_eq!(c.spop_n::<String>("{s}3", 9).await?.len(), 2);
    assert_eq!(c.spop::<String>("{s}3").await?, None);
    assert_eq!(c.srem("{s}", ["a", "x"]).await?, 1);
    assert_eq!(c.scard("{s}").await?, 1);
    Ok(())
}

async fn sorted_sets(c: &Client) -> TestResult {
    assert_eq!(c.zadd("{z}", [(1.0, "a"), (2.5, "b"), (f64::INFINITY, "c")]).await?, 3);
    let raise = ZaddOptions::new().if_exists().if_greater().count_changes();
    assert_eq!(c.zadd_with("{z}", [(0.5, "a"), (3.0, "b"), (9.0, "x")], raise).await?, 1);
    assert_eq!(c.zscore("{z}", "b").await?, Some(3.0));
    assert_eq!(c.zmscore("{z}", ["a", "x"]).await?, [Some(1.0), None]);
    assert_eq!(c.zincr_by("{z}", "a", 0.5).await?, 1.5);
    assert_eq!((c.zrank("{z}", "b").await?, c.zrevrank("{z}", "x").await?), (Some(1), None));
    assert_eq!(c.zcount("{z}", 1.5..=3.0).await?, 2);
    assert_eq!(c.zcount("{z}", ..).await?, 3);
    assert_eq!(c.zrange::<String>("{z}", 0, -1).await?, ["a", "b", "c"]);
    let scored = |items: &[(&str, f64)]| {
        items.iter().map(|(name, score)| ((*name).to_owned(), *score)).collect::<Vec<_>>()
    };
    let inf = f64::INFINITY;
    assert_eq!(c.zrange_with_scores("{z}", 0, 1).await?, scored(&[("a", 1.5), ("b", 3.0)]));
    assert_eq!(c.zrevrange_with_scores("{z}", 0, 0).await?, scored(&[("c", inf)]));
    assert_eq!(c.zrange_by_score("{z}", 1.5..3.0, None).await?, scored(&[("a", 1.5)]));
    assert_eq!(c.zrange_by_score("{z}", .., Some(1)).await?, scored(&[("a", 1.5)]));
    assert_eq!(c.zrevrange_by_score("{z}", .., Some(1)).await?, scored(&[("c", inf)]));
    let down = scored(&[("b", 3.0), ("a", 1.5)]);
    assert_eq!(c.zrevrange_by_score("{z}", 1.5..inf, None).await?, down);
    c.zadd("{z}2", [(1.0, "a")]).await?;
    assert_eq!(c.zunion_store("{z}3", ["{z}", "{z}2"]).await?, 3);
    assert_eq!(c.zinter_store("{z}3", ["{z}", "{z}2"]).await?, 1);
    assert_eq!(c.zpopmin("{z}3", 5).await?, scored(&[("a", 2.5)]));
    assert_eq!(c.zpopmax("{z}", 1).await?, scored(&[("c", inf)]));
    assert_eq!(c.zrem_by_score("{z}", ..2.0).await?, 1);
    assert_eq!(c.zrem_by_rank("{z}", 0, -1).await?, 1);
    assert_eq!((c.zrem("{z}", ["b"]).await?, c.zcard("{z}").await?), (0, 0));
    Ok(())
}

async fn pipelines_and_transactions_are_answered_one_by_one(server: Target) -> TestResult {
    let client = client(&server).await?;
    let pipeline = client.pipeline();
    let numbers: Vec<_> = (0..100).map(|n| pipeline.incr_by(format!("n{}", n % 7), n)).collect();
    let wrong = pipeline.lpush("n0", [1]);
    let echo = pipeline.run(Command::raw(["ECHO", "hello"]));
    let refused = pipeline.run(Command::raw(["MULTI"]));
    assert_eq!(pipeline.len(), 103);
    let mut answers = pipeline.send().await?;
    let mut sums = [0; 7];
    for (n, ticket) in (0_i64..).zip(numbers) {
        let sum = sums.get_mut(usize::try_from(n % 7)?).ok_or("there are seven")?;
        *sum += n;
        assert_eq!(answers.take(ticket)?, *sum);
    }
    let wrong = answers.take(wrong).err().ok_or("a string took an element")?;
    assert_eq!(wrong.server_code(), Some("WRONGTYPE"));
    assert_eq!(answers.take(echo)?.as_str(), Some("hello"));
    assert_eq!(answers.take(refused).err().map(|it| it.kind()), Some(ErrorKind::InvalidRequest));
    assert!(client.pipeline().send().await?.is_empty());
    let (one, other) = (client.pipeline(), client.pipeline());
    let (ticket, foreign) = (one.incr("n0"), other.incr("n1"));
    let mut answers = one.send().await?;
    let error = answers.take(foreign).err().ok_or("it answered for another pipeline")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(answers.take(ticket)?, sums[0] + 1);

    let transaction = client.transaction();
    let set = transaction.set("{t}a", 1);
    let wrong = transaction.lpush("{t}a", [1]);
    let sum = transaction.incr("{t}a");
    let mut answers = transaction.exec().await?;
    answers.take(set)?;
    assert_eq!(answers.take(wrong).err().ok_or("it was done")?.server_code(), Some("WRONGTYPE"));
    assert_eq!(answers.take(sum)?, 2);

    let transaction = client.transaction();
    let _ = transaction.incr("{t}a");
    let _ = transaction.run(Command::raw(["SET", "{t}a"]));
    let error = transaction.exec().await.err().ok_or("it was run")?;
    assert!(error.message().contains("wrong number of arguments"), "{error}");
    assert_eq!(client.get("{t}a").await?, Some(2));
    assert!(client.transaction().exec().await?.is_empty());

    let pipeline = client.pipeline();
    let set = pipeline.set("{t}w", "x");
    let (mut answers, n_replicas) = pipeline.send_and_wait(0, PATIENCE).await?;
    answers.take(set)?;
    assert!(n_replicas <= 2);
    Ok(())
}

async fn watched_keys_decide(server: Target) -> TestResult {
    let client = client(&server).await?;
    let watch = client.watch(["{w}n"]).await?;
    let transaction = watch.transaction();
    let sum = transaction.incr("{w}n");
    let mut answers = watch.exec(transaction).await?.ok_or("nobody changed it")?;
    assert_eq!(answers.take(sum)?, 1);

    let watch = client.watch(["{w}n"]).await?;
    client.incr("{w}n").await?;
    let transaction = watch.transaction();
    let _ = transaction.incr("{w}n");
    assert!(watch.exec(transaction).await?.is_none());
    let watch = client.watch(["{w}n"]).await?;
    let id = async |client: &Client| client.command(["CLIENT", "ID"]).await.map(|it| it.as_int());
    let patient = watch.client().with_timeout(PATIENCE);
    assert_eq!(id(&patient).await?, id(watch.client()).await?);
    watch.unwatch().await?;
    let late = patient.get::<u32>("{w}n").await.err().ok_or("the connection is somebody else's")?;
    assert!(late.to_string().contains("watch again"), "{late}");

    // Nothing is lost between those who try at the same time.
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let client = client.with_timeout(PATIENCE);
            tokio::spawn(async move {
                for _ in 0..5 {
                    let add = async |watch: &fanfare::client::Watch| {
                        let n: Option<u64> = watch.client().get("{w}sum").await?;
                        let transaction = watch.transaction();
                        let set = transaction.set("{w}sum", n.unwrap_or(0) + 1);
                        Ok((transaction, set))
                    };
                    let (mut answers, set) = client.transact(["{w}sum"], add).await?;
                    answers.take(set)?;
                }
                Ok::<_, fanfare::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    assert_eq!(client.get("{w}sum").await?, Some(40));
    Ok(())
}

async fn who_waits_gets_what_comes(server: Target) -> TestResult {
    let client = client(&server).await?;
    let moment = Duration::from_millis(20);
    assert_eq!(client.blpop::<String>(["{q}a", "{q}b"], moment).await?, None);
    assert_eq!(client.bzpopmin::<String>(["{q}z"], Duration::ZERO).await?, None);
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.blpop::<String>(["{q}a", "{q}b"], PATIENCE).await })
    };
    // Others are not held up.
    client.rpush("{q}b", ["x"]).await?;
    assert_eq!(waiting.await??, Some(("{q}b".into(), "x".to_owned())));
    client.rpush("{q}a", ["1", "2", "3"]).await?;
    let tail = client.brpop::<u32>(["{q}a"], PATIENCE).await?;
    assert_eq!(tail, Some(("{q}a".into(), 3)));
    let ends = (End::Left, End::Left);
    assert_eq!(client.blmove::<u32>("{q}a", "{q}c", ends, PATIENCE).await?, Some(1));
    assert_eq!(client.lrange::<u32>("{q}c", 0, -1).await?, [1]);
    client.zadd("{q}z", [(1.5, "low"), (2.5, "high")]).await?;
    let max = client.bzpopmax::<String>(["{q}z"], PATIENCE).await?;
    assert_eq!(max, Some(("{q}z".into(), "high".to_owned(), 2.5)));
    let min = client.bzpopmin::<String>(["{q}z"], PATIENCE).await?;
    assert_eq!(min, Some(("{q}z".into(), "low".to_owned(), 1.5)));
    let error = client.blpop::<u32>(["{q}c"], PATIENCE).await;
    assert_eq!(error?, Some(("{q}c".into(), 1)));
    client.fanfare().close().await;
    let closed = client.blpop::<u32>(["{q}c"], PATIENCE).await.err().ok_or("it is closed")?;
    assert_eq!(closed.kind(), ErrorKind::Closed);
    Ok(())
}

async fn scripts_run_by_hash_and_by_text(server: Target) -> TestResult {
    let client = client(&server).await?;
    let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for n in 1..=3 {
        assert_eq!(client.run_script::<i64>(&add, ["n"], [2]).await?, 2 * n);
    }
    client.command(["SCRIPT", "FLUSH"]).await?;
    assert_eq!(client.run_script::<i64>(&add, ["n"], [2]).await?, 8);
    let pipeline = client.pipeline();
    let sum = pipeline.eval::<i64>(&add, ["n"], [1]);
    assert_eq!(pipeline.send().await?.take(sum)?, 9);
    let wrong = Script::new("return redis.error_reply('OUT of tea')");
    let error = client.run_script::<()>(&wrong, ["n"], [0; 0]).await.err().ok_or("no error")?;
    assert_eq!((error.kind(), error.server_code()), (ErrorKind::Server, Some("OUT")));
    let broken = Script::new("this is no Lua");
    let error = client.run_script::<()>(&broken, ["n"], [0; 0]).await.err().ok_or("it ran")?;
    assert!(error.message().contains("compiling"), "{error}");
    Ok(())
}

async fn all_keys_are_seen(server: Target) -> TestResult {
    let client = client(&server).await?;
    let pipeline = client.pipeline();
    let expected: HashSet<Bytes> = (0..500).map(|n| format!("scan:{n}").into()).collect();
    expected.iter().for_each(|key| drop(pipeline.set(key, "x")));
    drop(pipeline.sadd("a set", (0..200).map(|n| n.to_string())));
    drop(pipeline.hset("a hash", (0..200).map(|n| (n, n + 1))));
    drop(pipeline.zadd("a zset", (0..200_u32).map(|n| (f64::from(n), n))));
    for answer in pipeline.send().await?.into_values() {
        answer?;
    }
    let keys = client.scan().matching("scan:*").count(50).stream();
    assert_eq!(keys.try_collect::<HashSet<_>>().await?, expected);
    let sets = client.scan().of_type("set").stream();
    assert_eq!(sets.try_collect::<Vec<_>>().await?, ["a set"]);
    let all: Vec<_> = client.scan().stream().try_collect().await?;
    assert!(503 <= all.len());
    let members = client.sscan::<String>("a set").stream();
    assert_eq!(members.try_collect::<HashSet<_>>().await?.len(), 200);
    let fields: HashMap<u32, u32> =
        client.hscan::<u32, u32>("a hash").stream().try_collect().await?;
    assert!(fields.len() == 200 && fields.iter().all(|(field, value)| field + 1 == *value));
    let scores: HashMap<u32, f64> = client.zscan::<u32>("a zset").stream().try_collect().await?;
    assert!(scores.len() == 200 && scores.iter().all(|(n, score)| f64::from(*n) == *score));
    let wrong = client.hscan::<String, String>("a set").stream().try_collect::<Vec<_>>().await;
    assert_eq!(wrong.err().ok_or("a set has fields")?.server_code(), Some("WRONGTYPE"));
    Ok(())
}

async fn a_namespace_is_before_all_names(server: Target) -> TestResult {
    let within = async |namespace: &str| {
        let builder = Fanfare::builder(&server.url()).options(|it| it.namespace(namespace));
        Ok::<_, fanfare::Error>(builder.connect().await?.client())
    };
    let (app, other) = (within("app:").await?, within("other:").await?);
    app.set("key", "app's").await?;
    other.set("key", "other's").await?;
    assert_eq!(app.get::<String>("key").await?.as_deref(), Some("app's"));
    let raw = app.command(["GET", "other:key"]).await?;
    assert_eq!(raw.as_str(), Some("other's"));
    let keys: Vec<_> = app.scan().stream().try_collect().await?;
    assert_eq!(keys, ["key"]);
    app.rpush("{q}list", ["x"]).await?;
    let popped = app.blpop::<String>(["{q}none", "{q}list"], PATIENCE).await?;
    assert_eq!(popped, Some(("{q}list".into(), "x".to_owned())));
    let transaction = app.transaction();
    let _ = transaction.set("key", 1);
    transaction.exec().await?;
    assert_eq!(other.get::<String>("key").await?.as_deref(), Some("other's"));
    let script = Script::new("return KEYS[1]");
    assert_eq!(app.run_script::<String>(&script, ["key"], [0; 0]).await?, "app:key");
    Ok(())
}

async fn several_connections_keep_the_order_of_each_client(server: Target) -> TestResult {
    let fanfare = Fanfare::builder(&server.url()).options(|it| it.pool_size(4)).connect().await?;
    assert!(fanfare.stats().commands.is_up);
    let client = fanfare.client();
    let mut ids = HashSet::new();
    // Whatever a client's key is, its commands are run in the order in which they were given.
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let client = client.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let pushes =
                        (0..20).map(|n| client.rpush(format!("order:{task}"), [20 * round + n]));
                    for outcome in futures_util::future::join_all(pushes).await {
                        outcome?;
                    }
                }
                let id = client.run(Command::raw(["CLIENT", "ID"])).await?;
                let order: Vec<u32> = client.lrange(format!("order:{task}"), 0, -1).await?;
                Ok::<_, fanfare::Error>((id.as_int(), order))
            })
        })
        .collect();
    for task in tasks {
        let (id, order) = task.await??;
        ids.insert(id);
        assert!(order.len() == 200 && order.is_sorted(), "{order:?}");
    }
    assert!(2 <= ids.len(), "all went over one connection");
    Ok(())
}

async fn what_the_server_lacks_is_named(server: Target) -> TestResult {
    let client = client(&server).await?;
    if let Target::Redis(_) = server {
        let error = client.hexpire("h", ["f"], PATIENCE).await.err().ok_or("7.0 has HPEXPIRE")?;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "FF-1003"));
        assert!(error.to_string().contains("HPEXPIRE: it came with Redis 7.4"), "{error}");
    } else {
        client.hset("h", [("f", "1")]).await?;
        assert_eq!(client.hexpire("h", ["f", "x"], PATIENCE).await?, [1, -2]);
        let ttls = client.httl("h", ["f", "x"]).await?;
        assert!(matches!(ttls[..], [Ttl::Left(_), Ttl::Missing]), "{ttls:?}");
    }
    let error = client.command(["NOSUCH", "x"]).await.err().ok_or("there is NOSUCH")?;
    assert!(error.to_string().contains("no command NOSUCH"), "{error}");
    let transaction = client.transaction();
    let _ = transaction.run(Command::raw(["NOSUCH", "x"]));
    let error = transaction.exec().await.err().ok_or("there is NOSUCH")?;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    Ok(())
}

async fn misuse_is_told(server: Target) -> TestResult {
    let client = client(&server).await?;
    client.set("text", "seven").await?;
    let error = client.get::<u32>("text").await.err().ok_or("text is a number")?;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Decode, "FF-6002"));
    assert!(error.to_string().contains("text, not an integer of type u32"), "{error}");
    let error = client.incr("text").await.err().ok_or("text was counted")?;
    assert_eq!(error.message(), "ERR value is not an integer or out of range");
    let error = client.command(["BLPOP", "k", "0"]).await.err().ok_or("it blocked")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let error = client.del([""; 0]).await.err().ok_or("DEL of nothing")?;
    assert!(error.message().contains("wrong number of arguments"), "{error}");
    let watch = client.watch(["k"]).await?;
    let error = watch.exec(client.transaction()).await.err().ok_or("it was run")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let watch = client.watch(["k"]).await?;
    let error = watch.transaction().exec().await.err().ok_or("it was run")?;
    assert!(error.to_string().contains("Watch::exec"), "{error}");
    Ok(())
}

async fn a_deadline_is_kept(server: Target) -> TestResult {
    let client = client(&server).await?;
    client.set("key", 1).await?;
    server.freeze().await?;
    let brief = client.with_timeout(Duration::from_millis(100));
    let late = [
        brief.get::<u32>("key").await.err(),
        brief.blpop::<u32>(["list"], Duration::from_millis(1)).await.err(),
        brief.watch(["key"]).await.err(),
        brief.transaction().exec().await.err(),
    ];
    let pipeline = brief.pipeline();
    let get = pipeline.get::<u32>("key");
    let piped = pipeline.send().await.and_then(|mut it| it.take(get)).err();
    server.sigcont();
    for error in late.into_iter().chain([piped]) {
        let error = error.ok_or("a frozen server answered")?;
        let is_late = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::NotConnected);
        assert!(is_late && error.is_retryable(), "{error:?}");
    }
    assert_eq!(client.get("key").await?, Some(1));
    Ok(())
}

async fn dedicated_connections_are_bounded(server: Target) -> TestResult {
    let builder = Fanfare::builder(&server.url()).options(|it| it.dedicated_max(2));
    let client = builder.connect().await?.client();
    let first = client.watch(["a"]).await?;
    let second = client.watch(["b"]).await?;
    let brief = client.with_timeout(Duration::from_millis(50));
    let error = brief.watch(["c"]).await.err().ok_or("there was a third")?;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Overloaded, "FF-1107"));
    assert!(error.to_string().contains("all 2 dedicated connections"), "{error}");
    drop(first);
    let third = client.watch(["c"]).await?;
    let id = async |watch: &fanfare::client::Watch| {
        watch.client().command(["CLIENT", "ID"]).await.map(|id| id.as_int())
    };
    let used = id(&third).await?;
    third.unwatch().await?;
    // What was given back is used again, and what is watched no longer does not matter.
    let fourth = client.watch(["d"]).await?;
    assert_eq!(id(&fourth).await?, used);
    client.set("c", 1).await?;
    let transaction = fourth.transaction();
    let _ = transaction.set("d", 1);
    assert!(fourth.exec(transaction).await?.is_some());
    second.unwatch().await?;
    Ok(())
}

async fn a_dedicated_connection_that_broke_is_not_used_again(mut server: Target) -> TestResult {
    let client = client(&server).await?;
    let moment = Duration::from_millis(10);
    assert_eq!(client.blpop::<u32>(["list"], moment).await?, None);
    server.stop();
    server.restart();
    client.with_timeout(PATIENCE).rpush("list", [1]).await?;
    let popped = client.with_timeout(PATIENCE).blpop::<u32>(["list"], PATIENCE).await?;
    assert_eq!(popped, Some(("list".into(), 1)));
    // One that is waiting when the server goes is told.
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.blpop::<u32>(["list"], PATIENCE * 2).await })
    };
    crate::support::until("somebody is blocked", || {
        server.say(&["INFO", "clients"]).contains("blocked_clients:1")
    })
    .await?;
    server.stop();
    let error = waiting.await?.err().ok_or("it got something")?;
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.may_have_been_delivered());
    Ok(())
}

async fn both_protocols_give_the_same(server: Target) -> TestResult {
    for protocol in ["2", "3"] {
        let url = format!("{}?protocol={protocol}", server.url());
        let client = Fanfare::connect(&url).await?.client();
        client.command(["FLUSHALL"]).await?;
        keys_and_strings(&client).await?;
        counters_and_json(&client).await?;
        hashes(&client).await?;
        lists(&client).await?;
        sets(&client).await?;
        sorted_sets(&client).await?;
    }
    Ok(())
}
