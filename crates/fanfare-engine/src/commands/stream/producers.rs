//! XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE count]: how long and how many of the names that producers give their
//! entries are remembered. XIDMPRECORD key pid iid id: remembers one of an entry that is there, for the journal.
//!
//! Sources: <https://redis.io/docs/latest/commands/xcfgset/>, <https://redis.io/docs/latest/commands/xidmprecord/>.

use super::{one_key, parse_id, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::value::stream::Settings;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XCFGSET: Spec = spec(
    "xcfgset",
    Arity::AtLeast(2),
    (&[Flag::Write, Flag::Fast], one_key(&["RW", "update"])),
    Docs::new("Sets the IDMP configuration parameters for a stream.", "8.6.0", "O(1)").args(&[
        Arg::key("key"),
        Arg::new("idmp-duration", "integer").token("IDMP-DURATION").flags(&["optional"]),
        Arg::new("idmp-maxsize", "integer").token("IDMP-MAXSIZE").flags(&["optional"]),
    ]),
    xcfgset,
);

pub(crate) static XIDMPRECORD: Spec = spec(
    "xidmprecord",
    Arity::Exactly(5),
    (&[Flag::Write, Flag::DenyOom, Flag::Fast], one_key(&["RW", "update"])),
    Docs::new(
        "An internal command for setting IDMP metadata on an existing stream message.",
        "8.8.0",
        "O(1)",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("pid", "string"),
        Arg::new("iid", "string"),
        Arg::new("stream-id", "string"),
    ]),
    xidmprecord,
);

fn xcfgset(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let stream = ctx.peek::<Stream>(key)?.ok_or(wire_error::NO_SUCH_KEY)?;
    let before = stream.producers().settings();
    let (mut duration_s, mut n_max) = (None, None);
    let mut options = request.iter().skip(2);
    while let Some(word) = options.next() {
        let (setting, max, twice, outside) = if word.eq_ignore_ascii_case(b"idmp-duration") {
            let twice = wire_error::IDMP_DURATION_TWICE;
            (&mut duration_s, Settings::DURATION_S_MAX, twice, wire_error::IDMP_DURATION_OUTSIDE)
        } else if word.eq_ignore_ascii_case(b"idmp-maxsize") {
            let twice = wire_error::IDMP_MAXSIZE_TWICE;
            (&mut n_max, Settings::N_MAX_MAX, twice, wire_error::IDMP_MAXSIZE_OUTSIDE)
        } else {
            return Err(wire_error::SYNTAX);
        };
        let raw = options.next().ok_or(wire_error::SYNTAX)?;
        if setting.is_some() {
            return Err(twice);
        }
        let number = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
        let number = u32::try_from(number).ok().filter(|it| (1..=max).contains(it));
        *setting = Some(number.ok_or(outside)?);
    }
    if duration_s.is_none() && n_max.is_none() {
        return Err(wire_error::NO_PARAMETER);
    }
    let mut after = before;
    after.duration_s = duration_s.unwrap_or(before.duration_s);
    after.n_max = n_max.unwrap_or(before.n_max);
    if after != before {
        ctx.edit(key, |it: &mut Stream| it.edit_producers(|it| it.set(after)))?;
        ctx.record(request.iter());
    }
    Ok(Reply::Ok)
}

fn xidmprecord(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let arg = |at| request.get(at).unwrap_or_default();
    let (key, pid, iid) = (arg(1), arg(2), arg(3));
    let id = parse_id(arg(4), 0)?;
    if pid.is_empty() {
        return Err(wire_error::EMPTY_PRODUCER_ID);
    }
    if iid.is_empty() {
        return Err(wire_error::EMPTY_IDEMPOTENT_ID);
    }
    let stream = ctx.peek::<Stream>(key)?.ok_or(wire_error::NO_SUCH_KEY)?;
    if stream.get(id).is_none() {
        return Err(wire_error::NO_SUCH_MESSAGE);
    }
    // What is older was forgotten when the entry was added.
    let forgotten_ms = stream.producers().forgotten_ms(id.ms);
    match stream.producers().find(pid, iid) {
        Some(known) if known == id => return Ok(Reply::Ok),
        Some(known) if forgotten_ms.is_none_or(|it| it < known.ms) => {
            return Err(wire_error::IDEMPOTENT_ID_TAKEN);
        }
        Some(_) | None => {}
    }
    ctx.edit(key, |it: &mut Stream| {
        it.edit_producers(|it| {
            it.forget_due(id.ms);
            it.add((pid, iid), id);
        });
    })?;
    ctx.record(request.iter());
    Ok(Reply::Ok)
}
