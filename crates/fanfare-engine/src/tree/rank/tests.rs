//! The tree against a `Vec`, at random and at its edges.

mod model;

use fanfare_testkit::{Rng, seed};
use triomphe::Arc;

use super::node::{Child, Node};
use super::{Item, RankTree};
use model::{Pair, below, check, compare};

/// A member with a score, in nodes so small that a thousand of them are a deep tree.
#[derive(Clone, Debug, PartialEq)]
struct Scored {
    score: f64,
    member: u32,
    weight: usize,
}

impl Item for Scored {
    type Hint = f64;
    const LEAF_MAX: usize = 5;
    const INNER_MAX: usize = 4;

    fn hint(&self) -> f64 {
        self.score
    }

    fn weight(&self) -> usize {
        self.weight
    }
}

impl Scored {
    fn random(rng: &mut Rng) -> Self {
        Self {
            score: f64::from(u32::try_from(rng.below(20)).unwrap()),
            member: u32::try_from(rng.below(1 << 32)).unwrap(),
            weight: usize::try_from(rng.below(4)).unwrap(),
        }
    }

    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.score.total_cmp(&other.score).then(self.member.cmp(&other.member))
    }
}

/// A chunk of a list, in nodes of the size that is really used.
#[derive(Clone, Debug, PartialEq)]
struct Plain(usize);

impl Item for Plain {
    type Hint = ();

    fn hint(&self) {}

    fn weight(&self) -> usize {
        self.0
    }
}

#[test]
fn small_nodes_hold_what_a_vec_would() {
    let mut rng = Rng::new(seed());
    for _ in 0..20 {
        let mut pair = Pair::new();
        for step in 0..1500 {
            let growth = if step < 700 { 9 } else { 1 + rng.below(5) };
            pair.step(&mut rng, growth, Scored::random);
            check(&pair.tree);
            if step % 50 == 0 {
                pair.check(&mut rng);
            }
        }
        pair.check(&mut rng);
    }
}

#[test]
fn nodes_of_real_size_hold_what_a_vec_would() {
    let mut rng = Rng::new(seed());
    let mut pair = Pair::new();
    pair.tree = (0..9000).map(Plain).collect();
    pair.model = (0..9000).map(Plain).collect();
    for step in 0..9000 {
        pair.step(&mut rng, if step < 3000 { 9 } else { 2 }, |rng| Plain(below(rng, 100)));
        if step % 500 == 0 {
            pair.check(&mut rng);
        }
    }
    pair.check(&mut rng);
}

#[test]
fn sorted_items_are_found_with_few_scores_and_many() {
    let mut rng = Rng::new(seed());
    for n_scores in [1, 3, 1000] {
        let mut tree = RankTree::new();
        let mut model: Vec<Scored> = Vec::new();
        for _ in 0..1500 {
            let mut new = Scored::random(&mut rng);
            new.score = rng.below(n_scores) as f64;
            let index = tree.search(new.score, |it: &Scored| it.cmp(&new));
            assert_eq!(index, model.binary_search_by(|it| it.cmp(&new)));
            assert_eq!(
                index.unwrap_or_else(|at| at),
                tree.partition_point(|it| it.cmp(&new).is_lt())
            );
            if let Err(index) = index {
                tree.insert(index, new.clone());
                model.insert(index, new);
            }
            if rng.below(3) == 0 {
                let index = below(&mut rng, model.len());
                assert_eq!(tree.search(model[index].score, |it| it.cmp(&model[index])), Ok(index));
                assert_eq!(tree.remove(index), Some(model.remove(index)));
            }
            check(&tree);
        }
        compare(&tree, &model, &mut rng);
    }
}

#[test]
fn equal_items_are_found_by_the_first_of_them() {
    let scored = |score| Scored { score, member: 0, weight: 1 };
    let scores = [1.0, 2.0, 3.0].into_iter().flat_map(|score| [score; 100]);
    let tree: RankTree<_> = scores.map(scored).collect();
    for (looked_for, found) in [
        (0.5, Err(0)),
        (1.0, Ok(0)),
        (1.5, Err(100)),
        (2.0, Ok(100)),
        (3.0, Ok(200)),
        (3.5, Err(300)),
    ] {
        let answer = tree.search(looked_for, |it| it.score.total_cmp(&looked_for));
        assert_eq!(answer, found, "{looked_for}");
    }
    assert_eq!(RankTree::new().search(1.0, |it: &Scored| it.score.total_cmp(&1.0)), Err(0));
}

#[test]
fn a_tree_built_at_once_is_full_and_can_be_changed() {
    let mut rng = Rng::new(seed());
    for n in (0..300).chain([4095, 4096, 4097, 20_000]) {
        let tree: RankTree<Plain> = (0..n).map(Plain).collect();
        check(&tree);
        assert!(tree.iter().eq(&(0..n).map(Plain).collect::<Vec<_>>()), "{n}");
        let mut pair = Pair { model: tree.iter().cloned().collect(), tree, clones: Vec::new() };
        for _ in 0..20 {
            pair.step(&mut rng, 3, |_| Plain(1));
            check(&pair.tree);
        }
        assert!(pair.tree.iter().eq(&pair.model), "{n}");
    }
}

