//! XSUBSCRIBE [FROM id | $] key [key ...] and XUNSUBSCRIBE [key ...]: begin and end to be pushed what streams hold.
//!
//! Redis has no such commands; docs/commands/xsubscribe.md is their page. Each key is confirmed on its own, with the number
//! of streams that the client is subscribed to after it.

use super::{parse_id, spec};
use crate::host::Kind;
use crate::push::{Cursor, name_of, split};
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, KeyArg, KeySpec, Keys, Lock, Place};
use crate::value::Stream;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static XSUBSCRIBE: Spec = spec(
    "xsubscribe",
    Arity::AtLeast(2),
    (
        &[Flag::PubSub, Flag::NoScript, Flag::NoMulti],
        Keys::Planned {
            specs: &[KeySpec {
                begin: Begin::Unknown,
                find: Find::Unknown,
                flags: &["RO", "access"],
                notes: None,
            }],
            lock: Lock::Custom(places),
        },
    ),
    Docs::new(
        "Pushes the entries of streams behind an ID, and then those that are added",
        "0.1.0",
        "O(N) with N being the number of keys, and O(1) for each entry that is pushed.",
    )
    .args(&[
        Arg::new("id", "string").token("FROM").flags(&["optional"]),
        Arg::key("key").flags(&["multiple"]),
    ]),
    xsubscribe,
);

pub(crate) static XUNSUBSCRIBE: Spec = spec(
    "xunsubscribe",
    Arity::AtLeast(1),
    (&[Flag::PubSub, Flag::NoScript, Flag::NoMulti], Keys::None),
    Docs::new(
        "Stops pushing the entries of streams",
        "0.1.0",
        "O(N) with N being the number of keys.",
    )
    .args(&[Arg::new("key", "string").flags(&["optional", "multiple"])]),
    xunsubscribe,
);

/// The index of the first key.
fn keys_at(request: Request<'_>) -> usize {
    let has_from = request.get(1).is_some_and(|it| it.eq_ignore_ascii_case(b"from"));
    if has_from { 3 } else { 1 }
}

fn places<'a>(request: Request<'a>, tell: &mut dyn FnMut(Place<'a>)) {
    let keys = request.iter().skip(keys_at(request));
    keys.for_each(|name| tell(Place::Key(KeyArg { name, flags: &["RO", "access"] })));
}

fn xsubscribe(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let keys_at = keys_at(request);
    if request.len() <= keys_at {
        return Err(WireError::wrong_arity(ctx.spec().name));
    }
    let from = match request.get(2).filter(|it| keys_at == 3 && **it != *b"$") {
        Some(raw) => Some(Cursor::after(parse_id(raw, 0)?)),
        None => None,
    };
    for key in request.iter().skip(keys_at) {
        ctx.peek::<Stream>(key)?;
    }
    // Whoever is pushed one of them hears that it expired before anything else.
    ctx.settle_expired();
    let subscribe = |key| {
        let name = name_of(ctx.client.db, key);
        let is_new = match from {
            Some(cursor) => ctx.host.subscribe_from(&name, cursor),
            None => ctx.host.subscribe(Kind::Stream, &name),
        };
        ctx.client.n_stream_subscriptions += usize::from(is_new);
        confirmation(ctx, Reply::bulk(key))
    };
    Ok(Reply::Many(request.iter().skip(keys_at).map(subscribe).collect()))
}

fn xunsubscribe(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let names = if 1 < request.len() {
        request.iter().skip(1).map(|key| name_of(ctx.client.db, key)).collect()
    } else {
        ctx.host.subscriptions(Kind::Stream)
    };
    if names.is_empty() {
        return Ok(confirmation(ctx, Reply::Null));
    }
    let unsubscribe = |name: &Vec<u8>| {
        let was_there = ctx.host.unsubscribe(Kind::Stream, name);
        let n = &mut ctx.client.n_stream_subscriptions;
        *n = n.saturating_sub(usize::from(was_there));
        confirmation(ctx, split(name).map_or(Reply::Null, |it| Reply::bulk(it.1)))
    };
    Ok(Reply::Many(names.iter().map(unsubscribe).collect()))
}

fn confirmation(ctx: &Ctx<'_>, key: Reply) -> Reply {
    let n = Reply::count(ctx.client.n_stream_subscriptions);
    Reply::Push(vec![Reply::bulk(ctx.spec().name), key, n])
}
