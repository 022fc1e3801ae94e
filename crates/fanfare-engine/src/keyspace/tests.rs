//! Stripes, locks, expiry, and what is left to free.

use std::sync::{Arc, Barrier};

use fanfare_resp::Version;

use super::{Clock, Entry, Expired, Keyspace, Locked, Plan};
use crate::block::{Awaited, Blocked, Wait, Waiting};
use crate::client::Queued;
use crate::commands::COMMANDS;
use crate::pubsub::ReactorId;
use crate::table::Command;
use crate::tracking::Tracker;
use crate::value::hash::{Lifetime, Limits};
use crate::value::{Hash, Text, Value};
use crate::{Now, Reply, Request};

fn text(value: &str) -> Value {
    Value::Text(Text::new(value.as_bytes()))
}

fn locked<'a>(keyspace: &'a Keyspace, keys: &[&str]) -> Locked<'a> {
    let mut plan = Plan::default();
    keys.iter().for_each(|key| plan.key(keyspace, 0, key.as_bytes()));
    keyspace.lock(&plan).expect("no script runs")
}

fn put(keys: &mut Locked<'_>, db: u16, name: &str, value: Value, at_ms: Option<u64>) {
    let key = keys.key(name.as_bytes());
    keys.put(db, key, value, (at_ms, Clock::new(Now::default())));
    keys.touch(db, name.as_bytes());
}

fn get<'a>(keys: &'a mut Locked<'_>, db: u16, name: &str, now_ms: u64) -> Option<&'a Entry> {
    let key = keys.key(name.as_bytes());
    keys.get(db, key, now_ms)
}

fn set_expiry(keys: &mut Locked<'_>, at_ms: Option<u64>) {
    let key = keys.key(b"a");
    keys.set_expiry(0, key, at_ms);
}

fn look_up<'a>(keys: &'a mut Locked<'_>, name: &str, now_ms: u64) -> Option<&'a Entry> {
    let key = keys.key(name.as_bytes());
    keys.lookup(0, key, (now_ms, None))
}

#[test]
fn due_keys_are_gone_by_lookup_and_by_sweep() {
    let keyspace = Keyspace::new(16, 7);
    {
        let mut keys = locked(&keyspace, &["a", "b", "c"]);
        put(&mut keys, 0, "a", text("1"), Some(100));
        put(&mut keys, 0, "b", text("2"), Some(200));
        put(&mut keys, 0, "c", text("3"), None);
        assert!(get(&mut keys, 0, "a", 99).is_some());
        assert!(get(&mut keys, 0, "a", 100).is_none());
    }
    assert_eq!(keyspace.counts(0).n_keys, 2);
    assert_eq!(keyspace.expire_due(Now { unix_us: 199_000 }, 100, |_, _, _| {}).n_removed, 0);
    assert_eq!(keyspace.expire_due(Now { unix_us: 200_000 }, 100, |_, _, _| {}).n_removed, 1);
    assert_eq!(keyspace.counts(0).n_keys, 1);
    assert_eq!(keyspace.totals().n_expired, 2);
}

#[test]
fn an_expiry_that_was_changed_does_not_fire_at_its_old_time() {
    let keyspace = Keyspace::new(1, 7);
    put(&mut locked(&keyspace, &["a"]), 0, "a", text("1"), Some(100));
    set_expiry(&mut locked(&keyspace, &["a"]), Some(300));
    assert_eq!(keyspace.expire_due(Now { unix_us: 250_000 }, 100, |_, _, _| {}).n_removed, 0);
    set_expiry(&mut locked(&keyspace, &["a"]), None);
    assert_eq!(keyspace.expire_due(Now { unix_us: 900_000 }, 100, |_, _, _| {}).n_removed, 0);
    assert_eq!(keyspace.counts(0).n_expires, 0);
}

#[test]
fn the_schedule_stays_small_when_one_expiry_is_changed_often() {
    let keyspace = Keyspace::new(1, 7);
    for at_ms in 1..10_000 {
        put(&mut locked(&keyspace, &["a"]), 0, "a", text("1"), Some(1_000_000 + at_ms));
    }
    assert_eq!(keyspace.counts(0).n_expires, 1);
    assert_eq!(keyspace.expire_due(Now { unix_us: 2_000_000_000 }, 100, |_, _, _| {}).n_removed, 1);
}

