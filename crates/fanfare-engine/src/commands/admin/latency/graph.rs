//! LATENCY GRAPH event: the samples of an event as a picture in text.
//!
//! Source: <https://redis.io/docs/latest/commands/latency-graph/>. A column per sample, four rows, and below each
//! column its age, written downwards.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(super) static GRAPH: Spec = Spec {
    name: "latency|graph",
    arity: Arity::Exactly(3),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    docs: Docs::new("Return a latency graph for the event.", "2.8.13", "O(1)")
        .args(&[Arg::new("event", "string")]),
    subcommands: &[],
    run: graph,
};

/// Samples side by side before the picture goes on below.
const N_COLUMNS: usize = 80;
const N_ROWS: u64 = 4;
/// Heights that one row can show, lowest first.
const LEVELS: &[u8] = b"_o#";

fn graph(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let event = request.get(2).unwrap_or_default();
    let samples = ctx.host.latency_history(event).unwrap_or_default();
    if samples.is_empty() {
        return Err(WireError::no_latency_samples(event));
    }
    let latest = ctx.host.latency_latest();
    let max_ever = latest.into_iter().find(|it| it.0.as_bytes() == event).map(|it| it.3);
    let text = render(event, &samples, max_ever.unwrap_or_default(), ctx.now.unix_ms() / 1000);
    Ok(Reply::text(text))
}

fn render(event: &[u8], samples: &[(u64, u32)], max_ever: u32, now_s: u64) -> Vec<u8> {
    let high = samples.iter().map(|it| it.1).max().unwrap_or_default();
    let low = samples.iter().map(|it| it.1).min().unwrap_or_default();
    let mut out = event.to_vec();
    let title = format!(" - high {high} ms, low {low} ms (all time high {max_ever} ms)\n");
    out.extend_from_slice(title.as_bytes());
    out.extend([b'-'; N_COLUMNS]);
    out.push(b'\n');
    for (i, part) in samples.chunks(N_COLUMNS).enumerate() {
        if i != 0 {
            out.push(b'\n');
        }
        render_bars(&mut out, part, (low, high));
        render_ages(&mut out, part, now_s);
    }
    out
}

fn render_bars(out: &mut Vec<u8>, samples: &[(u64, u32)], (low, high): (u32, u32)) {
    let n_levels = LEVELS.len() as u64;
    let n_steps = N_ROWS * n_levels;
    let range = u64::from((high - low).max(1));
    for row in (0..N_ROWS).rev() {
        out.extend(samples.iter().map(|&(_, ms)| {
            let step = (u64::from(ms - low) * n_steps / range).min(n_steps - 1);
            match step.checked_sub(row * n_levels) {
                None => b' ',
                Some(level) => usize::try_from(level)
                    .ok()
                    .and_then(|it| LEVELS.get(it).copied())
                    .unwrap_or(b'|'),
            }
        }));
        out.push(b'\n');
    }
}

/// An empty line, then the ages top-down.
fn render_ages(out: &mut Vec<u8>, samples: &[(u64, u32)], now_s: u64) {
    let ages: Vec<_> = samples.iter().map(|it| age(now_s.saturating_sub(it.0))).collect();
    let n_lines = ages.iter().map(String::len).max().unwrap_or_default();
    out.extend(std::iter::repeat_n(b' ', samples.len()));
    out.push(b'\n');
    for line in 0..n_lines {
        out.extend(ages.iter().map(|it| it.as_bytes().get(line).copied().unwrap_or(b' ')));
        out.push(b'\n');
    }
}

fn age(elapsed_s: u64) -> String {
    match elapsed_s {
        ..60 => format!("{elapsed_s}s"),
        60..3600 => format!("{}m", elapsed_s / 60),
        3600..86400 => format!("{}h", elapsed_s / 3600),
        _ => format!("{}d", elapsed_s / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn looks_as_redis_draws_it() {
        let samples = [(900, 10), (940, 110), (995, 60), (1000, 35)];
        let text = render(b"command", &samples, 200, 1000);
        let expected = format!(
            "command - high 110 ms, low 10 ms (all time high 200 ms)\n{}\n{}",
            "-".repeat(80),
            " #  \n |_ \n ||_\n_|||\n    \n1150\nmmss\n"
        );
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn wide_graphs_go_on_below() {
        let samples = vec![(1000, 5); 81];
        let text = String::from_utf8_lossy(&render(b"fork", &samples, 5, 1000)).into_owned();
        assert!(text.ends_with("\n\n \n \n \n_\n \n0\ns\n"), "{text}");
    }
}
