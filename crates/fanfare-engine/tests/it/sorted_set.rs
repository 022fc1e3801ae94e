//! Sorted sets: what transcripts beside redis-server 7.0 can not show.

use fanfare_engine::Version;

use crate::check::check;
use crate::told::check_published;
use crate::world::World;

/// <https://redis.io/docs/latest/commands/zrank/>: `WITHSCORE` came with Redis 7.2.
#[test]
fn a_rank_comes_with_its_score() {
    check(
        "
> ZADD k 1 a 2.5 b 3 c
< :3
> ZRANK k b WITHSCORE
<2 *2 :1 $3 2.5
<3 *2 :1 ,2.5
> ZREVRANK k a withscore
<2 *2 :2 $1 1
<3 *2 :2 ,1
> ZRANK k nope WITHSCORE
<2 *-1
<3 _
> ZREVRANK nokey a WITHSCORE
<2 *-1
<3 _
> ZRANK k a FOO
< -ERR syntax error
> ZRANK k a WITHSCORE x
< -ERR wrong number of arguments for 'zrank' command
> ZREVRANK k a WITHSCORE x
< -ERR wrong number of arguments for 'zrevrank' command
",
    );
}

#[test]
fn what_is_recorded_does_the_same_again() {
    let mut world = World::new(Version::Resp2);
    for (line, expected) in [
        ("ZADD k 1 a 2 b 3 c 4 d", &["ZADD k 1 a 2 b 3 c 4 d"][..]),
        ("ZADD k NX 9 a", &[]),
        ("ZADD k INCR 0.1 a", &["ZADD k INCR 0.1 a"]),
        ("ZINCRBY k 0 a", &[]),
        ("ZREM k nope", &[]),
        ("ZREM k a nope", &["ZREM k a nope"]),
        ("ZMPOP 2 nokey k MAX COUNT 2", &["ZPOPMAX k 2"]),
        ("ZMPOP 1 nokey MIN", &[]),
        ("ZADD k 5 e 6 f 7 g", &["ZADD k 5 e 6 f 7 g"]),
        ("BZPOPMIN nokey k 0", &["ZPOPMIN k"]),
        ("BZPOPMAX k 0", &["ZPOPMAX k"]),
        ("BZMPOP 0 1 k MIN COUNT 9", &["ZPOPMIN k 2"]),
        ("ZRANGESTORE d nokey 0 -1", &[]),
        ("ZADD k 1 a", &["ZADD k 1 a"]),
        ("ZUNIONSTORE d 1 k", &["ZUNIONSTORE d 1 k"]),
        ("ZINTERSTORE d 1 nokey", &["ZINTERSTORE d 1 nokey"]),
        ("ZRANDMEMBER k -3", &[]),
        ("ZREMRANGEBYRANK k 0 -1", &["ZREMRANGEBYRANK k 0 -1"]),
        ("ZREMRANGEBYRANK k 0 -1", &[]),
    ] {
        world.line(line);
        assert_eq!(world.recorded(), expected, "{line}");
    }
}

#[test]
fn who_waits_is_served_in_order() {
    let mut world = World::new(Version::Resp3);
    assert_eq!(world.line("2> BZPOPMAX j k 0"), "");
    assert_eq!(world.line("3> BZMPOP 0 2 k j MIN COUNT 10"), "");
    assert_eq!(world.line("ZADD k 1 a 2 b 3 c"), ":3");
    assert_eq!(world.served(), ["2: *3 $1 k $1 c ,3", "3: *2 $1 k *2 *2 $1 a ,1 *2 $1 b ,2"]);
    assert_eq!(world.line("EXISTS k"), ":0");
    assert_eq!(world.recorded(), ["ZADD k 1 a 2 b 3 c", "ZPOPMAX k", "ZPOPMIN k 2"]);
}

#[test]
fn what_is_no_sorted_set_serves_nobody() {
    let mut world = World::new(Version::Resp2);
    for line in ["2> BZPOPMIN k 0", "SET k v", "DEL k", "MULTI", "ZADD k 1 a", "ZREM k a", "EXEC"] {
        world.line(line);
    }
    assert!(world.host.served.is_empty());
    world.line("ZADD k 1 b");
    assert_eq!(world.host.served.len(), 1);
}

