//! Random operations, beside a sorted vector, with clones that are looked at later, on both sides of the thresholds.

use fanfare_testkit::{Rng, seed};

use super::{LexRange, Member, Packing, ScoreRange, SortedSet};

/// Sorted by score and name.
#[derive(Clone, Default)]
struct Model(Vec<(f64, Vec<u8>)>);

impl Model {
    fn position(&self, name: &[u8]) -> Option<usize> {
        self.0.iter().position(|it| it.1 == name)
    }

    fn set(&mut self, name: &[u8], score: f64) {
        self.0.retain(|it| it.1 != name);
        self.0.push((score, name.to_vec()));
        self.0.sort_by(|a, b| a.partial_cmp(b).unwrap());
    }

    fn count(&self, is_in: impl Fn(&(f64, Vec<u8>)) -> bool) -> usize {
        self.0.iter().filter(|it| is_in(it)).count()
    }
}

const SMALL: Packing = Packing { entries_max: 12, value_max: 24 };
const NEVER: Packing = Packing { entries_max: 0, value_max: 64 };
const ALWAYS: Packing = Packing { entries_max: 10_000, value_max: 64 };

#[test]
fn behaves_as_a_sorted_vector_does() {
    let mut rng = Rng::new(seed());
    for packing in [SMALL, NEVER, ALWAYS] {
        for n_names in [5, 15, 400] {
            println!("{packing:?} {n_names}");
            walk(&mut rng, packing, n_names);
        }
    }
}

fn walk(rng: &mut Rng, packing: Packing, n_names: u64) {
    let mut set = SortedSet::default();
    let mut model = Model::default();
    let mut snapshots = Vec::new();
    for _ in 0..1500 {
        let name = name(rng, n_names);
        match rng.below(16) {
            0..=8 => {
                let score = score(rng);
                let before = model.position(&name).map(|it| model.0[it].0);
                set.update(&name, packing, |it| {
                    assert_eq!(it, before);
                    Some(score)
                });
                model.set(&name, score);
            }
            9 => set.update(&name, packing, |_| None),
            10..=12 => {
                let at = model.position(&name);
                assert_eq!(set.remove(&name), at.is_some());
                at.map(|it| model.0.remove(it));
            }
            13 => {
                let start = index(rng, model.0.len());
                let end = start + index(rng, (model.0.len() - start).min(9));
                set.remove_range(start..end);
                model.0.drain(start..end);
            }
            _ => snapshots.push((set.clone(), model.clone())),
        }
        if rng.below(20) == 0 {
            compare(rng, &set, &model, n_names);
        }
        if 8 < snapshots.len() {
            let (set, model) = snapshots.swap_remove(index(rng, 8));
            compare(rng, &set, &model, n_names);
        }
    }
    for (set, model) in snapshots {
        compare(rng, &set, &model, n_names);
    }
}

fn index(rng: &mut Rng, last: usize) -> usize {
    usize::try_from(rng.below(last as u64 + 1)).unwrap()
}

/// Numbers, short names and names with memory of their own.
fn name(rng: &mut Rng, n_names: u64) -> Vec<u8> {
    let number = rng.below(n_names);
    match number % 3 {
        0 => number.to_string().into_bytes(),
        1 => format!("n{number}").into_bytes(),
        _ => format!("a name that is somewhat longer {number}").into_bytes(),
    }
}

/// Few different ones, so that many are equal.
fn score(rng: &mut Rng) -> f64 {
    let scores =
        [0.0, 1.0, -1.0, 0.1, 1e17, -2.5, f64::INFINITY, f64::NEG_INFINITY, 3.0, 4.7e18, 1e-7];
    scores[index(rng, scores.len() - 1)]
}

fn compare(rng: &mut Rng, set: &SortedSet, model: &Model, n_names: u64) {
    let pair = |it: Member| (it.score, it.name.to_vec());
    assert_eq!(set.len(), model.0.len());
    assert_eq!(set.is_empty(), model.0.is_empty());
    assert!(set.iter().map(pair).eq(model.0.iter().cloned()));
    assert!(set.iter().rev().map(pair).eq(model.0.iter().rev().cloned()));
    let start = index(rng, model.0.len());
    let end = start + index(rng, model.0.len() - start);
    assert!(set.members(start..end).map(pair).eq(model.0[start..end].iter().cloned()));

    let wanted = name(rng, n_names);
    let at = model.position(&wanted);
    assert_eq!(set.rank(&wanted), at.map(|it| (it, model.0[it].0)));
    assert_eq!(set.score(&wanted), at.map(|it| model.0[it].0));

    let (min, max) = (score(rng), score(rng));
    for (min_mark, max_mark) in [("", ""), ("(", ""), ("", "("), ("(", "(")] {
        let [min_text, max_text] = [format!("{min_mark}{min}"), format!("{max_mark}{max}")];
        let range = ScoreRange::parse(min_text.as_bytes(), max_text.as_bytes()).unwrap();
        let is_after = |it: f64| it < min || (it == min && min_mark == "(");
        let reaches = |it: f64| it < max || (it == max && max_mark.is_empty());
        let ranks = set.ranks_by_score(&range);
        assert_eq!(ranks.len(), model.count(|it| !is_after(it.0) && reaches(it.0)));
        if !ranks.is_empty() {
            assert_eq!(ranks.start, model.count(|it| is_after(it.0)));
        }
    }
    check_visit(set, model);
    assert!(model.0.iter().map(|it| it.1.len()).sum::<usize>() / 4 <= set.n_bytes());
}

