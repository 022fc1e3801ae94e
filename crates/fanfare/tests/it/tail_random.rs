//! A stream that is added to, trimmed, deleted from and deleted at random, while the connection of
//! its tail is cut: what the tail delivers agrees with what was done.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    time::Duration,
};

use fanfare::stream::{Delivery, Position, StreamId, Tail};
use fanfare_testkit::{RawClient, Rng};

use crate::{
    support::{Target, TestResult, on_every_broker, rng},
    tail::{follower, kill},
};

on_every_broker!(a_tail_agrees_with_a_model);

/// What was done to the present stream, and what came of it.
#[derive(Debug, Default)]
struct Model {
    /// Entries that are there.
    live: BTreeSet<u64>,
    added: BTreeSet<u64>,
    deleted: BTreeSet<u64>,
    trimmed: BTreeSet<u64>,
    delivered: Vec<u64>,
    gaps: Vec<(StreamId, StreamId)>,
}

impl Model {
    fn deliver(&mut self, delivery: Delivery) -> bool {
        match delivery {
            Delivery::Entry(entry) => {
                let n = entry.id.ms;
                assert!(self.added.contains(&n), "{n} was never added: {self:?}");
                let end = self.gaps.last().map(|(_, upto)| *upto).unwrap_or_default();
                assert!(end < entry.id, "{n} was said to be missing: {self:?}");
                assert!(self.delivered.last().is_none_or(|last| *last < n), "{n}: {self:?}");
                self.delivered.push(n);
            }
            Delivery::Gap { after, upto } => {
                assert!(after < upto, "{after} {upto}");
                self.gaps.push((after, upto));
            }
            Delivery::Reset => return true,
            Delivery::Down { .. } | Delivery::Resumed { .. } => {}
        }
        false
    }

    /// Everything came, or was deleted, or was told to be missing; and what was told is true.
    fn check(&self) {
        let delivered: BTreeSet<u64> = self.delivered.iter().copied().collect();
        let is_in = |n: u64, gap: &(StreamId, StreamId)| {
            gap.0 < StreamId::new(n, 0) && StreamId::new(n, 0) <= gap.1
        };
        for n in self.added.difference(&delivered) {
            let is_told = self.gaps.iter().any(|gap| is_in(*n, gap));
            assert!(self.deleted.contains(n) || is_told, "{n} is missing: {self:?}");
        }
        for gap in &self.gaps {
            let is_true = self.trimmed.difference(&delivered).any(|n| is_in(*n, gap));
            // Entries deleted from the front may be taken for trimmed.
            assert!(is_true || !self.deleted.is_empty(), "{gap:?} is no gap: {self:?}");
        }
    }
}

async fn next(tail: &mut Tail) -> Result<Delivery, Box<dyn Error>> {
    match tokio::time::timeout(Duration::from_secs(60), tail.next_delivery()).await {
        Ok(Some(delivery)) => Ok(delivery),
        Ok(None) => Err(format!("the tail ended: {:?}", tail.error()).into()),
        Err(_) => Err(format!("nothing within a minute: {:?}", tail.stats()).into()),
    }
}

async fn a_tail_agrees_with_a_model(server: Target) -> TestResult {
    let mut rng = rng();
    let mut counts = BTreeMap::new();
    for round in 0..40 {
        let fanfare = follower(&server).await?;
        let mut client = server.client();
        client.call(&["FLUSHALL"]);
        let queue = usize::try_from(1 + rng.below(20))?;
        let stream = fanfare.stream("s").queue(queue, 1 << 20);
        let start = if rng.below(2) == 0 { Position::Start } else { Position::New };
        let mut tail = stream.tail(start).await?;
        let mut model = Model::default();
        let has_deletes = round % 2 == 0;
        for _ in 0..rng.below(60) {
            let what = step(&mut rng, &mut client, &mut model, has_deletes);
            *counts.entry(what).or_insert(0) += 1;
            match what {
                "take" => {
                    // What has not come yet need not come now.
                    let patience = Duration::from_millis(rng.below(5));
                    while let Ok(delivery) = tokio::time::timeout(patience, next(&mut tail)).await {
                        assert!(!model.deliver(delivery?), "nobody has deleted it: {model:?}");
                        if rng.below(30) == 0 {
                            break;
                        }
                    }
                }
                "remove" => {
                    // What was read before may still come; what was not may be gone.
                    while !model.deliver(next(&mut tail).await?) {}
                    model = Model::default();
                }
                _ => {}
            }
        }
        add(&mut client, &mut model, 1);
        let end = model.added.last().copied();
        while model.delivered.last().copied() != end {
            assert!(!model.deliver(next(&mut tail).await?), "nobody has deleted it: {model:?}");
        }
        model.check();
        *counts.entry("gaps").or_insert(0) += model.gaps.len();
    }
    println!("{counts:?}");
    Ok(())
}

/// Does something.
fn step(
    rng: &mut Rng,
    client: &mut RawClient,
    model: &mut Model,
    has_deletes: bool,
) -> &'static str {
    match rng.below(20) {
        0..8 => {
            add(client, model, 1 + rng.below(30));
            "add"
        }
        8..11 => {
            let maxlen = rng.below(30);
            client.call(&["XTRIM", "s", "MAXLEN", &maxlen.to_string()]);
            while maxlen < model.live.len() as u64 {
                model.trimmed.extend(model.live.pop_first());
            }
            "trim"
        }
        11..13 if has_deletes => {
            let from = rng.below(1 + model.added.len() as u64);
            let Some(n) = model.live.range(from..).next().copied() else { return "nothing" };
            client.call(&["XDEL", "s", &format!("{n}-0")]);
            model.live.remove(&n);
            model.deleted.insert(n);
            "delete"
        }
        13 => {
            kill(client);
            "kill"
        }
        // Of a stream that came and went while nobody looked there is nothing to tell.
        14 if !model.delivered.is_empty() => {
            client.call(&["DEL", "s"]);
            "remove"
        }
        _ => "take",
    }
}

fn add(client: &mut RawClient, model: &mut Model, n_entries: u64) {
    for _ in 0..n_entries {
        let n = model.added.last().map_or(1, |last| last + 1);
        client.call(&["XADD", "s", &format!("{n}-0"), "n", "x"]);
        model.added.insert(n);
        model.live.insert(n);
    }
}
