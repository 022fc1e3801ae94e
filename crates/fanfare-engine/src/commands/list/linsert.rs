//! LINSERT key BEFORE | AFTER pivot element: inserts an element beside another one.
//!
//! Source: <https://redis.io/docs/latest/commands/linsert/>. -1: there is no such pivot.

use crate::notify::Classes;
use crate::packed::{Element, Fill};
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::List;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static LINSERT: Spec = Spec {
    name: "linsert",
    arity: Arity::Exactly(5),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "insert"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Insert an element before or after another element in a list",
        "2.2.0",
        "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("where", "oneof")
            .args(&[Arg::word("before", "BEFORE"), Arg::word("after", "AFTER")]),
        Arg::new("pivot", "string"),
        Arg::new("element", "string"),
    ]),
    subcommands: &[],
    run: linsert,
};

fn linsert(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let args = [1, 2, 3, 4].map(|it| request.get(it).unwrap_or_default());
    let [key, place, pivot, element] = args;
    let n_after = match place.to_ascii_lowercase().as_slice() {
        b"before" => 0,
        b"after" => 1,
        _ => return Err(wire_error::SYNTAX),
    };
    let pivot = Element::new(pivot);
    let Some(list) = ctx.peek::<List>(key)? else { return Ok(Reply::Int(0)) };
    let Some(index) = list.iter().position(|it| it == pivot) else { return Ok(Reply::Int(-1)) };
    let fill = Fill::new(ctx.tuning().list_fill());
    let len = ctx.edit::<List, _>(key, |list| {
        list.insert(index + n_after, element, fill);
        list.len()
    })?;
    ctx.changed(Classes::LIST, "linsert", key);
    Ok(Reply::count(len.unwrap_or_default()))
}
