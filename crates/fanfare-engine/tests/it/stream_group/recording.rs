//! What is recorded, published and watched.

use fanfare_engine::Version;
use fanfare_testkit::{Rng, seed};

use crate::told::check_published;
use crate::world::World;

/// Run again, effects make the same stream and the same groups.
#[test]
fn what_is_recorded_does_the_same_again() {
    let (mut world, mut copy) = (World::new(Version::Resp2), World::new(Version::Resp2));
    let claim = |who: &str, id: u64, n: u64| {
        format!(
            "XCLAIM s g {who} 0 {id}-0 TIME 1700000000000 RETRYCOUNT {n} FORCE JUSTID LASTID 4-0"
        )
    };
    let (c1, d1, d2) = (claim("c", 1, 1), claim("d", 1, 2), claim("d", 2, 7));
    let (gone, auto, auto_gone) = (claim("c", 3, 1), claim("e", 1, 3), claim("d", 2, 7));
    let given = [1, 2, 3, 4].map(|id| claim("c", id, 1));
    let given: Vec<&str> = given.iter().map(|it| &**it).collect();
    for (line, expected) in [
        (
            "XGROUP CREATE m g $ MKSTREAM ENTRIESREAD 0",
            &["XGROUP CREATE m g $ MKSTREAM ENTRIESREAD 0"][..],
        ),
        ("XGROUP CREATE m g $ MKSTREAM", &[]),
        ("XADD s 1-0 n 1", &["XADD s 1-0 n 1"]),
        ("XADD s 2-0 n 2", &["XADD s 2-0 n 2"]),
        ("XADD s 3-0 n 3", &["XADD s 3-0 n 3"]),
        ("XADD s 4-0 n 4", &["XADD s 4-0 n 4"]),
        ("XGROUP CREATE s g $", &["XGROUP CREATE s g $"]),
        ("XGROUP CREATE s h -", &[]),
        ("XGROUP SETID s g 0", &["XGROUP SETID s g 0"]),
        ("XCLAIM s g c 0 9-0", &["XGROUP CREATECONSUMER s g c"]),
        ("XCLAIM s g c 0 9-0 LASTID 2", &["XGROUP SETID s g 2-0 ENTRIESREAD -1"]),
        ("XCLAIM s g c 0 9-0 LASTID 1", &[]),
        ("XCLAIM s g c 0 1-0 2-0 3-0 4-0 9-0 FORCE JUSTID LASTID 4", &given),
        ("XCLAIM s g d 0 1-0", &[&d1]),
        ("XCLAIM s g d 5 1-0", &[]),
        ("XCLAIM s g d 0 2-0 RETRYCOUNT 7", &[&d2]),
        ("XDEL s 3-0", &["XDEL s 3-0"]),
        ("XCLAIM s g d 5 3-0", &[&gone]),
        ("XDEL s 2-0", &["XDEL s 2-0"]),
        ("XAUTOCLAIM s g e 0 - COUNT 2", &[&auto, &auto_gone]),
        ("XAUTOCLAIM s g nobody 5 -", &["XGROUP CREATECONSUMER s g nobody"]),
        ("XNACK s g FAIL IDS 1 4-0", &["XNACK s g FAIL IDS 1 4-0"]),
        ("XNACK s g FAIL IDS 1 2-0", &[]),
        ("XNACK s g SILENT IDS 1 1-0 FORCE", &["XNACK s g SILENT IDS 1 1-0 FORCE"]),
        ("XGROUP CREATECONSUMER s g f", &["XGROUP CREATECONSUMER s g f"]),
        ("XGROUP CREATECONSUMER s g f", &[]),
        ("XGROUP DELCONSUMER s g d", &["XGROUP DELCONSUMER s g d"]),
        ("XGROUP DELCONSUMER s g d", &[]),
        ("XCLAIM s g c 0 1-0 JUSTID RETRYCOUNT 1", &[&c1]),
        ("XACK s g 2-0 9-0", &[]),
        ("XACK s g 1-0 9-0", &["XACK s g 1-0 9-0"]),
        ("XDEL s 4-0", &["XDEL s 4-0"]),
        // It was given back, so nobody had it.
        ("XAUTOCLAIM s g e 0 -", &["XACK s g 4-0"]),
        ("XADD s 5-0 n 5", &["XADD s 5-0 n 5"]),
        ("XADD s 6-0 n 6", &["XADD s 6-0 n 6"]),
        ("XNACK s g FAIL IDS 2 5-0 6-0 FORCE", &["XNACK s g FAIL IDS 2 5-0 6-0 FORCE"]),
        ("XDEL s 5-0", &["XDEL s 5-0"]),
        // It only stops being pending.
        ("XDELEX s DELREF IDS 1 5-0", &["XDELEX s DELREF IDS 1 5-0"]),
        ("XDELEX s DELREF IDS 1 5-0", &[]),
        ("XDELEX s ACKED IDS 1 6-0", &[]),
        ("XGROUP CREATE s h 6", &["XGROUP CREATE s h 6"]),
        ("XACKDEL s h IDS 1 6-0", &[]),
        ("XACKDEL s g ACKED IDS 1 6-0", &["XACKDEL s g ACKED IDS 1 6-0"]),
        ("XGROUP DESTROY s h", &["XGROUP DESTROY s h"]),
        ("XGROUP DESTROY s h", &[]),
    ] {
        world.line(line);
        let recorded = world.recorded();
        assert_eq!(recorded, expected, "{line}");
        for effect in &recorded {
            copy.line(effect);
        }
        for question in ["XINFO STREAM s FULL COUNT 0", "XINFO STREAM m FULL COUNT 0"] {
            assert_eq!(copy.line(question), world.line(question), "{question} after {line}");
        }
    }
}

