//! Dead letters: what was delivered as often as is allowed and never handled.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Dedicated, Error, ErrorKind, Pipeline, Value};

use crate::{
    stream::{Entry, Group, Stream, StreamId, group::stream_id},
    worker::ledger::Burial,
};

/// The fields that come first in a dead letter, in this order; the entry's own come behind them.
const FIELDS: [&str; 8] = [
    "dead:stream",
    "dead:id",
    "dead:group",
    "dead:consumer",
    "dead:deliveries",
    "dead:first",
    "dead:last",
    "dead:error",
];

/// The dead letters of a group: a stream of their own, which keeps them until they are sent back
/// ([`requeue`](Self::requeue)) or thrown away ([`drop`](Self::drop)). Made by
/// [`Group::dead_letters`].
///
/// # Example: send all back
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let dead = fanfare.stream("orders").group("billing").dead_letters();
/// assert_eq!(dead.stream().key(), b"{orders}:billing:dead");
/// for letter in dead.list(None, 100).await? {
///     println!("{} after {} deliveries: {}", letter.id, letter.deliveries, letter.error);
/// }
/// assert_eq!(dead.requeue_all().await?, 0);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DeadLetters {
    dead: Stream,
}

/// An entry that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its ID among the dead letters.
    pub dead_id: StreamId,
    /// The stream that it was in.
    pub stream: Bytes,
    /// Its ID there.
    pub id: StreamId,
    /// The group in which it was delivered.
    pub group: Bytes,
    /// The consumer that put it aside.
    pub consumer: Bytes,
    /// How often it was delivered.
    pub deliveries: u64,
    /// When the worker that put it aside first got it.
    pub first: SystemTime,
    /// When it was delivered, or failed, for the last time.
    pub last: SystemTime,
    /// What the last failure that this worker knows of said.
    pub error: String,
    /// The entry's own fields.
    pub fields: Vec<(Bytes, Bytes)>,
}

impl Group {
    /// The dead letters of this group, where its workers put them if they were not told otherwise:
    /// in the stream `{orders}:billing:dead` for the group `billing` of the stream `orders`. If the
    /// stream's name has a hash tag already, that one serves: `{eu}orders:billing:dead`. So a
    /// cluster has them in the same slot. With a namespace `eu:` it is `{eu:orders}:billing:dead`, and
    /// on the server `eu:{eu:orders}:billing:dead`.
    pub fn dead_letters(&self) -> DeadLetters {
        self.dead_letters_in(key(self.stream(), self.name()))
    }

    /// The dead letters in the stream that the workers of this group were told of.
    pub fn dead_letters_in(&self, key: impl AsRef<[u8]>) -> DeadLetters {
        DeadLetters { dead: self.stream().fanfare.stream(key) }
    }
}

impl DeadLetters {
    /// The stream that they are in.
    pub fn stream(&self) -> &Stream {
        &self.dead
    }