/// The events and their order are those that redis-server 7.0.15 published for these commands.
#[test]
fn changes_are_published_as_by_redis() {
    check_published(
        "Egz",
        &[
            ("ZADD k 1 a", &["zadd k"]),
            ("ZADD k 1 a", &[]),
            ("ZADD k CH 2 a", &["zadd k"]),
            ("ZADD k NX 3 a", &[]),
            ("ZADD k INCR 1 a", &["zincr k"]),
            ("ZADD k INCR 0 a", &[]),
            ("ZINCRBY k 1 a", &["zincr k"]),
            ("ZINCRBY k 0 a", &[]),
            ("ZREM k nope", &[]),
            ("ZREM k a", &["zrem k", "del k"]),
            ("ZADD k 1 a 2 b 3 c", &["zadd k"]),
            ("ZREMRANGEBYRANK k 0 0", &["zremrangebyrank k"]),
            ("ZREMRANGEBYRANK k 5 5", &[]),
            ("ZREMRANGEBYSCORE k 2 2", &["zremrangebyscore k"]),
            ("ZREMRANGEBYLEX k - +", &["zremrangebylex k", "del k"]),
            ("ZADD k 1 a 2 b 3 c 4 d", &["zadd k"]),
            ("ZPOPMIN k", &["zpopmin k"]),
            ("ZPOPMAX k 2", &["zpopmax k"]),
            ("ZMPOP 1 k MIN COUNT 5", &["zpopmin k", "del k"]),
            ("ZMPOP 1 k MIN", &[]),
            ("ZADD k 1 a 2 b", &["zadd k"]),
            ("ZUNIONSTORE d 1 k", &["zunionstore d"]),
            ("ZINTERSTORE d 1 k", &["zinterstore d"]),
            ("ZDIFFSTORE d 1 k", &["zdiffstore d"]),
            ("ZRANGESTORE d k 0 -1", &["zrangestore d"]),
            ("ZRANGESTORE d k 5 5", &["del d"]),
            ("ZRANGESTORE d k 5 5", &[]),
            ("ZINTERSTORE k 2 k nokey", &["del k"]),
            ("BZPOPMIN k 0", &[]),
            ("ZADD k 1 a 2 b", &["zadd k", "zpopmin k"]),
            ("BZPOPMAX k 0", &["zpopmax k", "del k"]),
        ],
    );
}

/// A random choice is one of those that there are, and none comes twice unless that is allowed.
#[test]
fn random_members_are_members() {
    let mut world = World::new(Version::Resp2);
    for n_members in [5, 300] {
        let mut add = vec!["ZADD".to_owned(), "k".into()];
        add.extend((0..n_members).flat_map(|it| [it.to_string(), format!("m{it}")]));
        world.line(&add.join(" "));
        for count in [1, 2, 4, 5, 6, 100, 299, 300] {
            let reply = world.line(&format!("ZRANDMEMBER k {count}"));
            let mut members: Vec<&str> =
                reply.split(' ').filter(|it| it.starts_with('m')).collect();
            members.sort_unstable();
            members.dedup();
            assert_eq!(members.len(), count.min(n_members), "{count} of {n_members}: {reply}");
        }
        let reply = world.line("ZRANDMEMBER k -1000 WITHSCORES");
        let words: Vec<&str> = reply.split(' ').collect();
        let names: Vec<&&str> = words.iter().filter(|it| it.starts_with('m')).collect();
        assert_eq!(names.len(), 1000);
        let mut seen: Vec<&str> = names.iter().map(|it| **it).collect();
        seen.sort_unstable();
        seen.dedup();
        // By far: each is missing once in some tens of random runs of this length.
        assert!(n_members * 9 / 10 <= seen.len() && seen.len() <= n_members);
    }
    assert_eq!(world.line("ZRANDMEMBER k -9223372036854775807"), "-ERR value is out of range");
}