#[test]
fn effects_lead_to_the_same_groups() {
    let seed = seed();
    for walk in 0..40 {
        let mut rng = Rng::new(seed.wrapping_add(walk));
        let (mut world, mut copy) = (World::new(Version::Resp2), World::new(Version::Resp2));
        (world.now_ms, copy.now_ms) = (1, 1);
        for line in ["XGROUP CREATE k g $ MKSTREAM", "XGROUP CREATE k h $"] {
            world.line(line);
        }
        for n_line in 0..200 {
            world.now_ms += rng.below(2);
            let line = random_line(&mut rng);
            let reply = world.line(&line);
            let is_expected = !reply.starts_with('-')
                || reply.starts_with("-NOGROUP")
                || reply.starts_with("-BUSYGROUP");
            assert!(is_expected, "{line}: {reply}");
            copy.now_ms = world.now_ms;
            copy.follow(&mut world);
            if n_line % 10 != 9 {
                continue;
            }
            for question in [
                "XINFO STREAM k",
                "XINFO GROUPS k",
                "XRANGE k - +",
                "XPENDING k g - + 100",
                "XPENDING k h - + 100",
                "XPENDING k g",
                "XPENDING k h",
            ] {
                let (is, should) = (copy.line(question), world.line(question));
                assert_eq!(
                    is, should,
                    "{question} after line {n_line}, {line} (seed {seed}, walk {walk})"
                );
            }
        }
    }
}

fn random_line(rng: &mut Rng) -> String {
    let pick = |rng: &mut Rng, words: &[&str]| {
        words[usize::try_from(rng.below(words.len() as u64)).expect("few")].to_owned()
    };
    let group = pick(rng, &["g", "g", "h"]);
    let consumer = pick(rng, &["a", "b", "c"]);
    let [one, two] = [0; 2].map(|_| 1 + rng.below(40));
    let idle = rng.below(200);
    let references = pick(rng, &["KEEPREF", "DELREF", "ACKED"]);
    match rng.below(20) {
        0..=3 => "XADD k * n 1".into(),
        4 => format!("XDEL k {one}"),
        5 => format!("XDELEX k {references} IDS 2 {one} {two}"),
        6 => format!("XACKDEL k {group} {references} IDS 2 {one} {two}"),
        7 => format!("XACK k {group} {one} {two}"),
        8 => {
            format!("XNACK k {group} {} IDS 2 {one} {two}", pick(rng, &["SILENT", "FAIL", "FATAL"]))
        }
        9 => format!("XNACK k {group} FAIL IDS 1 {one} RETRYCOUNT {idle} FORCE"),
        10 | 11 => format!("XCLAIM k {group} {consumer} {idle} {one} {two}"),
        12 => format!(
            "XCLAIM k {group} {consumer} 0 {one} {two} FORCE JUSTID IDLE {idle} LASTID {one}"
        ),
        13 | 14 => format!("XAUTOCLAIM k {group} {consumer} {idle} {one} COUNT 3"),
        15 | 16 => format!("XREADGROUP GROUP {group} {consumer} COUNT 5 STREAMS k >"),
        17 => {
            format!("XGROUP {} k {group} {consumer}", pick(rng, &["CREATECONSUMER", "DELCONSUMER"]))
        }
        18 => format!("XGROUP SETID k {group} {one}"),
        _ => pick(rng, &["XGROUP CREATE k h 0", "XGROUP CREATE k h $", "XGROUP DESTROY k h"]),
    }
}

