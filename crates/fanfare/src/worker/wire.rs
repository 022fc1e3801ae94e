//! The commands of a worker, and what their answers mean.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{
    Dedicated, Error, ErrorKind, Pipeline, Value,
    stream::{entries, entries_read},
};

use crate::{
    stream::{
        Entry, PendingEntry, StreamId,
        group::{group_info, listed, pending_entry, stream_id},
        handle::count,
    },
    worker::{
        dead,
        ledger::{Burial, Return},
        rules::RETRY_CONSUMER,
    },
};

mod group;

pub(crate) use group::{Look, StreamFacts};

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

/// The arguments of a command.
type Args = Vec<Bytes>;

macro_rules! args {
    ($($arg:expr),+ $(,)?) => { vec![$(Bytes::from($arg)),+] };
}
use args;

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
        let mut pipeline = Pipeline::new();
        self.push_with_ids(&mut pipeline, &[b"XACK", &self.key, &self.group], ids);
        count(self.connection.send(pipeline, Duration::ZERO).await?.one().await?)
    }

    /// The same, and deletes those that no other group needs, in one step.
    pub(crate) async fn ack_delete(&self, ids: &[StreamId]) -> Result<u64, Error> {
        let mut pipeline = Pipeline::new();
        let n = ids.len().to_string();
        let head = [&b"XACKDEL"[..], &self.key, &self.group, b"ACKED", b"IDS", n.as_bytes()];
        self.push_with_ids(&mut pipeline, &head, ids);
        let reply = self.connection.send(pipeline, Duration::ZERO).await?.one().await?;
        let outcomes = reply.as_array().ok_or_else(|| nonsense("XACKDEL"))?;
        // -1: it was not pending.
        let was_pending = |it: &&Value| it.as_int().is_some_and(|it| 0 < it);
        Ok(u64::try_from(outcomes.iter().filter(was_pending).count()).unwrap_or(0))
    }

    /// The same in two steps. If the stream has other groups, nothing is deleted.
    pub(crate) async fn acknowledge_then_delete(&self, ids: &[StreamId]) -> Result<u64, Error> {
        let mut pipeline = Pipeline::new();
        self.push_with_ids(&mut pipeline, &[b"XACK", &self.key, &self.group], ids);
        pipeline.push([&b"XINFO"[..], b"GROUPS", &self.key]);
        let mut replies = self.connection.send(pipeline, Duration::ZERO).await?.all().await;
        let groups = listed(replies.pop().unwrap_or_else(|| Err(nonsense("XINFO"))), group_info)?;
        let n = count(replies.pop().unwrap_or_else(|| Err(nonsense("XACK")))?)?;
        if groups.iter().all(|it| it.name == self.group) {
            let mut pipeline = Pipeline::new();
            self.push_with_ids(&mut pipeline, &[b"XDEL", &self.key], ids);
            self.connection.send(pipeline, Duration::ZERO).await?.one().await?;
        }
        Ok(n)
    }

    /// Adds a command that ends with IDs. One buffer has the text of all of them: there is such a
    /// command for every few entries.
    fn push_with_ids(&self, pipeline: &mut Pipeline, head: &[&[u8]], ids: &[StreamId]) {
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(ids.len()));
        for id in ids {
            // Nothing can go wrong with a string.
            let _ = write!(text, "{id}");
            ends.push(text.len());
        }
        let mut args = Vec::with_capacity(head.len() + ids.len());
        args.extend_from_slice(head);
        let mut rest = text.as_bytes();
        let mut from = 0;
        for end in ends {
            let (id, others) = rest.split_at_checked(end - from).unwrap_or_default();
            args.push(id);
            (rest, from) = (others, end);
        }
        pipeline.push(args);
    }

    /// Hands entries to the consumer that has what is to be tried again, those of them that are
    /// ours.
    pub(crate) async fn rest(&self, ids: &[StreamId], n_held: usize) -> Result<(), Error> {
        let ours = self.owned(ids, n_held).await?;
        self.hand(RETRY_CONSUMER, &ours).await
    }

    /// Tells how often entries of ours have been delivered.
    pub(crate) async fn recount(
        &self,
        recounts: &[(StreamId, u64)],
        n_held: usize,
    ) -> Result<(), Error> {
        let ids: Vec<StreamId> = recounts.iter().map(|(id, _)| *id).collect();
        let ours = self.owned(&ids, n_held).await?;
        let commands = ours.iter().map(|it| {
            let deliveries = recounts.iter().find(|(id, _)| *id == it.id).map_or(1, |(_, n)| *n);
            let mut args = self.xclaim(&self.me, it.idle);
            args.extend(args![it.id.to_string(), "RETRYCOUNT", deliveries.to_string(), "JUSTID"]);
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

    /// Gives a sign of life for entries of which we think that they are ours; returns those that
    /// were, in order.
    pub(crate) async fn renew(
        &self,
        ids: &[StreamId],
        n_held: usize,
    ) -> Result<Vec<StreamId>, Error> {
        let ours = self.owned(ids, n_held).await?;
        self.hand(&self.me, &ours).await?;
        Ok(ours.into_iter().map(|it| it.id).collect())
    }

    /// Those of the entries that are ours by the server's account, in order. Who is about to give one
    /// to somebody asks first, so that nothing is taken from anybody.
    async fn owned(&self, ids: &[StreamId], n_held: usize) -> Result<Vec<PendingEntry>, Error> {
        let ids: BTreeSet<StreamId> = ids.iter().copied().collect();
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
        // Some may be ours of which we do not know: of an earlier life under the same name, or
        // since their delivery went astray.
        let n_max = n_held.saturating_add(1_000);
        let mut ours: Vec<PendingEntry> = Vec::new();
        let mut start = first.to_string();
        loop {
            let (key, group, me) = (self.key.clone(), self.group.clone(), self.me.clone());
            let (last, count) = (last.to_string(), n_max.to_string());
            let args = args!["XPENDING", key, group, start, last, count, me];
            let page = listed(self.call(args).await, pending_entry)?;
            let next = page.last().filter(|_| n_max <= page.len()).map(|it| format!("({}", it.id));
            ours.extend(page.into_iter().filter(|it| ids.contains(&it.id)));
            match next {
                Some(next) => start = next,
                None => return Ok(ours),
            }
        }
    }

    /// Hands entries of ours to a consumer: what somebody else takes in between is not idle for
    /// long enough.
    async fn hand(&self, consumer: &[u8], ours: &[PendingEntry]) -> Result<(), Error> {
        for chunk in ours.chunks(500) {
            let least_idle = chunk.iter().map(|it| it.idle).min().unwrap_or_default();
            let mut args = self.xclaim(consumer, least_idle);
            args.extend(chunk.iter().map(|it| Bytes::from(it.id.to_string())));
            args.push("JUSTID".into());
            self.call(args).await?;
        }
        Ok(())
    }

    /// Puts entries with the dead letters, each together with its acknowledgement, by `XACKDEL` if
    /// they are to be deleted. Returns the IDs that they got there.
    ///
    /// # Errors
    /// None of them was put there: for all that is known, if the connection was lost.
    pub(crate) async fn bury(
        &self,
        dead_key: &Bytes,
        burials: &[Burial],
        deletes: bool,
    ) -> Result<Vec<Result<StreamId, Error>>, Error> {
        // A transaction goes on when one of its commands fails: the acknowledgement must not come
        // through where the letter can not.
        self.call(args!["XLEN", dead_key.clone()]).await?;
        let mut commands = Vec::with_capacity(2 * burials.len());
        for burial in burials {
            let mut xadd = args!["XADD", dead_key.clone(), "*"];
            xadd.extend(dead::fields(burial, &self.key, &self.group, &self.me));
            commands.push(xadd);
            let id = burial.entry.id.to_string();
            let (key, group) = (self.key.clone(), self.group.clone());
            commands.push(match deletes {
                true => args!["XACKDEL", key, group, "ACKED", "IDS", "1", id],
                false => args!["XACK", key, group, id],
            });
        }
        let replies = self.transaction(commands).await?.ok_or_else(|| nonsense("EXEC"))?;
        let mut outcomes = Vec::with_capacity(burials.len());
        let mut replies = replies.into_iter();
        while let (Some(added), Some(acknowledged)) = (replies.next(), replies.next()) {
            outcomes.push(buried(added, acknowledged));
        }
        Ok(outcomes)
    }

    /// Gives entries of ours back, so that others may have them at once.
    pub(crate) async fn give_back(
        &self,
        returns: &[Return],
        (rest_max, n_held): (Duration, usize),
    ) -> Result<(), Error> {
        let ids: Vec<StreamId> = returns.iter().map(|it| it.id).collect();
        let ours = self.owned(&ids, n_held).await?;
        let ours = returns.iter().filter_map(|it| {
            let at = ours.binary_search_by_key(&it.id, |it| it.id).ok()?;
            ours.get(at).map(|pending| (it, pending.idle))
        });
        let mut commands = Vec::new();
        if self.has_command("xnack").await? {
            for is_begun in [false, true] {
                let ids: Vec<StreamId> = ours
                    .clone()
                    .filter(|(it, _)| it.is_begun == is_begun)
                    .map(|(it, _)| it.id)
                    .collect();
                if ids.is_empty() {
                    continue;
                }
                let mode = if is_begun { "FAIL" } else { "SILENT" };
                let mut args = args!["XNACK", self.key.clone(), self.group.clone(), mode, "IDS"];
                args.push(ids.len().to_string().into());
                args.extend(ids.iter().map(|id| Bytes::from(id.to_string())));
                commands.push(args);
            }
        } else {
            for (Return { id, deliveries, is_begun }, idle) in ours {
                let deliveries = if *is_begun { *deliveries } else { deliveries.saturating_sub(1) };
                let mut args = self.xclaim(RETRY_CONSUMER, idle);
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
    pub(crate) async fn has_command(&self, name: &'static str) -> Result<bool, Error> {
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
}

fn buried(added: Value, acknowledged: Value) -> Result<StreamId, Error> {
    let id = checked(added)?;
    checked(acknowledged)?;
    id.as_bytes().and_then(stream_id).ok_or_else(|| nonsense("XADD"))
}

/// An error reply inside of another reply is one all the same.
fn checked(value: Value) -> Result<Value, Error> {
    match value.as_error() {
        Some(text) => Err(Error::new(ErrorKind::Server, String::from_utf8_lossy(text))),
        None => Ok(value),
    }
}

fn nonsense(question: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the server's answer to {question} is not one"))
}
