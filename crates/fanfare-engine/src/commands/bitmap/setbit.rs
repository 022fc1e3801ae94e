//! SETBIT key offset bit, GETBIT key offset: one bit of a string. The highest bit of a byte is its first.
//!
//! Sources: <https://redis.io/docs/latest/commands/setbit/>, <https://redis.io/docs/latest/commands/getbit/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::{Text, Value};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static SETBIT: Spec = Spec {
    name: "setbit",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "update"] },
    group: Group::Bitmap,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Sets or clears the bit at offset in the string value stored at key",
        "2.2.0",
        "O(1)",
    )
    .args(&[Arg::key("key"), Arg::new("offset", "integer"), Arg::new("value", "integer")]),
    subcommands: &[],
    run: setbit,
};

pub(crate) static GETBIT: Spec = Spec {
    name: "getbit",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Bitmap,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Returns the bit value at offset in the string value stored at key",
        "2.2.0",
        "O(1)",
    )
    .args(&[Arg::key("key"), Arg::new("offset", "integer")]),
    subcommands: &[],
    run: getbit,
};

fn setbit(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let place = Place::parse(ctx, request)?;
    let on = match request.get(3).and_then(number::parse_int) {
        Some(0) => false,
        Some(1) => true,
        Some(_) | None => return Err(wire_error::BAD_BIT),
    };
    let set = ctx.edit::<Text, _>(key, |text| text.set_bit(place.byte_idx, place.mask, on))?;
    let (was_on, is_other) = match set {
        Some(done) => done,
        None => {
            let mut text = Text::default();
            let done = text.set_bit(place.byte_idx, place.mask, on);
            ctx.put(key, Value::Text(text), None);
            done
        }
    };
    if is_other {
        ctx.changed(Classes::STRING, "setbit", key);
    }
    Ok(Reply::Int(i64::from(was_on)))
}

fn getbit(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let place = Place::parse(ctx, request)?;
    let Some(text) = ctx.read::<Text>(key)? else { return Ok(Reply::Int(0)) };
    let mut buffer = itoa::Buffer::new();
    let byte = text.bytes(&mut buffer).get(place.byte_idx);
    Ok(Reply::Int(i64::from(byte.is_some_and(|it| it & place.mask != 0))))
}

/// Where a bit is.
#[derive(Clone, Copy)]
struct Place {
    byte_idx: usize,
    mask: u8,
}

impl Place {
    fn parse(ctx: &Ctx<'_>, request: Request<'_>) -> Result<Self, WireError> {
        let offset = request.get(2).and_then(number::parse_int);
        let offset = offset.and_then(|it| u64::try_from(it).ok());
        let offset = offset.filter(|it| it >> 3 < ctx.tuning().string_bytes_max());
        let offset = offset.ok_or(wire_error::BAD_BIT_OFFSET)?;
        let byte_idx = usize::try_from(offset >> 3).map_err(|_| wire_error::BAD_BIT_OFFSET)?;
        Ok(Self { byte_idx, mask: 0x80 >> (offset & 7) })
    }
}
