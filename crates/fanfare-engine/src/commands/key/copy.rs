//! COPY source destination [DB database] [REPLACE]: gives a key's value to another key too.
//!
//! Source: <https://redis.io/docs/latest/commands/copy/>. Both share the value until one of them changes. The copy
//! expires when the source does, but counts as used now.

use crate::commands::database;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeyArg, KeySpec, Keys, Lock, Place};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static COPY: Spec = Spec {
    name: "copy",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Planned {
        specs: &[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["RO", "access"],
                notes: None,
            },
            KeySpec {
                begin: Begin::Index(2),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
                notes: None,
            },
        ],
        lock: Lock::Custom(places),
    },
    group: Group::Generic,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Copy a key",
        "6.2.0",
        "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
    )
    .args(&[
        Arg::key("source"),
        Arg::key("destination").key_spec(1),
        Arg::new("destination-db", "integer").token("DB").flags(&["optional"]),
        Arg::word("replace", "REPLACE").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: |ctx, request| Copy::parse(ctx, request)?.apply(ctx),
};

/// The destination is locked wherever it may be.
fn places<'a>(request: Request<'a>, touch: &mut dyn FnMut(Place<'a>)) {
    let source = request.get(1).unwrap_or_default();
    let destination = request.get(2).unwrap_or_default();
    touch(Place::Key(KeyArg { name: source, flags: &["RO", "access"] }));
    touch(Place::Key(KeyArg { name: destination, flags: &["OW", "update"] }));
    for raw in request.iter().skip(4) {
        if let Some(db) = number::parse_int(raw).and_then(|it| u16::try_from(it).ok()) {
            touch(Place::Elsewhere { db, name: destination });
        }
    }
}

struct Copy<'a> {
    source: &'a [u8],
    destination: &'a [u8],
    db: u16,
    replace: bool,
}

impl<'a> Copy<'a> {
    fn parse(ctx: &Ctx<'_>, request: Request<'a>) -> Result<Self, WireError> {
        let source = request.get(1).unwrap_or_default();
        let destination = request.get(2).unwrap_or_default();
        let mut copy = Self { source, destination, db: ctx.client.db, replace: false };
        let mut words = request.iter().skip(3);
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"replace") {
                copy.replace = true;
            } else if word.eq_ignore_ascii_case(b"db") {
                let raw = words.next().ok_or(wire_error::SYNTAX)?;
                copy.db = database::parse(raw, ctx.keyspace)?;
            } else {
                return Err(wire_error::SYNTAX);
            }
        }
        if copy.db == ctx.client.db && source == destination {
            return Err(wire_error::SAME_OBJECT);
        }
        Ok(copy)
    }

    fn apply(self, ctx: &mut Ctx<'_>) -> Result<Reply, WireError> {
        let Self { source, destination, db, replace } = self;
        let Some(entry) = ctx.lookup(source) else { return Ok(Reply::Int(0)) };
        let (value, expires_at_ms) = (entry.value().clone(), entry.expires_at_ms());
        if !replace && ctx.entry_in(db, destination).is_some() {
            return Ok(Reply::Int(0));
        }
        ctx.delete_in(db, destination);
        ctx.put_in(db, destination, value, expires_at_ms);
        ctx.changed_in(db, (Classes::GENERIC, "copy_to"), destination);
        Ok(Reply::Int(1))
    }
}
