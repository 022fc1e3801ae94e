//! `# Commandstats`, `# Errorstats` and `# Latencystats`.

use std::collections::BTreeMap;

use super::source::Source;
use super::text::Text;
use crate::observe::CommandTotals;

pub(super) fn commandstats(source: &Source<'_>, text: &mut Text) {
    for (name, totals) in source.commands() {
        let CommandTotals { n_calls, nanos, n_rejected, n_failed, .. } = totals;
        let per_call = if n_calls == 0 { 0.0 } else { nanos as f64 / 1000.0 / n_calls as f64 };
        text.field(
            format_args!("cmdstat_{name}"),
            format_args!(
                "calls={n_calls},usec={},usec_per_call={per_call:.2},rejected_calls={n_rejected},failed_calls={n_failed}",
                nanos / 1000
            ),
        );
    }
}

pub(super) fn errorstats(source: &Source<'_>, text: &mut Text) {
    let mut totals = BTreeMap::new();
    source.shared.stats.iter().for_each(|it| it.add_errors(&mut totals));
    for (code, n) in totals {
        text.field(format_args!("errorstat_{code}"), format_args!("count={n}"));
    }
}

/// Percentiles are upper bounds: latencies are counted in buckets that end at powers of two.
pub(super) fn latencystats(source: &Source<'_>, text: &mut Text) {
    if !source.shared.live.read().latency_tracking {
        return;
    }
    let percentiles = source.shared.config.read().latency_percentiles.clone();
    for (name, totals) in source.commands() {
        let n_measured: u64 = totals.buckets.iter().sum();
        if n_measured == 0 {
            continue;
        }
        let shown = percentiles.iter().map(|percentile| {
            let micros_max = upper_bound(&totals.buckets, n_measured, *percentile);
            format!("p{}={micros_max}.000", short(*percentile))
        });
        let shown = shown.collect::<Vec<_>>().join(",");
        text.field(format_args!("latency_percentiles_usec_{name}"), shown);
    }
}

/// Microseconds that `percentile` per cent of the calls did not exceed.
fn upper_bound(buckets: &[u64], n_measured: u64, percentile: f64) -> u64 {
    let rank = (percentile / 100.0 * n_measured as f64).round().max(1.0);
    let mut n_below = 0;
    for (power, n) in buckets.iter().enumerate() {
        n_below += n;
        if rank <= n_below as f64 {
            return 1 << power;
        }
    }
    1 << buckets.len().saturating_sub(1)
}

/// `99.900000` without its zeros, as redis-server names percentiles.
fn short(percentile: f64) -> String {
    format!("{percentile:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{short, upper_bound};

    #[test]
    fn percentiles_are_named_as_in_redis() {
        let cases = [(50.0, "50"), (99.9, "99.9"), (100.0, "100"), (0.5, "0.5"), (1e-7, "0")];
        for (percentile, expected) in cases {
            assert_eq!(short(percentile), expected);
        }
    }

    #[test]
    fn a_percentile_is_the_end_of_its_bucket() {
        let buckets = [0, 0, 98, 0, 1, 0, 1];
        let cases = [(0.0, 4), (50.0, 4), (98.0, 4), (99.0, 16), (99.9, 64), (100.0, 64)];
        for (percentile, expected) in cases {
            assert_eq!(upper_bound(&buckets, 100, percentile), expected, "{percentile}");
        }
    }
}