#[test]
fn flush_empties_one_database_only() {
    let keyspace = Keyspace::new(2, 7);
    for db in 0..2 {
        let mut plan = Plan::default();
        plan.key(&keyspace, db, b"k");
        put(&mut keyspace.lock(&plan).expect("no script runs"), db, "k", text("1"), None);
    }
    let mut plan = Plan::default();
    plan.database(1);
    assert_eq!(keyspace.lock(&plan).expect("no script runs").flush(Some(1)), 1);
    assert_eq!((keyspace.counts(0).n_keys, keyspace.counts(1).n_keys), (1, 0));
}

/// Locks everything there is and flushes it; returns how many keys are gone.
fn flush_all(keyspace: &Keyspace) -> usize {
    let mut plan = Plan::default();
    plan.everything();
    keyspace.lock(&plan).expect("no script runs").flush(None)
}

#[test]
fn a_database_that_was_never_used_is_not_made_by_those_who_want_all_of_it() {
    let keyspace = Keyspace::new(16, 7);
    assert_eq!(flush_all(&keyspace), 0);
    let mut plan = Plan::default();
    plan.database(3);
    {
        let mut keys = keyspace.lock(&plan).expect("no script runs");
        assert_eq!(keys.n_keys(3), 0);
        assert!(get(&mut keys, 3, "a", 0).is_none());
        assert!(get(&mut keys, 3, "z", 0).is_none());
        assert!(
            {
                let key = keys.key(b"a");
                keys.remove(3, key)
            }
            .is_none()
        );
        assert!(!{
            let key = keys.key(b"a");
            keys.set_expiry(3, key, None)
        });
    }
    assert_eq!(keyspace.counts(3), super::Counts::default());
    assert_eq!(keyspace.expire_due(Now::default(), 100, |_, _, _| {}).n_removed, 0);
    assert_eq!(keyspace.databases.iter().filter(|it| it.get().is_some()).count(), 0);

    let mut plan = Plan::default();
    plan.key(&keyspace, 5, b"a");
    plan.everything();
    {
        let mut keys = keyspace.lock(&plan).expect("no script runs");
        put(&mut keys, 5, "a", text("1"), None);
        // All of it is locked: any key can be reached.
        put(&mut keys, 5, "b", text("1"), None);
        assert_eq!(keys.n_keys(5), 2);
    }
    assert_eq!(flush_all(&keyspace), 2);
    assert_eq!(keyspace.databases.iter().filter(|it| it.get().is_some()).count(), 1);
}

#[test]
fn a_flush_of_everything_misses_no_key_that_is_older_than_one_it_takes() {
    for round in 0..2000 {
        let keyspace = Keyspace::new(8, round);
        put(&mut locked(&keyspace, &["before"]), 0, "before", text("1"), None);
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                for db in (0..8).rev() {
                    let mut plan = Plan::default();
                    plan.key(&keyspace, db, b"k");
                    put(
                        &mut keyspace.lock(&plan).expect("no script runs"),
                        db,
                        "k",
                        text("1"),
                        None,
                    );
                }
            });
            start.wait();
            flush_all(&keyspace);
        });
        // Written from the highest to the lowest: those that are left are the last ones.
        let left: Vec<usize> = (0..8).map(|db| keyspace.counts(db).n_keys).collect();
        assert!(left.is_sorted_by(|a, b| b <= a), "round {round}: {left:?}");
    }
}

#[test]
fn counts_are_seen_while_the_lock_is_held() {
    let keyspace = Keyspace::new(1, 7);
    let mut keys = locked(&keyspace, &["a"]);
    put(&mut keys, 0, "a", text("1"), Some(100));
    assert!(look_up(&mut keys, "a", 99).is_some());
    assert_eq!(keyspace.counts(0), super::Counts { n_keys: 1, n_expires: 1, n_timed: 0 });
    assert!(look_up(&mut keys, "a", 100).is_none());
    let totals = keyspace.totals();
    assert_eq!((totals.n_hits, totals.n_misses, totals.n_expired), (1, 1, 1));
    assert_eq!(keyspace.counts(0), super::Counts::default());
}

