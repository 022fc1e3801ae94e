//! Making room: keys are removed when there is no more memory for them, as `maxmemory-policy` says.
//!
//! Source: <https://redis.io/docs/latest/develop/reference/eviction/> and redis-server 7.0.15's evict.c.

use crate::ctx::publish_event;
use crate::effect::Effect;
use crate::notify::Classes;
use crate::tracking::announce_changed;
use crate::value::Value;
use crate::{Host, Keyspace, Now, push};

/// One command makes room for others only so long: some hundred microseconds.
const EVICTED_PER_COMMAND_MAX: usize = 256;

/// Removes keys until the others fit into `maxmemory`, or enough for this time. Returns whether commands that need
/// memory may run. To be called without any lock.
pub fn make_room(now: Now, keyspace: &Keyspace, host: &mut dyn Host) -> bool {
    let n_bytes_max = usize::try_from(keyspace.tuning().memory_max()).unwrap_or(usize::MAX);
    let mut n_bytes = keyspace.n_bytes();
    for _ in 0..EVICTED_PER_COMMAND_MAX {
        if n_bytes <= n_bytes_max {
            break;
        }
        let victim = keyspace.choose_victim(keyspace.clock(now), || host.random());
        // Nobody gets anywhere while a script holds everything, and then there is no telling whether there is room.
        let Some(victim) = victim else { return keyspace.gate().is_closed() };
        let freed = keyspace.evict(&victim, |(db, name), value, trackers| {
            announce(host, keyspace, db, name);
            if let Value::Stream(_) = value {
                push::announce_restart(host, db, name);
            }
            announce_changed(host, keyspace.tuning(), name, trackers);
            keyspace.note_gone(db, name);
        });
        let Some(freed) = freed else { break };
        n_bytes = n_bytes.saturating_sub(freed.n_bytes);
        if let Some(garbage) = freed.garbage {
            host.discard(garbage);
        }
    }
    true
}

fn announce(host: &mut dyn Host, keyspace: &Keyspace, db: u16, key: &[u8]) {
    if host.wants_effects() {
        host.record(vec![Effect::new(db, [&b"DEL"[..], key])]);
    }
    let classes = keyspace.tuning().notify();
    if classes.intersects(Classes::EVICTED) {
        publish_event(host, classes, (db, "evicted", key));
    }
}
