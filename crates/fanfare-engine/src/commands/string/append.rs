//! APPEND key value: makes a string longer.
//!
//! Source: <https://redis.io/docs/latest/commands/append/>. A missing key becomes `value`, as `SET` would store it.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::{Text, Value};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static APPEND: Spec = Spec {
    name: "append",
    arity: Arity::Exactly(3),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "insert"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Append a value to a key",
        "2.0.0",
        "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.",
    )
    .args(&[Arg::key("key"), Arg::new("value", "string")]),
    subcommands: &[],
    run: append,
};

fn append(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(value)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let bytes_max = ctx.tuning().string_bytes_max();
    let appended = ctx.edit::<Text, _>(key, |text| {
        let is_too_long = bytes_max < (text.len() as u64).saturating_add(value.len() as u64);
        (!is_too_long).then(|| text.append(value))
    });
    let len = match appended? {
        Some(Some(len)) => len,
        Some(None) => return Err(wire_error::STRING_TOO_LONG),
        None => {
            ctx.put(key, Value::Text(Text::new(value)), None);
            value.len()
        }
    };
    ctx.changed(Classes::STRING, "append", key);
    Ok(Reply::count(len))
}
