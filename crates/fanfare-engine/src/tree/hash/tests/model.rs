//! Random operations, beside `HashMap`, with clones that are looked at later.

use std::collections::HashMap;

use fanfare_testkit::{Rng, seed};

use super::*;

type Model = HashMap<u64, u64>;

const N_ROUNDS: u64 = 40;

#[test]
fn behaves_as_a_hash_map_does() {
    let mut rng = Rng::new(seed());
    for (name, hash) in HASH_FNS {
        let n_numbers = if name == "good" { 20_000 } else { 400 };
        println!("hashes: {name}");
        let mut tree = HashTree::new();
        let mut model = Model::new();
        let mut snapshots = Vec::new();
        for _ in 0..N_ROUNDS {
            // Now more inserts, now more removals, so that it grows and shrinks.
            let percent_inserted = 10 + rng.below(80);
            for _ in 0..n_numbers / 10 {
                let number = rng.below(n_numbers);
                if rng.below(100) < percent_inserted {
                    write(&mut tree, &mut model, (number, rng.next_u64()), hash);
                } else {
                    let removed = remove(&mut tree, number, hash);
                    assert_eq!(removed.map(|it| it.1), model.remove(&number));
                }
                if rng.below(n_numbers / 5) == 0 {
                    snapshots.push((tree.clone(), model.clone()));
                }
            }
            tree.check(hash);
            compare(&tree, &model, n_numbers, hash);
            if 6 < snapshots.len() {
                let (tree, model) = snapshots.swap_remove(rng.below(6) as usize);
                tree.check(hash);
                compare(&tree, &model, n_numbers, hash);
            }
        }
        for (tree, model) in snapshots {
            compare(&tree, &model, n_numbers, hash);
        }
    }
}

fn write(tree: &mut HashTree<Item>, model: &mut Model, item: Item, hash: HashFn) {
    let (number, value) = item;
    let eq = |it: &Item| it.0 == number;
    let is_new = model.insert(number, value).is_none();
    if value % 2 == 0 {
        let (it, is_made) = tree.get_or_insert_with(hash(&item), eq, hash, || (number, 0));
        assert_eq!(is_made, is_new);
        it.1 = value;
        return;
    }
    match tree.find_mut(hash(&item), eq) {
        Some(it) => it.1 = value,
        None => assert_eq!(*tree.insert(hash(&item), item, hash), item),
    }
}

fn compare(tree: &HashTree<Item>, model: &Model, n_numbers: u64, hash: HashFn) {
    assert_eq!(tree.len(), model.len());
    assert_eq!(tree.is_empty(), model.is_empty());
    for number in 0..n_numbers {
        let item = tree.find(hash(&(number, 0)), |it| it.0 == number);
        assert_eq!(item.map(|it| &it.1), model.get(&number), "{number}");
    }
    let items: Model = tree.iter().copied().collect();
    assert_eq!(items, *model);
    assert_eq!(tree.iter().count(), model.len());
}

#[test]
fn a_table_without_items_has_none() {
    let mut tree: HashTree<Item> = HashTree::default();
    assert_eq!((tree.len(), tree.n_bytes()), (0, 0));
    assert_eq!(tree.find(1, |_| true), None);
    assert_eq!(tree.find_mut(1, |_| true), None);
    assert_eq!(tree.remove(1, |_| true), None);
    assert_eq!(tree.iter().next(), None);
    assert_eq!(tree.sample(5), None);
    assert_eq!(tree.visit(0, good, |_| panic!("an item")), None);
    assert_eq!(format!("{tree:?}"), "{}");
}

#[test]
fn memory_follows_the_number_of_items() {
    for (name, hash) in HASH_FNS {
        // Down to what is one leaf, with any hashes; with good ones also to a larger table.
        let (n_items, n_left) = if name == "good" { (30_000, 2_000) } else { (2_000, 16) };
        let mut tree = numbers(n_items, hash);
        let n_bytes_full = tree.n_bytes();
        for number in n_left..n_items {
            assert_eq!(remove(&mut tree, number, hash), Some((number, 0)));
        }
        tree.check(hash);
        let n_bytes_fresh = numbers(n_left, hash).n_bytes();
        println!("{name}: {n_bytes_full} bytes, {} left, fresh {n_bytes_fresh}", tree.n_bytes());
        assert!(tree.n_bytes() <= 2 * n_bytes_fresh);
        for number in 0..n_left {
            remove(&mut tree, number, hash);
        }
        assert_eq!((tree.len(), tree.n_bytes()), (0, 0));
    }
}

#[test]
fn a_large_table_has_few_bytes_for_each_item() {
    let tree = numbers(100_000, good);
    let n_bytes = tree.n_bytes() / tree.len() - size_of::<Option<Item>>();
    assert!(n_bytes <= 8, "{n_bytes} bytes for each item");
}

#[test]
fn a_write_copies_one_path() {
    let mut tree = numbers(100_000, good);
    let snapshot = tree.clone();
    // Nothing to change: nothing is copied.
    assert!(tree.find_mut(good(&(100_000, 0)), |it| it.0 == 100_000).is_none());
    assert_eq!(remove(&mut tree, 100_000, good), None);
    assert_eq!(n_copied(&tree, &snapshot), 0);
    tree.find_mut(good(&(7, 0)), |it| it.0 == 7).unwrap().1 = 1;
    let n_changed = n_copied(&tree, &snapshot);
    assert!((1..=32).contains(&n_changed), "{n_changed} items copied");
    assert_eq!(snapshot.find(good(&(7, 0)), |it| it.0 == 7), Some(&(7, 0)));
    // The copy is its own: the next write copies nothing.
    tree.find_mut(good(&(7, 0)), |it| it.0 == 7).unwrap().1 = 2;
    assert_eq!(n_copied(&tree, &snapshot), n_changed);
}

/// How many items are not in the same memory. Both have the same ones.
fn n_copied(left: &HashTree<Item>, right: &HashTree<Item>) -> usize {
    left.iter().zip(right).filter(|(left, right)| !std::ptr::eq(*left, *right)).count()
}

/// Items that count their references: nothing is lost, nothing is kept.
#[test]
fn drop_of_shared_tables_drops_every_item() {
    use std::rc::Rc;

    let alive = Rc::new(());
    let hash = |item: &(u64, Rc<()>)| good(&(item.0, 0));
    let mut tree = HashTree::new();
    let mut snapshots = Vec::new();
    for number in 0..5_000 {
        let item = (number, Rc::clone(&alive));
        tree.insert(hash(&item), item, hash);
        if number % 500 == 0 {
            snapshots.push(tree.clone());
        }
    }
    for number in 0..2_500 {
        let removed = tree.remove(good(&(number, 0)), |it| it.0 == number);
        assert!(removed.is_some());
    }
    drop(snapshots);
    assert_eq!(Rc::strong_count(&alive), 1 + 2_500);
    drop(tree);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn tables_go_from_thread_to_thread() {
    fn goes<T: Send + Sync>(_: &T) {}
    goes(&numbers(1, good));
}
