//! Every item has the same chance.

use fanfare_testkit::Rng;

use super::*;

const N_ITEMS: u64 = 1_000;
const N_SAMPLES_EACH: u64 = 60;

/// For 999 degrees of freedom, chi squared is above this once in a million times.
const CHI_SQUARED_MAX: f64 = 1_227.0;

#[test]
fn samples_are_fair() {
    for (name, hash) in HASH_FNS {
        // The seeds are fixed: what is asserted is true of these numbers, not only likely.
        for seed in 1..=3 {
            let mut rng = Rng::new(seed);
            let tree = uneven(hash);
            let mut n_seen = vec![0_u64; N_ITEMS as usize];
            for _ in 0..N_ITEMS * N_SAMPLES_EACH {
                let item = tree.sample(rng.next_u64()).unwrap();
                n_seen[item.0 as usize] += 1;
            }
            let expected = N_SAMPLES_EACH as f64;
            let chi_squared: f64 =
                n_seen.iter().map(|it| (*it as f64 - expected).powi(2) / expected).sum();
            println!("{name}, seed {seed}: {chi_squared}");
            assert!(chi_squared < CHI_SQUARED_MAX, "{name}, seed {seed}: {chi_squared}");
        }
    }
}

#[test]
fn all_of_the_random_number_is_used() {
    let tree = uneven(good);
    let step = u64::MAX / N_ITEMS;
    let sampled: Vec<_> = (0..N_ITEMS).map(|it| tree.sample(it * step + step / 2)).collect();
    assert!(tree.iter().map(Some).eq(sampled));
    assert_eq!(tree.sample(u64::MAX), tree.iter().last());
}

/// A table whose leaves are differently full: after many inserts and removals.
fn uneven(hash: HashFn) -> HashTree<Item> {
    let mut tree = numbers(N_ITEMS * 3, hash);
    for number in N_ITEMS..N_ITEMS * 3 {
        remove(&mut tree, number, hash);
    }
    tree
}
