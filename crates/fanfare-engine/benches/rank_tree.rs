//! What a sorted set of a million members costs per operation, and in bytes.
//!
//! `cargo bench -p fanfare-engine --bench rank_tree`: a reported time is for one operation, and the bytes are printed
//! first. `cargo test` runs each once, with few members.

#![expect(clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use std::cmp::Ordering;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fanfare_engine::tree::rank::{Item, RankTree};
use fanfare_testkit::Rng;

#[derive(Clone)]
struct Member {
    score: f64,
    name: [u8; 24],
}

impl Member {
    fn random(rng: &mut Rng) -> Self {
        let mut name = [b'x'; 24];
        for (byte, digit) in name.iter_mut().zip(rng.next_u64().to_be_bytes()) {
            *byte = digit;
        }
        Self { score: f64::from_bits((0x3FF << 52) | (rng.next_u64() >> 12)), name }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| self.name.cmp(&other.name))
    }
}

impl Item for Member {
    type Hint = f64;

    fn hint(&self) -> f64 {
        self.score
    }
}

type Tree = RankTree<Member>;

fn n_members() -> usize {
    if std::env::args().any(|arg| arg == "--bench") { 1_000_000 } else { 1000 }
}

fn insert(tree: &mut Tree, member: Member) {
    let index = tree.search(member.score, |it| it.cmp(&member)).unwrap_or_else(|index| index);
    tree.insert(index, member);
}

fn remove(tree: &mut Tree, member: &Member) -> Option<Member> {
    let index = tree.search(member.score, |it| it.cmp(member)).ok()?;
    tree.remove(index)
}

fn random_below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).expect("below a usize")
}

fn sorted_set(c: &mut Criterion) {
    let n = n_members();
    let mut rng = Rng::new(1);
    let members: Vec<Member> = (0..n).map(|_| Member::random(&mut rng)).collect();
    let mut tree = Tree::new();
    for member in &members {
        insert(&mut tree, member.clone());
    }
    assert_eq!(tree.len(), n);
    eprintln!("{:.1} bytes per member of 32", tree.n_bytes() as f64 / n as f64);
    // One after the other: they are in random order, and reading them must not be what is measured.
    let mut any = members.iter().cycle();

    let mut group = c.benchmark_group("rank_tree");
    group.bench_function("rank", |b| {
        b.iter(|| {
            let member = any.next().expect("there are members");
            tree.search(member.score, |it| it.cmp(member)).expect("a member")
        });
    });
    group.bench_function("get", |b| {
        b.iter(|| tree.get(random_below(&mut rng, n)).expect("below the length").score);
    });
    group.bench_function("range of 100", |b| {
        b.iter(|| {
            let start = random_below(&mut rng, n - 100);
            tree.range(start..start + 100).fold(0, |all, it| all ^ it.score.to_bits())
        });
    });
    group.bench_function("range of 100, reversed", |b| {
        b.iter(|| {
            let end = 100 + random_below(&mut rng, n - 100);
            tree.range(end - 100..end).rev().fold(0, |all, it| all ^ it.score.to_bits())
        });
    });
    group.bench_function("update in place", |b| {
        b.iter(|| tree.update(random_below(&mut rng, n), |it| black_box(it).score));
    });
    group.bench_function("new score", |b| {
        b.iter(|| {
            let member = any.next().expect("there are members");
            let removed = remove(&mut tree, member).expect("a member");
            insert(&mut tree, removed);
        });
    });
    group.finish();
}

/// Trees that change in size, each measured over all members.
fn growth(c: &mut Criterion) {
    let n = n_members();
    let mut rng = Rng::new(2);
    let members: Vec<Member> = (0..n).map(|_| Member::random(&mut rng)).collect();
    let mut group = c.benchmark_group("rank_tree");
    group.sample_size(10).throughput(criterion::Throughput::Elements(n as u64));
    group.bench_function("insert all, random", |b| {
        b.iter_with_large_drop(|| {
            let mut tree = Tree::new();
            members.iter().for_each(|member| insert(&mut tree, member.clone()));
            tree
        });
    });
    let mut full = Tree::new();
    members.iter().for_each(|member| insert(&mut full, member.clone()));
    group.bench_function("remove all, random", |b| {
        b.iter_batched(
            || full.iter().cloned().collect::<Tree>(),
            |mut tree| {
                for member in &members {
                    remove(&mut tree, member).expect("a member");
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("build all", |b| {
        b.iter_with_large_drop(|| full.iter().cloned().collect::<Tree>());
    });
    group.bench_function("push and pop all as a queue", |b| {
        b.iter(|| {
            let mut tree = Tree::new();
            members.iter().for_each(|member| tree.push_back(member.clone()));
            while let Some(member) = tree.pop_front() {
                black_box(member);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, sorted_set, growth);
criterion_main!(benches);
