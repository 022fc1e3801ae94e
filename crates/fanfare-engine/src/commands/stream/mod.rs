//! Streams: one file per command or closely related commands.

pub(super) mod ack;
pub(super) mod add;
pub(super) mod autoclaim;
pub(super) mod claim;
pub(super) mod delete;
pub(super) mod delete_ex;
pub(super) mod group;
pub(super) mod info;
pub(super) mod length;
pub(super) mod nack;
pub(super) mod pending;
pub(super) mod producers;
pub(super) mod range;
pub(super) mod read;
pub(super) mod read_group;
mod reading;
pub(super) mod set_id;
pub(super) mod subscribe;
pub(super) mod trim;
mod trimming;

use super::one_key;
use crate::spec::{Arity, Docs, Flag, Group, Keys, Run};
use crate::tree::Name;
use crate::tuning::Tuning;
use crate::value::Stream;
use crate::value::stream::{Limits, Pending, Settings, StreamId};
use crate::{Ctx, Reply, Spec, WireError, wire_error};

/// What the family shares.
const fn spec(
    name: &'static str,
    arity: Arity,
    shape: (&'static [Flag], Keys),
    docs: Docs,
    run: Run,
) -> Spec {
    Spec::plain((Group::Stream, name), arity, shape, docs, run)
}

/// Answers differ although nothing changed: they tell how long something was idle.
const TIMES_TELL: &[&str] = &["nondeterministic_output"];

/// The first argument of a subcommand is the key.
const fn key_of_subcommand(flags: &'static [&'static str]) -> Keys {
    Keys::Range { first: 2, last: 2, step: 1, flags }
}

/// An ID that names an entry: `-` and `+` do not.
fn parse_id(raw: &[u8], missing_seq: u64) -> Result<StreamId, WireError> {
    StreamId::parse(raw, missing_seq).ok_or(wire_error::INVALID_STREAM_ID)
}

/// IDs that name entries.
fn parse_ids<'a>(raw: impl Iterator<Item = &'a [u8]>) -> Result<Vec<StreamId>, WireError> {
    raw.map(|it| parse_id(it, 0)).collect()
}

/// An ID as an answer.
fn id_reply(id: StreamId) -> Reply {
    Reply::bulk(&*id.spelled())
}

/// The name of a group or a consumer as an answer.
fn name_reply(name: &Name) -> Reply {
    Reply::bulk(name.to_blob())
}

/// How much goes into one block.
fn limits(tuning: &Tuning) -> Limits {
    let number = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
    Limits {
        bytes_max: number(tuning.stream_bytes_max()),
        entries_max: number(tuning.stream_entries_max()),
    }
}

/// An empty stream, with what is set for new ones.
fn new_stream(tuning: &Tuning) -> Stream {
    let settings = Settings { duration_s: tuning.idmp_duration_s(), n_max: tuning.idmp_n_max() };
    let mut stream = Stream::default();
    if settings != Settings::default() {
        stream.edit_producers(|it| it.set(settings));
    }
    stream
}

/// Records what is known of an entry that is pending, for a group that has come to `last_id`.
fn record_pending(
    ctx: &mut Ctx<'_>,
    (key, group): (&[u8], &[u8]),
    (consumer, pending): (&[u8], &Pending),
    last_id: StreamId,
) {
    let (mut time, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (id, last_id) = (pending.id.spelled(), last_id.spelled());
    ctx.record([
        &b"XCLAIM"[..],
        key,
        group,
        consumer,
        b"0",
        &id,
        b"TIME",
        time.format(pending.delivered_ms).as_bytes(),
        b"RETRYCOUNT",
        count.format(pending.n_deliveries).as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        &last_id,
    ]);
}
