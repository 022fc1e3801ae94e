//! LPUSH, RPUSH, LPUSHX, RPUSHX key element [element ...]: add elements at an end of a list.
//!
//! Sources: <https://redis.io/docs/latest/commands/lpush/>, <https://redis.io/docs/latest/commands/rpushx/>. `…X` needs
//! a list that is there.

use crate::notify::Classes;
use crate::packed::Fill;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::value::list::Side;
use crate::value::{List, Value};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static LPUSH: Spec = spec(
    "lpush",
    Docs::new("Prepend one or multiple elements to a list", "1.0.0", COMPLEXITY)
        .history(&[("2.4.0", "Accepts multiple `element` arguments.")]),
    |ctx, request| push(ctx, request, Side::Left, true),
);

pub(crate) static RPUSH: Spec = spec(
    "rpush",
    Docs::new("Append one or multiple elements to a list", "1.0.0", COMPLEXITY)
        .history(&[("2.4.0", "Accepts multiple `element` arguments.")]),
    |ctx, request| push(ctx, request, Side::Right, true),
);

pub(crate) static LPUSHX: Spec = spec(
    "lpushx",
    Docs::new("Prepend an element to a list, only if the list exists", "2.2.0", COMPLEXITY)
        .history(&[("4.0.0", "Accepts multiple `element` arguments.")]),
    |ctx, request| push(ctx, request, Side::Left, false),
);

pub(crate) static RPUSHX: Spec = spec(
    "rpushx",
    Docs::new("Append an element to a list, only if the list exists", "2.2.0", COMPLEXITY)
        .history(&[("4.0.0", "Accepts multiple `element` arguments.")]),
    |ctx, request| push(ctx, request, Side::Right, false),
);

const COMPLEXITY: &str = "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.";

const ARGS: &[Arg] = &[Arg::key("key"), Arg::new("element", "string").flags(&["multiple"])];

/// What the family shares.
const fn spec(name: &'static str, docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(3),
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "insert"] },
        group: Group::List,
        categories: &[],
        tips: &[],
        docs: docs.args(ARGS),
        subcommands: &[],
        run,
    }
}

fn push(
    ctx: &mut Ctx<'_>,
    request: Request<'_>,
    side: Side,
    creates: bool,
) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let fill = Fill::new(ctx.tuning().list_fill());
    let push_all = |list: &mut List| {
        request.iter().skip(2).for_each(|it| list.push(side, it, fill));
        list.len()
    };
    let len = match ctx.edit(key, push_all)? {
        Some(len) => len,
        None if !creates => return Ok(Reply::Int(0)),
        None => {
            let mut list = List::default();
            let len = push_all(&mut list);
            ctx.put(key, Value::List(list), None);
            len
        }
    };
    ctx.changed(Classes::LIST, event(side), key);
    Ok(Reply::count(len))
}

/// Pushes an element that was taken from another list.
pub(super) fn push_one(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    side: Side,
    element: &[u8],
) -> Result<(), WireError> {
    let fill = Fill::new(ctx.tuning().list_fill());
    ctx.edit_or_new::<List, _>(key, |list| list.push(side, element, fill))?;
    ctx.changed(Classes::LIST, event(side), key);
    Ok(())
}

/// The notification of a push.
pub(super) fn event(side: Side) -> &'static str {
    match side {
        Side::Left => "lpush",
        Side::Right => "rpush",
    }
}
