//! Lua: scripts and functions.

pub(super) mod eval;
pub(super) mod fcall;
pub(super) mod function;
pub(super) mod script;

use crate::spec::{Arity, Docs, Flag, Group, Keys, Run};
use crate::{Request, Spec, WireError, wire_error};

/// A subcommand of SCRIPT or FUNCTION.
const fn spec(
    name: &'static str,
    arity: Arity,
    (flags, keys): (&'static [Flag], Keys),
    tips: &'static [&'static str],
    docs: Docs,
    run: Run,
) -> Spec {
    let (group, categories, subcommands): (_, &[_], &[_]) = (Group::Scripting, &[], &[]);
    Spec { name, arity, flags, keys, group, categories, tips, docs, subcommands, run }
}

/// Keys and arguments of a call, as a script takes them.
type Words<'a> = (Vec<&'a [u8]>, Vec<&'a [u8]>);

/// Splits what follows the number of keys into keys and arguments.
fn split(request: Request<'_>, n_keys: i64) -> Result<Words<'_>, WireError> {
    let mut keys: Vec<_> = request.iter().skip(3).collect();
    let Ok(n_keys) = usize::try_from(n_keys) else {
        // What is greater than an index is greater than the number of arguments.
        return Err(if n_keys < 0 { wire_error::NEGATIVE_KEYS } else { wire_error::TOO_MANY_KEYS });
    };
    if keys.len() < n_keys {
        return Err(wire_error::TOO_MANY_KEYS);
    }
    let args = keys.split_off(n_keys);
    Ok((keys, args))
}
