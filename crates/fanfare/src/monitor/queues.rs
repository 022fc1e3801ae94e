//! What waits in queues of tasks. No scripts, so that a user who may only read sees it.

use std::collections::BTreeSet;

use bytes::Bytes;
use fanfare_client::{Error, Pipeline, Value};

use super::{
    QueueLook,
    streams::{Ask, missing, send},
};
use crate::queue;

/// Queues that are asked for at once.
const AT_ONCE: usize = 32;

/// Looks at these queues, in their order. Each comes with what could not be seen of it. What was found by its key and
/// turns out to be none is left out; those that were asked for by name are there even if nothing is in them.
pub(super) async fn look(
    ask: &Ask<'_>,
    names: &[Bytes],
    asked_for: &BTreeSet<&Bytes>,
) -> Vec<(QueueLook, Option<Error>)> {
    let mut all = Vec::with_capacity(names.len());
    for names in names.chunks(AT_ONCE) {
        all.extend(look_at_some(ask, names, asked_for).await);
    }
    all
}

/// What was found of a queue so far.
struct Half {
    look: QueueLook,
    /// Whether there is one: a hash of somebody else's can have such a key.
    is_queue: bool,
    error: Option<Error>,
    /// The first in line, and its place there.
    first: Option<(Bytes, u64)>,
}

async fn look_at_some(
    ask: &Ask<'_>,
    names: &[Bytes],
    asked_for: &BTreeSet<&Bytes>,
) -> Vec<(QueueLook, Option<Error>)> {
    let mut pipeline = Pipeline::new();
    let places: Vec<_> = names.iter().map(|it| queue::Place::new(it)).collect();
    for place in &places {
        questions(&mut pipeline, ask, place);
    }
    let mut replies = send(ask, pipeline).await.into_iter();
    let mut halves = Vec::new();
    for (name, place) in names.iter().zip(&places) {
        let next = || replies.next().unwrap_or_else(|| Err(missing()));
        let half = Half::read(name, ask.now_ms, next);
        if half.is_queue || asked_for.contains(name) {
            halves.push((place, half));
        }
    }
    let mut pipeline = Pipeline::new();
    for (place, half) in &halves {
        if let Some((id, _)) = &half.first {
            let task = [&key(ask, place, "task:")[..], id].concat();
            pipeline.push([&b"HGET"[..], &task, b"ahead"]);
        }
    }
    let mut replies = send(ask, pipeline).await.into_iter();
    let told = halves.into_iter().map(|(_, mut half)| {
        if let Some((_, order)) = half.first.take() {
            match replies.next().unwrap_or_else(|| Err(missing())) {
                // Its place in line is where its priority has put it.
                Ok(ahead) => {
                    let ahead = number::<i64>(&ahead).unwrap_or(0);
                    half.look.waits_since(order.saturating_add_signed(ahead), ask.now_ms);
                }
                Err(it) => drop(half.error.get_or_insert(it)),
            }
        }
        (half.look, half.error)
    });
    told.collect()
}

fn key(ask: &Ask<'_>, place: &queue::Place, part: &str) -> Bytes {
    ask.fanfare.link().options().names().full(place.key(part))
}

fn questions(pipeline: &mut Pipeline, ask: &Ask<'_>, place: &queue::Place) {
    let now_us = ask.now_ms.saturating_mul(1_000).to_string();
    let meta = key(ask, place, "meta");
    // The moment is in every hash of a queue, whatever has happened to its counts.
    pipeline.push([&b"HMGET"[..], &meta, b"enqueued", b"done", b"failed", b"stamp"]);
    for set in ["ready", "delayed", "leased", "dead"] {
        pipeline.push([&b"ZCARD"[..], &key(ask, place, set)]);
    }
    for set in ["delayed", "leased"] {
        pipeline.push([&b"ZCOUNT"[..], &key(ask, place, set), b"-inf", now_us.as_bytes()]);
    }
    for set in ["ready", "delayed", "leased"] {
        pipeline.push([&b"ZRANGE"[..], &key(ask, place, set), b"0", b"0", b"WITHSCORES"]);
    }
}