/// A scan sees every member once.
fn check_visit(set: &SortedSet, model: &Model) {
    let mut seen = Vec::new();
    let mut position = Some(0);
    while let Some(at) = position {
        position = set.visit(at, |it| seen.push((it.score, it.name.to_vec())));
    }
    seen.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(seen, model.0);
}

#[test]
fn names_are_ranges_among_equal_scores() {
    let mut rng = Rng::new(seed());
    for packing in [ALWAYS, NEVER] {
        let mut set = SortedSet::default();
        let mut names: Vec<Vec<u8>> = (0..300).map(|_| name(&mut rng, 1000)).collect();
        names.sort();
        names.dedup();
        names.iter().for_each(|it| set.update(it, packing, |_| Some(7.0)));
        for _ in 0..300 {
            let (min, max) = (name(&mut rng, 1000), name(&mut rng, 1000));
            for (min_mark, max_mark) in [("[", "["), ("(", "["), ("[", "("), ("(", "(")] {
                let [min_text, max_text] =
                    [[min_mark.as_bytes(), &min].concat(), [max_mark.as_bytes(), &max].concat()];
                let range = LexRange::parse(&min_text, &max_text).unwrap();
                let is_after = |it: &[u8]| it < &*min || (it == min && min_mark == "(");
                let reaches = |it: &[u8]| it < &*max || (it == max && max_mark == "[");
                let ranks = set.ranks_by_lex(&range);
                let n_inside = names.iter().filter(|it| !is_after(it) && reaches(it)).count();
                assert_eq!(ranks.len(), n_inside);
                if !ranks.is_empty() {
                    assert_eq!(ranks.start, names.iter().filter(|it| is_after(it)).count());
                }
            }
        }
    }
}

#[test]
fn it_is_unpacked_where_redis_does() {
    let mut set = SortedSet::default();
    for number in 0..12 {
        set.update(format!("n{number}").as_bytes(), SMALL, |_| Some(1.0));
    }
    assert_eq!(set.encoding(), "listpack");
    // A new score is no new member.
    set.update(b"n5", SMALL, |_| Some(2.0));
    assert_eq!(set.encoding(), "listpack");
    set.update(b"n12", SMALL, |_| Some(1.0));
    assert_eq!(set.encoding(), "skiplist");
    // It never goes back.
    set.remove_range(0..12);
    assert_eq!((set.len(), set.encoding()), (1, "skiplist"));

    let mut set = SortedSet::default();
    set.update(&[b'x'; 24], SMALL, |_| Some(1.0));
    assert_eq!(set.encoding(), "listpack");
    set.update(&[b'x'; 25], SMALL, |_| Some(1.0));
    assert_eq!(set.encoding(), "skiplist");
}

#[test]
fn stored_members_are_packed_where_redis_does() {
    let members = |n: usize, len: usize| -> Vec<Member> {
        (0..n)
            .map(|it| Member { score: -(it as f64), name: format!("{it:0len$}").as_bytes().into() })
            .collect()
    };
    for (n, len, expected) in
        [(12, 24, "listpack"), (13, 24, "skiplist"), (1, 25, "skiplist"), (1, 1, "listpack")]
    {
        let set = SortedSet::from_members(members(n, len), SMALL);
        assert_eq!((set.len(), set.encoding()), (n, expected), "{n} {len}");
        assert!(set.iter().map(|it| it.score).is_sorted());
    }
}

#[test]
fn minus_zero_is_lost_where_redis_loses_it() {
    for (packing, is_kept) in [(ALWAYS, false), (NEVER, true)] {
        let mut set = SortedSet::default();
        set.update(b"a", packing, |_| Some(-0.0));
        assert_eq!(set.score(b"a").unwrap().is_sign_negative(), is_kept);
    }
}

#[test]
fn accounting_follows_what_is_there() {
    let mut set = SortedSet::default();
    let name = |it: u32| format!("a member with a name of its own: {it:08}");
    for number in 0..5000 {
        set.update(name(number).as_bytes(), SMALL, |_| Some(f64::from(number % 77)));
    }
    let (full, effort) = (set.n_bytes(), set.effort());
    assert!(5000 * 100 < full && full < 5000 * 300, "{full}");
    assert!(5000 / 16 <= effort);
    for number in 0..5000 {
        assert!(set.remove(name(number).as_bytes()));
    }
    assert!(set.n_bytes() < 1000, "{}", set.n_bytes());
    assert_eq!(set.effort(), 0);
}
