//! All samples, and the comparisons that follow from them.

use std::collections::HashMap;

use serde::Serialize;

use super::measure::Sample;
use super::rows::{Metric, Row};
use super::server::{Contender, Program};
use super::workload::Workload;

/// The samples of all rounds.
#[derive(Default)]
pub(super) struct Results {
    samples: HashMap<(Workload, Contender), Vec<Sample>>,
}

impl Results {
    /// Adds the sample of one round. Every round has one of each that is in it, and what is compared is in the same rounds:
    /// samples at the same index are of the same round.
    pub(super) fn add(&mut self, workload: Workload, contender: Contender, sample: Sample) {
        self.samples.entry((workload, contender)).or_default().push(sample);
    }

    /// The lines of the table: each row with each configuration of Fanfare, as far as measured.
    pub(super) fn lines(&self, rows: &[Row]) -> Vec<Line> {
        rows.iter()
            .flat_map(|row| row.contenders().iter().map(|contender| self.line(row, *contender)))
            .filter(|line| line.baseline.is_some() || line.fanfare.is_some() || line.null.is_some())
            .collect()
    }

    /// The rows of which more rounds should be told: they miss their target, or nearly.
    pub(super) fn close_calls(&self, rows: &[Row]) -> Vec<Row> {
        let is_close = |row: &Row, contender: Contender| {
            let line = self.line(row, contender);
            let target = row.target.zip(line.ratio);
            target.is_some_and(|(target, ratio)| {
                !target.is_met(contender, ratio) || target.is_near(contender, ratio)
            })
        };
        let is_any_close = |row: &&Row| row.contenders().iter().any(|it| is_close(row, *it));
        rows.iter().filter(is_any_close).cloned().collect()
    }

    /// Every sample, for `--json`.
    pub(super) fn records(&self) -> Vec<Record<'_>> {
        let mut records: Vec<Record<'_>> = self
            .samples
            .iter()
            .map(|((workload, contender), samples)| Record {
                workload: format!("{workload:?}"),
                server: format!("{:?}", contender.program),
                setup: contender.name(),
                samples,
            })
            .collect();
        records.sort_by(|a, b| (&a.workload, a.setup).cmp(&(&b.workload, b.setup)));
        records
    }

    fn line(&self, row: &Row, contender: Contender) -> Line {
        let (base_workload, base) = row.baseline(contender);
        let own = |read: fn(&Sample) -> Option<f64>| self.median(row.workload, contender, read);
        let theirs = |read: fn(&Sample) -> Option<f64>| self.median(base_workload, base, read);
        let figure = |workload, server| self.figure(workload, server, row.metric);
        let baseline = figure(base_workload, base);
        let fanfare = figure(row.workload, contender);
        let null = figure(row.workload, contender.null());
        let per_core = contender.per_core().and_then(|per_core| figure(row.workload, per_core));
        let is_against_itself = base.program == Program::Fanfare;
        let ratio = |other, base| {
            let read = |sample: &Sample| sample.get(row.metric);
            self.ratio((row.workload, other), (base_workload, base), read)
        };
        let null_base = if is_against_itself { base.null() } else { base };
        let null_ratio = ratio(contender.null(), null_base);
        let per_core_ratio = contender.per_core().and_then(|it| ratio(it, base));
        let ratio = ratio(contender, base);
        let verdict = row.target.zip(ratio).map(|(target, ratio)| {
            if target.is_met(contender, ratio) {
                Verdict::Met
            } else if null_ratio.is_some_and(|it| !target.is_met(contender, it)) {
                Verdict::BeyondNull
            } else {
                Verdict::Missed
            }
        });
        Line {
            group: row.group,
            name: row.name.clone(),
            unit: row.metric.unit(),
            setup: contender.name(),
            baseline,
            fanfare,
            ratio,
            target: row.target.map(|target| target.text(contender)),
            verdict,
            null,
            null_ratio,
            per_core,
            per_core_ratio,
            rounds: self.samples.get(&(row.workload, contender)).map_or(0, Vec::len),
            ceiling: figure(row.workload, Contender::CEILING),
            ceiling_rate: self.median(row.workload, Contender::CEILING, |sample| sample.rate),
            baseline_rate: theirs(|sample| sample.rate),
            fanfare_rate: own(|sample| sample.rate),
            baseline_resident: theirs(|sample| sample.resident_bytes),
            fanfare_resident: own(|sample| sample.resident_bytes),
            is_against_itself,
        }
    }

    fn figure(&self, workload: Workload, contender: Contender, metric: Metric) -> Option<f64> {
        self.median(workload, contender, |sample| sample.get(metric))
    }

    fn median(
        &self,
        workload: Workload,
        contender: Contender,
        read: impl Fn(&Sample) -> Option<f64>,
    ) -> Option<f64> {
        let samples = self.samples.get(&(workload, contender))?;
        median(samples.iter().filter_map(read).collect())
    }

    /// The median of the rounds' ratios: what was measured at about the same time is compared, so that a machine that
    /// others slow down for some rounds does not decide.
    fn ratio(
        &self,
        of: (Workload, Contender),
        to: (Workload, Contender),
        read: impl Fn(&Sample) -> Option<f64>,
    ) -> Option<f64> {
        let pairs = self.samples.get(&of)?.iter().zip(self.samples.get(&to)?);
        median(pairs.filter_map(|(of, to)| Some(read(of)? / read(to)?)).collect())
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// What became of a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Met,
    Missed,
    /// Missed, but by a server that does the least possible too: on this machine it is out of reach.
    BeyondNull,
}

/// One line of the table; figures are medians, ratios are medians of the rounds' ratios.
#[derive(Clone, Serialize)]
pub(super) struct Line {
    pub(super) group: &'static str,
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) setup: &'static str,
    pub(super) baseline: Option<f64>,
    pub(super) fanfare: Option<f64>,
    pub(super) ratio: Option<f64>,
    pub(super) target: Option<String>,
    pub(super) verdict: Option<Verdict>,
    pub(super) null: Option<f64>,
    pub(super) null_ratio: Option<f64>,
    pub(super) per_core: Option<f64>,
    pub(super) per_core_ratio: Option<f64>,
    /// How often it was measured.
    pub(super) rounds: usize,
    pub(super) ceiling: Option<f64>,
    pub(super) ceiling_rate: Option<f64>,
    pub(super) baseline_rate: Option<f64>,
    pub(super) fanfare_rate: Option<f64>,
    pub(super) baseline_resident: Option<f64>,
    pub(super) fanfare_resident: Option<f64>,
    /// The baseline is Fanfare in another configuration, not redis-server.
    pub(super) is_against_itself: bool,
}

/// The samples of one workload on one server.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    workload: String,
    server: String,
    setup: &'static str,
    samples: &'a [Sample],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_same_round() {
        let workload = Workload::Spread;
        let mut results = Results::default();
        for (redis, fanfare) in [(10.0, 5.0), (30.0, 15.0), (2.0, 8.0)] {
            for (contender, cpu_us) in [(Contender::REDIS, redis), (Contender::DEFAULT, fanfare)] {
                let sample = Sample { cpu_us: Some(cpu_us), ..Sample::default() };
                results.add(workload, contender, sample);
            }
        }
        let read = |sample: &Sample| sample.cpu_us;
        let ratio = |of, to| results.ratio((workload, of), (workload, to), read);
        assert_eq!(ratio(Contender::DEFAULT, Contender::REDIS), Some(0.5));
        assert_eq!(ratio(Contender::NULL, Contender::REDIS), None);
        assert_eq!(results.median(workload, Contender::REDIS, read), Some(10.0));
    }
}
