//! XPENDING key group [[IDLE min-idle-time] start end count [consumer]]: what was delivered and not acknowledged.
//!
//! Source: <https://redis.io/docs/latest/commands/xpending/>.

use std::collections::BinaryHeap;

use super::{TIMES_TELL, id_reply, name_reply, one_key, range, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::value::stream::{Group, Owner, Pending, StreamId};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XPENDING: Spec = Spec {
    tips: TIMES_TELL,
    ..spec(
        "xpending",
        Arity::AtLeast(3),
        (&[Flag::ReadOnly], one_key(&["RO", "access"])),
        Docs::new(
            "Return information and entries from a stream consumer group pending entries list, that are messages fetched but never acknowledged.",
            "5.0.0",
            "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
        )
        .history(&[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")])
        .args(&[Arg::key("key"), Arg::new("group", "string"), FILTERS]),
        xpending,
    )
};

const FILTERS: Arg = Arg::new("filters", "block").flags(&["optional"]).args(&[
    Arg::new("min-idle-time", "integer").token("IDLE").since("6.2.0").flags(&["optional"]),
    Arg::new("start", "string"),
    Arg::new("end", "string"),
    Arg::new("count", "integer"),
    Arg::new("consumer", "string").flags(&["optional"]),
]);

/// What is pending of a group, one by one.
struct Query<'a> {
    min_idle_ms: u64,
    first: StreamId,
    last: StreamId,
    n_max: usize,
    consumer: Option<&'a [u8]>,
}

fn xpending(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let query = Query::parse(request)?;
    let [key, name] = [1, 2].map(|at| request.get(at).unwrap_or_default());
    let now_ms = ctx.now.unix_ms();
    let group = ctx.read::<Stream>(key)?.and_then(|it| it.group(name));
    let group = group.ok_or_else(|| WireError::no_key_or_group(key, name))?;
    let Some(query) = query else { return Ok(summary(group)) };
    let row = |it: Pending| {
        let owner = it.owner.and_then(|owner| group.consumer(owner));
        let (name, idle) = match owner {
            Some(consumer) => (name_reply(&consumer.name), Reply::uint(it.idle_ms(now_ms))),
            None => (Reply::bulk(""), Reply::Int(-1)),
        };
        Reply::Array(vec![id_reply(it.id), name, idle, Reply::uint(it.n_deliveries)])
    };
    Ok(Reply::Array(query.select(group, now_ms).into_iter().map(row).collect()))
}

/// How much there is, from where to where, and who has how much of it.
fn summary(group: &Group) -> Reply {
    let count = Reply::count(group.n_pending());
    let Some((first, last)) = group.pending_bounds() else {
        return Reply::Array(vec![count, Reply::Null, Reply::Null, Reply::NullArray]);
    };
    let busy = group.consumers().filter(|it| it.n_pending() != 0);
    let consumers = busy.map(|it| {
        Reply::Array(vec![name_reply(&it.name), Reply::bulk(it.n_pending().to_string())])
    });
    let consumers = Reply::Array(consumers.collect());
    Reply::Array(vec![count, id_reply(first), id_reply(last), consumers])
}

impl<'a> Query<'a> {
    /// `None`: nothing but a summary is asked for.
    fn parse(request: Request<'a>) -> Result<Option<Self>, WireError> {
        let int = |at: usize| {
            let raw = request.get(at).unwrap_or_default();
            number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)
        };
        match request.len() {
            3 => return Ok(None),
            6..=9 => {}
            _ => return Err(wire_error::SYNTAX),
        }
        let has_idle = request.get(3).is_some_and(|it| it.eq_ignore_ascii_case(b"idle"));
        let min_idle_ms = if has_idle { int(4)? } else { 0 };
        if has_idle && request.len() < 8 {
            return Err(wire_error::SYNTAX);
        }
        let at = if has_idle { 5 } else { 3 };
        let n_max = int(at + 2)?;
        Ok(Some(Self {
            first: range::parse_start(request.get(at).unwrap_or_default())?,
            last: range::parse_end(request.get(at + 1).unwrap_or_default())?,
            min_idle_ms: u64::try_from(min_idle_ms).unwrap_or(0),
            n_max: usize::try_from(n_max).unwrap_or(0),
            consumer: request.get(at + 3),
        }))
    }

    /// What is asked for, in the order of IDs.
    fn select(&self, group: &Group, now_ms: u64) -> Vec<Pending> {
        let owner = match self.consumer.map(|it| group.owner(it)) {
            Some(None) => return Vec::new(),
            Some(owner) => owner,
            None => None,
        };
        match owner {
            Some(owner) => {
                self.scan(group, (now_ms, Some(owner)), group.pending_of(owner, self.first))
            }
            None => self.scan(group, (now_ms, None), group.pending_from(self.first)),
        }
    }

    /// Looks through `all`, unless there are few that are idle: it looks at no more than at these, and then at these.
    fn scan(
        &self,
        group: &Group,
        (now_ms, owner): (u64, Option<Owner>),
        all: impl Iterator<Item = Pending>,
    ) -> Vec<Pending> {
        let n_idle = match self.min_idle_ms {
            0 => usize::MAX,
            min_idle_ms => group.n_idle(now_ms.saturating_sub(min_idle_ms)),
        };
        let mut found = Vec::new();
        for (n_seen, pending) in all.take_while(|it| it.id <= self.last).enumerate() {
            if self.n_max <= found.len() {
                break;
            }
            if n_idle <= n_seen {
                found.append(&mut self.among_idle(group, (now_ms, owner), pending.id, found.len()));
                break;
            }
            if self.min_idle_ms <= pending.idle_ms(now_ms) {
                found.push(pending);
            }
        }
        found
    }

    /// Those with the smallest IDs from `first` on, of all that are idle.
    fn among_idle(
        &self,
        group: &Group,
        (now_ms, owner): (u64, Option<Owner>),
        first: StreamId,
        n_found: usize,
    ) -> Vec<Pending> {
        let n_max = self.n_max.saturating_sub(n_found);
        let mut smallest = BinaryHeap::new();
        for id in group.idle(now_ms.saturating_sub(self.min_idle_ms)) {
            let is_asked_for = (first..=self.last).contains(&id)
                && smallest.peek().is_none_or(|largest| smallest.len() < n_max || id < *largest)
                && group.pending(id).is_some_and(|it| {
                    self.min_idle_ms <= it.idle_ms(now_ms) && (owner.is_none() || it.owner == owner)
                });
            if is_asked_for {
                smallest.push(id);
                if n_max < smallest.len() {
                    smallest.pop();
                }
            }
        }
        smallest.into_sorted_vec().into_iter().filter_map(|id| group.pending(id)).collect()
    }
}
