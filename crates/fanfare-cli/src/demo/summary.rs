//! What was counted, and whether it adds up.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Heard, Stage};
use crate::output::{self, BAD, BOLD, DIM, GOOD, NAME};
use crate::text;

/// The figures of a demo.
#[derive(Debug)]
pub(super) struct Summary {
    rows: Vec<Row>,
    n_published: u64,
    n_expected: u64,
    n_delivered: u64,
    /// What the answers to PUBLISH say.
    n_receivers: u64,
    n_out_of_order: u64,
    latency_shown: String,
    latency: Value,
    lasted: Duration,
}

/// The figures of a channel.
#[derive(Debug)]
struct Row {
    name: &'static str,
    n_published: u64,
    n_matching: u64,
    n_expected: u64,
    n_delivered: u64,
}

impl Summary {
    pub(super) fn new(stage: &Stage, heard: &Heard, lasted: Duration) -> Self {
        let rows = stage.channels.iter().map(|it| Row {
            name: it.name,
            n_published: it.n_published.load(Ordering::SeqCst),
            n_matching: it.n_matching,
            n_expected: it.n_expected(),
            n_delivered: it.n_delivered.load(Ordering::SeqCst),
        });
        Self {
            rows: rows.collect(),
            n_published: stage.n_published(),
            n_expected: stage.n_expected(),
            n_delivered: stage.n_delivered(),
            n_receivers: stage.n_receivers(),
            n_out_of_order: heard.n_out_of_order,
            latency_shown: heard.latencies.shown(),
            latency: heard.latencies.json(),
            lasted,
        }
    }

    /// Every channel by itself, the totals, what the broker said, and the order.
    pub(super) fn adds_up(&self) -> bool {
        self.rows.iter().all(|it| it.n_expected == it.n_delivered)
            && self.n_expected == self.n_delivered
            && self.n_receivers == self.n_expected
            && self.n_out_of_order == 0
    }

    fn n_lost(&self) -> u64 {
        self.rows.iter().map(|it| it.n_expected.saturating_sub(it.n_delivered)).sum()
    }

    pub(super) fn what_is_wrong(&self) -> String {
        format!(
            "{} published × matching subscriptions, {} counted by PUBLISH, {} delivered, {} lost, \
             {} out of order",
            text::count(self.n_expected),
            text::count(self.n_receivers),
            text::count(self.n_delivered),
            text::count(self.n_lost()),
            text::count(self.n_out_of_order),
        )
    }

    pub(super) fn print(&self, as_json: bool) -> io::Result<()> {
        if as_json { output::json(&self.json()) } else { self.print_text() }
    }

    fn json(&self) -> Value {
        let channels = self.rows.iter().map(|it| {
            json!({
                "channel": it.name, "published": it.n_published,
                "matching_subscriptions": it.n_matching, "expected": it.n_expected,
                "delivered": it.n_delivered,
            })
        });
        json!({
            "channels": channels.collect::<Vec<_>>(),
            "published": self.n_published,
            "expected": self.n_expected,
            "receivers": self.n_receivers,
            "delivered": self.n_delivered,
            "lost": self.n_lost(),
            "out_of_order": self.n_out_of_order,
            "adds_up": self.adds_up(),
            "seconds": self.lasted.as_secs_f64(),
            "published_per_second": text::per_second(self.n_published, self.lasted),
            "delivered_per_second": text::per_second(self.n_delivered, self.lasted),
            "latency": self.latency,
        })
    }

    fn print_text(&self) -> io::Result<()> {
        let head = format!(
            "{:<16} {:>11}   {:<13}   {:>12}  {:>12}",
            "channel", "published", "subscriptions", "expected", "delivered"
        );
        output::line(output::styled(BOLD, head))?;
        for it in &self.rows {
            output::line(format!(
                "{} {:>11} × {:<13} = {:>12}  {:>12}",
                output::styled(NAME, format!("{:<16}", it.name)),
                text::count(it.n_published),
                it.n_matching,
                text::count(it.n_expected),
                text::count(it.n_delivered),
            ))?;
        }
        output::line(format!(
            "{:<16} {:>11}   {:<13}   {:>12}  {:>12}",
            "total",
            text::count(self.n_published),
            "",
            text::count(self.n_expected),
            text::count(self.n_delivered),
        ))?;
        output::line(format!("latency  {}", self.latency_shown))?;
        output::line(format!(
            "rate     {} published/s, {} delivered/s over {}",
            text::count(text::per_second(self.n_published, self.lasted)),
            text::count(text::per_second(self.n_delivered, self.lasted)),
            text::duration(self.lasted),
        ))?;
        if self.adds_up() {
            let verdict = output::styled(GOOD, "It adds up:");
            let lost = output::styled(DIM, "lost 0, out of order 0");
            output::line(format!("{verdict} published × subscriptions = delivered; {lost}"))
        } else {
            let verdict = output::styled(BAD, "It does not add up:");
            output::line(format!("{verdict} {}", self.what_is_wrong()))
        }
    }
}
