//! Producers beside a naive list of what they are to remember.

use std::collections::BTreeMap;

use fanfare_testkit::{Rng, seed};

use super::super::{Producers, Settings, StreamId};
use super::pick;

const N_ROUNDS: usize = 3000;
const N_NAMES: u64 = 6;

/// By producer, the first to be forgotten first.
type Model = BTreeMap<Vec<u8>, Vec<(Vec<u8>, StreamId)>>;

/// A short name or a long one.
fn name(rng: &mut Rng, n: u64) -> Vec<u8> {
    format!("{:\u{2d}>1$}", rng.below(n), if rng.below(2) == 0 { 1 } else { 90 }).into_bytes()
}

fn forget(model: &mut Model, ms_max: u64) {
    for known in model.values_mut() {
        // Only the first one is looked at, and IDs need not be in order.
        let n_due = known.iter().take_while(|it| it.1.ms <= ms_max).count();
        known.drain(..n_due);
    }
    model.retain(|_, it| !it.is_empty());
}

fn assert_same(producers: &Producers, model: &Model) {
    assert_eq!(producers.len(), model.len());
    assert_eq!(producers.n_known(), model.values().map(Vec::len).sum::<usize>());
    for ((pid, n, known), (its_pid, its_known)) in producers.iter().zip(model) {
        assert_eq!((&**pid, n), (&**its_pid, its_known.len()));
        assert!(known.map(|it| (it.0.to_vec(), it.1)).eq(its_known.iter().cloned()));
    }
    for (pid, known) in model {
        assert!(known.iter().all(|it| producers.find(pid, &it.0) == Some(it.1)));
    }
}

#[test]
fn names_are_known_as_long_and_as_many_as_is_set() {
    let mut rng = Rng::new(seed());
    let settings = Settings { duration_s: 1, n_max: 5 };
    let (mut producers, mut model) = (Producers::default(), Model::new());
    producers.set(settings);
    let n_bytes_of_none = producers.n_bytes();
    for round in 0..N_ROUNDS {
        let now_ms = 20 * round as u64;
        let (pid, iid) = (name(&mut rng, N_NAMES), name(&mut rng, 12));
        let id = StreamId { ms: now_ms + pick(&mut rng, 50) as u64, seq: rng.below(3) };
        if rng.below(3) == 0 {
            producers.forget_due(now_ms);
            if let Some(ms_max) = now_ms.checked_sub(1000) {
                forget(&mut model, ms_max);
            }
        }
        if producers.find(&pid, &iid).is_none() {
            producers.add((&pid, &iid), id);
            let known = model.entry(pid).or_default();
            known.push((iid, id));
            known.drain(..known.len().saturating_sub(5));
        }
        assert_same(&producers, &model);
    }
    producers.forget_due(u64::MAX);
    assert_same(&producers, &Model::new());
    assert_eq!(producers.n_bytes(), n_bytes_of_none);
}
