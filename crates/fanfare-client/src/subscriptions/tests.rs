//! Random wishes, losses and refusals against a model server: the two always end up equal.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::*;

fn channel(name: &str) -> Target {
    Target { kind: Kind::Channel, name: Bytes::copy_from_slice(name.as_bytes()) }
}

fn confirm(subscriptions: &mut Subscriptions, batch: &Batch) {
    for name in &batch.names {
        let target = Target { kind: batch.kind, name: name.clone() };
        subscriptions.handle_confirmed(batch.ask, &target);
    }
}

#[test]
fn two_who_want_the_same_share_one_subscription() {
    let mut subscriptions = Subscriptions::default();
    assert!(!subscriptions.want(&channel("a")));
    assert!(!subscriptions.want(&channel("a")));
    let batch = subscriptions.poll_batch().unwrap();
    assert_eq!((batch.verb(), batch.names.len()), ("SUBSCRIBE", 1));
    assert_eq!(subscriptions.poll_batch(), None);
    assert!(!subscriptions.is_settled());
    confirm(&mut subscriptions, &batch);
    assert!(subscriptions.is_settled() && subscriptions.is_confirmed(&channel("a")));
    assert!(subscriptions.want(&channel("a")));
    for _ in 0..2 {
        subscriptions.unwant(&channel("a"));
        assert_eq!(subscriptions.poll_batch(), None);
    }
    subscriptions.unwant(&channel("a"));
    assert_eq!(subscriptions.poll_batch().unwrap().verb(), "UNSUBSCRIBE");
}

#[test]
fn who_comes_while_the_last_one_leaves_is_subscribed_again() {
    let mut subscriptions = Subscriptions::default();
    subscriptions.want(&channel("a"));
    let batch = subscriptions.poll_batch().unwrap();
    confirm(&mut subscriptions, &batch);
    subscriptions.unwant(&channel("a"));
    let leave = subscriptions.poll_batch().unwrap();
    assert!(!subscriptions.want(&channel("a")), "what is being taken back is not confirmed");
    assert_eq!(subscriptions.poll_batch(), None, "one request in flight for a target");
    confirm(&mut subscriptions, &leave);
    assert_eq!(subscriptions.poll_batch().unwrap().ask, Ask::Subscribe);
}

#[test]
fn many_names_come_in_bounded_batches_of_one_kind() {
    let mut subscriptions = Subscriptions::default();
    for n in 0..2500 {
        subscriptions.want(&channel(&n.to_string()));
    }
    subscriptions.want(&Target { kind: Kind::Pattern, name: Bytes::from_static(b"p*") });
    let sizes: Vec<_> = std::iter::from_fn(|| subscriptions.poll_batch())
        .map(|batch| (batch.verb(), batch.names.len()))
        .collect();
    assert_eq!(
        sizes,
        [("SUBSCRIBE", 1000), ("SUBSCRIBE", 1000), ("SUBSCRIBE", 500), ("PSUBSCRIBE", 1)]
    );
}

#[test]
fn one_forbidden_channel_does_not_take_the_others_with_it() {
    let now = Instant::now();
    let mut subscriptions = Subscriptions::default();
    for n in 0..100 {
        subscriptions.want(&channel(&n.to_string()));
    }
    let mut refused = Vec::new();
    let mut n_batches = 0;
    while let Some(batch) = subscriptions.poll_batch() {
        n_batches += 1;
        if batch.names.iter().any(|name| name == "77") {
            refused.extend(subscriptions.handle_refused(now, batch));
        } else {
            confirm(&mut subscriptions, &batch);
        }
    }
    assert_eq!(refused, [channel("77")]);
    assert!(subscriptions.is_settled() && n_batches < 20, "{n_batches} batches");
    assert!(
        (0..100).filter(|n| *n != 77).all(|n| subscriptions.is_confirmed(&channel(&n.to_string())))
    );

    assert_eq!(subscriptions.poll_timeout(), Some(now + REFUSED_REST));
    subscriptions.handle_timeout(now + REFUSED_REST);
    let again = subscriptions.poll_batch().unwrap();
    assert_eq!(again.names, ["77"]);
    confirm(&mut subscriptions, &again);
    assert!(subscriptions.is_settled() && subscriptions.poll_timeout().is_none());
}

