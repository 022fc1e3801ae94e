//! Hashes as maps of fields with times.

use std::collections::BTreeMap;

use super::wire::Wire;
use super::{Model, number};

pub(super) type Fields = BTreeMap<Vec<u8>, Field>;

#[derive(Clone)]
pub(super) struct Field {
    value: Vec<u8>,
    pub(super) expires_at_ms: Option<u64>,
}

impl Model {
    /// A command whose first argument is a hash.
    pub(super) fn hash(&mut self, name: &str, args: &[Vec<u8>]) -> Wire {
        let now_ms = self.now_ms;
        let hash = self.hashes.entry(args[1].clone()).or_default();
        match name {
            "HSET" => {
                let n_before = hash.len();
                set(hash, &args[2..], None);
                Wire::count(hash.len() - n_before)
            }
            "HDEL" => {
                let n_removed = args[2..].iter().filter(|it| hash.remove(*it).is_some()).count();
                Wire::count(n_removed)
            }
            "HGET" => Wire::Bulk(hash.get(&args[2]).map(|it| it.value.clone())),
            "HLEN" => Wire::count(hash.len()),
            "HGETALL" => {
                let bulk = |it: &Vec<u8>| Wire::Bulk(Some(it.clone()));
                let pairs = hash.iter().map(|(name, field)| (bulk(name), bulk(&field.value)));
                Wire::Map(pairs.collect())
            }
            "HINCRBY" => {
                let before = hash.get(&args[2]).cloned();
                let before = before.unwrap_or(Field { value: b"0".to_vec(), expires_at_ms: None });
                let sum = number::<i64>(&before.value) + number::<i64>(&args[3]);
                let value = sum.to_string().into_bytes();
                hash.insert(args[2].clone(), Field { value, ..before });
                Wire::Int(sum)
            }
            "DEL" => {
                let found = !hash.is_empty();
                hash.clear();
                Wire::count(usize::from(found))
            }
            "HSETEX" => hsetex(hash, args, now_ms),
            _ => on_fields(hash, name, args, now_ms),
        }
    }
}

/// Commands that end with `FIELDS n field …` and answer once for each.
fn on_fields(hash: &mut Fields, name: &str, args: &[Vec<u8>], now_ms: u64) -> Wire {
    let (options, fields) = split_at_fields(args);
    let answer = |field: &Vec<u8>| match name {
        "HPEXPIRE" | "HEXPIRE" | "HPEXPIREAT" => {
            let amount: u64 = number(&args[2]);
            let at_ms = match name {
                "HPEXPIRE" => now_ms + amount,
                "HEXPIRE" => now_ms + 1000 * amount,
                _ => amount,
            };
            let condition = options.get(1).map(|it| it.to_ascii_uppercase());
            Wire::Int(expire(hash, field, (at_ms, now_ms), condition.as_deref()))
        }
        "HPTTL" => time(hash, field, |it| it - now_ms),
        "HTTL" => time(hash, field, |it| (it - now_ms).div_ceil(1000)),
        "HPEXPIRETIME" => time(hash, field, |it| it),
        "HEXPIRETIME" => time(hash, field, |it| it.div_ceil(1000)),
        "HPERSIST" => {
            let before = time(hash, field, |_| 1);
            if let Some(field) = hash.get_mut(field) {
                field.expires_at_ms = None;
            }
            before
        }
        "HGETDEL" => Wire::Bulk(hash.remove(field).map(|it| it.value)),
        "HGETEX" => {
            let value = hash.get(field).map(|it| it.value.clone());
            if let Some(option) = options.first() {
                put_time(hash, field, until(option, options.get(1), now_ms), now_ms);
            }
            Wire::Bulk(value)
        }
        other => panic!("the model does not know {other}"),
    };
    Wire::Array(fields.iter().map(answer).collect())
}

/// What is between the key and `FIELDS n`, and what follows that.
fn split_at_fields(args: &[Vec<u8>]) -> (&[Vec<u8>], &[Vec<u8>]) {
    let at = args.iter().position(|it| it.eq_ignore_ascii_case(b"FIELDS"));
    let at = at.expect("every pattern has the word");
    (&args[2..at], &args[at + 2..])
}

fn set(hash: &mut Fields, pairs: &[Vec<u8>], expires_at_ms: Option<u64>) {
    for pair in pairs.chunks(2) {
        hash.insert(pair[0].clone(), Field { value: pair[1].clone(), expires_at_ms });
    }
}

fn time(hash: &Fields, field: &[u8], shown: impl Fn(u64) -> u64) -> Wire {
    Wire::Int(match hash.get(field).map(|it| it.expires_at_ms) {
        None => -2,
        Some(None) => -1,
        Some(Some(at_ms)) => i64::try_from(shown(at_ms)).expect("not so late"),
    })
}

fn expire(
    hash: &mut Fields,
    field: &[u8],
    (at_ms, now_ms): (u64, u64),
    condition: Option<&[u8]>,
) -> i64 {
    let Some(before) = hash.get(field).map(|it| it.expires_at_ms) else { return -2 };
    let holds = match condition {
        None => true,
        Some(b"NX") => before.is_none(),
        Some(b"XX") => before.is_some(),
        Some(b"GT") => before.unwrap_or(u64::MAX) < at_ms,
        Some(_) => at_ms < before.unwrap_or(u64::MAX),
    };
    if !holds {
        return 0;
    }
    put_time(hash, field, Some(at_ms), now_ms);
    if at_ms <= now_ms { 2 } else { 1 }
}

fn put_time(hash: &mut Fields, field: &[u8], at_ms: Option<u64>, now_ms: u64) {
    if at_ms.is_some_and(|it| it <= now_ms) {
        hash.remove(field);
    } else if let Some(field) = hash.get_mut(field) {
        field.expires_at_ms = at_ms;
    }
}

/// The time that an option with its amount gives; `None`: never.
fn until(option: &[u8], amount: Option<&Vec<u8>>, now_ms: u64) -> Option<u64> {
    let amount = amount.map_or(0, |it| number::<u64>(it));
    match &*option.to_ascii_uppercase() {
        b"PX" => Some(now_ms + amount),
        b"EX" => Some(now_ms + 1000 * amount),
        b"PXAT" => Some(amount),
        _ => None,
    }
}

fn hsetex(hash: &mut Fields, args: &[Vec<u8>], now_ms: u64) -> Wire {
    let (mut options, pairs) = split_at_fields(args);
    let names = || pairs.iter().step_by(2);
    if let Some((first, rest)) = options.split_first() {
        let n_there = names().filter(|it| hash.contains_key(*it)).count();
        let holds = match &*first.to_ascii_uppercase() {
            b"FNX" => Some(n_there == 0),
            b"FXX" => Some(n_there == names().count()),
            _ => None,
        };
        match holds {
            Some(false) => return Wire::Int(0),
            Some(true) => options = rest,
            None => {}
        }
    }
    let before = hash.clone();
    set(hash, pairs, None);
    for name in names() {
        let at_ms = match options.split_first() {
            None => None,
            Some((word, _)) if word.eq_ignore_ascii_case(b"KEEPTTL") => {
                before.get(name).and_then(|it| it.expires_at_ms)
            }
            Some((word, rest)) => until(word, rest.first(), now_ms),
        };
        put_time(hash, name, at_ms, now_ms);
    }
    Wire::Int(1)
}
