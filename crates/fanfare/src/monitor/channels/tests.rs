//! What is listed, what is counted together, and that the sums are right.

use std::time::Duration;

use super::*;
use crate::monitor::heard::Heard;

fn active(name: &'static str, n_subscribers: u64) -> ActiveChannel {
    ActiveChannel { name: name.into(), n_subscribers }
}

fn everything() -> Heard {
    Heard { patterns: vec!["*".into()], sharded: Vec::new() }
}

fn tally(channels_max: usize, named: &[Bytes]) -> Tally {
    let mut tally = Tally::new(channels_max, named, Duration::from_secs(60));
    tally.since = Some(Instant::now());
    tally
}

fn count(tally: &mut Tally, name: impl Into<Bytes>) {
    tally.count(Instant::now(), (name.into(), false), 5);
}

#[test]
fn what_is_beyond_the_bound_is_counted_together() {
    let mut tally = tally(3, &[]);
    for n in 0..1_000_u32 {
        count(&mut tally, format!("c{}", n % 10));
    }
    for n in 0..50_u32 {
        count(&mut tally, format!("fanfare:inbox:{n:032x}"));
    }
    let listener = Listener::deaf(everything(), tally);
    let channels = vec![active("c0", 7), active("silent", 2), active("z", 1)];
    let found = Active { channels, more: 4, left_out: 9 };
    let mut audience = Audience { pattern: None, active: vec![(false, found)], named: Vec::new() };
    let mut meter = Meter::new(Duration::from_secs(10));
    let seen = look(&audience, Some(&listener), &mut meter, 4);
    let told: Vec<_> =
        seen.channels.iter().map(|it| (&*it.name, it.messages, it.subscribers)).collect();
    assert_eq!(told[0], ("c0", Some(100), Some(7)));
    assert_eq!(told[3], ("silent", None, Some(2)), "it may have been one of the others");
    assert_eq!((seen.other.channels, seen.other.messages, seen.error.is_none()), (5, 700, true));
    assert_eq!((seen.private.channels, seen.private.messages), (9, 50));

    // What a rule names is not beyond it, whether somebody subscribes or nobody.
    audience.named = vec![
        (false, active("z", 1)),
        (true, active("z", 0)),
        (false, active("parts", 0)),
        (true, active("parts", 3)),
        (false, active("nobody's", 0)),
        (true, active("nobody's", 0)),
    ];
    for channels_max in [4, 1] {
        let seen = look(&audience, Some(&listener), &mut meter, channels_max);
        let told: Vec<_> =
            seen.channels.iter().map(|it| (&*it.name, it.is_sharded, it.subscribers)).collect();
        let first = [("parts", true, Some(3)), ("z", false, Some(1)), ("nobody's", false, Some(0))];
        assert_eq!(told[..3], first);
        assert_eq!(told.get(3).map(|it| it.0), (channels_max == 4).then_some("c0"));
        // Of those that are listed there are more or fewer; the sum stays.
        let listed: u64 = seen.channels.iter().filter_map(|it| it.messages).sum();
        assert_eq!(listed + seen.other.messages, 1_000);
    }
}

#[test]
fn what_was_never_heard_is_silent_where_it_is_listened_to() {
    let heard = Heard { patterns: vec!["news.*".into()], sharded: vec!["parts".into()] };
    let mut tally = tally(10, &["news.named".into(), "parts".into()]);
    count(&mut tally, "news.heard");
    let listener = Listener::deaf(heard, tally);
    let channels = vec![active("news.quiet", 1), active("other", 1)];
    let audience = Audience {
        pattern: Some("*".into()),
        active: vec![(false, Active { channels, more: 0, left_out: 0 })],
        named: vec![
            (false, active("news.named", 0)),
            (true, active("news.named", 0)),
            (false, active("parts", 0)),
            (true, active("parts", 0)),
        ],
    };
    let mut meter = Meter::new(Duration::from_secs(10));
    let seen = look(&audience, Some(&listener), &mut meter, 10);
    let told: Vec<_> = seen
        .channels
        .iter()
        .map(|it| (&*it.name, it.is_sharded, it.messages, it.silent_ms.is_some()))
        .collect();
    let expected = [
        ("news.named", false, Some(0), true),
        ("parts", true, Some(0), true),
        ("news.heard", false, Some(1), true),
        ("news.quiet", false, Some(0), true),
        ("other", false, None, false),
    ];
    assert_eq!(told, expected);
}

#[test]
fn nobody_subscribes_only_to_what_would_have_been_listed() {
    for (pattern, more, is_sharded, expected) in [
        (Some("*"), 0, false, Some(0)),
        (Some("n*"), 0, false, Some(0)),
        (Some("other.*"), 0, false, None),
        (None, 0, false, None),
        (Some("*"), 7, false, None),
        // An old server has none of these, and does not list them.
        (Some("*"), 0, true, None),
    ] {
        let mut tally = tally(10, &[]);
        tally.count(Instant::now(), ("news".into(), is_sharded), 5);
        let listener = Listener::deaf(everything(), tally);
        let found = Active { channels: Vec::new(), more, left_out: 0 };
        let pattern = pattern.map(Bytes::from);
        let audience = Audience { pattern, active: vec![(false, found)], named: Vec::new() };
        let mut meter = Meter::new(Duration::from_secs(10));
        let seen = look(&audience, Some(&listener), &mut meter, 10);
        let told: Vec<_> = seen.channels.iter().map(|it| (&*it.name, it.subscribers)).collect();
        assert_eq!(told, [("news", expected)], "{audience:?}");
    }
}
