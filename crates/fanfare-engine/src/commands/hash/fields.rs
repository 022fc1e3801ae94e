//! What the commands on fields that expire have in common: `FIELDS n field [field …]`, and times.

use crate::commands::unit::Unit;
use crate::value::Value;
use crate::{Ctx, Request, WireError, number, wire_error};

/// The latest time that Redis admits, some two thousand years from now.
const AT_MS_MAX: u64 = (1 << 46) - 1;

/// Checks that `FIELDS n` is at `at`, and that `n` fields follow; returns where they begin.
///
/// # Errors
/// `not_positive` if `n` is no number above 0, and others as Redis.
pub(super) fn parse(
    request: Request<'_>,
    at: usize,
    not_positive: WireError,
) -> Result<usize, WireError> {
    if !request.get(at).is_some_and(|it| it.eq_ignore_ascii_case(b"fields")) {
        return Err(wire_error::FIELDS_MISSING);
    }
    let n_fields = request.get(at + 1).and_then(number::parse_int);
    // As Redis, which tells what is no number from what is below 1 by this text alone.
    let n_fields = n_fields.filter(|it| 1 <= *it).ok_or(not_positive)?;
    if usize::try_from(n_fields) != Ok(request.len().saturating_sub(at + 2)) {
        return Err(wire_error::N_FIELDS_MISMATCH);
    }
    Ok(at + 2)
}

/// `WRONGTYPE` before anything else is looked at.
pub(super) fn check_type(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<(), WireError> {
    match ctx.entry(key).map(|it| it.value()) {
        None | Some(Value::Hash(_)) => Ok(()),
        Some(_) => Err(wire_error::WRONG_TYPE),
    }
}

/// When fields expire, in milliseconds since the Unix epoch; not later than Redis admits.
pub(super) fn expiry(ctx: &Ctx<'_>, unit: Unit, raw: &[u8]) -> Result<u64, WireError> {
    let amount = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
    let amount = u64::try_from(amount).map_err(|_| wire_error::NEGATIVE_EXPIRE)?;
    let at_ms = unit.resolve(amount, ctx.now).filter(|it| *it <= AT_MS_MAX);
    at_ms.ok_or_else(|| WireError::invalid_expire(ctx.spec().name))
}

/// Records a command on some fields: `start`, their number, and their names.
pub(super) fn record(ctx: &mut Ctx<'_>, start: &[&[u8]], names: &[&[u8]]) {
    let mut buffer = itoa::Buffer::new();
    let number: [&[u8]; 2] = [b"FIELDS", buffer.format(names.len()).as_bytes()];
    ctx.record(start.iter().copied().chain(number).chain(names.iter().copied()));
}

/// Records that fields were removed.
pub(super) fn record_removed(ctx: &mut Ctx<'_>, key: &[u8], names: &[&[u8]]) {
    ctx.record([&b"HDEL"[..], key].into_iter().chain(names.iter().copied()));
}
