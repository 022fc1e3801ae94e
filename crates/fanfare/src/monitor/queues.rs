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

/// The last of the taken tasks that are looked at: there are as many as handlers run, mostly fewer.
const LAST_TAKEN: &[u8] = b"31";

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
    /// Some that were taken.
    taken: Vec<Bytes>,
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
        let task = |id| [&key(ask, place, "task:")[..], id].concat();
        if let Some((id, _)) = &half.first {
            pipeline.push([&b"HGET"[..], &task(id), b"ahead"]);
        }
        for id in &half.taken {
            pipeline.push([&b"HGET"[..], &task(id), b"started"]);
        }
    }
    let mut replies = send(ask, pipeline).await.into_iter();
    let mut next = || replies.next().unwrap_or_else(|| Err(missing()));
    let told = halves.into_iter().map(|(_, half)| half.finish(ask.now_ms, &mut next));
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
    for (set, last) in [("ready", &b"0"[..]), ("delayed", b"0"), ("leased", LAST_TAKEN)] {
        pipeline.push([&b"ZRANGE"[..], &key(ask, place, set), b"0", last, b"WITHSCORES"]);
    }
}

impl Half {
    /// Reads the answers to [`questions`].
    fn read(name: &[u8], now_ms: u64, mut next: impl FnMut() -> Result<Value, Error>) -> Self {
        let mut error = None;
        let mut next = || seen(next(), &mut error);
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
        let [ready, delayed, leased] =
            std::array::from_fn(|_| next().map(members).unwrap_or_default());
        for (_, since) in [&delayed, &leased].into_iter().filter_map(|it| it.first()) {
            look.waits_since(*since, now_ms);
        }
        // Those whose lease has ended nobody runs.
        let taken = leased.into_iter().filter(|(_, end)| now_ms < end / 1_000).map(|it| it.0);
        let (first, taken) = (ready.into_iter().next(), taken.collect());
        Self { look, is_queue, error, first, taken }
    }

    /// Reads what its tasks say of themselves.
    fn finish(
        mut self,
        now_ms: u64,
        mut next: impl FnMut() -> Result<Value, Error>,
    ) -> (QueueLook, Option<Error>) {
        let mut error = self.error;
        let mut next = || seen(next(), &mut error);
        if let Some((_, order)) = self.first {
            // Its place in line is where its priority has put it.
            let ahead = next().and_then(|it| number::<i64>(&it)).unwrap_or(0);
            self.look.waits_since(order.saturating_add_signed(ahead), now_ms);
        }
        let started = self.taken.iter().filter_map(|_| next().and_then(|it| number::<u64>(&it)));
        let first = started.min();
        self.look.running_ms = first.map(|it| now_ms.saturating_sub(it / 1_000));
        (self.look, error)
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

/// The answer; why there is none is noted, if it is the first.
fn seen(reply: Result<Value, Error>, error: &mut Option<Error>) -> Option<Value> {
    match reply {
        Ok(answer) => Some(answer),
        Err(it) => {
            error.get_or_insert(it);
            None
        }
    }
}

/// A number as text.
fn number<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

/// Members of a sorted set, and their scores, which are moments.
fn members(range: Value) -> Vec<(Bytes, u64)> {
    let mut items = range.into_array().unwrap_or_default().into_iter();
    let mut all = Vec::new();
    while let Some(first) = items.next() {
        // RESP3 has pairs, RESP2 one behind the other.
        let (member, score) = match first.as_array().is_some() {
            true => {
                let mut pair = first.into_array().unwrap_or_default().into_iter();
                (pair.next(), pair.next())
            }
            false => (Some(first), items.next()),
        };
        all.extend(member.and_then(Value::into_bytes).zip(score.as_ref().and_then(moment)));
    }
    all
}

fn moment(score: &Value) -> Option<u64> {
    let score = score.as_double().or_else(|| score.as_str()?.parse().ok())?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and moments in microseconds are exact in a double"
    )]
    score.is_finite().then_some(score.max(0.0) as u64)
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
        assert_eq!(half.taken, ["l"]);
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
    fn sets_are_read_in_both_protocols() {
        let told = [(Bytes::from("a"), 5_000), ("b".into(), 6_000)];
        let flat = ["a", "5000", "b", "6000"].map(bulk);
        assert_eq!(members(Value::Array(flat.into())), told);
        let pair = |it: &str, at| Value::Array(vec![bulk(it), Value::Double(at)]);
        assert_eq!(members(Value::Array(vec![pair("a", 5e3), pair("b", 6e3)])), told);
        assert_eq!(members(Value::Array(Vec::new())), []);
    }
}
