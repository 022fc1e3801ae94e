//! What a sorted set of a million members costs per operation, and in bytes.
//!
//! `cargo bench -p fanfare-engine --bench sorted_set`: a reported time is for one operation, and the bytes are printed
//! first. `cargo test` runs each once, with few members.

#![expect(clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fanfare_engine::tuning::Tuning;
use fanfare_engine::value::sorted_set::{Packing, ScoreRange};
use fanfare_engine::value::{SortedSet, Typed};
use fanfare_testkit::Rng;

fn n_members() -> usize {
    if std::env::args().any(|arg| arg == "--bench") { 1_000_000 } else { 1000 }
}

fn name(number: usize) -> Vec<u8> {
    format!("element:{number:012}").into_bytes()
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).expect("below a usize")
}

fn score(rng: &mut Rng) -> f64 {
    rng.next_u64() as f64 / 1e9
}

fn filled(rng: &mut Rng, n: usize, packing: Packing) -> SortedSet {
    let mut set = SortedSet::default();
    for number in 0..n {
        let score = score(rng);
        set.update(&name(number), packing, |_| Some(score));
    }
    set
}

fn large(c: &mut Criterion) {
    let n = n_members();
    let packing = Packing::of(&Tuning::default());
    let mut rng = Rng::new(1);
    let mut set = filled(&mut rng, n, packing);
    let n_bytes = set.clone().into_value().n_bytes();
    eprintln!("{:.1} bytes per member with a name of 20", n_bytes as f64 / n as f64);
    let names: Vec<_> = (0..n).map(name).collect();
    let any = |rng: &mut Rng| names.get(below(rng, n)).expect("below the length").as_slice();

    let mut group = c.benchmark_group("sorted_set");
    group.bench_function("score", |b| b.iter(|| set.score(any(&mut rng)).expect("a member")));
    group.bench_function("rank", |b| b.iter(|| set.rank(any(&mut rng)).expect("a member")));
    group.bench_function("10 by rank", |b| {
        b.iter(|| {
            let start = below(&mut rng, n - 10);
            set.members(start..start + 10).for_each(|it| drop(black_box(it)));
        });
    });
    group.bench_function("100 by rank, reversed", |b| {
        b.iter(|| {
            let start = below(&mut rng, n - 100);
            set.members(start..start + 100).rev().for_each(|it| drop(black_box(it)));
        });
    });
    group.bench_function("count by score", |b| {
        b.iter(|| {
            let [min, max] = [score(&mut rng), score(&mut rng)].map(|it| it.to_string());
            let range = ScoreRange::parse(min.as_bytes(), max.as_bytes()).expect("two numbers");
            set.ranks_by_score(&range).len()
        });
    });
    group.bench_function("new score", |b| {
        b.iter(|| {
            let score = score(&mut rng);
            set.update(any(&mut rng), packing, |_| Some(score));
        });
    });
    group.bench_function("same score", |b| {
        b.iter(|| set.update(any(&mut rng), packing, |it| it.filter(|_| false)));
    });
    group.bench_function("remove and add", |b| {
        b.iter(|| {
            let (name, score) = (any(&mut rng), score(&mut rng));
            assert!(set.remove(name), "a member");
            set.update(name, packing, |_| Some(score));
        });
    });
    group.bench_function("pop the first and add one", |b| {
        b.iter(|| {
            let first = set.members(0..1).next().expect("a member");
            set.remove_range(0..1);
            let score = score(&mut rng);
            set.update(&first.name, packing, |_| Some(score));
        });
    });
    group.finish();
}

fn growth(c: &mut Criterion) {
    let n = n_members();
    let packing = Packing::of(&Tuning::default());
    let mut group = c.benchmark_group("sorted_set");
    group.sample_size(10).throughput(criterion::Throughput::Elements(n as u64));
    group.bench_function("add all", |b| {
        b.iter_with_large_drop(|| filled(&mut Rng::new(2), n, packing));
    });
    group.finish();
}

/// As large as a listpack may be.
fn small(c: &mut Criterion) {
    let packing = Packing::of(&Tuning::default());
    let mut rng = Rng::new(3);
    let mut set = filled(&mut rng, 128, packing);
    let names: Vec<_> = (0..128).map(name).collect();
    let any = |rng: &mut Rng| names.get(below(rng, 128)).expect("below the length").as_slice();
    let mut group = c.benchmark_group("sorted_set of 128");
    group.bench_function("score", |b| b.iter(|| set.score(any(&mut rng)).expect("a member")));
    group.bench_function("rank", |b| b.iter(|| set.rank(any(&mut rng)).expect("a member")));
    group.bench_function("new score", |b| {
        b.iter(|| {
            let score = score(&mut rng);
            set.update(any(&mut rng), packing, |_| Some(score));
        });
    });
    group.bench_function("all by rank", |b| {
        b.iter(|| set.iter().for_each(|it| drop(black_box(it))));
    });
    group.finish();
}

criterion_group!(benches, large, growth, small);
criterion_main!(benches);
