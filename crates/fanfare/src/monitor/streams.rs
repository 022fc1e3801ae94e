//! What is in the streams, and how far their groups are.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use bytes::Bytes;
use fanfare_client::{Error, Pipeline, Value};

use super::{GroupLook, StreamLook};
use crate::{
    Fanfare,
    stream::{
        GroupInfo, PendingEntry, Stream, StreamId,
        group::{Facts, group_info, listed, pending_entry, stream_id},
    },
    worker::dead,
};

/// Streams that are asked for at once: their first and last entries come along.
const AT_ONCE: usize = 32;

/// Pending entries that are looked at for each group.
const PENDING_MAX: &[u8] = b"100";

/// What looks at streams need to know.
pub(super) struct Ask<'a> {
    pub(super) fanfare: &'a Fanfare,
    pub(super) groups_max: usize,
    /// Where the dead letters of some groups are, by stream and group.
    pub(super) dead: &'a BTreeMap<(Bytes, Bytes), Bytes>,
    /// By the server's clock.
    pub(super) now_ms: u64,
    pub(super) deadline: Instant,
}

/// Looks at these streams, in their order. Each comes with what could not be seen of it.
pub(super) async fn look(ask: &Ask<'_>, names: &[Bytes]) -> Vec<(StreamLook, Option<Error>)> {
    let mut all = Vec::with_capacity(names.len());
    let mut counted = BTreeSet::new();
    for names in names.chunks(AT_ONCE) {
        all.extend(look_at_some(ask, names, &mut counted).await);
    }
    // What a group has told is not told again.
    for ((look, _), name) in all.iter_mut().zip(names) {
        look.dead_letters = look.dead_letters.filter(|_| !counted.contains(name));
    }
    all
}

/// Notes where the dead letters are that it has counted.
async fn look_at_some(
    ask: &Ask<'_>,
    names: &[Bytes],
    counted: &mut BTreeSet<Bytes>,
) -> Vec<(StreamLook, Option<Error>)> {
    let mut pipeline = Pipeline::new();
    let keys: Vec<_> = names.iter().map(|it| ask.fanfare.stream(it)).collect();
    for key in &keys {
        pipeline.push([&b"XINFO"[..], b"STREAM", &key.key]);
        pipeline.push([&b"XINFO"[..], b"GROUPS", &key.key]);
    }
    let mut replies = send(ask, pipeline).await.into_iter();
    let mut all = Vec::new();
    for name in names {
        let mut next = || replies.next().unwrap_or_else(|| Err(missing()));
        let (stream, groups) = (next(), next());
        let name = String::from_utf8_lossy(name).into_owned();
        let mut error = None;
        let mut look = StreamLook { name, ..StreamLook::default() };
        match stream {
            Ok(facts) => look.take_in(facts, ask.now_ms),
            Err(it) if it.message().ends_with("no such key") => look.length = Some(0),
            Err(it) => error = Some(it),
        }
        let groups = listed(groups, group_info).unwrap_or_else(|it| {
            error.get_or_insert(it);
            Vec::new()
        });
        all.push((look, groups, error));
    }
    look_at_groups(ask, &keys, all, counted).await
}

type Half = (StreamLook, Vec<GroupInfo>, Option<Error>);

async fn look_at_groups(
    ask: &Ask<'_>,
    keys: &[Stream],
    halves: Vec<Half>,
    counted: &mut BTreeSet<Bytes>,
) -> Vec<(StreamLook, Option<Error>)> {
    let mut pipeline = Pipeline::new();
    let said = |key: &Stream, group: &GroupInfo| {
        ask.dead.get(&(Bytes::copy_from_slice(key.key()), group.name.clone()))
    };
    for (key, (_, groups, _)) in keys.iter().zip(&halves) {
        for group in groups.iter().take(ask.groups_max) {
            let name = said(key, group).cloned().unwrap_or_else(|| dead::key(key, &group.name));
            pipeline.push([&b"XPENDING"[..], &key.key, &group.name, b"-", b"+", PENDING_MAX]);
            pipeline.push([&b"XLEN"[..], &key.fanfare.stream(&name).key]);
            counted.insert(name);
        }
    }
    let mut replies = send(ask, pipeline).await.into_iter();
    let mut all = Vec::new();
    for (key, (mut look, groups, mut error)) in keys.iter().zip(halves) {
        look.other_groups = groups.len().saturating_sub(ask.groups_max) as u64;
        for group in groups.into_iter().take(ask.groups_max) {
            let mut next = || replies.next().unwrap_or_else(|| Err(missing()));
            let (pending, dead) = (listed(next(), pending_entry), next());
            let mut seen = GroupLook::of(&group);
            let said = said(key, &group).map(|it| String::from_utf8_lossy(it).into_owned());
            seen.dead_letters_in = said;
            match pending {
                Ok(pending) => seen.take_in(&pending, ask.now_ms),
                Err(it) => drop(error.get_or_insert(it)),
            }
            match dead {
                Ok(dead) => seen.dead_letters = dead.as_int().and_then(|n| u64::try_from(n).ok()),
                Err(it) => drop(error.get_or_insert(it)),
            }
            look.groups.push(seen);
        }
        all.push((look, error));
    }
    all
}

