//! What to ask the server next to follow a stream, and what its answers mean. No I/O.
//!
//! On each new connection the server is asked whether it knows `XSUBSCRIBE`. If so it pushes; if
//! not it is asked again and again: one round trip is a transaction of `XINFO STREAM` and `XREAD`,
//! so that what was read and what is known of the stream belong together. When all has been read,
//! an `XREAD BLOCK` goes ahead of it, whose answer only says that it is time to look.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fanfare_resp::Value;

use crate::{
    Error, ErrorKind, Pipeline,
    connection::core::Replies,
    stream::{
        Delivery, Entry, Position, StreamId,
        cursor::{Cursor, Facts},
        queue::Bounds,
        replies,
    },
};

/// Most entries in one answer.
const COUNT_MAX: usize = 1_000;

/// Entries asked for while nothing is known of their size.
const COUNT_FIRST: usize = 16;

/// How much more is asked for from one answer to the next.
const COUNT_GROWTH: usize = 8;

/// Bytes to send, and how many answers they have.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) bytes: Bytes,
    pub(crate) n_replies: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Reader {
    key: Bytes,
    start: Position,
    /// `None` until the first look at the stream.
    cursor: Option<Cursor>,
    /// How long the server waits for an entry before it says that there is none.
    block: Duration,
    phase: Phase,
    asked: Option<Asked>,
    can_push: bool,
    is_settled: bool,
    /// The key held something else for a while: that the stream is another one is still to be told.
    is_reset_due: bool,
    sizes: Sizes,
}

#[derive(Debug)]
enum Phase {
    /// Ask what the server can do, and where the stream ends.
    Greet,
    /// Ask for entries; if `waits`, there were no more when they were last asked for.
    Read { waits: bool },
    /// Subscribe; if `again`, what the subscription that is there pushes is not wanted.
    Join { again: bool },
    /// Subscribing. Once that is confirmed, pushes are held until it is known to be the same
    /// stream.
    Joining { is_confirmed: bool, held: Vec<Vec<Value>> },
    /// The server pushes.
    Live,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Greeting,
    Read { count: usize, waits: bool },
    Join,
}

/// What is known of the entries' sizes, to ask for as much as there is room for.
#[derive(Debug)]
struct Sizes {
    count_max: usize,
    cost_mean: usize,
}

impl Reader {
    pub(crate) fn new(key: Bytes, start: Position, block: Duration) -> Self {
        Self {
            key,
            start,
            cursor: None,
            block,
            phase: Phase::Greet,
            asked: None,
            can_push: false,
            is_settled: false,
            is_reset_due: false,
            sizes: Sizes { count_max: COUNT_FIRST, cost_mean: 1 },
        }
    }

    /// A new connection begins. Pushes are used only if it `can_push` beside answers: in RESP3.
    pub(crate) fn handle_connected(&mut self, can_push: bool) {
        self.phase = Phase::Greet;
        self.asked = None;
        self.can_push = can_push;
        self.is_settled = false;
        self.sizes.count_max = COUNT_FIRST;
    }

    /// Whether entries can come: the server has answered a read or confirmed the subscription, or
    /// will be asked as soon as there is room.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether the server pushes, or is to.
    pub(crate) fn is_pushed(&self) -> bool {
        matches!(self.phase, Phase::Join { .. } | Phase::Joining { .. } | Phase::Live)
    }

    /// Whether the server pushes without being asked, so that not reading is what holds it back.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    /// What to send now, if there is `room` for its answer.
    pub(crate) fn poll_question(&mut self, room: Option<Bounds>) -> Option<Question> {
        if self.asked.is_some() {
            return None;
        }
        // Nobody can take an entry, so that none is asked for is all there is to it.
        self.is_settled |= room.is_none() && !matches!(self.phase, Phase::Greet);
        let mut pipeline = Pipeline::new();
        let mut n_unanswered = 0;
        let asked = match self.phase {
            Phase::Greet => {
                pipeline.push([&b"COMMAND"[..], b"INFO", b"xsubscribe"]);
                pipeline.push([&b"XINFO"[..], b"STREAM", &self.key]);
                Asked::Greeting
            }
            Phase::Read { waits } => {
                let count = self.sizes.count(room?);
                self.ask_read(&mut pipeline, count, waits);
                Asked::Read { count, waits }
            }
            Phase::Join { again } => {
                room?;
                let id = self.last().to_string();
                if again {
                    pipeline.push([&b"XUNSUBSCRIBE"[..], &self.key]);
                }
                pipeline.push([&b"XSUBSCRIBE"[..], b"FROM", id.as_bytes(), &self.key]);
                // They are confirmed by pushes.
                n_unanswered = pipeline.len();
                pipeline.push([&b"XINFO"[..], b"STREAM", &self.key]);
                self.phase = Phase::Joining { is_confirmed: false, held: Vec::new() };
                Asked::Join
            }
            Phase::Joining { .. } | Phase::Live => return None,
        };
        self.asked = Some(asked);
        let n_replies = pipeline.len() - n_unanswered;
        Some(Question { bytes: pipeline.into_bytes().into(), n_replies })
    }

