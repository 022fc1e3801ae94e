//! XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid] [MAXLEN | MINID [= | ~] threshold
//! [LIMIT count]] <* | ms-* | id> field value [field value ...]: adds an entry.
//!
//! Sources: <https://redis.io/docs/latest/commands/xadd/>,
//! <https://redis.io/docs/latest/develop/data-types/streams/idempotency/>. What is recorded has the ID that the entry was
//! given, and says exactly how much was cut off; an entry that its producer named is followed by an `XIDMPRECORD`.

use std::iter::FusedIterator;

use super::trimming::{Cut, CutOff, REFERENCES, TRIM_ARGS, Trimming};
use super::{id_reply, limits, new_stream, one_key, spec};
use crate::notify::Classes;
use crate::push::{self, Cursor};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::stream::{IidHash, Limits, NewId, StreamId};
use crate::value::{Stream, Typed as _};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static XADD: Spec = Spec {
    tips: &["nondeterministic_output"],
    ..spec(
        "xadd",
        Arity::AtLeast(5),
        (&[Flag::Write, Flag::DenyOom, Flag::Fast], one_key(&["RW", "update"])),
        Docs::new(
            "Appends a new entry to a stream",
            "5.0.0",
            "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
        )
        .key_notes("UPDATE instead of INSERT because of the optional trimming feature")
        .history(&[
            ("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."),
            ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
            ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
            ("8.6.0", "Added the `IDMP` and `IDMPAUTO` options."),
        ])
        .args(&[
            Arg::key("key"),
            Arg::word("nomkstream", "NOMKSTREAM").since("6.2.0").flags(&["optional"]),
            REFERENCES,
            Arg::new("idmp", "oneof").since("8.6.0").flags(&["optional"]).args(&[
                Arg::new("pid", "string").token("IDMPAUTO"),
                Arg::new("idmp", "block")
                    .token("IDMP")
                    .args(&[Arg::new("pid", "string"), Arg::new("iid", "string")]),
            ]),
            Arg::new("trim", "block").flags(&["optional"]).args(TRIM_ARGS),
            Arg::new("id_or_auto", "oneof")
                .args(&[Arg::word("auto_id", "*"), Arg::new("id", "string")]),
            Arg::new("field_value", "block")
                .flags(&["multiple"])
                .args(&[Arg::new("field", "string"), Arg::new("value", "string")]),
        ]),
        xadd,
    )
};

/// What a request asks for.
struct Addition<'a> {
    makes_stream: bool,
    producer: Option<(&'a [u8], Iid<'a>)>,
    cut: Option<Cut>,
    id: NewId,
    fields: Fields<'a>,
}

/// What a producer calls an entry.
enum Iid<'a> {
    Given(&'a [u8]),
    /// After its fields.
    Auto([u8; 16]),
}

impl Iid<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Given(bytes) => bytes,
            Self::Auto(hash) => hash,
        }
    }
}

/// What became of it.
enum Outcome {
    Added {
        /// The last ID before.
        after: StreamId,
        id: StreamId,
        cut_off: Option<CutOff>,
    },
    /// It was there already.
    Duplicate(StreamId),
}

fn xadd(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let addition = Addition::parse(ctx, request)?;
    let (limits, now_ms) = (limits(ctx.tuning()), ctx.now.unix_ms());
    let edited = ctx.edit(key, |it: &mut Stream| addition.add_to(it, limits, now_ms))?;
    let outcome = match edited {
        Some(outcome) => outcome?,
        None if !addition.makes_stream => return Ok(Reply::Null),
        None => {
            let mut stream = new_stream(ctx.tuning());
            let outcome = addition.add_to(&mut stream, limits, now_ms)?;
            ctx.put(key, stream.into_value(), None);
            // Its entry is pushed as one that is added.
            ctx.keys.forget_restarted(ctx.client.db, key);
            outcome
        }
    };
    let (after, id, cut_off) = match outcome {
        Outcome::Added { after, id, cut_off } => (after, id, cut_off),
        Outcome::Duplicate(id) => return Ok(id_reply(id)),
    };
    if ctx.keyspace.pushed().any() {
        push(ctx, key, (after, id), addition.fields);
    }
    ctx.changed(Classes::STREAM, "xadd", key);
    if cut_off.is_some() {
        ctx.notify(Classes::STREAM, "xtrim", key);
    }
    if ctx.records() {
        addition.record(ctx, key, id, cut_off);
    }
    ctx.wake_readers(key);
    Ok(id_reply(id))
}

/// Pushes an entry that was added behind `after`.
#[cold]
fn push(ctx: &mut Ctx<'_>, key: &[u8], (after, id): (StreamId, StreamId), fields: Fields<'_>) {
    let Ok(Some(stream)) = ctx.peek::<Stream>(key) else { return };
    let before = Cursor::within(stream, after);
    // What was there before, and is gone, was pushed, or told of, before.
    ctx.settle_expired();
    ctx.settle_streams();
    push::announce_entry(ctx.host, (ctx.client.db, key), before, (id, fields));
}

