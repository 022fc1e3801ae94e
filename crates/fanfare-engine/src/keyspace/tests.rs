//! Stripes, locks and expiry.

use super::{Keyspace, Plan, Text, Value};
use crate::Now;

fn text(value: &str) -> Value {
    Value::Text(Text::new(value.as_bytes()))
}

fn locked<'a>(keyspace: &'a Keyspace, keys: &[&str]) -> super::Locked<'a> {
    let mut plan = Plan::default();
    keys.iter().for_each(|key| plan.key(keyspace, 0, key.as_bytes()));
    keyspace.lock(plan)
}

#[test]
fn due_keys_are_gone_by_lookup_and_by_sweep() {
    let keyspace = Keyspace::new(16, 7);
    {
        let mut keys = locked(&keyspace, &["a", "b", "c"]);
        keys.put(0, b"a", text("1"), Some(100));
        keys.put(0, b"b", text("2"), Some(200));
        keys.put(0, b"c", text("3"), None);
        assert!(keys.get(0, b"a", 99).is_some());
        assert!(keys.get(0, b"a", 100).is_none());
    }
    assert_eq!(keyspace.counts(0).n_keys, 2);
    assert_eq!(keyspace.expire_due(Now { unix_us: 199_000 }, 100), 0);
    assert_eq!(keyspace.expire_due(Now { unix_us: 200_000 }, 100), 1);
    assert_eq!(keyspace.counts(0).n_keys, 1);
    assert_eq!(keyspace.totals().n_expired, 2);
}

#[test]
fn an_expiry_that_was_changed_does_not_fire_at_its_old_time() {
    let keyspace = Keyspace::new(1, 7);
    locked(&keyspace, &["a"]).put(0, b"a", text("1"), Some(100));
    locked(&keyspace, &["a"]).set_expiry(0, b"a", Some(300));
    assert_eq!(keyspace.expire_due(Now { unix_us: 250_000 }, 100), 0);
    locked(&keyspace, &["a"]).set_expiry(0, b"a", None);
    assert_eq!(keyspace.expire_due(Now { unix_us: 900_000 }, 100), 0);
    assert_eq!(keyspace.counts(0).n_expires, 0);
}

#[test]
fn the_schedule_stays_small_when_one_expiry_is_changed_often() {
    let keyspace = Keyspace::new(1, 7);
    for at_ms in 1..10_000 {
        locked(&keyspace, &["a"]).put(0, b"a", text("1"), Some(1_000_000 + at_ms));
    }
    assert_eq!(keyspace.counts(0).n_expires, 1);
    assert_eq!(keyspace.expire_due(Now { unix_us: 2_000_000_000 }, 100), 1);
}

#[test]
fn flush_empties_one_database_only() {
    let keyspace = Keyspace::new(2, 7);
    for db in 0..2 {
        let mut plan = Plan::default();
        plan.key(&keyspace, db, b"k");
        keyspace.lock(plan).put(db, b"k", text("1"), None);
    }
    let mut plan = Plan::default();
    plan.database(1);
    assert_eq!(keyspace.lock(plan).flush(Some(1)), 1);
    assert_eq!((keyspace.counts(0).n_keys, keyspace.counts(1).n_keys), (1, 0));
}
