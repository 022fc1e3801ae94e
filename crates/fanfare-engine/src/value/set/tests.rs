//! Random operations beside `BTreeSet`, with clones that are looked at later, and how fair the choices are.

use std::collections::{BTreeMap, BTreeSet};

use fanfare_testkit::{Rng, seed};

use super::*;

type Model = BTreeSet<Vec<u8>>;

const INTS_MAX: u32 = 20;

fn members(set: &Set) -> Model {
    set.iter().map(|it| it.to_name().to_vec()).collect()
}

fn name(member: &str) -> Name {
    Name::from(member.as_bytes())
}

fn set(members: &[&str]) -> Set {
    let mut set = Set::default();
    members.iter().for_each(|it| assert!(set.insert(it.as_bytes(), INTS_MAX)));
    set
}

/// The length that is counted while it changes is that of all long names.
fn check(set: &Set, model: &Model) {
    assert_eq!(set.len(), model.len());
    assert_eq!(members(set), *model);
    assert!(model.iter().all(|it| set.contains(it)));
    if let Set::Table(table) = set {
        let names_len: usize = table.members.iter().map(Name::n_bytes).sum();
        assert_eq!(table.names_len, names_len);
    }
}

#[test]
fn behaves_as_a_btree_set_does() {
    let mut rng = Rng::new(seed());
    for round in 0..60 {
        let (mut set, mut model) = (Set::default(), Model::new());
        let mut snapshots = Vec::new();
        let mut was_table = false;
        // In every third round there are only integers, so that they cross the limit by their number.
        let (n_kinds, n_numbers) = (if round % 3 == 0 { 1 } else { 3 }, 10 + rng.below(60));
        for _ in 0..400 {
            let number = rng.below(n_numbers);
            let member = match rng.below(20).min(n_kinds - 1) {
                0 => number.to_string(),
                1 => format!("-{}", number * 1_000_000_007),
                _ => format!("{number:030}"),
            };
            let member = member.as_bytes();
            match rng.below(10) {
                0..6 => assert_eq!(set.insert(member, INTS_MAX), model.insert(member.to_vec())),
                6..9 => assert_eq!(set.remove(member), model.remove(member)),
                _ => {
                    let n = usize::try_from(rng.below(4)).unwrap();
                    let draws: Vec<_> = (0..set.n_draws(n)).map(|_| rng.next_u64()).collect();
                    let popped = set.pop(n, draws);
                    assert_eq!(popped.len(), n.min(model.len()));
                    assert!(popped.iter().all(|it| model.remove(&**it)));
                }
            }
            // Once a hash table, always a hash table.
            let is_table = set.names().is_some();
            assert!(is_table || !was_table);
            assert!(is_table || set.len() <= 20);
            was_table = is_table;
            if rng.below(40) == 0 {
                snapshots.push((set.clone(), model.clone()));
            }
        }
        check(&set, &model);
        snapshots.iter().for_each(|(set, model)| check(set, model));
    }
}

#[test]
fn integers_are_packed_while_they_are_few() {
    let mut set = set(&["3", "-5", "1"]);
    assert_eq!(set.encoding(), "intset");
    assert_eq!(set.iter().map(|it| it.to_name()).collect::<Vec<_>>(), ["-5", "1", "3"].map(name));
    assert!(!set.insert(b"3", INTS_MAX));
    assert!(!set.contains(b"03") && !set.remove(b"+3"));
    for number in 4..21 {
        assert!(set.insert(number.to_string().as_bytes(), INTS_MAX));
    }
    assert_eq!((set.len(), set.encoding()), (20, "intset"));
    assert!(set.insert(b"21", INTS_MAX));
    assert_eq!((set.len(), set.encoding()), (21, "hashtable"));
    assert!(set.remove(b"21"));
    assert_eq!(set.encoding(), "hashtable");
    assert_eq!(set.rebuilt(INTS_MAX).encoding(), "intset");
    let mut set = Set::default();
    assert!(set.insert(b"01", INTS_MAX));
    assert_eq!(set.encoding(), "hashtable");
    let mut set = Set::default();
    assert!(set.insert(b"1", 0));
    assert_eq!(set.encoding(), "hashtable");
}

#[test]
fn choices_are_fair() {
    let mut rng = Rng::new(seed());
    for suffix in ["", "x"] {
        let names: Vec<_> = (0..12).map(|it| format!("{it}{suffix}")).collect();
        let names: Vec<_> = names.iter().map(|it| &**it).collect();
        let set = set(&names);
        // One way to choose for every size of the choice; each member is in it in so many of a thousand cases.
        for n in 1..12 {
            let mut counts: [BTreeMap<Name, u32>; 2] = Default::default();
            for _ in 0..6000 {
                let draws: Vec<_> = (0..set.n_draws(n)).map(|_| rng.next_u64()).collect();
                let popped = set.clone().pop(n, draws);
                let sampled = set.sample_many(n, &mut || rng.next_u64());
                assert_eq!((popped.len(), sampled.len()), (n, n));
                assert_eq!(sampled.iter().collect::<BTreeSet<_>>().len(), n);
                popped.into_iter().for_each(|it| *counts[0].entry(it).or_default() += 1);
                sampled.into_iter().for_each(|it| *counts[1].entry(it).or_default() += 1);
            }
            // Six standard deviations of 6000 cases, and some more.
            let expected = 500 * u32::try_from(n).unwrap();
            for counts in &counts {
                assert_eq!(counts.len(), 12);
                assert!(counts.values().all(|it| it.abs_diff(expected) < 260), "{n}: {counts:?}");
            }
        }
    }
}
