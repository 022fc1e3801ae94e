//! Random changes of groups beside naive maps: what is pending is the same in all orders.

use std::collections::BTreeMap;

use fanfare_testkit::{Rng, seed};

use super::pick;
use crate::value::Stream;
use crate::value::stream::{Group, Pending, StreamId};

const NAMES: [&[u8]; 6] =
    [b"", b"a", b"b", b"a-long-name-of-a-consumer", b"a-long-name-other", b"~"];

/// What is known of an entry that is pending.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    owner: Option<&'static [u8]>,
    delivered_ms: u64,
    n_deliveries: u64,
    /// Larger than those of all that were delivered before.
    turn: u64,
}

#[derive(Clone, Debug, Default)]
struct Model {
    pending: BTreeMap<StreamId, Known>,
    consumers: BTreeMap<&'static [u8], u64>,
    n_turns: u64,
}

fn id(rng: &mut Rng) -> StreamId {
    match rng.below(30) {
        0 => StreamId::MAX,
        1 => StreamId::MIN,
        _ => StreamId { ms: rng.below(60), seq: rng.below(4) },
    }
}

fn set_pending(group: &mut Group, model: &mut Model, id: StreamId, rng: &mut Rng) {
    let name = NAMES[pick(rng, NAMES.len())];
    let is_owned = rng.below(5) != 0;
    let delivered_ms = if is_owned { [0, 5, rng.below(1000)][pick(rng, 3)] } else { 0 };
    // Few are so many that they are kept elsewhere.
    let n_deliveries = match rng.below(8) {
        0 => rng.next_u64(),
        1 => u64::from(u32::MAX) - 1 + rng.below(3),
        _ => rng.below(4),
    };
    let owner = is_owned.then(|| {
        let (owner, is_new) = group.owner_or_new(name, 7);
        assert_eq!(is_new, model.consumers.insert(name, 7).is_none());
        owner
    });
    group.set_pending(Pending { id, delivered_ms, n_deliveries, owner });
    model.n_turns += 1;
    let owner = is_owned.then_some(name);
    let turn = model.n_turns;
    model.pending.insert(id, Known { owner, delivered_ms, n_deliveries, turn });
}

fn change(group: &mut Group, model: &mut Model, rng: &mut Rng) {
    match rng.below(20) {
        0..11 => {
            let id = id(rng);
            set_pending(group, model, id, rng);
        }
        11..18 => {
            let id = id(rng);
            let removed = group.remove_pending(id).map(|it| it.n_deliveries);
            assert_eq!(removed, model.pending.remove(&id).map(|it| it.n_deliveries));
        }
        18 => {
            let name = NAMES[pick(rng, NAMES.len())];
            let n_before = model.pending.len();
            let was_there = model.consumers.remove(name).is_some();
            model.pending.retain(|_, it| it.owner != Some(name));
            let n_removed = was_there.then_some(n_before - model.pending.len());
            assert_eq!(group.remove_consumer(name), n_removed);
        }
        _ => {
            let name = NAMES[pick(rng, NAMES.len())];
            let is_new = group.owner_or_new(name, 7).1;
            assert_eq!(is_new, model.consumers.insert(name, 7).is_none());
        }
    }
}

fn name_of(group: &Group, pending: Pending) -> Option<Vec<u8>> {
    pending.owner.map(|it| group.consumer(it).expect("the owner is there").name.to_vec())
}

