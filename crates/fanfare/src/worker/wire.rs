//! The commands of a worker, and what their answers mean.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fanfare_client::{
    Dedicated, Error, ErrorKind, Pipeline, Value,
    stream::{entries, entries_read},
};

use crate::{
    stream::{
        Entry, GroupInfo, PendingEntry, StreamId,
        group::{consumer_info, group_info, listed, pending_entry, stream_id},
        handle::count,
    },
    worker::{
        dead,
        ledger::{Burial, Return},
        rules::RETRY_CONSUMER,
    },
};

/// One of a worker's two connections, and what its commands are about.
pub(crate) struct Wire {
    pub(crate) connection: Dedicated,
    pub(crate) key: Bytes,
    pub(crate) group: Bytes,
    pub(crate) me: Bytes,
}

/// An entry to be taken.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) pending: PendingEntry,
    /// The number of deliveries that it is to have then.
    pub(crate) deliveries: u64,
}

/// What became of a claim.
#[derive(Debug)]
pub(crate) enum Claimed {
    Ours(Entry),
    /// Somebody else was faster.
    Elsewhere,
    /// The stream no longer has it; it is not pending any more.
    Gone,
}

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

/// The arguments of a command.
type Args = Vec<Bytes>;

macro_rules! args {
    ($($arg:expr),+ $(,)?) => { vec![$(Bytes::from($arg)),+] };
}

impl Wire {
    async fn call(&self, args: Args) -> Result<Value, Error> {
        self.call_blocking(args, Duration::ZERO).await
    }

    async fn call_blocking(&self, args: Args, block: Duration) -> Result<Value, Error> {
        let mut pipeline = Pipeline::new();
        pipeline.push(args.iter().map(|arg| &arg[..]));
        self.connection.send(pipeline, block).await?.one().await
    }

    /// Sends commands together; each has an answer of its own.
    async fn all(&self, commands: Vec<Args>) -> Result<Vec<Result<Value, Error>>, Error> {
        let mut pipeline = Pipeline::new();
        for args in &commands {
            pipeline.push(args.iter().map(|arg| &arg[..]));
        }
        Ok(self.connection.send(pipeline, Duration::ZERO).await?.all().await)
    }

    /// Runs commands as a whole; `None`: something that is watched has changed. A command's own
    /// error is in its place.
    async fn transaction(&self, commands: Vec<Args>) -> Result<Option<Vec<Value>>, Error> {
        let mut all = vec![args!["MULTI"]];
        all.extend(commands);
        all.push(args!["EXEC"]);
        let mut replies = self.all(all).await?;
        let exec = replies.pop().unwrap_or_else(|| Err(nonsense("EXEC")));
        match exec {
            Ok(value) if value.is_null() => Ok(None),
            Ok(value) => value.into_array().map(Some).ok_or_else(|| nonsense("EXEC")),
            // The reason is what the first command that was refused says.
            Err(error) => Err(replies.into_iter().find_map(Result::err).unwrap_or(error)),
        }
    }

    /// Reads entries that nobody has had, or returns none after `block`.
    pub(crate) async fn read(&self, n_max: usize, block: Duration) -> Result<Vec<Entry>, Error> {
        let args = args![
            "XREADGROUP",
            "GROUP",
            self.group.clone(),
            self.me.clone(),
            "COUNT",
            n_max.to_string(),
            "BLOCK",
            block.as_millis().max(1).to_string(),
            "STREAMS",
            self.key.clone(),
            ">"
        ];
        let reply = self.call_blocking(args, block).await?;
        entries_read(reply, SystemTime::now())
    }

    /// Returns how many of them were pending.
    pub(crate) async fn acknowledge(&self, ids: &[StreamId]) -> Result<u64, Error> {
        let mut args = args!["XACK", self.key.clone(), self.group.clone()];
        args.extend(ids.iter().map(|id| Bytes::from(id.to_string())));
        count(self.call(args).await?)
    }

    /// Hands entries to the consumer that has what is to be tried again.
    pub(crate) async fn rest(&self, ids: &[StreamId]) -> Result<(), Error> {
        let mut args = self.xclaim(RETRY_CONSUMER, Duration::ZERO);
        args.extend(ids.iter().map(|id| Bytes::from(id.to_string())));
        args.push("JUSTID".into());
        self.call(args).await.map(drop)
    }