    fn ask_read(&self, pipeline: &mut Pipeline, count: usize, waits: bool) {
        let last = self.last().to_string();
        let count = count.to_string();
        let behind = [&b"STREAMS"[..], &self.key, last.as_bytes()];
        if waits {
            let block_ms = self.block.as_millis().max(1).to_string();
            let head = [&b"XREAD"[..], b"COUNT", b"1", b"BLOCK", block_ms.as_bytes()];
            pipeline.push([&head[..], &behind].concat());
        }
        pipeline.push([&b"MULTI"[..]]);
        pipeline.push([&b"XINFO"[..], b"STREAM", &self.key]);
        pipeline.push([&[&b"XREAD"[..], b"COUNT", count.as_bytes()][..], &behind].concat());
        pipeline.push([&b"EXEC"[..]]);
    }

    /// The answers to a question, and what they deliver.
    ///
    /// # Errors
    /// The server refuses, or does not make sense: give the connection up.
    pub(crate) fn handle_replies(
        &mut self,
        replies: Replies,
        received_at: SystemTime,
    ) -> Result<Vec<Delivery>, Error> {
        let Some(asked) = self.asked.take() else { return Ok(Vec::new()) };
        let was_reset_due = self.is_reset_due;
        let result = match asked {
            Asked::Greeting => self.handle_greeting(replies),
            Asked::Read { count, waits } => {
                transaction(replies, waits).and_then(|(facts, read)| {
                    self.handle_read(facts.as_ref(), replies::read(read, received_at)?, count)
                })
            }
            Asked::Join => self.handle_joined(replies, received_at),
        };
        if let Err(error) = &result
            && error.server_code() == Some("WRONGTYPE")
        {
            self.is_reset_due |= self.cursor.as_mut().is_some_and(Cursor::reset);
        }
        let mut found = result?;
        if was_reset_due && !matches!(asked, Asked::Greeting) {
            self.is_reset_due = false;
            found.insert(0, Delivery::Reset);
        }
        Ok(found)
    }

    fn handle_greeting(&mut self, mut replies: Replies) -> Result<Vec<Delivery>, Error> {
        let facts = replies::facts(replies.pop().unwrap_or_else(|| Err(Error::closed())))?;
        // A server that does not tell what it knows is not asked for more than all know.
        let is_known = matches!(replies.pop(), Some(Ok(infos))
            if infos.as_array().and_then(<[Value]>::first).is_some_and(|it| !it.is_null()));
        self.cursor.get_or_insert_with(|| match self.start {
            Position::Start => Cursor::default(),
            Position::After(id) => Cursor::after(id),
            Position::New => Cursor::at_end(facts.as_ref()),
        });
        self.phase = match self.can_push && is_known {
            true => Phase::Join { again: false },
            false => Phase::Read { waits: false },
        };
        Ok(Vec::new())
    }

    fn handle_read(
        &mut self,
        facts: Option<&Facts>,
        entries: Vec<Entry>,
        count: usize,
    ) -> Result<Vec<Delivery>, Error> {
        self.is_settled = true;
        let cursor = self.cursor.get_or_insert_default();
        let mut found = cursor.judge(facts);
        if matches!(found.first(), Some(Delivery::Reset)) {
            // The entries are those behind a place in another stream.
            self.phase = Phase::Read { waits: false };
            return Ok(found);
        }
        let has_all = entries.len() < count;
        self.sizes.learn(&entries);
        let new = entries.into_iter().filter(|entry| cursor.pass(entry.id));
        found.extend(new.map(Delivery::Entry));
        if has_all && let Some(facts) = facts {
            cursor.catch_up(facts);
        }
        self.phase = Phase::Read { waits: has_all };
        Ok(found)
    }