impl Half {
    /// Reads the answers to [`questions`].
    fn read(name: &[u8], now_ms: u64, mut next: impl FnMut() -> Result<Value, Error>) -> Self {
        let mut error = None;
        let mut next = || match next() {
            Ok(answer) => Some(answer),
            Err(it) => {
                error.get_or_insert(it);
                None
            }
        };
        let name = String::from_utf8_lossy(name).into_owned();
        let mut look = QueueLook { name, ..QueueLook::default() };
        let mut is_queue = true;
        if let Some(counts) = next().and_then(Value::into_array) {
            let counts: Vec<Option<u64>> = counts.iter().map(number).collect();
            let mut counts = counts.into_iter().map(|it| (it.is_some(), it.or(Some(0))));
            let mut count = || counts.next().unwrap_or_default();
            let (has_tasks, enqueued) = count();
            (look.enqueued, look.done, look.failed) = (enqueued, count().1, count().1);
            is_queue = has_tasks || count().0;
        }
        let mut length = || next()?.as_int().and_then(|it| u64::try_from(it).ok());
        (look.ready, look.delayed, look.leased) = (length(), length(), length());
        (look.dead, look.due, look.lapsed) = (length(), length(), length());
        let [ready, delayed, leased] = std::array::from_fn(|_| next().and_then(first));
        for (_, since) in [delayed, leased].into_iter().flatten() {
            look.waits_since(since, now_ms);
        }
        Self { look, is_queue, error, first: ready }
    }
}

impl QueueLook {
    /// One waits since this moment, in microseconds, if that is not to come.
    fn waits_since(&mut self, since_us: u64, now_ms: u64) {
        if let Some(ms) = now_ms.checked_sub(since_us / 1_000) {
            self.waiting_ms = self.waiting_ms.max(Some(ms));
        }
    }
}

/// A number as text.
fn number<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

/// The first of a sorted set, and its score, which is a moment.
fn first(range: Value) -> Option<(Bytes, u64)> {
    let mut items = range.into_array()?.into_iter();
    let first = items.next()?;
    // RESP3 has pairs, RESP2 one behind the other.
    let (member, score) = match first.as_array().is_some() {
        true => {
            let mut pair = first.into_array()?.into_iter();
            (pair.next()?, pair.next()?)
        }
        false => (first, items.next()?),
    };
    let score = score.as_double().or_else(|| score.as_str()?.parse().ok())?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and moments in microseconds are exact in a double"
    )]
    (score.is_finite()).then_some((member.into_bytes()?, score.max(0.0) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::bulk(text.as_bytes().to_vec())
    }

    fn pairs(member: &str, score: &str) -> Value {
        Value::Array(vec![bulk(member), bulk(score)])
    }

    #[test]
    fn what_waits_is_ready_or_due_or_left_behind() {
        let now_ms = 1_700_000_000_000;
        let counts =
            Value::Array(vec![bulk("9"), Value::Null, bulk("x"), bulk("1700000000000000")]);
        let range = |set: &str, ago_ms: i64| {
            let at = i64::try_from(now_ms).unwrap() - ago_ms;
            pairs(set, &(at * 1_000).to_string())
        };
        let mut answers: Vec<Result<Value, Error>> = vec![Ok(counts)];
        answers.extend([4, 3, 2, 1, 2, 0].map(|n| Ok(Value::Integer(n))));
        answers.extend([range("r", 500), range("d", 900), range("l", -5_000)].map(Ok));
        let mut answers = answers.into_iter();
        let half = Half::read(b"q", now_ms, || answers.next().unwrap());
        let look = &half.look;
        assert_eq!(
            (look.ready, look.delayed, look.leased, look.dead),
            (Some(4), Some(3), Some(2), Some(1))
        );
        assert_eq!((look.due, look.lapsed, look.waiting()), (Some(2), Some(0), Some(6)));
        assert_eq!(
            look.waiting_ms,
            Some(900),
            "a lease that ends in five seconds waits for nobody"
        );
        assert_eq!((look.enqueued, look.done, look.failed), (Some(9), Some(0), Some(0)));
        assert_eq!(half.first, Some(("r".into(), (now_ms - 500) * 1_000)));
        assert!(half.is_queue && half.error.is_none());
    }

    #[test]
    fn what_only_has_such_a_key_is_no_queue() {
        let nothing = || Value::Array(vec![Value::Null; 4]);
        assert!(!Half::read(b"q", 0, || Ok(nothing())).is_queue);
        let refused = || Err(Error::new(fanfare_client::ErrorKind::Server, "NOPERM"));
        let half = Half::read(b"q", 0, refused);
        assert_eq!(
            (half.look.ready, half.look.waiting(), half.look.waiting_ms),
            (None, None, None)
        );
        assert!(half.is_queue && half.error.is_some(), "not seen is not zero");
    }

    #[test]
    fn the_first_of_a_set_is_read_in_both_protocols() {
        let told = Some((Bytes::from("a"), 5_000));
        assert_eq!(first(pairs("a", "5000")), told);
        assert_eq!(
            first(Value::Array(vec![Value::Array(vec![bulk("a"), Value::Double(5_000.0)])])),
            told
        );
        assert_eq!(first(Value::Array(Vec::new())), None);
    }
}
