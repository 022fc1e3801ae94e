//! XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE]
//! [JUSTID] [LASTID id]: gives entries that somebody else has to a consumer.
//!
//! Source: <https://redis.io/docs/latest/commands/xclaim/>.

use super::{TIMES_TELL, id_reply, one_key, parse_id, record_pending, spec};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::tree::Name;
use crate::value::Stream;
use crate::value::stream::{Finder, Pending, Slice, StreamId};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XCLAIM: Spec = Spec {
    tips: TIMES_TELL,
    ..spec(
        "xclaim",
        Arity::AtLeast(6),
        (&[Flag::Write, Flag::Fast], one_key(&["RW", "update"])),
        Docs::new(
            "Changes (or acquires) ownership of a message in a consumer group, as if the message was delivered to the specified consumer.",
            "5.0.0",
            "O(log N) with N being the number of messages in the PEL of the consumer group.",
        )
        .args(&[
            Arg::key("key"),
            Arg::new("group", "string"),
            Arg::new("consumer", "string"),
            Arg::new("min-idle-time", "string"),
            Arg::new("id", "string").flags(&["multiple"]),
            Arg::new("ms", "integer").token("IDLE").flags(&["optional"]),
            Arg::new("unix-time-milliseconds", "unix-time").token("TIME").flags(&["optional"]),
            Arg::new("count", "integer").token("RETRYCOUNT").flags(&["optional"]),
            Arg::word("force", "FORCE").flags(&["optional"]),
            Arg::word("justid", "JUSTID").flags(&["optional"]),
            Arg::new("id", "string").token("LASTID").flags(&["optional"]),
        ]),
        xclaim,
    )
};

/// How entries are claimed.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) group: &'a [u8],
    pub(super) consumer: &'a [u8],
    pub(super) now_ms: u64,
    /// Those that were delivered since stay with whom they are.
    pub(super) min_idle_ms: u64,
    /// When they count as delivered.
    pub(super) delivered_ms: u64,
    /// How often they count as delivered; `None`: once more than before.
    pub(super) n_deliveries: Option<u64>,
    /// Entries that are not pending become so.
    pub(super) force: bool,
    /// Only IDs are asked for, and that is not a delivery.
    pub(super) just_ids: bool,
}

/// What became of an entry that somebody claims.
pub(super) enum Fate {
    /// Nothing.
    Left,
    /// It is no longer there, and pending no longer.
    Gone,
    /// It changed hands.
    Claimed,
}

/// What was claimed so far.
pub(super) struct Claims<'a> {
    claim: Claim<'a>,
    finder: Finder,
    claimed: Listed,
    n_claimed: usize,
    made_consumer: bool,
    changes: Vec<Change>,
    /// Somebody wants to know of the changes.
    notes_changes: bool,
}

enum Listed {
    Ids(Vec<Reply>),
    Entries(Slice),
}

/// What is known of an entry from now on; of one that is gone, what was known before.
struct Change {
    pending: Pending,
    owner: Option<Name>,
}

impl<'a> Claims<'a> {
    pub(super) fn new(claim: Claim<'a>, notes_changes: bool) -> Self {
        let claimed = if claim.just_ids {
            Listed::Ids(Vec::new())
        } else {
            Listed::Entries(Slice::default())
        };
        let (changes, made_consumer) = (Vec::new(), false);
        let finder = Finder::default();
        Self { claim, finder, claimed, n_claimed: 0, made_consumer, changes, notes_changes }
    }

