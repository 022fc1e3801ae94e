//! Going through the table in order, also while it changes.

use std::collections::HashSet;

use fanfare_testkit::{Rng, seed};

use super::*;

#[test]
fn items_come_in_the_order_of_their_leaves() {
    for (_, hash) in HASH_FNS {
        let tree = numbers(1_000, hash);
        let mut position = Some(0);
        let mut visited = Vec::new();
        let mut hash_max = 0;
        while let Some(from) = position {
            let n_before = visited.len();
            position = tree.visit(from, hash, |item| visited.push(item));
            let hashes = || visited[n_before..].iter().map(|it| hash(it));
            assert!(hashes().all(|it| hash_max <= it && from <= it));
            assert!(position.is_none_or(|end| hashes().all(|it| it < end)));
            hash_max = hashes().max().unwrap_or(hash_max);
        }
        assert!(tree.iter().eq(visited));
    }
}

#[test]
fn a_visit_in_the_middle_of_a_leaf_sees_the_rest_of_it() {
    for (_, hash) in HASH_FNS {
        let tree = numbers(500, hash);
        for number in 0..500 {
            let position = hash(&(number, 0));
            let mut hashes = Vec::new();
            let end = tree.visit(position, hash, |item| hashes.push(hash(item)));
            assert!(hashes.contains(&position));
            assert!(hashes.iter().all(|it| position <= *it && end.is_none_or(|end| *it < end)));
        }
    }
}

#[test]
fn iteration_from_a_position_leaves_out_only_what_is_before_it() {
    for (_, hash) in HASH_FNS {
        let tree = numbers(500, hash);
        for number in 0..500 {
            let position = hash(&(number, 0));
            let items: Vec<_> = tree.iter_from(position).collect();
            let all: Vec<_> = tree.iter().collect();
            assert_eq!(items, all[all.len() - items.len()..]);
            let skipped = &all[..all.len() - items.len()];
            assert!(skipped.iter().all(|it| hash(it) < position));
            // No more than one leaf too much.
            let n_before = items.iter().filter(|it| hash(it) < position).count();
            assert!(n_before < 32);
        }
    }
}

/// The guarantee of SCAN: what is there all the time is seen, once.
#[test]
fn a_scan_sees_what_stays_however_the_table_changes() {
    let mut rng = Rng::new(seed());
    for round in 0..60 {
        let (name, hash) = HASH_FNS[round % HASH_FNS.len()];
        println!("hashes: {name}");
        let n_staying = 1 + rng.below(500);
        let n_numbers = n_staying + rng.below(5_000);
        let mut tree = numbers(n_numbers, hash);
        let mut is_there = vec![true; n_numbers as usize];
        let mut seen = HashSet::new();
        let mut position = Some(0);
        while let Some(from) = position {
            position = tree.visit(from, hash, |item| {
                let is_first = seen.insert(item.0);
                assert!(is_first || n_staying <= item.0, "{} twice", item.0);
            });
            assert!(position.is_none_or(|next| from < next));
            // A wave of inserts or of removals: splits and merges before and behind the position.
            let is_growing = rng.below(2) == 0;
            for _ in 0..rng.below(40) {
                let number = n_staying + rng.below(n_numbers - n_staying);
                let Some(there) = is_there.get_mut(number as usize) else { continue };
                if is_growing && !*there {
                    tree.insert(hash(&(number, 0)), (number, 0), hash);
                    *there = true;
                } else if !is_growing && *there {
                    assert!(remove(&mut tree, number, hash).is_some());
                    *there = false;
                }
            }
        }
        tree.check(hash);
        assert!((0..n_staying).all(|it| seen.contains(&it)));
    }
}
