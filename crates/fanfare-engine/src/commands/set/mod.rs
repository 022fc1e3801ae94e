//! Sets.

pub(super) mod sadd;
pub(super) mod scard;
pub(super) mod sdiff;
pub(super) mod sinter;
pub(super) mod sismember;
pub(super) mod smembers;
pub(super) mod smove;
mod sources;
pub(super) mod spop;
pub(super) mod srandmember;
pub(super) mod srem;
pub(super) mod sscan;
pub(super) mod sunion;

use crate::Spec;
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys, Run};

/// A command that answers what several sets are together.
const fn shows(
    name: &'static str,
    (summary, complexity): (&'static str, &'static str),
    run: Run,
) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(2),
        flags: &[Flag::ReadOnly],
        keys: Keys::Range { first: 1, last: -1, step: 1, flags: &["RO", "access"] },
        group: Group::Set,
        categories: &[],
        tips: &["nondeterministic_output_order"],
        docs: Docs::new(summary, "1.0.0", complexity)
            .args(const { &[Arg::key("key").flags(&["multiple"])] }),
        subcommands: &[],
        run,
    }
}

/// A command that keeps what several sets are together: its keys are a [`destination`] and [`SOURCES`].
const fn stores(
    name: &'static str,
    keys: &'static [KeySpec],
    (summary, complexity): (&'static str, &'static str),
    run: Run,
) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(3),
        flags: &[Flag::Write, Flag::DenyOom],
        keys: Keys::Specs(keys),
        group: Group::Set,
        categories: &[],
        tips: &[],
        docs: Docs::new(summary, "1.0.0", complexity).args(
            const { &[Arg::key("destination"), Arg::key("key").key_spec(1).flags(&["multiple"])] },
        ),
        subcommands: &[],
        run,
    }
}

const fn destination(flags: &'static [&'static str]) -> KeySpec {
    let find = Find::Range { last: 0, step: 1, limit: 0 };
    KeySpec { begin: Begin::Index(1), find, flags, notes: None }
}

const SOURCES: KeySpec = KeySpec {
    begin: Begin::Index(2),
    find: Find::Range { last: -1, step: 1, limit: 0 },
    flags: &["RO", "access"],
    notes: None,
};