impl<'a> Addition<'a> {
    fn parse(ctx: &Ctx<'_>, request: Request<'a>) -> Result<Self, WireError> {
        let (mut makes_stream, mut producer, mut trimming) = (true, None, Trimming::default());
        let mut at = 2;
        let mut id = None;
        while let Some(word) = request.get(at) {
            if word == b"*" {
                id = Some(NewId::Auto);
                break;
            }
            if let Some(n_args) = trimming.parse(request, at)? {
                at += n_args;
            } else if word.eq_ignore_ascii_case(b"nomkstream") {
                makes_stream = false;
                at += 1;
            } else if let Some((named, n_args)) = parse_producer(request, at, producer)? {
                producer = Some(named);
                at += n_args;
            } else {
                id = Some(NewId::parse(word).ok_or(wire_error::INVALID_STREAM_ID)?);
                break;
            }
        }
        if producer.is_some() && id.is_some_and(|it| it != NewId::Auto) {
            return Err(wire_error::IDMP_WITH_ID);
        }
        let cut = trimming.finish(false, ctx.tuning())?;
        let fields = Fields { request, at: at + 1 };
        let n_words = request.len().saturating_sub(at + 1);
        let Some(id) = id.filter(|_| n_words != 0 && n_words.is_multiple_of(2)) else {
            return Err(WireError::wrong_arity(ctx.spec().name));
        };
        if id == NewId::Explicit(StreamId::MIN) {
            return Err(wire_error::STREAM_ID_ZERO);
        }
        let producer = producer
            .map(|(pid, iid)| (pid, iid.map_or_else(|| Iid::Auto(hash_of(fields)), Iid::Given)));
        Ok(Self { makes_stream, producer, cut, id, fields })
    }

    /// Adds the entry; a stream that it can not be added to is as it was.
    fn add_to(
        &self,
        stream: &mut Stream,
        limits: Limits,
        now_ms: u64,
    ) -> Result<Outcome, WireError> {
        if let Some((pid, iid)) = &self.producer {
            let known = stream.edit_producers(|it| {
                it.forget_due(now_ms);
                let known = it.find(pid, iid.bytes());
                if known.is_some() {
                    it.note_duplicate();
                }
                known
            });
            if let Some(id) = known {
                return Ok(Outcome::Duplicate(id));
            }
        }
        let id = stream.next_id(self.id, now_ms).ok_or_else(|| Self::no_id(stream))?;
        let after = stream.marks().last_id;
        let pushed = stream.push(id, self.fields, limits);
        pushed.map_err(|_| wire_error::ELEMENTS_TOO_LARGE)?;
        if let Some((pid, iid)) = &self.producer {
            stream.edit_producers(|it| it.add((pid, iid.bytes()), id));
        }
        let cut_off = self.cut.and_then(|it| it.apply(stream));
        Ok(Outcome::Added { after, id, cut_off })
    }

    /// Records that it was added, and what was cut off because of it.
    fn record(&self, ctx: &mut Ctx<'_>, key: &[u8], id: StreamId, cut_off: Option<CutOff>) {
        let id = id.spelled();
        let fields = self.fields.flat_map(<[_; 2]>::from);
        let cut_words = || cut_off.iter().flat_map(|it| &it.words).map(|it| &**it);
        let Some((pid, iid)) = &self.producer else {
            ctx.record([b"XADD", key].into_iter().chain(cut_words()).chain([&*id]).chain(fields));
            return;
        };
        ctx.record([b"XADD", key, &*id].into_iter().chain(fields));
        ctx.record([&b"XIDMPRECORD"[..], key, pid, iid.bytes(), &id]);
        // Only now: the entry itself may go, which must be there to be named.
        if cut_off.is_some() {
            ctx.record([&b"XTRIM"[..], key].into_iter().chain(cut_words()));
        }
    }

    #[cold]
    fn no_id(stream: &Stream) -> WireError {
        if stream.marks().last_id == StreamId::MAX {
            wire_error::STREAM_IDS_EXHAUSTED
        } else {
            wire_error::STREAM_ID_TOO_SMALL
        }
    }
}

/// A producer, and what it calls the entry if it says so.
type Named<'a> = (&'a [u8], Option<&'a [u8]>);

/// Reads IDMPAUTO or IDMP at argument `at`, if it stands there; and how many arguments it takes.
fn parse_producer<'a>(
    request: Request<'a>,
    at: usize,
    before: Option<Named<'_>>,
) -> Result<Option<(Named<'a>, usize)>, WireError> {
    let word = request.get(at).unwrap_or_default();
    let (pid, iid) = (request.get(at + 1), request.get(at + 2));
    let named = match (pid, iid) {
        (Some(pid), _) if word.eq_ignore_ascii_case(b"idmpauto") => ((pid, None), 2),
        (Some(pid), Some(iid)) if word.eq_ignore_ascii_case(b"idmp") => ((pid, Some(iid)), 3),
        _ => return Ok(None),
    };
    match named.0 {
        _ if before.is_some() => Err(wire_error::IDMP_TWICE),
        (b"", None) => Err(wire_error::IDMPAUTO_WITHOUT_PRODUCER),
        (b"", Some(_)) => Err(wire_error::IDMP_WITHOUT_PRODUCER),
        (_, Some(b"")) => Err(wire_error::IDMP_WITHOUT_ID),
        _ => Ok(Some(named)),
    }
}

fn hash_of(fields: Fields<'_>) -> [u8; 16] {
    let mut hash = IidHash::default();
    fields.for_each(|(field, value)| hash.add(field, value));
    hash.finish()
}

/// Fields and values among the arguments, from one on.
#[derive(Clone, Copy, Debug)]
struct Fields<'a> {
    request: Request<'a>,
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let pair = (self.request.get(self.at)?, self.request.get(self.at + 1)?);
        self.at += 2;
        Some(pair)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let n = self.request.len().saturating_sub(self.at) / 2;
        (n, Some(n))
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl FusedIterator for Fields<'_> {}
