//! What [`HashTree`] costs beside `hashbrown`: a million items of a name and a number.
//!
//! `cargo bench -p fanfare-engine --bench tree`: a reported time is for one item, found in random order. The bytes per
//! item are printed first. `cargo test` runs each once, with fewer items.

use std::hash::BuildHasher;
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
};
use fanfare_engine::tree::{HashTree, Name};
use foldhash::fast::FixedState;
use hashbrown::HashTable;

const N_ITEMS: usize = if cfg!(debug_assertions) { 5_000 } else { 1_000_000 };

/// How many operations are one measurement: more, and the tables would not fit twice.
const N_BATCH: usize = 1_000;

type Item = (Name, u64);

fn hash(item: &Item) -> u64 {
    hash_of(&item.0)
}

fn hash_of(name: &[u8]) -> u64 {
    FixedState::default().hash_one(name)
}

fn name(number: usize) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

/// Names in an order that has nothing to do with that of the tables.
fn names(first: usize) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = (first..first + N_ITEMS).map(name).collect();
    names.sort_by_cached_key(|it| hash_of(it).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    names
}

fn tree() -> HashTree<Item> {
    let mut tree = HashTree::new();
    for name in names(0) {
        insert_tree(&mut tree, &name);
    }
    tree
}

fn table() -> HashTable<Item> {
    let mut table = HashTable::new();
    for name in names(0) {
        insert_table(&mut table, &name);
    }
    table
}

fn insert_tree(tree: &mut HashTree<Item>, name: &[u8]) {
    tree.insert(hash_of(name), (Name::from(name), 1), hash);
}

fn insert_table(table: &mut HashTable<Item>, name: &[u8]) {
    table.insert_unique(hash_of(name), (Name::from(name), 1), hash);
}

fn remove_tree(tree: &mut HashTree<Item>, name: &[u8]) -> bool {
    tree.remove(hash_of(name), |it| it.0 == *name).is_some()
}

fn remove_table(table: &mut HashTable<Item>, name: &[u8]) -> bool {
    table.find_entry(hash_of(name), |it| it.0 == *name).map(|it| it.remove()).is_ok()
}

fn find(c: &mut Criterion) {
    let (tree, table) = (tree(), table());
    eprintln!(
        "bytes per item of {}: tree {:.1}, hashbrown {:.1}",
        size_of::<Item>(),
        tree.n_bytes() as f64 / N_ITEMS as f64,
        table.allocation_size() as f64 / N_ITEMS as f64
    );
    let mut group = c.benchmark_group("tree");
    group.throughput(Throughput::Elements(1));
    for (what, first) in [("hit", 0), ("miss", N_ITEMS)] {
        let names = names(first);
        let is_there = what == "hit";
        let mut order = names.iter().cycle();
        group.bench_function(format!("find-{what}/tree"), |b| {
            b.iter(|| {
                let name = order.next().map_or(&[][..], |it| it);
                let found = tree.find(hash_of(name), |it| it.0 == *name);
                assert_eq!(black_box(found).is_some(), is_there);
            });
        });
        let mut order = names.iter().cycle();
        group.bench_function(format!("find-{what}/hashbrown"), |b| {
            b.iter(|| {
                let name = order.next().map_or(&[][..], |it| it);
                let found = table.find(hash_of(name), |it| it.0 == *name);
                assert_eq!(black_box(found).is_some(), is_there);
            });
        });
    }
    group.bench_function("sample/tree", |b| {
        let mut random = 0_u64;
        b.iter(|| {
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            black_box(tree.sample(random));
        });
    });
    group.throughput(Throughput::Elements(N_ITEMS as u64));
    group.sample_size(10);
    group.bench_function("iterate/tree", |b| {
        b.iter(|| tree.iter().map(|it| it.1).sum::<u64>());
    });
    group.bench_function("iterate/hashbrown", |b| {
        b.iter(|| table.iter().map(|it| it.1).sum::<u64>());
    });
    group.finish();
}

/// A batch of items that are not there is inserted and removed again: both tables stay as large as they are.
fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("tree");
    group.throughput(Throughput::Elements(N_BATCH as u64));
    write_batches(&mut group, "tree", tree(), insert_tree, remove_tree);
    write_batches(&mut group, "hashbrown", table(), insert_table, remove_table);
    group.sample_size(10);
    group.throughput(Throughput::Elements(N_ITEMS as u64));
    let names = names(0);
    group.bench_function("build/tree", |b| {
        b.iter_batched(
            HashTree::new,
            |mut tree| {
                names.iter().for_each(|it| insert_tree(&mut tree, it));
                tree
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("build/hashbrown", |b| {
        b.iter_batched(
            HashTable::new,
            |mut table| {
                names.iter().for_each(|it| insert_table(&mut table, it));
                table
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn write_batches<S>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    whose: &str,
    store: S,
    insert: fn(&mut S, &[u8]),
    remove: fn(&mut S, &[u8]) -> bool,
) {
    let names = names(N_ITEMS);
    let mut batches = names.chunks_exact(N_BATCH).cycle();
    let store = std::cell::RefCell::new(store);
    group.bench_function(format!("insert-remove/{whose}"), |b| {
        b.iter_batched(
            || batches.next().unwrap_or_default(),
            |batch| {
                let store = &mut store.borrow_mut();
                batch.iter().for_each(|it| insert(store, it));
                batch.iter().for_each(|it| assert!(remove(store, it)));
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, find, write);
criterion_main!(benches);