#[test]
fn only_what_takes_long_to_free_is_left_as_garbage() {
    let keyspace = Keyspace::new(1, 7);
    let large = || Value::Text(Text::new(&vec![b'x'; 2 << 20]));
    let mut keys = locked(&keyspace, &["a"]);
    keys.discard(text("small"));
    assert!(keys.release().is_none());

    let mut keys = locked(&keyspace, &["a"]);
    keys.discard(large());
    let garbage = keys.release().expect("a large value is garbage");
    assert!(garbage.is_large());
    assert_eq!(garbage.n_objects(), 1);

    // A table is large by its keys or by one of its values.
    for (n_keys, value, is_large) in
        [(256, text("1"), false), (257, text("1"), true), (1, large(), true)]
    {
        for number in 0..n_keys {
            let key = format!("{number}");
            put(&mut locked(&keyspace, &[&key]), 0, &key, value.clone(), None);
        }
        let mut plan = Plan::default();
        plan.database(0);
        let mut keys = keyspace.lock(&plan).expect("no script runs");
        assert_eq!(keys.flush(Some(0)), n_keys);
        let garbage = keys.release().expect("its keys are to be freed");
        assert_eq!((garbage.n_objects(), garbage.is_large()), (n_keys, is_large));
    }
}

#[test]
fn what_was_known_of_many_copies_is_left_as_garbage() {
    for swaps in [false, true] {
        let keyspace = Keyspace::new(2, 7);
        let tracker = Arc::new(Tracker::new(1, ReactorId(0), 0));
        for number in 0..300 {
            let name = format!("{number}");
            let mut keys = locked(&keyspace, &[&name]);
            let key = keys.key(name.as_bytes());
            keys.track(0, key, &tracker);
        }
        assert_eq!(keyspace.n_tracked(), (300, 300));
        let mut plan = Plan::default();
        plan.everything();
        let mut keys = keyspace.lock(&plan).expect("no script runs");
        if swaps {
            keys.swap(0, 1);
        } else {
            assert_eq!(keys.flush(None), 0);
        }
        let garbage = keys.release().expect("clients may hold copies");
        assert_eq!((garbage.n_objects(), garbage.is_large()), (0, true));
        assert_eq!(keyspace.n_tracked(), (0, 0));
    }
}

#[test]
fn a_large_value_that_expires_is_left_as_garbage() {
    let keyspace = Keyspace::new(1, 7);
    put(&mut locked(&keyspace, &["small"]), 0, "small", text("1"), Some(100));
    put(&mut locked(&keyspace, &["large"]), 0, "large", hash(10_000, 900), Some(100));
    let swept = keyspace.expire_due(Now { unix_us: 100_000 }, 100, |_, _, _| {});
    assert_eq!(swept.n_removed, 2);
    let garbage = swept.garbage.expect("a large value is garbage");
    assert!(garbage.is_large());
    assert_eq!(garbage.n_objects(), 1);
}

#[test]
fn a_large_value_that_is_overwritten_is_left_as_garbage() {
    let keyspace = Keyspace::new(1, 7);
    for large in [hash(10_000, 900), Value::Text(Text::new(&vec![b'x'; 2 << 20]))] {
        for after in [&b"short"[..], &vec![b'y'; 2 << 20]] {
            let mut keys = locked(&keyspace, &["a"]);
            put(&mut keys, 0, "a", large.clone(), None);
            let key = keys.key(b"a");
            keys.put_text(0, key, after, (None, Clock::new(Now::default())));
            let garbage = keys.release().expect("a large value is garbage");
            assert!(garbage.is_large());
            let n_left = n_bytes_of(&locked(&keyspace, &["a"]));
            assert!((after.len()..after.len() + 10_000).contains(&n_left), "{n_left}");
        }
    }
}

/// What all keys of the database take whose only stripe is locked.
fn n_bytes_of(keys: &Locked<'_>) -> usize {
    keys.footprint(0).n_bytes
}

/// A hash with fields that are due then.
fn hash(n_fields: usize, at_ms: u64) -> Value {
    let mut hash = Hash::default();
    let limits = Limits { n_fields_max: 128, len_max: 64 };
    hash.set(b"stays", b"1", Lifetime::Forever, limits);
    for number in 0..n_fields {
        hash.set(number.to_string().as_bytes(), b"1", Lifetime::Until(at_ms), limits);
    }
    Value::Hash(hash)
}

