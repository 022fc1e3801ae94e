//! SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]: puts a string at a key.
//!
//! Source: <https://redis.io/docs/latest/commands/set/>. Redis reads the options from left to right and says
//! `syntax error` at the first that contradicts an earlier one; the number behind `EX` is read after all of them.

use crate::keyspace::Entry;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Text;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

use super::expiry::Expiry;
use crate::commands::unit::Unit;

pub(crate) static SET: Spec = Spec {
    name: "set",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range {
        first: 1,
        last: 1,
        step: 1,
        flags: &["RW", "access", "update", "variable_flags"],
    },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new("Set the string value of a key", "1.0.0", "O(1)")
        .history(&[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ])
        .key_notes("RW and ACCESS due to the optional `GET` argument")
        .args(&[
            Arg::key("key"),
            Arg::new("value", "string"),
            Arg::new("condition", "oneof")
                .since("2.6.12")
                .flags(&["optional"])
                .args(&[Arg::word("nx", "NX"), Arg::word("xx", "XX")]),
            Arg::word("get", "GET").since("6.2.0").flags(&["optional"]),
            Arg::new("expiration", "oneof").flags(&["optional"]).args(&[
                Arg::new("seconds", "integer").token("EX").since("2.6.12"),
                Arg::new("milliseconds", "integer").token("PX").since("2.6.12"),
                Arg::new("unix-time-seconds", "unix-time").token("EXAT").since("6.2.0"),
                Arg::new("unix-time-milliseconds", "unix-time").token("PXAT").since("6.2.0"),
                Arg::word("keepttl", "KEEPTTL").since("6.0.0"),
            ]),
        ]),
    subcommands: &[],
    run: set,
};

fn set(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    // Most requests have no options.
    if request.len() == 3
        && let (Some(key), Some(value)) = (request.get(1), request.get(2))
    {
        ctx.put_text(key, value, None);
        ctx.changed(Classes::STRING, "set", key);
        return Ok(Reply::Ok);
    }
    Set::parse(ctx, request)?.apply(ctx)
}

struct Set<'a> {
    key: &'a [u8],
    value: &'a [u8],
    options: Options<'a>,
    expires_at_ms: Option<u64>,
}

#[derive(Default)]
struct Options<'a> {
    condition: Option<Condition>,
    get: bool,
    keep_ttl: bool,
    expiry: Option<Expiry<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    IfAbsent,
    IfPresent,
}

impl<'a> Set<'a> {
    fn parse(ctx: &Ctx<'_>, request: Request<'a>) -> Result<Self, WireError> {
        let (Some(key), Some(value)) = (request.get(1), request.get(2)) else {
            return Err(WireError::wrong_arity(ctx.spec().name));
        };
        let options = Options::parse(request)?;
        let expires_at_ms =
            options.expiry.map(|it| it.resolve(ctx.now, ctx.spec().name)).transpose()?;
        Ok(Self { key, value, options, expires_at_ms })
    }

    fn apply(self, ctx: &mut Ctx<'_>) -> Result<Reply, WireError> {
        let options = &self.options;
        if options.condition.is_none() && !options.get && !options.keep_ttl {
            self.put(ctx, self.expires_at_ms);
            return Ok(Reply::Ok);
        }
        let mut old = Reply::Null;
        if options.get
            && let Some(text) = ctx.read::<Text>(self.key)?
        {
            old = Reply::Bulk(text.to_blob());
        }
        let before = ctx.entry(self.key);
        let found = before.is_some();
        let expiry_before = before.and_then(Entry::expires_at_ms);
        let wanted = match options.condition {
            None => true,
            Some(Condition::IfAbsent) => !found,
            Some(Condition::IfPresent) => found,
        };
        if wanted {
            let kept = expiry_before.filter(|_| options.keep_ttl);
            self.put(ctx, self.expires_at_ms.or(kept));
        }
        Ok(if options.get || !wanted { old } else { Reply::Ok })
    }

    #[inline]
    fn put(&self, ctx: &mut Ctx<'_>, expires_at_ms: Option<u64>) {
        ctx.put_text(self.key, self.value, expires_at_ms);
        ctx.changed(Classes::STRING, "set", self.key);
        if let Some(at_ms) = self.expires_at_ms {
            ctx.notify(Classes::GENERIC, "expire", self.key);
            ctx.record([&b"SET"[..], self.key, self.value, b"PXAT", at_ms.to_string().as_bytes()]);
        }
    }
}

impl<'a> Options<'a> {
    #[inline]
    fn parse(request: Request<'a>) -> Result<Self, WireError> {
        let mut options = Self::default();
        let mut args = request.iter().skip(3);
        while let Some(word) = args.next() {
            let unit = Unit::named(word).filter(|&it| options.admits_expiry(it));
            if word.eq_ignore_ascii_case(b"nx") && options.condition != Some(Condition::IfPresent) {
                options.condition = Some(Condition::IfAbsent);
            } else if word.eq_ignore_ascii_case(b"xx")
                && options.condition != Some(Condition::IfAbsent)
            {
                options.condition = Some(Condition::IfPresent);
            } else if word.eq_ignore_ascii_case(b"get") {
                options.get = true;
            } else if word.eq_ignore_ascii_case(b"keepttl") && options.expiry.is_none() {
                options.keep_ttl = true;
            } else if let Some(unit) = unit {
                options.expiry = Some(Expiry::read(unit, args.next())?);
            } else {
                return Err(wire_error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// The same unit may come twice; then the last one counts.
    fn admits_expiry(&self, unit: Unit) -> bool {
        !self.keep_ttl && self.expiry.is_none_or(|it| it.unit == unit)
    }
}
