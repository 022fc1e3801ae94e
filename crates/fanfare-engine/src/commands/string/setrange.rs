//! SETRANGE key offset value: overwrites a part of a string; zeros fill the gap before it.
//!
//! Source: <https://redis.io/docs/latest/commands/setrange/>. With an empty value nothing is changed, nor made.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::{Text, Value};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static SETRANGE: Spec = Spec {
    name: "setrange",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "update"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Overwrite part of a string at key starting at the specified offset",
        "2.2.0",
        "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.",
    )
    .args(&[Arg::key("key"), Arg::new("offset", "integer"), Arg::new("value", "string")]),
    subcommands: &[],
    run: setrange,
};

fn setrange(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(raw), Some(value)) = (request.get(1), request.get(2), request.get(3))
    else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let offset = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
    let offset = u64::try_from(offset).map_err(|_| wire_error::OFFSET_OUT_OF_RANGE)?;
    let len_before = ctx.peek::<Text>(key)?.map(Text::len);
    if value.is_empty() {
        return Ok(Reply::count(len_before.unwrap_or_default()));
    }
    let end = offset.saturating_add(value.len() as u64);
    if ctx.tuning().string_bytes_max() < end {
        return Err(wire_error::STRING_TOO_LONG);
    }
    let offset = usize::try_from(offset).map_err(|_| wire_error::STRING_TOO_LONG)?;
    let len = match ctx.edit::<Text, _>(key, |text| text.write_at(offset, value))? {
        Some(len) => len,
        None => {
            let mut text = Text::default();
            let len = text.write_at(offset, value);
            ctx.put(key, Value::Text(text), None);
            len
        }
    };
    ctx.changed(Classes::STRING, "setrange", key);
    Ok(Reply::count(len))
}