fn assert_same(group: &Group, model: &Model, rng: &mut Rng) {
    let from = id(rng);
    let shown: Vec<_> = group
        .pending_from(from)
        .map(|it| (it.id, name_of(group, it), it.delivered_ms, it.n_deliveries))
        .collect();
    let expected: Vec<_> = model
        .pending
        .range(from..)
        .map(|(id, it)| (*id, it.owner.map(<[u8]>::to_vec), it.delivered_ms, it.n_deliveries))
        .collect();
    assert_eq!(shown, expected, "from {from}");
    assert_eq!(group.n_pending(), model.pending.len());
    let bounds = model.pending.first_key_value().zip(model.pending.last_key_value());
    assert_eq!(group.pending_bounds(), bounds.map(|((first, _), (last, _))| (*first, *last)));

    let mut by_time: Vec<_> =
        model.pending.iter().map(|(id, it)| (it.delivered_ms, it.turn, *id)).collect();
    by_time.sort_unstable();
    let max = [u64::MAX, 0, rng.below(1000)][pick(rng, 3)];
    let idle: Vec<_> = by_time.iter().filter(|it| it.0 <= max).map(|it| it.2).collect();
    assert!(group.idle(max).eq(idle.iter().copied()));
    assert_eq!(group.n_idle(max), idle.len());
    assert_eq!(group.oldest_delivery_ms(), by_time.first().map(|it| it.0));
    let is_unowned = |id: &&StreamId| model.pending[*id].owner.is_none();
    let all = by_time.iter().map(|it| &it.2);
    assert!(group.unowned().eq(all.filter(is_unowned).copied()));
    let n_unowned = model.pending.values().filter(|it| it.owner.is_none()).count();
    assert_eq!((group.n_given_back(), group.has_unowned()), (n_unowned, n_unowned != 0));

    assert!(group.consumers().map(|it| &*it.name).eq(model.consumers.keys().copied()));
    assert_eq!(group.n_consumers(), model.consumers.len());
    for name in NAMES {
        let owner = group.owner(name);
        assert_eq!(owner.is_some(), model.consumers.contains_key(name));
        let Some(owner) = owner else { continue };
        let its = model.pending.iter().filter(|it| it.1.owner == Some(name)).map(|it| *it.0);
        let its: Vec<_> = its.collect();
        assert_eq!(group.consumer(owner).map(|it| it.n_pending()), Some(its.len()));
        let after = its.iter().copied().filter(|it| from <= *it);
        assert!(group.pending_of(owner, from).map(|it| it.id).eq(after));
    }
}

#[test]
fn all_orders_of_what_is_pending_agree() {
    let mut rng = Rng::new(seed());
    let n_rounds = if std::env::var_os("FANFARE_FULL").is_some() { 200 } else { 8 };
    for _ in 0..n_rounds {
        let mut stream = Stream::default();
        assert!(stream.add_group(b"g", StreamId::MIN, None));
        assert!(!stream.add_group(b"g", StreamId::MAX, None));
        let mut model = Model::default();
        let mut kept = None;
        for _ in 0..600 {
            stream.edit_group(b"g", |it| change(it, &mut model, &mut rng)).expect("it is there");
            assert_same(stream.group(b"g").expect("it is there"), &model, &mut rng);
            if rng.below(100) == 0 {
                let before = kept.replace((stream.clone(), model.clone()));
                if let Some((before, its_model)) = before {
                    assert_same(before.group(b"g").expect("it is there"), &its_model, &mut rng);
                }
            }
        }
        let wanted = id(&mut rng);
        assert_eq!(stream.forget_pending(wanted), model.pending.remove(&wanted).is_some());
        assert_same(stream.group(b"g").expect("it is there"), &model, &mut rng);
        let removed = stream.remove_group(b"g").expect("it is there");
        assert_same(removed.group(b"g").expect("it went"), &model, &mut rng);
        assert_eq!(stream.n_bytes(), Stream::default().n_bytes());
        assert!(stream.remove_group(b"g").is_none());
    }
}

/// Groups are found by their names, and their bytes are counted.
#[test]
fn groups_come_and_go() {
    let mut rng = Rng::new(seed());
    let mut stream = Stream::default();
    let mut names = BTreeMap::new();
    for _ in 0..2000 {
        let name = [&b"group"[..], &b"0123456789abcdef"[..pick(&mut rng, 17)]].concat();
        let last_id = id(&mut rng);
        match rng.below(3) {
            0 => {
                let removed = stream.remove_group(&name);
                assert_eq!(removed.is_some(), names.remove(&name).is_some());
            }
            1 => {
                let is_new = stream.add_group(&name, last_id, Some(3));
                assert_eq!(is_new, !names.contains_key(&name));
                names.entry(name).or_insert(last_id);
            }
            _ => {
                let set = stream.edit_group(&name, |it| it.set_position(last_id, None));
                assert_eq!(set.is_some(), names.contains_key(&name));
                names.entry(name).and_modify(|it| *it = last_id);
            }
        }
        assert!(
            stream
                .groups()
                .map(|it| (&**it.name(), it.last_id()))
                .eq(names.iter().map(|(name, id)| (&**name, *id)))
        );
    }
    names.keys().for_each(|it| assert!(stream.remove_group(it).is_some()));
    assert_eq!(stream.n_bytes(), Stream::default().n_bytes());
}
