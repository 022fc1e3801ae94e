//! HSETEX key [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS n field value [field value …]: sets fields
//! and when they go away.
//!
//! Source: <https://redis.io/docs/latest/commands/hsetex/>. A time that has passed removes the fields at once.

use super::fields;
use crate::commands::unit::Unit;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::value::hash::{Lifetime, Limits};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static HSETEX: Spec = Spec {
    name: "hsetex",
    arity: Arity::AtLeast(6),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "update"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Set the value of one or more fields of a given hash key, and optionally set their expiration.",
        "8.0.0",
        "O(N) where N is the number of fields being set.",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("condition", "oneof")
            .flags(&["optional"])
            .args(&[Arg::word("fnx", "FNX"), Arg::word("fxx", "FXX")]),
        Arg::new("expiration", "oneof").flags(&["optional"]).args(&[
            Arg::new("seconds", "integer").token("EX"),
            Arg::new("milliseconds", "integer").token("PX"),
            Arg::new("unix-time-seconds", "unix-time").token("EXAT"),
            Arg::new("unix-time-milliseconds", "unix-time").token("PXAT"),
            Arg::word("keepttl", "KEEPTTL"),
        ]),
        Arg::new("fields", "block").token("FIELDS").args(&[
            Arg::new("numfields", "integer"),
            Arg::new("data", "block")
                .flags(&["multiple"])
                .args(&[Arg::new("field", "string"), Arg::new("value", "string")]),
        ]),
    ]),
    subcommands: &[],
    run: |ctx, request| Options::parse(ctx, request)?.apply(ctx, request),
};

struct Options {
    condition: Option<Condition>,
    lifetime: Option<Lifetime>,
    /// Where the fields begin.
    first: usize,
}

#[derive(Clone, Copy)]
enum Condition {
    /// None of the fields is there.
    None,
    /// All of them are.
    All,
}

impl Options {
    fn parse(ctx: &Ctx<'_>, request: Request<'_>) -> Result<Self, WireError> {
        let mut options = Self { condition: None, lifetime: None, first: 0 };
        let mut at = 2;
        while let Some(word) = request.get(at) {
            if word.eq_ignore_ascii_case(b"fields") {
                options.first = first_field(ctx, request, at)?;
                return Ok(options);
            }
            at += options.read(ctx, word, request.get(at + 1))?;
        }
        // Redis does not go on without `FIELDS` either.
        Err(WireError::wrong_arity(ctx.spec().name))
    }

    /// Reads an option; returns how many words it has.
    fn read(
        &mut self,
        ctx: &Ctx<'_>,
        word: &[u8],
        next: Option<&[u8]>,
    ) -> Result<usize, WireError> {
        let unit = Unit::named(word);
        let condition = Condition::named(word);
        if condition.is_some() {
            if self.condition.is_some() {
                return Err(wire_error::HSETEX_CONDITIONS);
            }
            self.condition = condition;
            return Ok(1);
        }
        if unit.is_none() && !word.eq_ignore_ascii_case(b"keepttl") {
            return Err(WireError::unknown_argument(word));
        }
        if self.lifetime.is_some() {
            return Err(wire_error::HSETEX_TIMES);
        }
        let Some(unit) = unit else {
            self.lifetime = Some(Lifetime::Kept);
            return Ok(1);
        };
        let raw = next.ok_or(wire_error::EXPIRE_MISSING)?;
        self.lifetime = Some(Lifetime::Until(fields::expiry(ctx, unit, raw)?));
        Ok(2)
    }

    fn apply(self, ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
        let key = request.get(1).unwrap_or_default();
        let names = || request.iter().skip(self.first).step_by(2);
        if let Some(condition) = self.condition {
            let hash = ctx.peek::<Hash>(key)?;
            let is_there = |name: &[u8]| hash.is_some_and(|it| it.get(name).is_some());
            let holds = match condition {
                Condition::None => !names().any(is_there),
                Condition::All => names().all(is_there),
            };
            if !holds {
                return Ok(Reply::Int(0));
            }
        }
        let now_ms = ctx.now.unix_ms();
        let is_past = matches!(self.lifetime, Some(Lifetime::Until(it)) if it <= now_ms);
        if is_past {
            self.remove(ctx, key, request)?;
        } else {
            self.set(ctx, key, request)?;
        }
        Ok(Reply::Int(1))
    }

    fn set(&self, ctx: &mut Ctx<'_>, key: &[u8], request: Request<'_>) -> Result<(), WireError> {
        let limits = Limits::of(ctx.tuning());
        let lifetime = self.lifetime.unwrap_or(Lifetime::Forever);
        ctx.edit_or_new::<Hash, _>(key, |hash| {
            let mut words = request.iter().skip(self.first);
            while let (Some(name), Some(value)) = (words.next(), words.next()) {
                hash.set(name, value, lifetime, limits);
            }
        })?;
        ctx.changed(Classes::HASH, "hset", key);
        if let Lifetime::Until(at_ms) = lifetime {
            ctx.notify(Classes::HASH, "hexpire", key);
            let at_ms = at_ms.to_string();
            let start = [&b"HSETEX"[..], key, b"PXAT", at_ms.as_bytes()];
            let fields = request.iter().skip(self.first - 2);
            ctx.record(start.into_iter().chain(fields));
        }
        Ok(())
    }

    /// The fields are set, and gone at once.
    fn remove(&self, ctx: &mut Ctx<'_>, key: &[u8], request: Request<'_>) -> Result<(), WireError> {
        let names = || request.iter().skip(self.first).step_by(2);
        ctx.edit::<Hash, _>(key, |hash| {
            names().for_each(|name| {
                hash.remove(name);
            });
        })?;
        ctx.changed(Classes::HASH, "hset", key);
        ctx.notify(Classes::HASH, "hdel", key);
        ctx.record([&b"HDEL"[..], key].into_iter().chain(names()));
        if !ctx.delete_if_empty::<Hash>(key) && ctx.entry(key).is_none() {
            // There was none before.
            ctx.notify(Classes::GENERIC, "del", key);
        }
        Ok(())
    }
}

/// Where the fields begin; `at` is where `FIELDS` is.
fn first_field(ctx: &Ctx<'_>, request: Request<'_>, at: usize) -> Result<usize, WireError> {
    let wrong_arity = || WireError::wrong_arity(ctx.spec().name);
    if request.len() < at + 4 {
        return Err(wrong_arity());
    }
    let n_fields = request.get(at + 1).and_then(number::parse_int);
    let n_fields = n_fields.and_then(|it| usize::try_from(it).ok());
    // As many as 31 bits can say.
    let n_fields = n_fields.filter(|it| (1..1 << 31).contains(it));
    let n_fields = n_fields.ok_or(wire_error::INVALID_N_FIELDS)?;
    if request.len() - at - 2 != n_fields * 2 {
        return Err(wrong_arity());
    }
    Ok(at + 2)
}

impl Condition {
    fn named(word: &[u8]) -> Option<Self> {
        match &*word.to_ascii_lowercase() {
            b"fnx" => Some(Self::None),
            b"fxx" => Some(Self::All),
            _ => None,
        }
    }
}
