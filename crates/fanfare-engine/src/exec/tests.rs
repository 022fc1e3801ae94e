//! What is locked for a command.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fanfare_resp::Span;

use super::plan_command;
use crate::keyspace::Plan;
use crate::spec::{Arity, Begin, Docs, Find, Group, KeyArg, KeySpec, Keys, Lock, Place};
use crate::{Keyspace, Reply, Request, Spec};

const SOURCES: KeySpec = KeySpec {
    begin: Begin::Index(2),
    find: Find::KeyNum { number: 0, first: 1, step: 1 },
    flags: &["RO", "access"],
    notes: None,
};

fn places<'a>(request: Request<'a>, touch: &mut dyn FnMut(Place<'a>)) {
    let name = request.get(1).unwrap_or_default();
    touch(Place::Key(KeyArg { name, flags: &["RW"] }));
    touch(Place::Elsewhere { db: 1, name });
    // There is no such database.
    touch(Place::Elsewhere { db: 9, name });
    if request.get(2).is_some_and(|it| it == b"BY") {
        touch(Place::Database);
    }
}

/// Which of the keys `a`, `b`, `c` in databases 0 and 1 a command may touch.
fn touchable(keys: Keys, words: [&str; 5]) -> Vec<(u16, &'static str)> {
    let spec = Spec {
        name: "any",
        arity: Arity::AtLeast(1),
        flags: &[],
        keys,
        group: Group::Generic,
        categories: &[],
        tips: &[],
        docs: Docs::new("", "", ""),
        subcommands: &[],
        run: |_, _| Ok(Reply::Ok),
    };
    let data = words.concat();
    let mut end = 0;
    let spans = words.map(|it| {
        let start = end;
        end += it.len();
        Span { start, end }
    });
    let keyspace = Keyspace::new(2, 8);
    let mut plan = Plan::default();
    plan_command(&mut plan, 0, &keyspace, &spec, Request::new(data.as_bytes(), &spans));
    let mut locked = keyspace.lock(&plan).expect("no script runs");
    let all = [0, 1].into_iter().flat_map(|db| ["a", "b", "c"].map(|key| (db, key)));
    let may = |&(db, key): &(u16, &str)| {
        let key = locked.key(key.as_bytes());
        catch_unwind(AssertUnwindSafe(|| locked.get(db, key, 0).is_none())).is_ok()
    };
    all.filter(may).collect()
}

#[test]
fn what_a_command_names_is_locked_and_nothing_else() {
    let planned = |lock| Keys::Planned { specs: &[SOURCES], lock };
    let custom = planned(Lock::Custom(places));
    let database = [(0, "a"), (0, "b"), (0, "c")];
    assert_eq!(touchable(Keys::Specs(&[SOURCES]), ["any", "a", "2", "b", "c"]), database[1..]);
    assert_eq!(touchable(Keys::Specs(&[SOURCES]), ["any", "a", "3", "b", "c"]), []);
    assert_eq!(touchable(custom, ["any", "a", "1", "b", "c"]), [(0, "a"), (1, "a")]);
    let with_database = [&database[..], &[(1, "a")]].concat();
    assert_eq!(touchable(custom, ["any", "a", "BY", "b", "c"]), with_database);
    assert_eq!(touchable(planned(Lock::Database), ["any", "a", "1", "b", "c"]), database);
    let everything = touchable(planned(Lock::Everything), ["any", "a", "1", "b", "c"]);
    assert_eq!(everything.len(), 6);
}