#[test]
fn due_fields_are_gone_by_lookup_and_by_sweep() {
    for n_fields in [1, 50, 2000] {
        let keyspace = Keyspace::new(1, 7);
        put(&mut locked(&keyspace, &["a"]), 0, "a", hash(n_fields, 100), None);
        put(&mut locked(&keyspace, &["b"]), 0, "b", hash(n_fields, 200), Some(300));
        assert_eq!((keyspace.counts(0).n_timed, keyspace.counts(0).n_expires), (2, 1));
        let n_left = |name: &str, now_ms| {
            let mut keys = locked(&keyspace, &[name]);
            let value = look_up(&mut keys, name, now_ms).map(Entry::value);
            let Some(Value::Hash(hash)) = value else { return 0 };
            hash.len()
        };
        assert_eq!(n_left("a", 99), n_fields + 1);
        assert_eq!(n_left("a", 100), 1);
        let mut n_told = 0;
        let mut tell = |_, it: &Expired, _: &_| match it {
            Expired::Fields { names, were_all: false, .. } => n_told += names.len(),
            Expired::Fields { .. } | Expired::Key { .. } => panic!("unexpected: {it:?}"),
        };
        assert_eq!(keyspace.expire_due(Now { unix_us: 199_000 }, 100, &mut tell).n_removed, 0);
        // One stripe is left after some hundreds.
        while keyspace.expire_due(Now { unix_us: 200_000 }, 100, &mut tell).n_removed != 0 {}
        assert_eq!(n_told, n_fields);
        assert_eq!(n_left("b", 200), 1);
        assert_eq!((keyspace.counts(0).n_timed, keyspace.counts(0).n_expires), (0, 1));
        assert_eq!(keyspace.totals().n_fields_expired, 2 * n_fields as u64);
        assert_eq!(keyspace.expire_due(Now { unix_us: 300_000 }, 100, |_, _, _| {}).n_removed, 1);
        assert_eq!(keyspace.totals().n_expired, 1);
    }
}

#[test]
fn the_schedule_stays_small_when_the_soonest_field_is_changed_often() {
    let keyspace = Keyspace::new(1, 7);
    for at_ms in 1..10_000 {
        put(&mut locked(&keyspace, &["a"]), 0, "a", hash(1, 1_000_000 + at_ms), None);
    }
    assert_eq!(keyspace.counts(0).n_timed, 1);
    assert_eq!(keyspace.expire_due(Now { unix_us: 2_000_000_000 }, 100, |_, _, _| {}).n_removed, 1);
    assert_eq!(keyspace.counts(0).n_timed, 0);
}

#[test]
fn a_watch_that_is_given_up_while_a_script_runs_is_forgotten_later() {
    let keyspace = Keyspace::new(1, 7);
    let mark = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut keys = locked(&keyspace, &["k"]);
    let key = keys.key(b"k");
    keys.watch(0, key, &mark);
    keyspace.gate().close();
    // Its stripe is held by the script: nobody waits for it.
    keyspace.unwatch(0, b"k", &mark);
    assert_eq!(std::sync::Arc::strong_count(&mark), 3);
    drop(keys);
    keyspace.gate().open();
    assert_eq!(keyspace.expire_due(Now::default(), 1, |_, _, _| {}).n_removed, 0);
    assert_eq!(std::sync::Arc::strong_count(&mark), 1);
}

/// A client that is about to wait for lists.
pub(super) fn blocked(waiting: &Waiting, keys: &[&'static str]) -> Arc<Blocked> {
    let spec = COMMANDS.iter().find(|it| it.name == "blpop").expect("a command");
    let request = Queued::new(Command::new(spec, 0), Request::new(b"", &[]));
    let keys = keys.iter().map(|it| it.as_bytes());
    let wait = Wait::new(Awaited::List, keys, None, Reply::None);
    let client = (0, 0, 0, Version::Resp2);
    Arc::new(Blocked::new(client, waiting.draw_ticket(), request, wait, vec![]))
}

#[test]
fn a_client_that_was_served_leaves_its_other_lines_when_no_script_holds_them() {
    let keyspace = Keyspace::new(1, 7);
    let client = blocked(keyspace.waiting(), &["a", "b"]);
    let mut keys = locked(&keyspace, &["a", "b"]);
    let [a, b] = [keys.key(b"a"), keys.key(b"b")];
    keys.block(0, a, &client);
    keys.block(0, b, &client);
    keys.unblock(0, a, &client);
    keyspace.gate().close();
    // Its stripe is held by the script: nobody waits for it.
    keyspace.forget_blocked(&client);
    assert!(client.is_in_line());
    assert!(keys.next_blocked(0, b, None).is_some());
    drop(keys);
    keyspace.gate().open();
    assert_eq!(keyspace.expire_due(Now::default(), 1, |_, _, _| {}).n_removed, 0);
    assert!(!client.is_in_line());
    // In no line: there is nothing to look for, and nothing is put off.
    keyspace.forget_blocked(&client);
    assert_eq!(Arc::strong_count(&client), 1);
}
