//! What a worker asks of the group and its stream as a whole, and what it does to them.

use std::time::Duration;

use bytes::Bytes;
use fanfare_client::{Error, Value};

use super::{Wire, args, checked, nonsense};
use crate::{
    stream::{
        GroupInfo, StreamId,
        group::{consumer_info, group_info, listed, stream_id},
        handle::count,
    },
    worker::rules::RETRY_CONSUMER,
};

/// The group and its stream at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    pub(crate) stream: Option<StreamFacts>,
    pub(crate) groups: Vec<GroupInfo>,
    /// Of the groups that were asked about: the first entry that is pending, if any is.
    pub(crate) first_pending: Vec<(Bytes, Option<StreamId>)>,
}

/// What a stream counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamFacts {
    pub(crate) last_id: StreamId,
    /// The first entry that is there, if there is one.
    pub(crate) first_id: Option<StreamId>,
    /// `None` before Redis 7.0.
    pub(crate) added: Option<u64>,
}

impl Wire {
    /// Looks at the stream and these groups of it, at one moment.
    pub(crate) async fn look(&self, groups: &[Bytes]) -> Result<Look, Error> {
        let mut commands = vec![
            args!["XINFO", "STREAM", self.key.clone()],
            args!["XINFO", "GROUPS", self.key.clone()],
        ];
        commands.extend(groups.iter().map(|it| args!["XPENDING", self.key.clone(), it.clone()]));
        let replies = self.transaction(commands).await?.ok_or_else(|| nonsense("EXEC"))?;
        let mut replies = replies.into_iter().map(checked);
        let mut next = || replies.next().unwrap_or_else(|| Err(nonsense("EXEC")));
        let (stream, listed_groups) = (next(), next());
        let mut look = Look {
            stream: stream_facts(stream)?,
            groups: listed(listed_groups, group_info)?,
            first_pending: Vec::new(),
        };
        for group in groups {
            match next() {
                Ok(summary) => {
                    let parts = summary.into_array().ok_or_else(|| nonsense("XPENDING"))?;
                    let first = parts.get(1).and_then(Value::as_bytes).and_then(stream_id);
                    look.first_pending.push((group.clone(), first));
                }
                Err(error) if error.server_code() == Some("NOGROUP") => {}
                Err(error) => return Err(error),
            }
        }
        Ok(look)
    }

    /// Makes the group, and the stream if it is missing. Returns whether the group was missing.
    pub(crate) async fn make_group(&self, after: StreamId) -> Result<bool, Error> {
        let (key, group) = (self.key.clone(), self.group.clone());
        let args = args!["XGROUP", "CREATE", key, group, after.to_string(), "MKSTREAM"];
        match self.call(args).await {
            Ok(_) => Ok(true),
            Err(error) if error.server_code() == Some("BUSYGROUP") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Trims away what is below `first`, and returns how many entries those were.
    pub(crate) async fn trim(&self, first: StreamId) -> Result<u64, Error> {
        let args = args!["XTRIM", self.key.clone(), "MINID", first.to_string()];
        count(self.call(args).await?)
    }

    /// Trims away what is below `end` and was acknowledged by all groups.
    pub(crate) async fn trim_acked(&self, end: StreamId) -> Result<u64, Error> {
        let args = args!["XTRIM", self.key.clone(), "MINID", "=", end.to_string(), "ACKED"];
        count(self.call(args).await?)
    }

    /// The consumers that gave no sign of life for so long and have nothing.
    pub(crate) async fn dead_consumers(&self, idle: Duration) -> Result<Vec<Bytes>, Error> {
        let args = args!["XINFO", "CONSUMERS", self.key.clone(), self.group.clone()];
        let consumers = listed(self.call(args).await, consumer_info)?;
        let is_dead = |it: &crate::stream::ConsumerInfo| {
            it.pending == 0 && idle <= it.idle && it.name != self.me && it.name != RETRY_CONSUMER
        };
        Ok(consumers.into_iter().filter(is_dead).map(|it| it.name).collect())
    }

    /// Removes a consumer if it has nothing: its entries would be lost. Returns whether it did; not
    /// if the stream changes faster than one can look.
    pub(crate) async fn reap(&self, consumer: &Bytes) -> Result<bool, Error> {
        for _ in 0..REAP_ATTEMPTS {
            match self.try_reap(consumer).await? {
                Reaped::Gone => return Ok(true),
                Reaped::Needed => return Ok(false),
                Reaped::Disturbed => {}
            }
        }
        Ok(false)
    }

    async fn try_reap(&self, consumer: &Bytes) -> Result<Reaped, Error> {
        let watch = vec![
            args!["WATCH", self.key.clone()],
            args!["XINFO", "CONSUMERS", self.key.clone(), self.group.clone()],
        ];
        let mut replies = self.all(watch).await?.into_iter();
        if let Some(watched) = replies.next() {
            watched?;
        }
        let consumers = replies.next().unwrap_or_else(|| Err(nonsense("XINFO")));
        let consumers = match listed(consumers, consumer_info) {
            Ok(consumers) => consumers,
            Err(error) => {
                self.call(args!["UNWATCH"]).await?;
                return Err(error);
            }
        };
        if !consumers.iter().any(|it| it.name == consumer && it.pending == 0) {
            self.call(args!["UNWATCH"]).await?;
            return Ok(Reaped::Needed);
        }
        let (key, group) = (self.key.clone(), self.group.clone());
        let remove = args!["XGROUP", "DELCONSUMER", key, group, consumer.clone()];
        match self.transaction(vec![remove]).await? {
            Some(replies) => {
                replies.into_iter().try_for_each(|it| checked(it).map(drop))?;
                Ok(Reaped::Gone)
            }
            None => Ok(Reaped::Disturbed),
        }
    }
}

/// Attempts to remove a consumer between two changes of the stream.
const REAP_ATTEMPTS: u32 = 10;

/// What became of an attempt to remove a consumer.
enum Reaped {
    Gone,
    /// It has entries, or there is no such consumer.
    Needed,
    /// Something happened to the stream meanwhile.
    Disturbed,
}

fn stream_facts(reply: Result<Value, Error>) -> Result<Option<StreamFacts>, Error> {
    let facts = match reply {
        Ok(value) => value.into_pairs().ok_or_else(|| nonsense("XINFO"))?,
        Err(error) if error.message().ends_with("no such key") => return Ok(None),
        Err(error) => return Err(error),
    };
    let fact = |name| facts.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, it)| it);
    let last_id = fact("last-generated-id").and_then(Value::as_bytes).and_then(stream_id);
    let first = fact("first-entry").and_then(Value::as_array).and_then(<[Value]>::first);
    Ok(Some(StreamFacts {
        first_id: first.and_then(Value::as_bytes).and_then(stream_id),
        last_id: last_id.ok_or_else(|| nonsense("XINFO"))?,
        added: fact("entries-added").and_then(Value::as_int).and_then(|n| u64::try_from(n).ok()),
    }))
}