    /// Tells how often entries of ours have been delivered.
    pub(crate) async fn recount(&self, recounts: &[(StreamId, u64)]) -> Result<(), Error> {
        let commands = recounts.iter().map(|(id, deliveries)| {
            let mut args = self.xclaim(&self.me, Duration::ZERO);
            args.extend(args![id.to_string(), "RETRYCOUNT", deliveries.to_string(), "JUSTID"]);
            args
        });
        let replies = self.all(commands.collect()).await?;
        replies.into_iter().try_for_each(|reply| reply.map(drop))
    }

    fn xclaim(&self, consumer: &[u8], min_idle: Duration) -> Args {
        args![
            "XCLAIM",
            self.key.clone(),
            self.group.clone(),
            Bytes::copy_from_slice(consumer),
            min_idle.as_millis().to_string()
        ]
    }

    /// Entries that are pending for at least `idle`, of everybody or of one consumer.
    pub(crate) async fn pending(
        &self,
        idle: Duration,
        after: Option<StreamId>,
        n_max: usize,
        consumer: Option<&[u8]>,
    ) -> Result<Vec<PendingEntry>, Error> {
        let start = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        let mut args = args!["XPENDING", self.key.clone(), self.group.clone(), "IDLE"];
        args.extend(args![idle.as_millis().to_string(), start, "+", n_max.to_string()]);
        args.extend(consumer.map(Bytes::copy_from_slice));
        listed(self.call(args).await, pending_entry)
    }

    /// Takes entries that are as idle as they were when they were seen: if somebody else takes one
    /// in between, it is not.
    pub(crate) async fn claim(&self, claims: &[Claim]) -> Result<Vec<Claimed>, Error> {
        let commands = claims.iter().map(|Claim { pending, deliveries }| {
            let mut args = self.xclaim(&self.me, pending.idle);
            args.extend(args![pending.id.to_string(), "RETRYCOUNT", deliveries.to_string()]);
            args
        });
        let replies = self.all(commands.collect()).await?;
        let mut found = Vec::with_capacity(claims.len());
        for reply in replies {
            // Before Redis 7.0, an entry that is gone is a null in its place.
            let items = reply?.into_array().ok_or_else(|| nonsense("XCLAIM"))?;
            let items: Vec<Value> = items.into_iter().filter(|it| !it.is_null()).collect();
            found.push(entries(Value::Array(items))?.pop());
        }
        let missing: Vec<StreamId> = claims
            .iter()
            .zip(&found)
            .filter(|(_, entry)| entry.is_none())
            .map(|(claim, _)| claim.pending.id)
            .collect();
        let gone = self.clear_gone(&missing).await?;
        let claimed = found.into_iter().zip(claims).map(|(entry, claim)| match entry {
            Some(entry) => Claimed::Ours(entry),
            None if gone.contains(&claim.pending.id) => Claimed::Gone,
            None => Claimed::Elsewhere,
        });
        Ok(claimed.collect())
    }

