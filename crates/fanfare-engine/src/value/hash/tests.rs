//! Random operations against a naive hash, with clones that must stay as they were.

use std::collections::BTreeMap;

use super::{Field, Hash, Lifetime, Limits};

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % n
    }

    /// Of any length around what is inline and what is packed.
    fn bytes(&mut self, n: u64) -> Vec<u8> {
        let number = self.below(n);
        match self.below(8) {
            0..5 => number.to_string().into(),
            5..7 => format!("some name of a field {number}").into(),
            _ => format!("{number:070}").into(),
        }
    }
}

const LIMITS: Limits = Limits { n_fields_max: 16, len_max: 64 };

fn owned(field: Field<'_>) -> (Vec<u8>, (Vec<u8>, Option<u64>)) {
    (field.name.to_name().to_vec(), (field.value.to_name().to_vec(), field.expires_at_ms))
}

fn contents(hash: &Hash) -> Model {
    let all: Model = hash.iter().map(owned).collect();
    assert_eq!(all.len(), hash.len(), "a field is there twice");
    all
}

fn check(hash: &Hash, model: &Model) {
    assert_eq!(&contents(hash), model);
    assert_eq!(hash.soonest_ms(), model.values().filter_map(|it| it.1).min());
    let by_index: Model =
        (0..hash.len()).map(|index| owned(hash.nth(index).expect("within"))).collect();
    assert_eq!(&by_index, model);
    assert!(hash.nth(hash.len()).is_none());
    let mut visited = Model::new();
    let mut position = Some(0);
    while let Some(at) = position {
        position = hash.visit(at, |it| visited.extend([owned(it)]));
    }
    assert_eq!(&visited, model);
}

fn step(random: &mut Random, hash: &mut Hash, model: &mut Model, now_ms: &mut u64) {
    let name = random.bytes(40);
    match random.below(10) {
        0..5 => {
            let value = random.bytes(1000);
            let lifetime = match random.below(4) {
                0 => Lifetime::Kept,
                1 => Lifetime::Until(*now_ms + 1 + random.below(50)),
                _ => Lifetime::Forever,
            };
            let before = model.get(&name).and_then(|it| it.1);
            let is_new = hash.set(&name, &value, lifetime, LIMITS);
            assert_eq!(is_new, model.insert(name, (value, lifetime.after(before))).is_none());
        }
        5 | 6 => assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
        7 | 8 => {
            let at_ms = (random.below(3) != 0).then(|| *now_ms + 1 + random.below(50));
            hash.put_time(&name, at_ms);
            if let Some(field) = model.get_mut(&name) {
                field.1 = at_ms;
            }
        }
        _ => {
            *now_ms += random.below(20);
            let n_max = usize::try_from(random.below(5)).expect("small");
            for name in hash.expire(*now_ms, n_max) {
                let (_, at_ms) = model.remove(&*name).expect("it was there");
                assert!(at_ms.is_some_and(|it| it <= *now_ms));
            }
            hash.expire(*now_ms, usize::MAX);
            model.retain(|_, it| it.1.is_none_or(|it| *now_ms < it));
        }
    }
    let name = random.bytes(40);
    assert_eq!(
        hash.get(&name).map(owned),
        model.get_key_value(&name).map(|it| (it.0.clone(), it.1.clone()))
    );
}

#[test]
fn random_operations_do_what_a_map_does() {
    for seed in 1..=40 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let (mut hash, mut model, mut now_ms) = (Hash::default(), Model::new(), 1000);
        let mut clones: Vec<(Hash, Model)> = Vec::new();
        for _ in 0..400 {
            step(&mut random, &mut hash, &mut model, &mut now_ms);
            check(&hash, &model);
            if random.below(20) == 0 {
                clones.push((hash.clone(), model.clone()));
            }
        }
        clones.iter().for_each(|(hash, model)| check(hash, model));
    }
}

#[test]
fn a_hash_becomes_a_table_by_one_field_too_many_or_one_too_long() {
    for (n_fields, len, encoding) in
        [(16, 64, "listpack"), (17, 1, "hashtable"), (1, 65, "hashtable")]
    {
        let mut hash = Hash::default();
        for number in 0..n_fields {
            hash.set(number.to_string().as_bytes(), &vec![b'x'; len], Lifetime::Forever, LIMITS);
        }
        assert_eq!(hash.encoding(), encoding, "{n_fields} fields of {len} bytes");
    }
    let mut hash = Hash::default();
    hash.set(&[b'x'; 65], b"", Lifetime::Forever, LIMITS);
    assert_eq!(hash.encoding(), "hashtable");
    hash.remove(&[b'x'; 65]);
    assert_eq!(hash.encoding(), "hashtable");
}

#[test]
fn fields_with_times_come_in_their_order_and_the_others_after_them() {
    let mut hash = Hash::default();
    for (name, lifetime) in [
        ("a", Lifetime::Forever),
        ("b", Lifetime::Until(30)),
        ("c", Lifetime::Until(10)),
        ("d", Lifetime::Until(30)),
        ("e", Lifetime::Forever),
    ] {
        hash.set(name.as_bytes(), b"1", lifetime, LIMITS);
    }
    let order = |hash: &Hash| -> Vec<u8> {
        hash.iter().flat_map(|it| it.name.to_name().to_vec()).collect()
    };
    assert_eq!(order(&hash), b"cbdae");
    assert_eq!(hash.encoding(), "listpackex");
    hash.put_time(b"b", None);
    assert_eq!(order(&hash), b"cdaeb");
    hash.set(b"c", b"2", Lifetime::Forever, LIMITS);
    assert_eq!(order(&hash), b"daebc");
    hash.put_time(b"d", None);
    assert_eq!((hash.encoding(), hash.soonest_ms()), ("listpackex", None));
}

#[test]
fn memory_is_that_of_the_fields_whatever_was_there_before() {
    let mut hash = Hash::default();
    let limits = Limits { n_fields_max: 0, len_max: 64 };
    hash.set(b"kept", b"1", Lifetime::Until(9), limits);
    let before = hash.n_bytes();
    for number in 0..5000 {
        let name = format!("a name that is not inline {number}");
        hash.set(name.as_bytes(), &[b'x'; 50], Lifetime::Until(5), limits);
    }
    assert!(before + 5000 * (50 + 28) < hash.n_bytes());
    assert_eq!(hash.expire(5, usize::MAX).len(), 5000);
    // A leaf may keep room for a few more.
    assert!(hash.n_bytes() < before + 1000);
    assert!(before <= hash.n_bytes());
}
