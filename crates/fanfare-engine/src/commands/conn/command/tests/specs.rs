//! Specs with keys in places of every kind, as `cargo xtask spec` prints them, without docs.

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
        name: "lmpop",
        arity: Arity::AtLeast(4),
        flags: &[Flag::Write],
        keys: Keys::Specs(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::KeyNum { number: 0, first: 1, step: 1 },
            flags: &["RW", "access", "delete"],
            notes: None,
        }]),
        group: Group::List,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
    Spec {
        name: "blmpop",
        arity: Arity::AtLeast(5),
        flags: &[Flag::Write, Flag::Blocking],
        keys: Keys::Specs(&[KeySpec {
            begin: Begin::Index(2),
            find: Find::KeyNum { number: 0, first: 1, step: 1 },
            flags: &["RW", "access", "delete"],
            notes: None,
        }]),
        group: Group::List,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
    Spec {
        name: "sort",
        arity: Arity::AtLeast(2),
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
                    begin: Begin::Unknown,
                    find: Find::Unknown,
                    flags: &["RO", "access"],
                    notes: Some(
                        "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
                    ),
                },
                KeySpec {
                    begin: Begin::Unknown,
                    find: Find::Unknown,
                    flags: &["OW", "update"],
                    notes: Some(
                        "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
                    ),
                },
            ],
            lock: Lock::Custom(sort),
        },
        group: Group::Generic,
        categories: &[Category::Set, Category::SortedSet, Category::List, Category::Dangerous],
        tips: &[],
        ..NOTHING
    },
    Spec {
        name: "eval",
        arity: Arity::AtLeast(3),
        flags: &[
            Flag::NoScript,
            Flag::Stale,
            Flag::SkipMonitor,
            Flag::NoMandatoryKeys,
            Flag::MayReplicate,
        ],
        keys: Keys::Planned {
            specs: &[KeySpec {
                begin: Begin::Index(2),
                find: Find::KeyNum { number: 0, first: 1, step: 1 },
                flags: &["RW", "access", "update"],
                notes: Some(
                    "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
                ),
            }],
            lock: Lock::Everything,
        },
        group: Group::Scripting,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
    Spec {
        name: "eval_ro",
        arity: Arity::AtLeast(3),
        flags: &[
            Flag::ReadOnly,
            Flag::NoScript,
            Flag::Stale,
            Flag::SkipMonitor,
            Flag::NoMandatoryKeys,
        ],
        keys: Keys::Planned {
            specs: &[KeySpec {
                begin: Begin::Index(2),
                find: Find::KeyNum { number: 0, first: 1, step: 1 },
                flags: &["RO", "access"],
                notes: Some(
                    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
                ),
            }],
            lock: Lock::Everything,
        },
        group: Group::Scripting,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
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
        name: "zunionstore",
        arity: Arity::AtLeast(4),
        flags: &[Flag::Write, Flag::DenyOom],
        keys: Keys::Specs(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
                notes: None,
            },
            KeySpec {
                begin: Begin::Index(2),
                find: Find::KeyNum { number: 0, first: 1, step: 1 },
                flags: &["RO", "access"],
                notes: None,
            },
        ]),
        group: Group::SortedSet,
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
        name: "bitop",
        arity: Arity::AtLeast(4),
        flags: &[Flag::Write, Flag::DenyOom],
        keys: Keys::Specs(&[
            KeySpec {
                begin: Begin::Index(2),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
                notes: None,
            },
            KeySpec {
                begin: Begin::Index(3),
                find: Find::Range { last: -1, step: 1, limit: 0 },
                flags: &["RO", "access"],
                notes: None,
            },
        ]),
        group: Group::Bitmap,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
    Spec {
        name: "memory|usage",
        arity: Arity::AtLeast(3),
        flags: &[Flag::ReadOnly],
        keys: Keys::Range { first: 2, last: 2, step: 1, flags: &["RO"] },
        group: Group::Server,
        categories: &[],
        tips: &[],
        ..NOTHING
    },
    Spec {
        name: "wait",
        arity: Arity::Exactly(3),
        flags: &[Flag::NoScript],
        keys: Keys::None,
        group: Group::Generic,
        categories: &[Category::Connection],
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..NOTHING
    },
    Spec {
        name: "lmove",
        arity: Arity::Exactly(5),
        flags: &[Flag::Write, Flag::DenyOom],
        keys: Keys::Specs(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["RW", "access", "delete"],
                notes: None,
            },
            KeySpec {
                begin: Begin::Index(2),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                flags: &["RW", "insert"],
                notes: None,
            },
        ]),
        group: Group::List,
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

/// How Redis finds the keys of SORT: the last STORE counts.
fn sort<'a>(request: Request<'a>, found: &mut dyn FnMut(Place<'a>)) {
    let source = request.get(1).unwrap_or_default();
    found(Place::Key(KeyArg { name: source, flags: &["RO", "access"] }));
    let mut stored = None;
    let mut at = 2;
    while let Some(word) = request.get(at) {
        at += match &*word.to_ascii_lowercase() {
            b"limit" => 3,
            b"get" | b"by" => 2,
            b"store" if request.get(at + 1).is_some() => {
                stored = request.get(at + 1);
                1
            }
            _ => 1,
        };
    }
    if let Some(name) = stored {
        found(Place::Key(KeyArg { name, flags: &["OW", "update"] }));
    }
}

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