/// The answers, or for each of them why there is none.
pub(super) async fn send(ask: &Ask<'_>, pipeline: Pipeline) -> Vec<Result<Value, Error>> {
    let n = pipeline.len();
    if n == 0 {
        return Vec::new();
    }
    let left = ask.deadline.saturating_duration_since(Instant::now());
    match ask.fanfare.link().send_within(pipeline, left).await {
        Ok(answers) => answers.all().await,
        Err(error) => vec![Err(error); n],
    }
}

pub(super) fn missing() -> Error {
    Error::new(fanfare_client::ErrorKind::Protocol, "the server gave fewer answers than questions")
}

impl StreamLook {
    fn take_in(&mut self, facts: Value, now_ms: u64) {
        let Some(facts) = facts.into_pairs().map(Facts) else { return };
        self.length = facts.number("length");
        self.entries_added = facts.number("entries-added");
        let last = facts.bytes("last-generated-id").and_then(|it| stream_id(&it));
        self.silent_ms = last.and_then(|it| age_ms(it, now_ms));
        let is_dead = facts.value("first-entry").and_then(first_field);
        self.dead_letters = self.length.filter(|_| is_dead.is_some_and(dead::is_first));
    }
}

/// How long ago an entry was added, if its ID is a time: one that was chosen by hand need not be.
fn age_ms(id: StreamId, now_ms: u64) -> Option<u64> {
    const YEAR_2001: u64 = 978_307_200_000;
    const SLACK: u64 = 60_000;
    (YEAR_2001 <= id.ms && id.ms <= now_ms.saturating_add(SLACK))
        .then(|| now_ms.saturating_sub(id.ms))
}

/// The name of an entry's first field.
fn first_field(entry: &Value) -> Option<&[u8]> {
    entry.as_array()?.get(1)?.as_array()?.first()?.as_bytes()
}

impl GroupLook {
    fn of(group: &GroupInfo) -> Self {
        Self {
            name: String::from_utf8_lossy(&group.name).into_owned(),
            lag: group.lag,
            pending: group.pending,
            consumers: group.consumers,
            delivered: group.entries_read,
            ..Self::default()
        }
    }

    fn take_in(&mut self, oldest: &[PendingEntry], now_ms: u64) {
        self.oldest_pending_ms = oldest.first().and_then(|it| age_ms(it.id, now_ms));
        let idle = oldest.iter().map(|it| it.idle).max();
        self.pending_ms = idle.and_then(|it| u64::try_from(it.as_millis()).ok());
        self.redelivered = Some(oldest.iter().filter(|it| 1 < it.deliveries).count() as u64);
        self.deliveries_max = oldest.iter().map(|it| it.deliveries).max();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_time_if_it_can_be_one() {
        let now = 1_700_000_000_000;
        assert_eq!(age_ms(StreamId::new(now - 500, 0), now), Some(500));
        assert_eq!(age_ms(StreamId::new(now + 500, 0), now), Some(0));
        assert_eq!(age_ms(StreamId::new(5, 1), now), None);
        assert_eq!(age_ms(StreamId::new(now * 2, 1), now), None);
    }

    #[test]
    fn the_oldest_pending_entry_is_as_old_as_its_id_says_however_often_its_lease_is_renewed() {
        let now = 1_700_000_000_000;
        let entry = |ms, idle| PendingEntry {
            id: StreamId::new(ms, 0),
            consumer: "me".into(),
            idle: std::time::Duration::from_millis(idle),
            deliveries: 1,
        };
        let mut group = GroupLook::default();
        group.take_in(&[entry(now - 90_000, 5), entry(now - 10, 10)], now);
        assert_eq!((group.oldest_pending_ms, group.pending_ms), (Some(90_000), Some(10)));
        // What was numbered by hand is not fifty years old.
        group.take_in(&[entry(1, 5), entry(now - 10, 10)], now);
        assert_eq!((group.oldest_pending_ms, group.pending_ms), (None, Some(10)));
        group.take_in(&[], now);
        assert_eq!((group.oldest_pending_ms, group.pending_ms), (None, None));
    }
}
