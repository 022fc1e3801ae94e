//! BITOP as Redis 8.2 has it; redis-server 7.0.15, to which everything else is compared, knows four operations.
//!
//! Source: <https://redis.io/docs/latest/commands/bitop/>.

use fanfare_engine::Version;
use fanfare_testkit::{Rng, seed};

use crate::check::check;
use crate::world::World;

#[test]
fn operations_that_compare_two_want_two() {
    check(
        "
> SET x a
< +OK
> BITOP DIFF d x
< -ERR BITOP DIFF must be called with at least two source keys.
> BITOP diff1 d x
< -ERR BITOP DIFF1 must be called with at least two source keys.
> BITOP AndOr d x
< -ERR BITOP ANDOR must be called with at least two source keys.
> BITOP ONE d x
< :1
> GET d
< $1 a
> BITOP DIFF2 d x x
< -ERR syntax error
> BITOP DIFF d missing x
< :1
> BITOP ANDOR d missing missing
< :0
> EXISTS d
< :0
> SADD s 1
< :1
> BITOP ONE d x s
< -WRONGTYPE Operation against a key holding the wrong kind of value
",
    );
}

/// What a bit becomes, of the bits of the sources.
type Rule = fn(&[bool]) -> bool;

const RULES: [(&str, Rule); 8] = [
    ("AND", |bits| bits.iter().all(|it| *it)),
    ("OR", |bits| bits.iter().any(|it| *it)),
    ("XOR", |bits| bits.iter().filter(|it| **it).count() % 2 == 1),
    ("NOT", |bits| !bits[0]),
    ("DIFF", |bits| bits[0] && !bits[1..].iter().any(|it| *it)),
    ("DIFF1", |bits| !bits[0] && bits[1..].iter().any(|it| *it)),
    ("ANDOR", |bits| bits[0] && bits[1..].iter().any(|it| *it)),
    ("ONE", |bits| bits.iter().filter(|it| **it).count() == 1),
];

#[test]
fn bits_are_combined_by_the_rules() {
    let mut rng = Rng::new(seed());
    let mut world = World::new(Version::Resp2);
    for _ in 0..300 {
        let sources: Vec<Vec<u8>> = (0..5)
            .map(|_| (0..rng.below(20)).map(|_| rng.next_u64().to_le_bytes()[0]).collect())
            .collect();
        for (source, key) in sources.iter().zip(["0", "1", "2", "3", "4"]) {
            let set = world.call(0, &[b"SET".to_vec(), key.into(), source.clone()]);
            assert_eq!(set, b"+OK\r\n");
        }
        for (operation, rule) in RULES {
            let n_sources = if operation == "NOT" { 1 } else { 2 + rng.below(4) };
            let mut args: Vec<Vec<u8>> = vec!["BITOP".into(), operation.into(), "to".into()];
            args.extend((0..n_sources).map(|it| it.to_string().into_bytes()));
            let used: Vec<_> = sources.iter().zip(0..n_sources).map(|it| it.0).collect();
            let len = used.iter().map(|it| it.len()).max().unwrap_or_default();
            assert_eq!(world.call(0, &args), format!(":{len}\r\n").as_bytes());
            let expected: Vec<u8> = (0..len)
                .map(|at| {
                    let bit = |mask: u8| {
                        let is_set = |it: &&Vec<u8>| it.get(at).is_some_and(|it| it & mask != 0);
                        rule(&used.iter().map(is_set).collect::<Vec<_>>())
                    };
                    (0..8).map(|shift| u8::from(bit(1 << shift)) << shift).sum()
                })
                .collect();
            let got = world.call(0, &["GET".into(), "to".into()]);
            let head = format!("${len}\r\n");
            let reply = if len == 0 {
                b"$-1\r\n".to_vec()
            } else {
                [head.as_bytes(), &expected, b"\r\n"].concat()
            };
            assert_eq!(got, reply, "{operation} of {used:?}");
        }
    }
}