#[test]
fn a_queue_fills_its_nodes_and_gives_them_back() {
    let n = 100_000;
    let bytes_max = n * size_of::<Plain>() * 6 / 5;
    for at_front in [false, true] {
        let mut queue = RankTree::new();
        for i in 0..n {
            if at_front { queue.push_front(Plain(i)) } else { queue.push_back(Plain(i)) }
        }
        check(&queue);
        assert!(queue.n_bytes() < bytes_max, "{} bytes for {n} items", queue.n_bytes());
        for i in 0..n {
            let popped = if at_front { queue.pop_back() } else { queue.pop_front() };
            assert_eq!(popped, Some(Plain(i)));
            if i % 1000 == 0 {
                check(&queue);
                // As many go in as go out for a while: nothing grows.
                assert!(queue.n_bytes() < bytes_max);
            }
        }
        assert_eq!((queue.n_bytes(), queue.pop_front(), queue.len()), (0, None, 0));
    }
}

#[test]
fn memory_follows_the_number_of_items_up_and_down() {
    let mut rng = Rng::new(seed());
    let mut tree = RankTree::new();
    for _ in 0..50_000 {
        let index = below(&mut rng, tree.len() + 1);
        tree.insert(index, Plain(1));
    }
    check(&tree);
    // A quarter for spare capacity and inner nodes, however nodes were split.
    let enough_for = |n: usize| n * size_of::<Plain>() * 3 / 2;
    assert!(tree.n_bytes() < enough_for(50_000), "{} bytes", tree.n_bytes());
    while 500 < tree.len() {
        tree.remove(below(&mut rng, tree.len()));
    }
    check(&tree);
    assert!(tree.n_bytes() < 2 * enough_for(500), "{} bytes", tree.n_bytes());
    assert_eq!(tree.remove_range(.., |_| {}), 500);
    assert_eq!(tree.n_bytes(), 0);
}

#[test]
fn leaves_that_lose_items_give_memory_back() {
    let mut tree: RankTree<Plain> = (0..6400).map(Plain).collect();
    let n_bytes_full = tree.n_bytes();
    for index in 0..3200 {
        assert_eq!(tree.remove(index), Some(Plain(2 * index)));
    }
    check(&tree);
    // Every leaf is half full now, so none was merged.
    assert!(tree.n_bytes() < n_bytes_full * 3 / 4, "{} of {n_bytes_full}", tree.n_bytes());
}

#[test]
fn ranges_past_the_end_are_cut_or_empty() {
    let mut tree: RankTree<Plain> = (0..10).map(Plain).collect();
    assert_eq!(tree.range(8..100).len(), 2);
    assert_eq!(tree.range(10..).count(), 0);
    assert_eq!(tree.range(20..=usize::MAX).count(), 0);
    #[expect(clippy::reversed_empty_ranges, reason = "what ZRANGE may be asked for")]
    let reversed = tree.range(5..3);
    assert_eq!(reversed.count(), 0);
    assert_eq!(tree.range(..=3).next_back(), Some(&Plain(3)));
    assert_eq!(tree.remove_range(8..100, |_| {}), 2);
    assert_eq!(tree.remove_range(8..100, |_| {}), 0);
    assert_eq!((tree.remove(8), tree.update(8, |_| ()), tree.get(8)), (None, None, None));
    tree.insert(100, Plain(100));
    assert_eq!(tree.last(), Some(&Plain(100)));
}

/// An item that shows how many of it there are.
#[derive(Clone)]
struct Counted(#[expect(dead_code, reason = "its count is read elsewhere")] Arc<()>);

impl Item for Counted {
    type Hint = ();

    fn hint(&self) {}
}

/// Nodes of both trees together, shared ones once.
fn n_nodes<T: Item>(trees: [&RankTree<T>; 2]) -> usize {
    fn collect<T: Item>(child: &Child<T>, nodes: &mut Vec<*const Node<T>>) {
        nodes.push(&raw const *child.node);
        if let Node::Inner(children) = &*child.node {
            children.iter().for_each(|it| collect(it, nodes));
        }
    }
    let mut nodes = Vec::new();
    trees.iter().filter_map(|tree| tree.root.as_ref()).for_each(|it| collect(it, &mut nodes));
    nodes.sort_unstable();
    nodes.dedup();
    nodes.len()
}

#[test]
fn a_write_copies_one_path_and_a_clone_nothing() {
    let mut tree: RankTree<Plain> = (0..100_000).map(Plain).collect();
    let n_before = n_nodes([&tree, &tree]);
    let clone = tree.clone();
    assert_eq!(n_nodes([&tree, &clone]), n_before);
    tree.update(50_000, |it| it.0 = 1);
    assert_eq!(n_nodes([&tree, &clone]), n_before + 3, "root, inner node, leaf");
    tree.update(50_001, |it| it.0 = 1);
    assert_eq!(n_nodes([&tree, &clone]), n_before + 3, "the path is its own now");
    check(&tree);
    check(&clone);
    assert_eq!(clone.get(50_000), Some(&Plain(50_000)));
    drop(clone);
    assert_eq!(n_nodes([&tree, &tree]), n_before);
}

#[test]
fn removed_items_are_dropped_once() {
    let alive = Arc::new(());
    let mut tree: RankTree<_> = (0..1000).map(|_| Counted(Arc::clone(&alive))).collect();
    assert_eq!(Arc::count(&alive), 1001);
    drop(tree.remove(500));
    assert_eq!(tree.remove_range(100..400, drop), 300);
    assert_eq!(Arc::count(&alive), 700);
    let clone = tree.clone();
    tree.remove_range(.., drop);
    assert_eq!(Arc::count(&alive), 700);
    drop(clone);
    assert_eq!(Arc::count(&alive), 1);
}
