//! HRANDFIELD key [count [WITHVALUES]]: fields chosen by chance.
//!
//! Source: <https://redis.io/docs/latest/commands/hrandfield/>. A negative count may choose a field more than once.

use std::collections::BTreeSet;

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::value::hash::Field;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static HRANDFIELD: Spec = Spec {
    name: "hrandfield",
    arity: Arity::AtLeast(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Hash,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new(
        "Get one or multiple random fields from a hash",
        "6.2.0",
        "O(N) where N is the number of fields returned",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("options", "block").flags(&["optional"]).args(&[
            Arg::new("count", "integer"),
            Arg::word("withvalues", "WITHVALUES").flags(&["optional"]),
        ]),
    ]),
    subcommands: &[],
    run: hrandfield,
};

/// More than this are not chosen one by one. Redis sends what it chooses at once; here the answer is made first, and
/// has to fit in memory.
const N_REPEATED_MAX: u64 = 1 << 24;

fn hrandfield(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let Some(count) = request.get(2) else { return one(ctx, key) };
    let count = number::parse_int(count).ok_or(wire_error::NOT_AN_INTEGER)?;
    if count == i64::MIN {
        return Err(wire_error::NOT_A_LONG);
    }
    let with_values = match request.get(3) {
        None => false,
        Some(word) if request.len() == 4 && word.eq_ignore_ascii_case(b"withvalues") => true,
        Some(_) => return Err(wire_error::SYNTAX),
    };
    if with_values && i64::MAX.unsigned_abs() / 2 < count.unsigned_abs() {
        return Err(wire_error::OUT_OF_RANGE);
    }
    let nested = ctx.client.version.nests_pairs();
    let Some(hash) = ctx.read::<Hash>(key)?.cloned() else { return Ok(Reply::Array(Vec::new())) };
    let n_fields = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let mut replies = Vec::new();
    let mut add = |field: Field<'_>| match (with_values, nested) {
        (false, _) => replies.push(Reply::Bulk(field.name.to_blob())),
        (true, false) => replies.extend(pair(field)),
        (true, true) => replies.push(Reply::Array(pair(field).into())),
    };
    if 0 <= count {
        distinct(ctx, &hash, n_fields).into_iter().for_each(&mut add);
    } else if N_REPEATED_MAX < count.unsigned_abs() {
        return Err(wire_error::OUT_OF_RANGE);
    } else {
        repeated(ctx, &hash, n_fields, add);
    }
    Ok(Reply::Array(replies))
}

fn one(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Reply, WireError> {
    let Some(hash) = ctx.read::<Hash>(key)?.cloned() else { return Ok(Reply::Null) };
    let field = hash.nth(below(ctx, hash.len()));
    Ok(field.map_or(Reply::Null, |it| Reply::Bulk(it.name.to_blob())))
}

fn pair(field: Field<'_>) -> [Reply; 2] {
    [Reply::Bulk(field.name.to_blob()), Reply::Bulk(field.value.to_blob())]
}

/// A random number that is less than `n`.
fn below(ctx: &mut Ctx<'_>, n: usize) -> usize {
    let scaled = u128::from(ctx.host.random()) * n as u128;
    usize::try_from(scaled >> u64::BITS).unwrap_or_default()
}

/// Different fields, in the order of the hash.
fn distinct<'h>(ctx: &mut Ctx<'_>, hash: &'h Hash, n_fields: usize) -> Vec<Field<'h>> {
    let len = hash.len();
    if len <= n_fields {
        return hash.iter().collect();
    }
    // Floyd's way: each set of so many places has the same chance.
    let mut places = BTreeSet::new();
    for last in len - n_fields..len {
        let place = below(ctx, last + 1);
        if !places.insert(place) {
            places.insert(last);
        }
    }
    // One by one only where most would be passed over, and each is found at once.
    if hash.listpack().is_none() && n_fields < len / 16 {
        return places.into_iter().filter_map(|it| hash.nth(it)).collect();
    }
    let mut places = places.into_iter().peekable();
    let numbered = hash.iter().enumerate();
    numbered.filter(|(index, _)| places.next_if_eq(index).is_some()).map(|it| it.1).collect()
}

/// Fields that may come more than once.
fn repeated(ctx: &mut Ctx<'_>, hash: &Hash, n_fields: usize, mut add: impl FnMut(Field<'_>)) {
    let packed: Vec<_> = hash.listpack().into_iter().flat_map(|_| hash.iter()).collect();
    for _ in 0..n_fields {
        let index = below(ctx, hash.len());
        if let Some(field) = packed.get(index).copied().or_else(|| hash.nth(index)) {
            add(field);
        }
    }
}