/// The events are those that redis-server 7.0.15 and, for `XDELEX` and `XACKDEL`, 8.2.3 published for these commands.
#[test]
fn changes_are_published_as_by_redis() {
    check_published(
        "Egt",
        &[
            ("XGROUP CREATE m g $ MKSTREAM", &["xgroup-create m"]),
            ("XGROUP CREATE m g $ MKSTREAM", &[]),
            ("XADD k 1-1 a 1", &["xadd k"]),
            ("XADD k 2-1 a 2", &["xadd k"]),
            ("XGROUP CREATE k g 0", &["xgroup-create k"]),
            ("XGROUP CREATECONSUMER k g c", &["xgroup-createconsumer k"]),
            ("XGROUP CREATECONSUMER k g c", &[]),
            ("XCLAIM k g d 0 1-1 2-1 FORCE", &["xgroup-createconsumer k"]),
            ("XCLAIM k g c 0 1-1", &[]),
            ("XCLAIM k g e 100000 1-1", &["xgroup-createconsumer k"]),
            ("XCLAIM k g e 0 9-1 LASTID 7", &[]),
            ("XAUTOCLAIM k g e 100000 -", &[]),
            ("XAUTOCLAIM k g f 0 -", &["xgroup-createconsumer k"]),
            ("XNACK k g FAIL IDS 1 1-1", &[]),
            ("XACK k g 1-1", &[]),
            ("XGROUP SETID k g 0", &["xgroup-setid k"]),
            ("XGROUP DELCONSUMER k g d", &["xgroup-delconsumer k"]),
            ("XGROUP DELCONSUMER k g d", &[]),
            ("XDELEX k IDS 2 1-1 9-9", &["xdel k"]),
            ("XDELEX k ACKED IDS 1 2-1", &[]),
            ("XACKDEL k g ACKED IDS 1 2-1", &[]),
            ("XADD k 3-1 a 3", &["xadd k"]),
            ("XCLAIM k g c 0 3-1 FORCE", &[]),
            ("XACKDEL k g IDS 1 3-1", &["xdel k"]),
            ("XGROUP DESTROY k g", &["xgroup-destroy k"]),
            ("XGROUP DESTROY k g", &[]),
        ],
    );
}

/// As in Redis, who watches a stream watches its entries.
#[test]
fn groups_are_not_watched() {
    let mut world = World::new(Version::Resp2);
    for line in ["XADD k 1-0 a 1", "XADD k 2-0 a 2", "XADD k 3-0 a 3"] {
        world.line(line);
    }
    for (line, is_seen) in [
        ("XGROUP CREATE k g 0", false),
        ("XGROUP SETID k g 0 ENTRIESREAD 0", false),
        ("XGROUP CREATECONSUMER k g c", false),
        ("XCLAIM k g c 0 1-0 2-0 3-0 FORCE", false),
        ("XAUTOCLAIM k g d 0 -", false),
        ("XNACK k g FAIL IDS 1 1-0", false),
        ("XACK k g 1-0", false),
        ("XACKDEL k g IDS 1 9-0", false),
        ("XDELEX k IDS 1 9-0", false),
        ("XACKDEL k g IDS 1 2-0", true),
        ("XDELEX k IDS 1 3-0", true),
        ("XDELEX k DELREF IDS 1 3-0", false),
        ("XGROUP DELCONSUMER k g d", false),
        ("XGROUP DESTROY k g", false),
        ("DEL k", true),
        ("XGROUP CREATE k g $ MKSTREAM", true),
    ] {
        let n_changes = world.keyspace.totals().n_changes;
        world.line("WATCH k");
        world.line(&format!("2> {line}"));
        world.line("MULTI");
        world.line("PING");
        let reply = world.line("EXEC");
        assert_eq!(reply == "*-1", is_seen, "{line}: {reply}");
        let is_change = world.keyspace.totals().n_changes != n_changes;
        let was_nothing = matches!(line, "XACKDEL k g IDS 1 9-0" | "XDELEX k IDS 1 9-0");
        assert_eq!(is_change, !was_nothing, "{line}");
    }
}

/// What stays because somebody wants it may be the first entry, or in a block with others that go.
#[test]
fn what_is_cut_off_between_wanted_entries_is_cut_off_again() {
    for (cut, recorded) in [
        ("MINID ~ 6", "MINID = 5-1"),
        ("MAXLEN ~ 0", "MINID = 6-1"),
        ("MAXLEN ~ 0 LIMIT 2", "MINID = 2-1"),
        // In larger blocks 5-0 would go, too.
        ("MAXLEN 4", "MINID = 2-1"),
    ] {
        let (mut world, mut copy) = (World::new(Version::Resp2), World::new(Version::Resp2));
        world.keyspace.tuning().set_stream_entries_max(2);
        for id in 1..=6 {
            world.line(&format!("XADD s {id}-0 n 1"));
        }
        for line in ["XGROUP CREATE s g 0", "XREADGROUP GROUP g c STREAMS s >", "XACK s g 2 5 6"] {
            world.line(line);
        }
        copy.follow(&mut world);
        world.line(&format!("XTRIM s {cut} ACKED"));
        let effects = world.recorded();
        assert_eq!(effects, [format!("XTRIM s {recorded} ACKED")]);
        copy.line(&effects[0]);
        assert_eq!(copy.line("XRANGE s - +"), world.line("XRANGE s - +"), "{cut}");
    }
}
