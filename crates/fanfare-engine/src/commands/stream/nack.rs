//! XNACK key group SILENT | FAIL | FATAL IDS numids id [id ...] [RETRYCOUNT count] [FORCE]: entries are given back, to be
//! delivered to whoever claims first.
//!
//! Source: <https://redis.io/docs/latest/commands/xnack/>. It came with Redis 8.8.

use super::delete_ex::IDS;
use super::{one_key, parse_ids, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::value::stream::{Pending, StreamId};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XNACK: Spec = spec(
    "xnack",
    Arity::AtLeast(7),
    (&[Flag::Write, Flag::Fast], one_key(&["RW", "update"])),
    Docs::new(
        "Releases pending messages back to the group's PEL without acknowledging them, making them available for re-delivery.",
        "8.8.0",
        "O(1) for each message ID processed.",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("group", "string"),
        Arg::new("mode", "oneof").args(&[
            Arg::word("silent", "SILENT"),
            Arg::word("fail", "FAIL"),
            Arg::word("fatal", "FATAL"),
        ]),
        IDS,
        Arg::new("count", "integer").token("RETRYCOUNT").flags(&["optional"]),
        Arg::word("force", "FORCE").flags(&["optional"]),
    ]),
    xnack,
);

/// Why entries are given back.
#[derive(Clone, Copy)]
enum Mode {
    /// Whoever had them did not try: the last delivery does not count.
    Silent,
    /// Whoever had them failed.
    Fail,
    /// Nobody can do it: as if they had been delivered as often as can be.
    Fatal,
}

impl Mode {
    fn named(word: &[u8]) -> Option<Self> {
        match &*word.to_ascii_lowercase() {
            b"silent" => Some(Self::Silent),
            b"fail" => Some(Self::Fail),
            b"fatal" => Some(Self::Fatal),
            _ => None,
        }
    }

    /// How often they were delivered from now on.
    fn n_deliveries(self, before: u64) -> u64 {
        match self {
            Self::Silent => before.saturating_sub(1),
            Self::Fail => before,
            Self::Fatal => i64::MAX.cast_unsigned(),
        }
    }
}

struct Options {
    mode: Mode,
    n_deliveries: Option<u64>,
    /// Entries that are not pending become so.
    force: bool,
    /// Where the IDs begin, and how many there are.
    ids: (usize, usize),
}

impl Options {
    fn parse(request: Request<'_>) -> Result<Self, WireError> {
        let mode = request.get(3).and_then(Mode::named).ok_or(wire_error::BAD_NACK_MODE)?;
        let (mut n_deliveries, mut force, mut ids) = (None, false, None);
        let mut at = 4;
        while let Some(word) = request.get(at) {
            let n_left = request.len() - at - 1;
            match &*word.to_ascii_lowercase() {
                b"ids" if n_left != 0 => {
                    let n_ids = parse_n_ids(request.get(at + 1), n_left - 1)?;
                    ids = Some((at + 2, n_ids));
                    at += 2 + n_ids;
                }
                b"force" => {
                    force = true;
                    at += 1;
                }
                b"retrycount" if n_left != 0 => {
                    let n = request.get(at + 1).and_then(number::parse_int);
                    let n = n.ok_or(wire_error::NOT_AN_INTEGER)?;
                    let n = u64::try_from(n).map_err(|_| wire_error::RETRYCOUNT_NEGATIVE)?;
                    n_deliveries = Some(n);
                    at += 2;
                }
                _ => return Err(WireError::unrecognized_option_of("XNACK", word)),
            }
        }
        let ids = ids.ok_or(wire_error::NACK_IDS_REQUIRED)?;
        Ok(Self { mode, n_deliveries, force, ids })
    }
}

fn parse_n_ids(raw: Option<&[u8]>, n_left: usize) -> Result<usize, WireError> {
    let n_ids = raw.and_then(number::parse_int).and_then(|it| i32::try_from(it).ok());
    let n_ids = n_ids.and_then(|it| usize::try_from(it).ok()).filter(|it| *it != 0);
    let n_ids = n_ids.ok_or(wire_error::NACK_N_IDS_NOT_POSITIVE)?;
    if n_left < n_ids { Err(wire_error::NACK_N_IDS_MISMATCH) } else { Ok(n_ids) }
}

fn xnack(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, group] = [1, 2].map(|at| request.get(at).unwrap_or_default());
    if ctx.read::<Stream>(key)?.and_then(|it| it.group(group)).is_none() {
        return Err(WireError::no_key_or_group(key, group));
    }
    let options = Options::parse(request)?;
    let ids = parse_ids(request.iter().skip(options.ids.0).take(options.ids.1))?;
    let n_given_back = ctx.edit::<Stream, _>(key, |stream| {
        ids.into_iter().filter(|id| give_back(stream, group, *id, &options)).count()
    });
    let n_given_back = n_given_back?.unwrap_or_default();
    if n_given_back != 0 {
        ctx.changed_quietly(key);
        ctx.wake_readers(key);
    }
    Ok(Reply::count(n_given_back))
}

/// Gives an entry back; false if it is not pending.
fn give_back(stream: &mut Stream, group: &[u8], id: StreamId, options: &Options) -> bool {
    let may_be_added = options.force && stream.get(id).is_some();
    let given_back = stream.edit_group(group, |group| {
        let before = match group.pending(id) {
            Some(pending) => pending.n_deliveries,
            None if may_be_added => 0,
            None => return false,
        };
        let n_deliveries =
            options.n_deliveries.unwrap_or_else(|| options.mode.n_deliveries(before));
        group.set_pending(Pending { id, delivered_ms: 0, n_deliveries, owner: None });
        true
    });
    given_back == Some(true)
}
