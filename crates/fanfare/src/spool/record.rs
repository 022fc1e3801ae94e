//! What is known about a message that waits, and its bytes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, BufMut, Bytes};

use crate::once::{
    Place, PlaceKind,
    words::{get, get_all, put},
};

/// A message that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its place in the spool: one more than that of the message before it.
    pub(super) sequence: u64,
    /// When it was handed to the spool, in microseconds since 1970.
    pub(super) time: u64,
    /// After so many milliseconds it is not sent any more. 0: whenever.
    pub(super) age_max_ms: u64,
    pub(super) place: Place,
    /// The envelope's id; empty if it has none.
    pub(super) id: Bytes,
    /// What the command has behind the name: for a stream what is trimmed, `*`, fields and values; for
    /// a channel the payload.
    pub(super) words: Vec<Bytes>,
}

impl Record {
    /// The bytes of it that a frame holds.
    pub(super) fn encode(&self) -> Vec<u8> {
        let n_bytes: usize = self.words.iter().map(|it| it.len() + 4).sum();
        let mut out = Vec::with_capacity(n_bytes + self.place.name.len() + self.id.len() + 64);
        out.put_u64_le(self.sequence);
        out.put_u64_le(self.time);
        out.put_u64_le(self.age_max_ms);
        out.put_u8(match self.place.kind {
            PlaceKind::Stream => 0,
            PlaceKind::Channel => 1,
        });
        put(&mut out, &self.place.name);
        put(&mut out, &self.id);
        for word in &self.words {
            put(&mut out, word);
        }
        out
    }

    /// Reads what [`encode`](Self::encode) wrote. `None`: it is something else.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut body = body;
        let [sequence, time, age_max_ms] =
            [body.try_get_u64_le().ok()?, body.try_get_u64_le().ok()?, body.try_get_u64_le().ok()?];
        let kind = match body.try_get_u8().ok()? {
            0 => PlaceKind::Stream,
            1 => PlaceKind::Channel,
            _ => return None,
        };
        let (name, id) = (get(&mut body)?, get(&mut body)?);
        let words = get_all(body)?;
        Some(Self { sequence, time, age_max_ms, place: Place { kind, name }, id, words })
    }

    /// Bytes that it has, more or less, for bounds of what is under way.
    pub(super) fn weight(&self) -> usize {
        let words: usize = self.words.iter().map(|it| it.len() + 16).sum();
        words + self.place.name.len() + self.id.len() + 64
    }

    pub(super) fn age(&self, now: u64) -> Duration {
        Duration::from_micros(now.saturating_sub(self.time))
    }

    /// Whether it is too old to be sent.
    pub(super) fn is_expired(&self, age_max: Option<Duration>, now: u64) -> bool {
        let own = (0 < self.age_max_ms).then(|| Duration::from_millis(self.age_max_ms));
        own.into_iter().chain(age_max).any(|age_max| age_max < self.age(now))
    }
}

/// Microseconds since 1970. Wall-clock time: it must mean something after a restart.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn record(sequence: u64, text: &str) -> Record {
        Record {
            sequence,
            time: 1_700_000_000_000_000 + sequence,
            age_max_ms: 0,
            place: Place { kind: PlaceKind::Stream, name: Bytes::from_static(b"orders") },
            id: Bytes::from(format!("id-{sequence}")),
            words: ["*", "text", text].map(|it| Bytes::copy_from_slice(it.as_bytes())).to_vec(),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_and_no_part_of_it_does() {
        let channel = Place { kind: PlaceKind::Channel, name: Bytes::from_static(b"\xff\0") };
        let other = Record { place: channel, age_max_ms: 7, words: vec![], ..record(9, "") };
        for record in [record(7, "tea"), other] {
            let body = record.encode();
            assert_eq!(Record::decode(&body), Some(record.clone()));
            for len in 0..body.len() {
                assert_ne!(Record::decode(&body[..len]), Some(record.clone()), "{len}");
            }
        }
    }

    #[test]
    fn the_shorter_age_counts() {
        let mut record = record(1, "x");
        let at = |ms: u64| record.time + ms * 1_000;
        let ms = Duration::from_millis;
        assert!(!record.is_expired(None, u64::MAX));
        assert!(!record.is_expired(Some(ms(5)), at(5)) && record.is_expired(Some(ms(5)), at(6)));
        // A clock that went back makes nobody older.
        assert!(!record.is_expired(Some(ms(5)), 0));
        let at_4 = at(4);
        record.age_max_ms = 3;
        assert!(record.is_expired(Some(ms(5)), at_4));
    }
}
