//! An intset beside a sorted set.

use std::collections::BTreeSet;

use fanfare_engine::packed::IntSet;
use fanfare_testkit::{Rng, seed};

use crate::sample::{below, number};

#[test]
fn an_intset_is_a_sorted_set() {
    let mut rng = Rng::new(seed());
    for _ in 0..40 {
        let shift = rng.below(64);
        let mut model = BTreeSet::new();
        let mut set = IntSet::new();
        for _ in 0..200 {
            // Often the same numbers, and of one width for a while.
            let number =
                if rng.below(40) == 0 { number(&mut rng) } else { number(&mut rng) >> shift };
            if rng.below(3) == 0 {
                assert_eq!(set.remove(number), model.remove(&number));
            } else {
                assert_eq!(set.insert(number), Ok(model.insert(number)));
            }
            assert_eq!(set.contains(number), model.contains(&number));
            assert!(set.iter().eq(model.iter().copied()));
        }
        assert!(set.iter().rev().eq(model.iter().rev().copied()));
        assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
        let index = below(&mut rng, model.len() + 1);
        assert_eq!(set.nth(index), model.iter().nth(index).copied());
        assert_eq!(IntSet::from_bytes(&set.to_bytes()), Ok(set));
    }
}

#[test]
fn memory_is_given_back_as_integers_go() {
    let full = || {
        let mut set = IntSet::new();
        (0..512).for_each(|it| assert_eq!(set.insert(it * 100_000), Ok(true)));
        set
    };
    let check = |set: &IntSet| {
        let (n_used, n_bytes) = (4 + 4 * set.len(), set.n_bytes());
        assert!(n_bytes <= 256 || n_bytes / 4 <= n_used, "{n_bytes} for {n_used}");
    };
    let mut set = full();
    for number in 0..512 {
        assert!(set.remove(number * 100_000));
        check(&set);
    }
    let mut set = full();
    set.retain(|it| it < 300_000);
    check(&set);
    assert_eq!(set.iter().collect::<Vec<_>>(), [0, 100_000, 200_000]);
}