    /// Claims an entry, of which this is pending.
    pub(super) fn add(
        &mut self,
        stream: &mut Stream,
        id: StreamId,
        before: Option<Pending>,
    ) -> Fate {
        let claim = self.claim;
        if !self.finder.find(stream, id) {
            let Some(pending) = before else { return Fate::Left };
            self.note(stream, pending);
            stream.edit_group(claim.group, |it| it.remove_pending(id));
            return Fate::Gone;
        }
        let n_before = match before {
            Some(it) if it.idle_ms(claim.now_ms) < claim.min_idle_ms => return Fate::Left,
            Some(it) => it.n_deliveries,
            None if claim.force => 1,
            None => return Fate::Left,
        };
        let n_deliveries = match claim.n_deliveries {
            Some(n) => n,
            None if claim.just_ids => n_before,
            None => n_before.saturating_add(1).min(i64::MAX.cast_unsigned()),
        };
        let pending = stream.edit_group(claim.group, |group| {
            let (owner, is_new) = group.owner_or_new(claim.consumer, claim.now_ms);
            self.made_consumer |= is_new;
            let delivered_ms = claim.delivered_ms;
            let pending = Pending { id, delivered_ms, n_deliveries, owner: Some(owner) };
            group.set_pending(pending);
            pending
        });
        if let Some(pending) = pending {
            self.note(stream, pending);
        }
        self.n_claimed += 1;
        match &mut self.claimed {
            Listed::Ids(ids) => ids.push(id_reply(id)),
            Listed::Entries(slice) => self.finder.add_to(slice, None),
        }
        Fate::Claimed
    }

    fn note(&mut self, stream: &Stream, pending: Pending) {
        if self.notes_changes {
            let group = stream.group(self.claim.group);
            let owner = group.zip(pending.owner).and_then(|(group, it)| group.consumer(it));
            self.changes.push(Change { pending, owner: owner.map(|it| it.name.clone()) });
        }
    }

    /// Notes that the consumer tried. It is made, also if it was given nothing.
    pub(super) fn note_attempt(&mut self, stream: &mut Stream) {
        let claim = self.claim;
        stream.edit_group(claim.group, |group| {
            let (owner, is_new) = group.owner_or_new(claim.consumer, claim.now_ms);
            self.made_consumer |= is_new;
            group.edit_consumer(owner, |it| {
                it.seen_ms = claim.now_ms;
                if self.n_claimed != 0 {
                    it.active_ms = Some(claim.now_ms);
                }
            });
        });
    }

    /// Says what was done; returns what was claimed, and whether anything was said.
    pub(super) fn finish(self, ctx: &mut Ctx<'_>, key: &[u8], last_id: StreamId) -> (Reply, bool) {
        if self.made_consumer {
            ctx.notify(Classes::STREAM, "xgroup-createconsumer", key);
        }
        let has_changes = !self.changes.is_empty();
        let Claim { group, consumer, .. } = self.claim;
        if self.made_consumer && self.n_claimed == 0 {
            // What is claimed makes it, too.
            ctx.record([&b"XGROUP"[..], b"CREATECONSUMER", key, group, consumer]);
        }
        for Change { pending, owner } in self.changes {
            match owner {
                Some(owner) => {
                    record_pending(ctx, (key, group), (&owner, &pending), last_id);
                }
                // It was given back before it went.
                None => ctx.record([b"XACK", key, group, &pending.id.spelled()]),
            }
        }
        let reply = match self.claimed {
            Listed::Ids(ids) => Reply::Array(ids),
            Listed::Entries(slice) => Reply::Entries(slice),
        };
        (reply, has_changes)
    }
}

/// What follows the IDs.
#[derive(Default)]
struct Options {
    delivered_ms: Option<u64>,
    n_deliveries: Option<u64>,
    force: bool,
    just_ids: bool,
    last_id: StreamId,
}

