//! Random changes beside a naive list, with clones that must stay as they were.

use std::collections::VecDeque;

use fanfare_testkit::{Rng, seed};

use super::{List, Side};
use crate::packed::{Element, Fill};

type Model = VecDeque<Vec<u8>>;

fn pick(rng: &mut Rng, n: usize) -> usize {
    usize::try_from(rng.below(n as u64)).unwrap()
}

fn element(rng: &mut Rng) -> Vec<u8> {
    match rng.below(16) {
        0..6 => rng.below(20).to_string().into_bytes(),
        6..12 => vec![b'a'; pick(rng, 12)],
        12..14 => vec![b'b'; 100 + pick(rng, 900)],
        14 => vec![b'c'; 3000 + pick(rng, 3000)],
        _ => vec![b'd'; 4090 + pick(rng, 9000)],
    }
}

fn side(rng: &mut Rng) -> Side {
    if rng.below(2) == 0 { Side::Left } else { Side::Right }
}

fn assert_same(list: &List, model: &Model) {
    list.0.check();
    assert_eq!(list.len(), model.len());
    assert_eq!(list.is_empty(), model.is_empty());
    assert!(list.iter().eq(model.iter().map(|it| Element::new(it))));
    assert!(list.iter().rev().eq(model.iter().rev().map(|it| Element::new(it))));
}

fn change(list: &mut List, model: &mut Model, fill: Fill, rng: &mut Rng) {
    let index = pick(rng, model.len() + 2);
    match rng.below(20) {
        0..6 => {
            for _ in 0..1 + rng.below(4) {
                let (side, element) = (side(rng), element(rng));
                list.push(side, &element, fill);
                match side {
                    Side::Left => model.push_front(element),
                    Side::Right => model.push_back(element),
                }
            }
        }
        6..9 => {
            let side = side(rng);
            let expected = match side {
                Side::Left => model.pop_front(),
                Side::Right => model.pop_back(),
            };
            assert_eq!(list.pop(side).as_deref(), expected.as_deref());
        }
        9..13 => {
            let (index, element) = (index.min(model.len()), element(rng));
            list.insert(index, &element, fill);
            model.insert(index, element);
        }
        13..16 => {
            let element = element(rng);
            let is_there = index < model.len();
            assert_eq!(list.set(index, &element, fill), is_there);
            if is_there {
                model[index] = element;
            }
        }
        16 => {
            let n = pick(rng, 9);
            list.remove_range(index, n);
            let end = (index + n).min(model.len());
            model.drain(index.min(end)..end);
        }
        17 => remove_matching(list, model, rng),
        18 => {
            let (side, n) = (side(rng), pick(rng, 12));
            let popped = list.pop_many(side, n);
            let expected: Vec<_> = (0..n)
                .map_while(|_| match side {
                    Side::Left => model.pop_front(),
                    Side::Right => model.pop_back(),
                })
                .collect();
            assert!(popped.iter().map(|it| &**it).eq(expected.iter().map(|it| &**it)));
        }
        _ if rng.below(12) == 0 => {
            let (from, to) = (pick(rng, model.len() + 1), pick(rng, model.len() + 1));
            let (from, to) = (from.min(to), from.max(to));
            list.remove_range(to, usize::MAX);
            list.remove_range(0, from);
            *model = model.drain(from..to).collect();
        }
        _ => {}
    }
}

fn remove_matching(list: &mut List, model: &mut Model, rng: &mut Rng) {
    let (wanted, side, n_max) = (element(rng), side(rng), 1 + pick(rng, 5));
    let n_removed = list.remove_matching(&wanted, n_max, side);
    if side == Side::Right {
        model.make_contiguous().reverse();
    }
    let mut n_left = n_max;
    model.retain(|it| {
        let goes = *it == wanted && n_left != 0;
        n_left -= usize::from(goes);
        !goes
    });
    if side == Side::Right {
        model.make_contiguous().reverse();
    }
    assert_eq!(n_removed, n_max - n_left);
}

#[test]
fn a_list_is_as_a_naive_one_and_clones_stay() {
    let seed = seed();
    for round in 0..60 {
        let rng = &mut Rng::new(seed.wrapping_add(round));
        let mut fill = Fill::new([-1, -2, -5, 0, 1, 3, 16, 128][pick(rng, 8)]);
        let (mut list, mut model) = (List::default(), Model::new());
        let mut clones: VecDeque<(List, Model)> = VecDeque::new();
        for step in 0..800 {
            change(&mut list, &mut model, fill, rng);
            list.0.check();
            assert_eq!(list.len(), model.len());
            let index = pick(rng, model.len() + 1);
            assert_eq!(list.get(index).as_deref(), model.get(index).map(|it| &**it));
            if step % 40 == 0 {
                assert_same(&list, &model);
                assert!(
                    list.iter_from(index).eq(model.iter().skip(index).map(|it| Element::new(it)))
                );
            }
            if rng.below(30) == 0 {
                clones.push_back((list.clone(), model.clone()));
            }
            if 4 < clones.len() {
                let (list, model) = clones.pop_front().unwrap();
                assert_same(&list, &model);
            }
            if rng.below(200) == 0 {
                fill = Fill::new([-1, -2, 2, 50][pick(rng, 4)]);
            }
        }
        clones.iter().for_each(|(list, model)| assert_same(list, model));
        let again: List = list.chunks().cloned().collect();
        assert_same(&again, &model);
    }
}

#[test]
fn a_queue_keeps_its_chunks_full_and_its_bytes_counted() {
    let fill = Fill::default();
    let mut list = List::default();
    let n_bytes_empty = list.n_bytes();
    for number in 0..100_000 {
        list.push(Side::Right, format!("element:{number}").as_bytes(), fill);
    }
    let n_chunks = list.chunks().count();
    let packed: usize = list.chunks().map(|it| it.n_bytes()).sum();
    assert!(packed / n_chunks > 7000, "{packed} bytes in {n_chunks} chunks");
    assert!(packed < list.n_bytes() && list.n_bytes() < packed * 11 / 10);
    assert_eq!(list.get(77_777).as_deref(), Some(&b"element:77777"[..]));
    for number in 0..100_000 {
        let popped = list.pop(Side::Left);
        assert_eq!(popped.as_deref(), Some(format!("element:{number}").as_bytes()));
    }
    assert!(list.is_empty() && list.pop(Side::Left).is_none());
    assert!(list.n_bytes() < n_bytes_empty + 10_000);
}

#[test]
fn inserting_at_one_place_leaves_no_crumbs() {
    let fill = Fill::default();
    let mut list = List::default();
    (0..2000).for_each(|_| list.push(Side::Right, &[b'x'; 50], fill));
    let n_before = list.chunks().count();
    for number in 0..2000_usize {
        list.insert(1 + number % 1900, &[b'y'; 50], fill);
    }
    assert!(list.chunks().count() <= 4 * n_before, "{} chunks", list.chunks().count());
    assert_eq!(list.len(), 4000);
}
