//! XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]: removes entries, and tells of each what became of it.
//! XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]: acknowledges them first.
//!
//! Sources: <https://redis.io/docs/latest/commands/xdelex/>, <https://redis.io/docs/latest/commands/xackdel/>; beyond
//! them, redis-server 8.2.3. They came with Redis 8.2.

use super::trimming::References;
use super::{one_key, parse_ids, spec};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::value::stream::StreamId;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XDELEX: Spec = spec(
    "xdelex",
    Arity::AtLeast(5),
    (&[Flag::Write, Flag::Fast], one_key(&["RW", "delete"])),
    Docs::new(
        "Deletes one or multiple entries from the stream.",
        "8.2.0",
        "O(1) for each single item to delete in the stream, regardless of the stream size.",
    )
    .args(&[Arg::key("key"), CONDITION, IDS]),
    xdelex,
);

pub(crate) static XACKDEL: Spec = spec(
    "xackdel",
    Arity::AtLeast(6),
    (&[Flag::Write, Flag::Fast], one_key(&["RW", "update", "delete"])),
    Docs::new(
        "Acknowledges and conditionally deletes one or multiple entries for a stream consumer group.",
        "8.2.0",
        "O(1) for each entry ID processed.",
    )
    .args(&[Arg::key("key"), Arg::new("group", "string"), CONDITION, IDS]),
    xackdel,
);

const CONDITION: Arg = Arg::new("condition", "oneof").flags(&["optional"]).args(&[
    Arg::word("keepref", "KEEPREF"),
    Arg::word("delref", "DELREF"),
    Arg::word("acked", "ACKED"),
]);

pub(super) const IDS: Arg = Arg::new("ids", "block")
    .token("IDS")
    .args(&[Arg::new("numids", "integer"), Arg::new("id", "string").flags(&["multiple"])]);

/// What became of an entry.
const NO_SUCH_ENTRY: i64 = -1;
const DELETED: i64 = 1;
const STILL_REFERENCED: i64 = 2;

/// What both commands are told.
struct Options {
    references: References,
    /// Where the IDs begin, and how many there are.
    ids: (usize, usize),
}

impl Options {
    /// Reads a request from the argument `at` on.
    fn parse(request: Request<'_>, mut at: usize) -> Result<Self, WireError> {
        let (mut references, mut ids) = (None, None);
        while let Some(word) = request.get(at) {
            let n_left = request.len() - at - 1;
            let named = References::parse(word);
            if references.is_none() && named.is_some() {
                references = named;
                at += 1;
            } else if word.eq_ignore_ascii_case(b"ids") && n_left != 0 {
                let n_ids = request.get(at + 1).and_then(number::parse_int).filter(|it| 1 <= *it);
                let n_ids = n_ids.ok_or(wire_error::N_IDS_NOT_POSITIVE)?;
                let n_ids = usize::try_from(n_ids).ok().filter(|it| *it < n_left);
                let n_ids = n_ids.ok_or(wire_error::N_IDS_MISMATCH)?;
                ids = Some((at + 2, n_ids));
                at += 2 + n_ids;
            } else {
                return Err(wire_error::SYNTAX);
            }
        }
        let ids = ids.ok_or(wire_error::IDS_REQUIRED)?;
        Ok(Self { references: references.unwrap_or_default(), ids })
    }

    fn ids<'a>(&self, request: Request<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        request.iter().skip(self.ids.0).take(self.ids.1)
    }

    /// The answer where there is nothing.
    fn nothing(&self) -> Reply {
        Reply::Array(vec![Reply::Int(NO_SUCH_ENTRY); self.ids.1])
    }
}

/// What a command did on the whole.
#[derive(Default)]
struct Done {
    n_deleted: usize,
    /// Something is pending no longer.
    groups_changed: bool,
}

fn xdelex(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let is_there = ctx.peek::<Stream>(key)?.is_some();
    let options = Options::parse(request, 2)?;
    if !is_there {
        return Ok(options.nothing());
    }
    let ids = parse_ids(options.ids(request))?;
    let edited = ctx.edit::<Stream, _>(key, |stream| {
        let mut done = Done::default();
        let delete = |id| Reply::Int(delete(stream, id, options.references, &mut done));
        let results: Vec<_> = ids.into_iter().map(delete).collect();
        (results, done)
    });
    let (results, done) = edited?.unwrap_or_default();
    tell(ctx, key, &done);
    Ok(Reply::Array(results))
}

fn xackdel(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, group] = [1, 2].map(|at| request.get(at).unwrap_or_default());
    let is_there = ctx.read::<Stream>(key)?.is_some_and(|it| it.group(group).is_some());
    let options = Options::parse(request, 3)?;
    if !is_there {
        return Ok(options.nothing());
    }
    let ids = parse_ids(options.ids(request))?;
    let edited = ctx.edit::<Stream, _>(key, |stream| {
        let mut done = Done::default();
        let ack_and_delete = |id| {
            let acked = stream.edit_group(group, |it| it.remove_pending(id)).flatten();
            if acked.is_none() {
                return Reply::Int(NO_SUCH_ENTRY);
            }
            done.groups_changed = true;
            // It was there; that the entry itself is gone makes no difference.
            let result = delete(stream, id, options.references, &mut done);
            Reply::Int(if result == STILL_REFERENCED { STILL_REFERENCED } else { DELETED })
        };
        let results: Vec<_> = ids.into_iter().map(ack_and_delete).collect();
        (results, done)
    });
    let (results, done) = edited?.unwrap_or_default();
    tell(ctx, key, &done);
    Ok(Reply::Array(results))
}

/// Removes an entry, if that is allowed.
fn delete(stream: &mut Stream, id: StreamId, references: References, done: &mut Done) -> i64 {
    match references {
        References::Keep => {}
        References::Delete => done.groups_changed |= stream.forget_pending(id),
        References::Acked if stream.is_wanted(id) => return STILL_REFERENCED,
        References::Acked => {}
    }
    if !stream.remove(id) {
        return NO_SUCH_ENTRY;
    }
    done.n_deleted += 1;
    DELETED
}

fn tell(ctx: &mut Ctx<'_>, key: &[u8], done: &Done) {
    if done.n_deleted != 0 {
        ctx.changed(Classes::STREAM, "xdel", key);
    } else if done.groups_changed {
        ctx.changed_quietly(key);
    }
}