impl Options {
    /// Reads a request from the argument `at` on.
    fn parse(request: Request<'_>, at: usize, now_ms: u64) -> Result<Self, WireError> {
        let mut options = Self::default();
        let mut words = request.iter().skip(at);
        while let Some(word) = words.next() {
            let unknown = || WireError::unrecognized_option_of("XCLAIM", word);
            let option = &*word.to_ascii_uppercase();
            match option {
                b"FORCE" => options.force = true,
                b"JUSTID" => options.just_ids = true,
                b"IDLE" => {
                    let idle_ms = int(words.next().ok_or_else(unknown)?, "IDLE option")?;
                    let time = i64::try_from(now_ms).ok().and_then(|it| it.checked_sub(idle_ms));
                    options.delivered_ms = time.and_then(|it| u64::try_from(it).ok());
                }
                b"TIME" => {
                    let time = int(words.next().ok_or_else(unknown)?, "TIME option")?;
                    options.delivered_ms = u64::try_from(time).ok();
                }
                b"RETRYCOUNT" => {
                    let n = int(words.next().ok_or_else(unknown)?, "RETRYCOUNT option")?;
                    options.n_deliveries = u64::try_from(n).ok();
                }
                b"LASTID" => options.last_id = parse_id(words.next().ok_or_else(unknown)?, 0)?,
                _ => return Err(unknown()),
            }
        }
        Ok(options)
    }
}

fn int(raw: &[u8], what: &str) -> Result<i64, WireError> {
    number::parse_int(raw).ok_or_else(|| WireError::not_an_integer_for(what, "XCLAIM"))
}

fn xclaim(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, group, consumer, min_idle] =
        [1, 2, 3, 4].map(|at| request.get(at).unwrap_or_default());
    if ctx.read::<Stream>(key)?.and_then(|it| it.group(group)).is_none() {
        return Err(WireError::no_key_or_group(key, group));
    }
    let min_idle_ms = u64::try_from(int(min_idle, "min-idle-time")?).unwrap_or(0);
    // What is no ID is an option.
    let ids: Vec<StreamId> = request.iter().skip(5).map_while(|it| parse_id(it, 0).ok()).collect();
    let now_ms = ctx.now.unix_ms();
    let options = Options::parse(request, 5 + ids.len(), now_ms)?;
    let claim = Claim {
        group,
        consumer,
        now_ms,
        min_idle_ms,
        // What lies in the future is a mistake of somebody's clock.
        delivered_ms: options.delivered_ms.filter(|it| *it <= now_ms).unwrap_or(now_ms),
        n_deliveries: options.n_deliveries,
        force: options.force,
        just_ids: options.just_ids,
    };
    let mut claims = Claims::new(claim, ctx.records());
    let edited = ctx.edit::<Stream, _>(key, |stream| {
        let is_raised = raise(stream, group, options.last_id);
        let mut is_changed = is_raised;
        for id in ids {
            let before = stream.group(group).and_then(|it| it.pending(id));
            is_changed |= !matches!(claims.add(stream, id, before), Fate::Left);
        }
        claims.note_attempt(stream);
        let position = stream.group(group).map(|it| (it.last_id(), it.entries_read()));
        (is_raised, is_changed, position.unwrap_or_default())
    });
    let (is_raised, is_changed, (last_id, entries_read)) =
        edited?.ok_or(wire_error::NO_SUCH_KEY)?;
    if is_changed {
        ctx.changed_quietly(key);
    }
    let (reply, is_said) = claims.finish(ctx, key, last_id);
    if is_raised && !is_said {
        let entries_read = entries_read.map_or_else(|| "-1".into(), |it| it.to_string());
        let id = last_id.spelled();
        let what: [&[u8]; 7] =
            [b"XGROUP", b"SETID", key, group, &id, b"ENTRIESREAD", entries_read.as_bytes()];
        ctx.record(what);
    }
    Ok(reply)
}

/// The group has been given entries up to this one, if it has not come further; returns whether it had not.
fn raise(stream: &mut Stream, group: &[u8], last_id: StreamId) -> bool {
    let raised = stream.group(group).filter(|it| it.last_id() < last_id);
    let Some(entries_read) = raised.map(crate::value::stream::Group::entries_read) else {
        return false;
    };
    stream.edit_group(group, |it| it.set_position(last_id, entries_read));
    true
}
