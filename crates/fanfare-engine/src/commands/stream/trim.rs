//! XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]: cuts the beginning off.
//!
//! Source: <https://redis.io/docs/latest/commands/xtrim/>.

use super::trimming::{CutOff, REFERENCES, TRIM_ARGS, Trimming};
use super::{one_key, spec};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::Stream;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static XTRIM: Spec = Spec {
    tips: &["nondeterministic_output"],
    ..spec(
        "xtrim",
        Arity::AtLeast(4),
        (&[Flag::Write], one_key(&["RW", "delete"])),
        Docs::new(
            "Trims the stream to (approximately if '~' is passed) a certain size",
            "5.0.0",
            "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
        )
        .history(&[
            ("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."),
            ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
        ])
        .args(&[Arg::key("key"), Arg::new("trim", "block").args(TRIM_ARGS), REFERENCES]),
        xtrim,
    )
};

fn xtrim(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let mut trimming = Trimming::default();
    let mut at = 2;
    while at < request.len() {
        at += trimming.parse(request, at)?.ok_or(wire_error::SYNTAX)?;
    }
    let cut = trimming.finish(true, ctx.tuning())?.ok_or(wire_error::SYNTAX)?;
    let trimmed = ctx.edit(key, |stream: &mut Stream| cut.apply(stream))?;
    let Some(CutOff { n, words }) = trimmed.flatten() else { return Ok(Reply::Int(0)) };
    ctx.changed(Classes::STREAM, "xtrim", key);
    let words = words.iter().map(|it| &**it);
    ctx.record([&b"XTRIM"[..], key].into_iter().chain(words));
    Ok(Reply::uint(n))
}