#[test]
fn what_the_server_takes_away_is_asked_for_again() {
    let mut subscriptions = Subscriptions::default();
    subscriptions.want(&channel("a"));
    let batch = subscriptions.poll_batch().unwrap();
    confirm(&mut subscriptions, &batch);
    subscriptions.handle_confirmed(Ask::Unsubscribe, &channel("a"));
    assert!(!subscriptions.is_settled());
    assert_eq!(subscriptions.poll_batch().unwrap().ask, Ask::Subscribe);
}

/// A server that answers batches late and in order, and may refuse or vanish.
#[derive(Default)]
struct ModelServer {
    subscribed: BTreeSet<Vec<u8>>,
    inbox: VecDeque<Batch>,
}

#[test]
fn whatever_happens_the_server_ends_up_as_wanted() {
    let seed = std::env::var("FANFARE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!("seed: {seed} (repeat with FANFARE_SEED={seed})");
    let mut rng = StdRng::seed_from_u64(seed);
    let names: Vec<_> = (0..12).map(|n| format!("c{n}")).collect();
    for _ in 0..300 {
        let mut now = Instant::now();
        let mut subscriptions = Subscriptions::default();
        let mut server = ModelServer::default();
        let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
        let forbidden = rng.random_bool(0.5).then(|| names.choose(&mut rng).unwrap().as_bytes());
        for _ in 0..rng.random_range(1..200) {
            let name = names.choose(&mut rng).unwrap().as_str();
            match rng.random_range(0..20) {
                0..7 => {
                    subscriptions.want(&channel(name));
                    *wanted.entry(name).or_default() += 1;
                }
                7..12 => {
                    if wanted.get(name).is_some_and(|n| 0 < *n) {
                        subscriptions.unwant(&channel(name));
                        *wanted.entry(name).or_default() -= 1;
                    }
                }
                12..15 => server.inbox.extend(subscriptions.poll_batch()),
                15..18 => answer(&mut server, &mut subscriptions, now, forbidden),
                18 => {
                    server = ModelServer::default();
                    subscriptions.handle_disconnected();
                }
                _ => {
                    now += Duration::from_secs(2);
                    subscriptions.handle_timeout(now);
                }
            }
        }
        loop {
            server.inbox.extend(subscriptions.poll_batch());
            if server.inbox.is_empty() {
                break;
            }
            answer(&mut server, &mut subscriptions, now, forbidden);
        }
        assert!(subscriptions.is_settled());
        let expected: BTreeSet<_> = wanted
            .iter()
            .filter(|(name, n)| 0 < **n && Some(name.as_bytes()) != forbidden)
            .map(|(name, _)| name.as_bytes().to_vec())
            .collect();
        assert_eq!(server.subscribed, expected);
        for name in &names {
            assert_eq!(
                subscriptions.is_confirmed(&channel(name)),
                expected.contains(name.as_bytes())
            );
        }
    }
}

fn answer(
    server: &mut ModelServer,
    subscriptions: &mut Subscriptions,
    now: Instant,
    forbidden: Option<&[u8]>,
) {
    let Some(batch) = server.inbox.pop_front() else { return };
    let is_forbidden = batch.names.iter().any(|name| Some(name.as_ref()) == forbidden);
    if batch.ask == Ask::Subscribe && is_forbidden {
        subscriptions.handle_refused(now, batch);
        return;
    }
    for name in &batch.names {
        match batch.ask {
            Ask::Subscribe => server.subscribed.insert(name.to_vec()),
            Ask::Unsubscribe => server.subscribed.remove(name.as_ref()),
        };
    }
    confirm(subscriptions, &batch);
}
