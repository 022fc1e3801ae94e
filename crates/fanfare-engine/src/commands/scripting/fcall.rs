//! FCALL function numkeys [key ...] [arg ...], FCALL_RO: call a function of a library.
//!
//! Sources: <https://redis.io/docs/latest/commands/fcall/>, <https://redis.io/docs/latest/commands/fcall_ro/> and
//! redis-server 7.0.15's functions.c.

use super::eval::{
    ARGS, KEYS, NUMKEYS, READ, READER, WORST, WORST_OF_READER, WRITER, WRITTEN, check_flags, spec,
    with_scripting,
};
use super::split;
use crate::scripting::{Bridge, Kind, run};
use crate::spec::{Arg, Docs, KeySpec, Keys, Lock};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static FCALL: Spec = spec(
    "fcall",
    WRITER,
    Keys::Planned { specs: &[KeySpec { notes: Some(WORST), ..WRITTEN }], lock: Lock::Everything },
    Docs::new("Invoke a function", "7.0.0", COMPLEXITY).args(ALL_ARGS),
    |ctx, request| fcall(ctx, request, false),
);

pub(crate) static FCALL_RO: Spec = spec(
    "fcall_ro",
    READER,
    Keys::Planned {
        specs: &[KeySpec { notes: Some(WORST_OF_READER), ..READ }],
        lock: Lock::Everything,
    },
    Docs::new("Invoke a read-only function", "7.0.0", COMPLEXITY).args(ALL_ARGS),
    |ctx, request| fcall(ctx, request, true),
);

const COMPLEXITY: &str = "Depends on the function that is executed.";

const ALL_ARGS: &[Arg] = &[Arg::new("function", "string"), NUMKEYS, KEYS, ARGS];

fn fcall(ctx: &mut Ctx<'_>, request: Request<'_>, is_read_only: bool) -> Result<Reply, WireError> {
    let name = request.get(1).unwrap_or_default();
    with_scripting(ctx, |ctx, scripting| {
        scripting.follow_libraries(ctx.keyspace.scripts());
        let function = scripting.runtime.function(name).ok_or(wire_error::FUNCTION_NOT_FOUND)?;
        let n_keys = request.get(2).and_then(number::parse_int);
        let (keys, args) = split(request, n_keys.ok_or(wire_error::BAD_NUMBER_OF_KEYS)?)?;
        let flags = function.flags();
        check_flags(ctx, flags, is_read_only)?;
        let kind = Kind {
            name: function.name(),
            is_eval: false,
            is_read_only: is_read_only || flags.no_writes,
            allows_oom: flags.allow_oom,
        };
        run(ctx, scripting, kind, request, |scripting| {
            scripting.runtime.call_function(&function, &keys, &args, Bridge)
        })
    })
}
