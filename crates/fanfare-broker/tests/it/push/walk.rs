//! Streams that are cut, deleted, replaced, moved and flushed by several clients at once: what a subscriber makes of what it
//! was pushed is, in the end, what is there.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use fanfare_testkit::{Rng, seed};

use super::{Id, Pushed, at, below, connect, ids, is_end, next, spelled};
use crate::peer::{Frame, Peer, addr_of, broker, info, wait_until};

const KEY: &str = "s";
const N_WRITERS: usize = 3;
const N_SUBSCRIBERS: usize = 6;
const N_STEPS: usize = 4000;

/// What a subscriber makes of what it is pushed.
#[derive(Default)]
struct View {
    ids: Vec<Id>,
    gaps: Vec<(Id, Id)>,
}

impl View {
    /// Returns whether that was the end.
    fn add(&mut self, pushed: Pushed) -> bool {
        match pushed {
            Pushed::Entry(id, fields) => {
                assert!(self.ids.last().is_none_or(|it| *it < id), "{id:?} after {:?}", self.ids);
                self.ids.push(id);
                is_end(&fields)
            }
            Pushed::Gap(after, upto) => {
                assert!(after < upto && self.ids.last().is_none_or(|it| *it <= after));
                self.gaps.push((after, upto));
                false
            }
            Pushed::Reset => {
                *self = Self::default();
                false
            }
        }
    }
}

#[test]
fn in_the_end_subscribers_know_what_is_there() {
    let mut rng = Rng::new(seed());
    for n_reactors in [1, 3] {
        let broker = broker(|config| {
            config.reactors = n_reactors;
            // So that some fall back.
            config.stream_push_bytes_max = 16 * 1024;
        });
        let addr = addr_of(&broker);
        let mut admin = Peer::connect(addr);
        let views: Vec<View> = thread::scope(|scope| {
            let subscribers: Vec<_> = (0..N_SUBSCRIBERS)
                .map(|n| {
                    let rng = Rng::new(rng.next_u64());
                    let version = if n % 2 == 0 { 2 } else { 3 };
                    scope.spawn(move || read(connect(addr, version), rng))
                })
                .collect();
            let writers: Vec<_> = (0..N_WRITERS)
                .map(|_| {
                    let rng = Rng::new(rng.next_u64());
                    scope.spawn(move || write(Peer::connect(addr), rng))
                })
                .collect();
            writers.into_iter().for_each(|it| it.join().unwrap());
            admin.call(&["SELECT", "0"]);
            if admin.call(&["TYPE", KEY]).text() != "stream" {
                admin.call(&["DEL", KEY]);
            }
            admin.call(&["PERSIST", KEY]);
            let ended = admin.call(&["XADD", KEY, "*", "end", "1"]);
            if !matches!(ended, Frame::Bulk(_)) {
                // Its IDs are used up.
                admin.call(&["DEL", KEY]);
                admin.call(&["XADD", KEY, "*", "end", "1"]);
            }
            subscribers.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let there = ids(&mut admin, KEY);
        let facts = admin.call(&["XINFO", "STREAM", KEY]);
        let n_added = facts.items().chunks(2).find(|it| it[0].text() == "entries-added").unwrap();
        let n_added = usize::try_from(n_added[1].int()).unwrap();
        for view in views {
            // What was in another stream before it was forgotten.
            assert!(view.ids.len() <= n_added, "{} entries of {n_added}", view.ids.len());
            let seen: BTreeSet<Id> = view.ids.iter().copied().collect();
            let missing: Vec<_> = there.iter().filter(|it| !seen.contains(it)).collect();
            assert!(missing.is_empty(), "{missing:?} of {there:?}, gaps {:?}", view.gaps);
        }
        assert!(0 < info(&mut admin, "stream_push_fallbacks"), "nobody was behind");
        wait_until("nobody is subscribed", || info(&mut admin, "stream_subscriptions") == 0);
    }
}

fn read(mut peer: Peer, mut rng: Rng) -> View {
    // A writer may have come before, and made something else of it for a while.
    let confirmed = loop {
        peer.send(&["XSUBSCRIBE", "FROM", "0", KEY]);
        let answer = peer.read();
        if !matches!(&answer, Frame::Error(text) if text.starts_with("WRONGTYPE")) {
            break answer;
        }
    };
    assert_eq!(confirmed.kind(), Some(&b"xsubscribe"[..]), "{confirmed:?}");
    let mut view = View::default();
    while !view.add(next(&mut peer, KEY)) {
        if rng.below(500) == 0 {
            // It is slow.
            thread::sleep(Duration::from_millis(rng.below(20)));
        }
    }
    view
}

fn write(mut peer: Peer, mut rng: Rng) {
    let value = "x".repeat(300);
    for _ in 0..N_STEPS {
        let n = rng.below(1000);
        let words: Vec<String> = match n {
            0..3 => words("DEL s"),
            3..5 => words("SET s text"),
            5..7 => words("RENAME other s"),
            7..9 => words("RENAME s other"),
            9..10 => words("FLUSHALL"),
            10..12 => words("FLUSHDB"),
            12..14 => words("SWAPDB 0 1"),
            14..18 => words(&format!("PEXPIRE s {}", rng.below(3))),
            18..20 => words("COPY s other REPLACE"),
            20..22 => words("COPY other s REPLACE"),
            22..30 => words(&format!("XTRIM s MAXLEN {}", rng.below(50))),
            30..33 => words(&format!("XTRIM s MAXLEN {} ACKED", rng.below(50))),
            33..36 => words(&format!("XTRIM s MAXLEN ~ {}", rng.below(300))),
            36..38 => words("XGROUP CREATE s g 0 MKSTREAM"),
            38..40 => words(&format!("XSETID s {}", spelled((rng.below(50), 0)))),
            40..45 => words(&format!("XADD other * f {n}")),
            45..47 => words("MOVE s 1"),
            47..50 => {
                let script = "if ARGV[1] == '1' then redis.call('DEL', KEYS[1]) end \
                              for n = 1, 100 do redis.call('XADD', KEYS[1], '*', 'f', ARGV[2]) end";
                let args = words(&format!("1 s {} {value}", rng.below(2)));
                [&["EVAL".into(), script.into()], &args[..]].concat()
            }
            50..80 => {
                let all = peer.call(&["XRANGE", KEY, "-", "+", "COUNT", "5"]);
                match all {
                    Frame::Array(all) if !all.is_empty() => {
                        let any = all.get(below(&mut rng, all.len())).map(|it| at(it, 0).text());
                        words(&format!("XDEL s {}", any.unwrap_or_default()))
                    }
                    _ => words("DEL s"),
                }
            }
            80..90 => words(&format!("XADD s MAXLEN {} * f 1", rng.below(3))),
            _ => words(&format!("XADD s * f {value}")),
        };
        peer.call(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}