    /// How many there are.
    ///
    /// # Errors
    /// As [`Stream::len`].
    pub async fn len(&self) -> Result<u64, Error> {
        self.dead.len().await
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// As [`Stream::len`].
    pub async fn is_empty(&self) -> Result<bool, Error> {
        self.dead.is_empty().await
    }

    /// The oldest ones, or those behind one of them; at most `n_max`. Entries of the stream that
    /// are no dead letters are left out.
    ///
    /// # Errors
    /// As [`Stream::range`].
    pub async fn list(
        &self,
        after: Option<StreamId>,
        n_max: u64,
    ) -> Result<Vec<DeadLetter>, Error> {
        let mut letters = Vec::new();
        let mut after = after;
        let most = usize::try_from(n_max).unwrap_or(usize::MAX);
        while letters.len() < most {
            let start = std::ops::Bound::Excluded(after.unwrap_or(StreamId::MIN));
            let n = n_max.min(PAGE);
            let page = self.dead.range((start, std::ops::Bound::Unbounded), Some(n)).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            letters.extend(page.into_iter().filter_map(DeadLetter::read));
        }
        letters.truncate(most);
        Ok(letters)
    }

    /// One of them; `None` if there is no dead letter with this ID.
    ///
    /// # Errors
    /// As [`Stream::range`].
    pub async fn show(&self, dead_id: StreamId) -> Result<Option<DeadLetter>, Error> {
        let mut found = self.dead.range(dead_id..=dead_id, Some(1)).await?;
        Ok(found.pop().and_then(DeadLetter::read))
    }

    /// Adds one to the end of the stream that it came from, with its own fields, and removes it
    /// here; both or nothing. Returns its new ID there; `None` if it was not here any more.
    ///
    /// Two who send the same one back at the same time do it once: the second is told that
    /// something has changed, and looks again.
    ///
    /// # Errors
    /// As [`Fanfare::command`](crate::Fanfare::command); [`ErrorKind::Overloaded`] if the dead
    /// letters change so often that nothing can be done in between.
    pub async fn requeue(&self, dead_id: StreamId) -> Result<Option<StreamId>, Error> {
        let connection = self.dead.fanfare.link().dedicated(&self.dead.key)?;
        self.requeue_over(&connection, dead_id).await
    }

    async fn requeue_over(
        &self,
        connection: &Dedicated,
        dead_id: StreamId,
    ) -> Result<Option<StreamId>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let mut look = Pipeline::new();
            let id = dead_id.to_string();
            look.push([&b"WATCH"[..], &self.dead.key]);
            look.push([&b"XRANGE"[..], &self.dead.key, id.as_bytes(), id.as_bytes()]);
            let mut replies = connection.send(look, Duration::ZERO).await?.all().await.into_iter();
            replies.next().transpose()?;
            let found = replies.next().transpose()?.unwrap_or(Value::Null);
            let found = fanfare_client::stream::entries(found)?.pop();
            let Some(letter) = found.and_then(DeadLetter::read) else {
                let mut unwatch = Pipeline::new();
                unwatch.push([&b"UNWATCH"[..]]);
                connection.send(unwatch, Duration::ZERO).await?.one().await?;
                return Ok(None);
            };

            // A transaction goes on when one of its commands fails: the letter must not go where
            // the entry can not come.
            let mut check = Pipeline::new();
            check.push([&b"XLEN"[..], &letter.stream]);
            connection.send(check, Duration::ZERO).await?.one().await?;

            let mut swap = Pipeline::new();
            swap.push([&b"MULTI"[..]]);
            let mut add = vec![&b"XADD"[..], &letter.stream, b"*"];
            add.extend(letter.fields.iter().flat_map(|(name, value)| [&name[..], &value[..]]));
            swap.push(add);
            swap.push([&b"XDEL"[..], &self.dead.key, id.as_bytes()]);
            swap.push([&b"EXEC"[..]]);
            let mut replies = connection.send(swap, Duration::ZERO).await?.all().await;
            let exec = replies.pop().unwrap_or(Ok(Value::Null));
            let done = match exec {
                Ok(done) => done,
                Err(error) => {
                    return Err(replies.into_iter().find_map(Result::err).unwrap_or(error));
                }
            };
            if let Some(added) = done.as_array().and_then(<[Value]>::first) {
                return requeued(added).map(Some);
            }
        }
        Err(Error::new(ErrorKind::Overloaded, "the dead letters change too often"))
    }

    /// Sends all back that are here now, oldest first, and returns how many.
    ///
    /// # Errors
    /// As [`requeue`](Self::requeue); those before are sent back.
    pub async fn requeue_all(&self) -> Result<u64, Error> {
        let newest = self.dead.rev_range(.., Some(1)).await?.pop().map(|it| it.id);
        let (mut n, mut after) = (0, None);
        let connection = self.dead.fanfare.link().dedicated(&self.dead.key)?;
        loop {
            let page = self.list(after, 100).await?;
            let Some(last) = page.last() else { return Ok(n) };
            after = Some(last.dead_id);
            for letter in page {
                // What dies once more meanwhile stays.
                if newest < Some(letter.dead_id) {
                    return Ok(n);
                }
                n += u64::from(self.requeue_over(&connection, letter.dead_id).await?.is_some());
            }
        }
    }

    /// Throws some away, and returns how many of them were here.
    ///
    /// # Errors
    /// As [`Stream::delete`].
    pub async fn drop(&self, dead_ids: impl IntoIterator<Item = StreamId>) -> Result<u64, Error> {
        self.dead.delete(dead_ids).await
    }
}

/// Entries that are read at once.
const PAGE: u64 = 1_000;

/// Attempts to do something between two changes by others.
const ATTEMPTS_MAX: u32 = 100;

fn requeued(added: &Value) -> Result<StreamId, Error> {
    if let Some(text) = added.as_error() {
        return Err(Error::new(ErrorKind::Server, String::from_utf8_lossy(text)));
    }
    added
        .as_bytes()
        .and_then(stream_id)
        .ok_or_else(|| Error::new(ErrorKind::Protocol, "the server's answer to XADD is not one"))
}

impl DeadLetter {
    fn read(entry: Entry) -> Option<Self> {
        let dead_id = entry.id;
        let mut fields = entry.fields.into_iter();
        let mut next = |name: &str| fields.next().filter(|(it, _)| it == name).map(|(_, it)| it);
        let [stream, id, group, consumer, deliveries, first, last, error] = FIELDS.map(&mut next);
        Some(Self {
            dead_id,
            stream: stream?,
            id: stream_id(&id?)?,
            group: group?,
            consumer: consumer?,
            deliveries: number(&deliveries?)?,
            first: SystemTime::UNIX_EPOCH + Duration::from_millis(number(&first?)?),
            last: SystemTime::UNIX_EPOCH + Duration::from_millis(number(&last?)?),
            error: String::from_utf8_lossy(&error?).into_owned(),
            fields: fields.collect(),
        })
    }
}