    /// Acknowledges those that the stream no longer has, and returns them.
    pub(crate) async fn clear_gone(&self, ids: &[StreamId]) -> Result<Vec<StreamId>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let range =
            |id: &StreamId| args!["XRANGE", self.key.clone(), id.to_string(), id.to_string()];
        let replies = self.all(ids.iter().map(range).collect()).await?;
        let mut gone = Vec::new();
        for (reply, id) in replies.into_iter().zip(ids) {
            if entries(reply?)?.is_empty() {
                gone.push(*id);
            }
        }
        if !gone.is_empty() {
            self.acknowledge(&gone).await?;
        }
        Ok(gone)
    }

    /// Gives a sign of life for entries (in order) of which we think that they are ours; returns
    /// those that were. Nothing is taken from anybody: who has what is asked first, and what is
    /// taken by another one in between is not idle for long enough.
    pub(crate) async fn renew(
        &self,
        ids: &[StreamId],
        n_held: usize,
    ) -> Result<Vec<StreamId>, Error> {
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
        // Some may be ours of which we do not know, since their delivery went astray.
        let n_max = n_held.saturating_add(1_000);
        let args = args![
            "XPENDING",
            self.key.clone(),
            self.group.clone(),
            first.to_string(),
            last.to_string(),
            n_max.to_string(),
            self.me.clone()
        ];
        let listed = listed(self.call(args).await, pending_entry)?;
        let is_whole = listed.len() < n_max;
        let ours: Vec<&PendingEntry> =
            listed.iter().filter(|it| ids.binary_search(&it.id).is_ok()).collect();
        for chunk in ours.chunks(500) {
            let least_idle = chunk.iter().map(|it| it.idle).min().unwrap_or_default();
            let mut args = self.xclaim(&self.me, least_idle);
            args.extend(chunk.iter().map(|it| Bytes::from(it.id.to_string())));
            args.push("JUSTID".into());
            self.call(args).await?;
        }
        Ok(if is_whole { ours.into_iter().map(|it| it.id).collect() } else { ids.to_vec() })
    }

    /// Puts entries with the dead letters, each together with its acknowledgement. Returns the IDs
    /// that they got there.
    pub(crate) async fn bury(
        &self,
        dead_key: &Bytes,
        burials: &[Burial],
    ) -> Vec<Result<StreamId, Error>> {
        let mut outcomes = Vec::with_capacity(burials.len());
        for burial in burials {
            let mut xadd = args!["XADD", dead_key.clone(), "*"];
            xadd.extend(dead::fields(burial, &self.key, &self.group, &self.me));
            let id = burial.entry.id.to_string();
            let xack = args!["XACK", self.key.clone(), self.group.clone(), id];
            outcomes.push(match self.transaction(vec![xadd, xack]).await {
                Ok(Some(replies)) => added(replies),
                Ok(None) => Err(nonsense("EXEC")),
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Gives entries back, so that others may have them at once.
    pub(crate) async fn give_back(
        &self,
        returns: &[Return],
        rest_max: Duration,
    ) -> Result<(), Error> {
        let mut commands = Vec::new();
        if self.has_command("xnack").await? {
            for is_begun in [false, true] {
                let ids: Vec<_> = returns.iter().filter(|it| it.is_begun == is_begun).collect();
                if ids.is_empty() {
                    continue;
                }
                let mode = if is_begun { "FAIL" } else { "SILENT" };
                let mut args = args!["XNACK", self.key.clone(), self.group.clone(), mode, "IDS"];
                args.push(ids.len().to_string().into());
                args.extend(ids.iter().map(|it| Bytes::from(it.id.to_string())));
                commands.push(args);
            }
        } else {
            for Return { id, deliveries, is_begun } in returns {
                let deliveries = if *is_begun { *deliveries } else { deliveries.saturating_sub(1) };
                let mut args = self.xclaim(RETRY_CONSUMER, Duration::ZERO);
                let rested = rest_max.as_millis().to_string();
                args.extend(args![id.to_string(), "IDLE", rested, "RETRYCOUNT"]);
                args.extend(args![deliveries.to_string(), "JUSTID"]);
                commands.push(args);
            }
        }
        let replies = self.all(commands).await?;
        replies.into_iter().try_for_each(|reply| reply.map(drop))
    }

    /// Whether the server knows a command.
    async fn has_command(&self, name: &'static str) -> Result<bool, Error> {
        match self.call(args!["COMMAND", "INFO", name]).await {
            Ok(reply) => {
                let known = reply.as_array().and_then(<[Value]>::first);
                Ok(known.is_some_and(|it| it.as_array().is_some_and(|it| !it.is_empty())))
            }
            // Who may not ask does without.
            Err(error) if error.kind() == ErrorKind::Server => Ok(false),
            Err(error) => Err(error),
        }
    }

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
    /// if anything has happened to the stream meanwhile.
    pub(crate) async fn reap(&self, consumer: &Bytes) -> Result<bool, Error> {
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
            return Ok(false);
        }
        let (key, group) = (self.key.clone(), self.group.clone());
        let remove = args!["XGROUP", "DELCONSUMER", key, group, consumer.clone()];
        match self.transaction(vec![remove]).await? {
            Some(replies) => {
                replies.into_iter().try_for_each(|it| checked(it).map(drop)).map(|()| true)
            }
            None => Ok(false),
        }
    }
}

fn added(replies: Vec<Value>) -> Result<StreamId, Error> {
    let mut replies = replies.into_iter().map(checked);
    let id = replies.next().unwrap_or_else(|| Err(nonsense("XADD")))?;
    replies.try_for_each(|it| it.map(drop))?;
    id.as_bytes().and_then(stream_id).ok_or_else(|| nonsense("XADD"))
}

/// An error reply inside of another reply is one all the same.
fn checked(value: Value) -> Result<Value, Error> {
    match value.as_error() {
        Some(text) => Err(Error::new(ErrorKind::Server, String::from_utf8_lossy(text))),
        None => Ok(value),
    }
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

fn nonsense(question: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the server's answer to {question} is not one"))
}