    fn handle_joined(
        &mut self,
        mut replies: Replies,
        received_at: SystemTime,
    ) -> Result<Vec<Delivery>, Error> {
        // If the server refuses the subscription, its error stands in the place of this answer.
        let facts = replies::facts(replies.pop().unwrap_or_else(|| Err(Error::closed())))?;
        let Phase::Joining { is_confirmed: true, held } =
            std::mem::replace(&mut self.phase, Phase::Live)
        else {
            return Err(replies::unexpected("XSUBSCRIBE"));
        };
        self.is_settled = true;
        let mut found = self.cursor.get_or_insert_default().judge_identity(facts.as_ref());
        if !found.is_empty() {
            // What comes is what follows a place in another stream.
            self.phase = Phase::Join { again: true };
            return Ok(found);
        }
        for items in held {
            found.extend(self.deliver(items, received_at)?);
        }
        Ok(found)
    }

    /// A push about the stream, and what it delivers.
    ///
    /// # Errors
    /// It does not make sense, or the server ended the subscription: give the connection up.
    pub(crate) fn handle_push(
        &mut self,
        items: Vec<Value>,
        received_at: SystemTime,
    ) -> Result<Option<Delivery>, Error> {
        match &mut self.phase {
            Phase::Live => self.deliver(items, received_at),
            Phase::Joining { is_confirmed: true, held } => {
                held.push(items);
                Ok(None)
            }
            Phase::Joining { is_confirmed, .. } => {
                *is_confirmed = verb(&items) == b"xsubscribe";
                Ok(None)
            }
            // Of a subscription that is about to be replaced.
            Phase::Greet | Phase::Read { .. } | Phase::Join { .. } => Ok(None),
        }
    }

    fn deliver(
        &mut self,
        items: Vec<Value>,
        received_at: SystemTime,
    ) -> Result<Option<Delivery>, Error> {
        let wrong = || replies::unexpected("XSUBSCRIBE");
        let cursor = self.cursor.get_or_insert_default();
        match verb(&items) {
            b"xmessage" => {
                let entry = items.into_iter().nth(2).ok_or_else(wrong)?;
                let entry = replies::entry(entry, received_at)?;
                Ok(cursor.pass(entry.id).then_some(Delivery::Entry(entry)))
            }
            b"xgap" => {
                let id = |at| items.get(at).and_then(Value::as_bytes).and_then(StreamId::parse);
                let (Some(after), Some(upto)) = (id(2), id(3)) else { return Err(wrong()) };
                Ok(cursor.miss(upto).then_some(Delivery::Gap { after, upto }))
            }
            b"xreset" => {
                let _ = cursor.reset();
                Ok(Some(Delivery::Reset))
            }
            b"xunsubscribe" => {
                let message = "the server ended the subscription";
                Err(Error::new(ErrorKind::Disconnected, message))
            }
            _ => Ok(None),
        }
    }

    fn last(&self) -> StreamId {
        self.cursor.as_ref().map(Cursor::last).unwrap_or_default()
    }
}

impl Sizes {
    fn count(&self, room: Bounds) -> usize {
        let fit = room.bytes_max / self.cost_mean.max(1);
        fit.min(room.entries_max).clamp(1, self.count_max)
    }

    fn learn(&mut self, entries: &[Entry]) {
        let cost: usize = entries.iter().map(Entry::cost).sum();
        if let Some(mean) = cost.checked_div(entries.len()) {
            self.cost_mean = mean;
            self.count_max = (self.count_max * COUNT_GROWTH).min(COUNT_MAX);
        }
    }
}

/// What the transaction told of the stream, and what it read.
fn transaction(mut replies: Replies, waits: bool) -> Result<(Option<Facts>, Value), Error> {
    let exec = replies.pop().unwrap_or_else(|| Err(Error::closed()));
    // The answer to the wait is not looked at: if it is an error, the transaction has it too.
    for reply in replies.into_iter().skip(usize::from(waits)) {
        reply?;
    }
    let mut results = exec?.into_array().unwrap_or_default().into_iter().map(|value| match value {
        Value::SimpleError(text) | Value::BulkError(text) => Err(Error::server(&text)),
        value => Ok(value),
    });
    let (Some(info), Some(read)) = (results.next(), results.next()) else {
        return Err(replies::unexpected("EXEC"));
    };
    Ok((replies::facts(info)?, read?))
}

fn verb(items: &[Value]) -> &[u8] {
    items.first().and_then(Value::as_bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests;
