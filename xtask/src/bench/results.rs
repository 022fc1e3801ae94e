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
        let to_baseline = |figure: Option<f64>| Some(figure? / baseline?);
        let (ratio, null_ratio) = (to_baseline(fanfare), to_baseline(null));
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
            ceiling: figure(row.workload, Contender::CEILING),
            ceiling_rate: self.median(row.workload, Contender::CEILING, |sample| sample.rate),
            baseline_rate: theirs(|sample| sample.rate),
            fanfare_rate: own(|sample| sample.rate),
            baseline_resident: theirs(|sample| sample.resident_bytes),
            fanfare_resident: own(|sample| sample.resident_bytes),
            is_against_itself: base.program == Program::Fanfare,
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
        let mut values: Vec<f64> = samples.iter().filter_map(read).collect();
        values.sort_by(f64::total_cmp);
        let upper = values.get(values.len() / 2)?;
        let lower = values.get((values.len() - 1) / 2)?;
        Some((lower + upper) / 2.0)
    }
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

/// One line of the table; figures are medians.
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