/// The fields and values of a dead letter.
pub(crate) fn fields(
    burial: &Burial,
    stream: &Bytes,
    group: &Bytes,
    consumer: &Bytes,
) -> Vec<Bytes> {
    let ms = |at: SystemTime| {
        at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis().to_string()
    };
    let values: [Bytes; 8] = [
        stream.clone(),
        burial.entry.id.to_string().into(),
        group.clone(),
        consumer.clone(),
        burial.deliveries.to_string().into(),
        ms(burial.first_at).into(),
        ms(burial.last_at).into(),
        burial.error.clone().into(),
    ];
    let provenance = FIELDS.into_iter().map(Bytes::from).zip(values);
    let own = burial.entry.fields.iter().cloned();
    provenance.chain(own).flat_map(|(name, value)| [name, value]).collect()
}

/// Whether this is the name of the first field of a dead letter, of a group or of a channel's handler.
pub(crate) fn is_first(field: &[u8]) -> bool {
    [FIELDS[0], crate::layers::FIRST_OF_DEAD].iter().any(|it| it.as_bytes() == field)
}

/// Where the dead letters of a group go: a name within the namespace. A key without a hash tag
/// becomes one, as it is on the server, if it can: one with a closing brace can not.
pub(crate) fn key(stream: &Stream, group: &[u8]) -> Bytes {
    tagged(stream.key(), &stream.key, group)
}

fn tagged(name: &[u8], on_server: &[u8], group: &[u8]) -> Bytes {
    let mut key = Vec::with_capacity(on_server.len() + group.len() + 8);
    if name.contains(&b'}') {
        key.extend_from_slice(name);
    } else {
        key.push(b'{');
        key.extend_from_slice(on_server);
        key.push(b'}');
    }
    key.push(b':');
    key.extend_from_slice(group);
    key.extend_from_slice(b":dead");
    key.into()
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeadLetters").field(&self.dead).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_letters_are_in_the_slot_of_their_stream() {
        for (stream, dead) in [
            ("orders", "{orders}:billing:dead"),
            ("orders:{eu}:1", "orders:{eu}:1:billing:dead"),
            ("a{b", "{a{b}:billing:dead"),
            ("a}b", "a}b:billing:dead"),
        ] {
            assert_eq!(tagged(stream.as_bytes(), stream.as_bytes(), b"billing"), dead);
        }
        // Behind a namespace, which the whole name gets in front of it.
        assert_eq!(tagged(b"orders", b"eu:orders", b"billing"), "{eu:orders}:billing:dead");
        assert_eq!(tagged(b"{a}orders", b"eu:{a}orders", b"billing"), "{a}orders:billing:dead");
    }

    #[test]
    fn a_dead_letter_is_read_as_it_was_written() {
        let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        let own = [("dead:id", "mine"), ("n", "1")];
        let entry = entry(StreamId::new(5, 6), &own);
        let (entry, error) = (std::sync::Arc::new(entry), "no".to_owned());
        let burial = Burial { entry, deliveries: 3, first_at: at(1), last_at: at(2), error };
        let flat = fields(&burial, &"s".into(), &"g".into(), &"c".into());
        let pairs: Vec<_> = flat.chunks(2).map(|it| (text(&it[0]), text(&it[1]))).collect();
        let pairs: Vec<_> = pairs.iter().map(|(name, it)| (&name[..], &it[..])).collect();
        let letter = DeadLetter::read(self::entry(StreamId::new(9, 0), &pairs)).unwrap();
        assert_eq!((letter.id, letter.dead_id), (StreamId::new(5, 6), StreamId::new(9, 0)));
        assert_eq!((letter.deliveries, letter.first, letter.last), (3, at(1), at(2)));
        assert_eq!(letter.fields, own.map(|(name, it)| (name.into(), it.into())));
        assert_eq!(DeadLetter::read(self::entry(StreamId::new(9, 0), &own)), None);
    }

    fn text(bytes: &Bytes) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn entry(id: StreamId, fields: &[(&str, &str)]) -> Entry {
        let fields = fields.iter().flat_map(|(name, value)| [*name, *value]);
        let fields = fields.map(Value::bulk_of).collect();
        let reply = Value::Array(vec![Value::bulk_of(&id.to_string()), Value::Array(fields)]);
        fanfare_client::stream::entries(Value::Array(vec![reply])).unwrap().remove(0)
    }

    trait BulkOf {
        fn bulk_of(text: &str) -> Value;
    }

    impl BulkOf for Value {
        fn bulk_of(text: &str) -> Value {
            Value::bulk(text.as_bytes().to_vec())
        }
    }
}
