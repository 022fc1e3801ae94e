//! RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ count]: a key with a value that DUMP gave.
//!
//! Source: <https://redis.io/docs/latest/commands/restore/>. What is read is told in [`rdb`].

use crate::keyspace::{Access, Clock};
use crate::notify::Classes;
use crate::rdb::{self, Forms, Reader, payload};
use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys};
use crate::value::Value;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static RESTORE: Spec = Spec {
    name: "restore",
    arity: Arity::AtLeast(4),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["OW", "update"] },
    group: Group::Generic,
    categories: &[Category::Dangerous],
    tips: &[],
    docs: Docs::new(
        "Create a key using the provided serialized value, previously obtained using DUMP.",
        "2.6.0",
        "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
    )
    .history(&[
        ("3.0.0", "Added the `REPLACE` modifier."),
        ("5.0.0", "Added the `ABSTTL` modifier."),
        ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
    ])
    .args(&[
        Arg::key("key"),
        Arg::new("ttl", "integer"),
        Arg::new("serialized-value", "string"),
        Arg::word("replace", "REPLACE").since("3.0.0").flags(&["optional"]),
        Arg::word("absttl", "ABSTTL").since("5.0.0").flags(&["optional"]),
        Arg::new("seconds", "integer").token("IDLETIME").since("5.0.0").flags(&["optional"]),
        Arg::new("frequency", "integer").token("FREQ").since("5.0.0").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: restore,
};

fn restore(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let options = Options::parse(request)?;
    if !options.replaces && ctx.entry(key).is_some() {
        return Err(wire_error::BUSY_KEY);
    }
    let ttl = integer(request.get(2))?;
    let ttl = u64::try_from(ttl).map_err(|_| wire_error::INVALID_TTL)?;
    let mut value = value_of(ctx, request.get(3).unwrap_or_default())?;
    let was_there = options.replaces && ctx.delete(key);
    let now_ms = ctx.now.unix_ms();
    let is_spent = drop_due(&mut value, now_ms);
    let expires_at_ms = match (ttl, options.is_absolute) {
        (0, _) => None,
        (at_ms, true) => Some(at_ms),
        // A time that does not fit has passed: so Redis reckons.
        (ttl_ms, false) => {
            Some(now_ms.checked_add(ttl_ms).filter(|it| i64::try_from(*it).is_ok()).unwrap_or(0))
        }
    };
    if is_spent || expires_at_ms.is_some_and(|it| it <= now_ms) {
        if was_there {
            ctx.changed(Classes::GENERIC, "del", key);
            ctx.record([&b"DEL"[..], key]);
        }
        return Ok(Reply::Ok);
    }
    ctx.put(key, value, expires_at_ms);
    let clock = ctx.clock();
    if let (Some(access), Some(entry)) = (options.access(clock), ctx.entry(key)) {
        entry.set_access(access);
    }
    ctx.changed(Classes::GENERIC, "restore", key);
    if let Some(at_ms) = expires_at_ms.filter(|_| !options.is_absolute) {
        let at_ms = at_ms.to_string();
        let args = request.iter().enumerate();
        let args = args.map(|(index, arg)| if index == 2 { at_ms.as_bytes() } else { arg });
        ctx.record(args.chain([&b"ABSTTL"[..]]));
    }
    Ok(Reply::Ok)
}

/// The value in a payload. As with Redis, what follows it in there does not matter.
fn value_of(ctx: &Ctx<'_>, bytes: &[u8]) -> Result<Value, WireError> {
    let bytes = payload::open(bytes).map_err(|_| wire_error::DUMP_PAYLOAD)?;
    let forms = Forms::of(ctx.keyspace);
    rdb::read_value(&mut Reader::new(bytes), &forms).map_err(|_| wire_error::BAD_DATA)
}

/// Drops the fields of a hash whose time has passed; whether that is all of them.
fn drop_due(value: &mut Value, now_ms: u64) -> bool {
    let Value::Hash(hash) = value else { return false };
    if hash.soonest_ms().is_some_and(|it| it <= now_ms) {
        hash.expire(now_ms, usize::MAX);
    }
    hash.is_empty()
}

fn integer(word: Option<&[u8]>) -> Result<i64, WireError> {
    word.and_then(number::parse_int).ok_or(wire_error::NOT_AN_INTEGER)
}

#[derive(Default)]
struct Options {
    replaces: bool,
    is_absolute: bool,
    idle_s: Option<u32>,
    count: Option<u8>,
}

impl Options {
    fn parse(request: Request<'_>) -> Result<Self, WireError> {
        let mut options = Self::default();
        let mut words = request.iter().skip(4).peekable();
        while let Some(word) = words.next() {
            let has_next = words.peek().is_some();
            match &*word.to_ascii_lowercase() {
                b"replace" => options.replaces = true,
                b"absttl" => options.is_absolute = true,
                b"idletime" if has_next && options.count.is_none() => {
                    let idle_s = u64::try_from(integer(words.next())?);
                    let idle_s = idle_s.map_err(|_| wire_error::INVALID_IDLETIME)?;
                    options.idle_s = Some(u32::try_from(idle_s).unwrap_or(u32::MAX));
                }
                b"freq" if has_next && options.idle_s.is_none() => {
                    let count = u8::try_from(integer(words.next())?);
                    options.count = Some(count.map_err(|_| wire_error::INVALID_FREQ)?);
                }
                _ => return Err(wire_error::SYNTAX),
            }
        }
        Ok(options)
    }

    /// What is said of the use of the key, if the policy goes by that.
    fn access(&self, clock: Clock) -> Option<Access> {
        if clock.counts() {
            self.count.map(|it| Access::with_count(clock, it))
        } else {
            self.idle_s.map(|it| Access::idle_for(clock, it))
        }
    }
}
