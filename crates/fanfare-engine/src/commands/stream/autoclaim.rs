//! XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]: gives entries that others left to a consumer.
//!
//! Source: <https://redis.io/docs/latest/commands/xautoclaim/>.

use super::claim::{Claim, Claims, Fate};
use super::{TIMES_TELL, id_reply, one_key, range, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::value::stream::{Pending, StreamId};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XAUTOCLAIM: Spec = Spec {
    tips: TIMES_TELL,
    ..spec(
        "xautoclaim",
        Arity::AtLeast(6),
        (&[Flag::Write, Flag::Fast], one_key(&["RW", "delete"])),
        Docs::new(
            "Changes (or acquires) ownership of messages in a consumer group, as if the messages were delivered to the specified consumer.",
            "6.2.0",
            "O(1) if COUNT is small.",
        )
        .history(&[(
            "7.0.0",
            "Added an element to the reply array, containing deleted entries the command cleared from the PEL",
        )])
        .args(&[
            Arg::key("key"),
            Arg::new("group", "string"),
            Arg::new("consumer", "string"),
            Arg::new("min-idle-time", "string"),
            Arg::new("start", "string"),
            Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
            Arg::word("justid", "JUSTID").flags(&["optional"]),
        ]),
        xautoclaim,
    )
};

const COUNT_DEFAULT: u64 = 100;
/// What Redis admits: an array of as many IDs can have a length.
const COUNT_MAX: i64 = i64::MAX / 16;
/// Entries that are looked at for each that is asked for.
const TRIES_PER_ENTRY: u64 = 10;
/// So many are taken out of the list at once: what becomes of one changes nothing about the others.
const PENDING_AT_ONCE: usize = 128;

struct Options {
    min_idle_ms: u64,
    start: StreamId,
    count: u64,
    just_ids: bool,
}

impl Options {
    fn parse(request: Request<'_>) -> Result<Self, WireError> {
        let [min_idle, start] = [4, 5].map(|at| request.get(at).unwrap_or_default());
        let min_idle = number::parse_int(min_idle)
            .ok_or_else(|| WireError::not_an_integer_for("min-idle-time", "XAUTOCLAIM"))?;
        let min_idle_ms = u64::try_from(min_idle).unwrap_or(0);
        let start = range::parse_start(start)?;
        let mut options = Self { min_idle_ms, start, count: COUNT_DEFAULT, just_ids: false };
        let mut words = request.iter().skip(6);
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"justid") {
                options.just_ids = true;
            } else if word.eq_ignore_ascii_case(b"count")
                && let Some(raw) = words.next()
            {
                let count = number::parse_int(raw).filter(|it| (1..=COUNT_MAX).contains(it));
                let count = count.ok_or(wire_error::COUNT_NOT_ABOVE_0)?;
                options.count = count.cast_unsigned();
            } else {
                return Err(wire_error::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// What was found besides what was claimed.
#[derive(Default)]
struct Found {
    /// Where the next search begins; the smallest ID: there is nothing more.
    next: StreamId,
    /// Entries that are no longer there, and pending no longer.
    gone: Vec<Reply>,
}

fn xautoclaim(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let options = Options::parse(request)?;
    let [key, group, consumer] = [1, 2, 3].map(|at| request.get(at).unwrap_or_default());
    let last_id = ctx.read::<Stream>(key)?.and_then(|it| it.group(group)).map(|it| it.last_id());
    let last_id = last_id.ok_or_else(|| WireError::no_key_or_group(key, group))?;
    let now_ms = ctx.now.unix_ms();
    let claim = Claim {
        group,
        consumer,
        now_ms,
        min_idle_ms: options.min_idle_ms,
        delivered_ms: now_ms,
        n_deliveries: None,
        force: false,
        just_ids: options.just_ids,
    };
    let mut claims = Claims::new(claim, ctx.records());
    let edited = ctx.edit::<Stream, _>(key, |stream| {
        let result = search(stream, group, &options, &mut claims);
        claims.note_attempt(stream);
        result
    });
    let (found, is_changed) = edited?.unwrap_or_default();
    if is_changed {
        ctx.changed_quietly(key);
    }
    let (claimed, _) = claims.finish(ctx, key, last_id);
    Ok(Reply::Array(vec![id_reply(found.next), claimed, Reply::Array(found.gone)]))
}

/// Claims what is pending, in the order of IDs; returns what else was found, and whether anything changed.
fn search(
    stream: &mut Stream,
    group: &[u8],
    options: &Options,
    claims: &mut Claims<'_>,
) -> (Found, bool) {
    let (mut found, mut is_changed) = (Found::default(), false);
    let (mut n_left, mut n_tries_left) = (options.count, options.count * TRIES_PER_ENTRY);
    let mut from = Some(options.start);
    while let Some(start) = from {
        let pending = stream.group(group).map(|it| it.pending_from(start).take(PENDING_AT_ONCE));
        let pending: Vec<Pending> = pending.into_iter().flatten().collect();
        from = pending.last().and_then(|it| it.id.next());
        for before in pending {
            if n_left == 0 || n_tries_left == 0 {
                found.next = before.id;
                return (found, is_changed);
            }
            n_tries_left -= 1;
            match claims.add(stream, before.id, Some(before)) {
                Fate::Left => {}
                fate @ (Fate::Gone | Fate::Claimed) => {
                    n_left -= 1;
                    is_changed = true;
                    if matches!(fate, Fate::Gone) {
                        found.gone.push(id_reply(before.id));
                    }
                }
            }
        }
    }
    (found, is_changed)
}
