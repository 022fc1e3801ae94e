//! Specs with keys in places that no command of Fanfare has, as `cargo xtask spec` prints them, without docs.

use crate::spec::{
    Arity, Begin, Category, Docs, Find, Flag, Group, KeyArg, KeySpec, Keys, Lock, Place,
};
use crate::{Reply, Request, Spec};

const NOTHING: Spec = Spec {
    name: "",
    arity: Arity::AtLeast(1),
    flags: &[],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &[],
    docs: Docs::new("", "", ""),
    subcommands: &[],
    run: |_, _| Ok(Reply::Ok),
};

pub(super) static SPECS: &[Spec] = &[
    Spec {
        name: "xread",
        arity: Arity::AtLeast(4),
        flags: &[Flag::ReadOnly, Flag::Blocking],
        keys: Keys::Specs(&[KeySpec {
            begin: Begin::Keyword { word: "STREAMS", from: 1 },
            find: Find::Range { last: -1, step: 1, limit: 2 },
            flags: &["RO", "access"],
            notes: None,
        }]),
        group: Group::Stream,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
    Spec {
        name: "xreadgroup",
        arity: Arity::AtLeast(7),
        flags: &[Flag::Write, Flag::Blocking],
        keys: Keys::Specs(&[KeySpec {
            begin: Begin::Keyword { word: "STREAMS", from: 4 },
            find: Find::Range { last: -1, step: 1, limit: 2 },
            flags: &["RO", "access"],
            notes: None,
        }]),
        group: Group::Stream,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
    Spec {
        name: "migrate",
        arity: Arity::AtLeast(6),
        flags: &[Flag::Write],
        keys: Keys::Specs(&[
            KeySpec {
                begin: Begin::Index(3),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["RW", "access", "delete"],
                notes: None,
            },
            KeySpec {
                begin: Begin::Keyword { word: "KEYS", from: -2 },
                find: Find::Range { last: -1, step: 1, limit: 0 },
                flags: &["RW", "access", "delete", "incomplete"],
                notes: None,
            },
        ]),
        group: Group::Generic,
        categories: &[Category::Dangerous],
        tips: &["nondeterministic_output"],
        ..NOTHING
    },
    Spec {
        name: "georadius",
        arity: Arity::AtLeast(6),
        flags: &[Flag::Write, Flag::DenyOom],
        keys: Keys::Specs(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["RO", "access"],
                notes: None,
            },
            KeySpec {
                begin: Begin::Keyword { word: "STORE", from: 6 },
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
                notes: None,
            },
            KeySpec {
                begin: Begin::Keyword { word: "STOREDIST", from: 6 },
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
                notes: None,
            },
        ]),
        group: Group::Geo,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
    Spec {
        name: "bitfield",
        arity: Arity::AtLeast(2),
        flags: &[Flag::Write, Flag::DenyOom],
        keys: Keys::Planned {
            specs: &[KeySpec {
                begin: Begin::Index(1),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["RW", "access", "update", "variable_flags"],
                notes: Some("This command allows both access and modification of the key"),
            }],
            lock: Lock::Custom(bitfield),
        },
        group: Group::Bitmap,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
];

/// How Redis tells whether BITFIELD only reads.
fn bitfield<'a>(request: Request<'a>, found: &mut dyn FnMut(Place<'a>)) {
    let mut flags = &["RO", "access"][..];
    let mut at = 2;
    while let Some(word) = request.get(at) {
        let n_operands = match &*word.to_ascii_lowercase() {
            b"get" => 2,
            b"overflow" => 1,
            _ => usize::MAX,
        };
        if request.len() - at <= n_operands {
            flags = &["RW", "access", "update"];
            break;
        }
        at += 1 + n_operands;
    }
    found(Place::Key(KeyArg { name: request.get(1).unwrap_or_default(), flags }));
}
