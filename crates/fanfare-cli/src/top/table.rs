//! The tables: rows of cells that know how they are sorted.

use std::cmp::Ordering;

use fanfare::monitor::{Node, QueueLook, Snapshot};

use super::app::{Sort, Tab};
use crate::text;

/// What is shown, and what it is sorted by: a number, or the text itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    number: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub(super) columns: &'static [&'static str],
    pub(super) rows: Vec<Vec<Cell>>,
}

/// The names of a tab's columns; the first is the name of what a row is about.
pub(super) fn columns(tab: Tab) -> &'static [&'static str] {
    match tab {
        Tab::Nodes => &[
            "node",
            "commands/s",
            "in B/s",
            "out B/s",
            "clients",
            "memory",
            "full %",
            "keys",
            "evicted/s",
            "rejected",
            "killed",
            "replicas",
            "state",
        ],
        Tab::Channels => {
            &["channel", "subscribers", "messages/s", "bytes/s", "messages", "silent s"]
        }
        Tab::Streams => &["stream", "length", "added/s", "added", "groups", "silent s"],
        Tab::Groups => &[
            "stream/group",
            "lag",
            "pending",
            "idle s",
            "oldest s",
            "delivered/s",
            "redelivered",
            "consumers",
            "dead",
        ],
        Tab::Queues => &[
            "queue",
            "waiting",
            "waiting s",
            "delayed",
            "taken",
            "taken s",
            "dead",
            "in/s",
            "done/s",
            "failed",
        ],
    }
}

pub(super) fn table(tab: Tab, snapshot: &Snapshot) -> Table {
    let rows = match tab {
        Tab::Nodes => snapshot.nodes.iter().map(node).collect(),
        Tab::Channels => channels(snapshot),
        Tab::Streams => snapshot
            .streams
            .iter()
            .map(|it| {
                let n_groups = it.groups.len() as u64 + it.other_groups;
                vec![
                    name(&it.name),
                    count(it.length),
                    rate(it.added_per_s),
                    count(it.entries_added),
                    count(Some(n_groups)),
                    seconds(it.silent_ms),
                ]
            })
            .collect(),
        Tab::Groups => groups(snapshot),
        Tab::Queues => snapshot.queues.iter().map(queue).collect(),
    };
    Table { columns: columns(tab), rows }
}

fn node(it: &Node) -> Vec<Cell> {
    let state = match &it.error {
        Some(error) => error.clone(),
        None if it.persistence.is_loading == Some(true) => "loading".to_owned(),
        None if !it.persistence.failed.is_empty() => "can not save".to_owned(),
        None => "up".to_owned(),
    };
    vec![
        name(&it.name),
        rate(it.rates.commands),
        rate(it.rates.bytes_in),
        rate(it.rates.bytes_out),
        count(it.clients),
        bytes(it.memory),
        rate(it.memory_percent()),
        count(it.keys),
        rate(it.rates.evicted_keys),
        count(it.totals.rejected_connections),
        count(it.totals.output_buffer_kills),
        count(it.replication.replicas),
        name(&state),
    ]
}

fn channels(snapshot: &Snapshot) -> Vec<Vec<Cell>> {
    let listed = snapshot.channels.iter().map(|it| {
        let mark = if it.is_sharded { " (sharded)" } else { "" };
        vec![
            name(&format!("{}{mark}", it.name)),
            count(it.subscribers),
            rate(it.messages_per_s),
            rate(it.bytes_per_s),
            count(it.messages),
            seconds(it.silent_ms),
        ]
    });
    // Those that are counted together, if there are any.
    let (other, private) = (&snapshot.other_channels, &snapshot.private_channels);
    let together = [
        ("others", other.channels, other.messages, other.messages_per_s),
        ("inboxes", private.channels, private.messages, private.messages_per_s),
    ];
    let together = together.into_iter().filter(|it| (it.1, it.2) != (0, 0));
    let together = together.map(|(what, n, messages, per_s)| {
        let label = name(&format!("({} {what})", text::count(n)));
        vec![label, count(None), rate(per_s), rate(None), count(Some(messages)), seconds(None)]
    });
    listed.chain(together).collect()
}

fn queue(it: &QueueLook) -> Vec<Cell> {
    vec![
        name(&it.name),
        count(it.waiting()),
        seconds(it.waiting_ms),
        // Those that are due wait, and those whose lease has ended are taken by nobody.
        count(it.delayed.zip(it.due).map(|(all, due)| all.saturating_sub(due))),
        count(it.leased.zip(it.lapsed).map(|(all, lapsed)| all.saturating_sub(lapsed))),
        seconds(it.running_ms),
        count(it.dead),
        rate(it.enqueued_per_s),
        rate(it.done_per_s),
        count(it.failed),
    ]
}

fn groups(snapshot: &Snapshot) -> Vec<Vec<Cell>> {
    let all = snapshot.streams.iter().flat_map(|it| it.groups.iter().map(move |group| (it, group)));
    let row = |(stream, it): (&fanfare::monitor::StreamLook, &fanfare::monitor::GroupLook)| {
        vec![
            name(&format!("{}/{}", stream.name, it.name)),
            count(it.lag),
            count(Some(it.pending)),
            seconds(it.pending_ms),
            seconds(it.oldest_pending_ms),
            rate(it.delivered_per_s),
            count(it.redelivered),
            count(Some(it.consumers)),
            count(it.dead_letters),
        ]
    };
    all.map(row).collect()
}

impl Table {
    /// What was not seen comes last, whichever way.
    pub(super) fn sort(&mut self, sort: Sort) {
        self.rows.sort_by(|a, b| match (a.get(sort.column), b.get(sort.column)) {
            (Some(a), Some(b)) => a.compare(b, sort.is_descending),
            _ => Ordering::Equal,
        });
    }

    /// Aligned text, with a heading.
    pub(super) fn as_lines(&self) -> Vec<String> {
        let heading: Vec<Cell> = self.columns.iter().map(|it| name(it)).collect();
        let rows: Vec<&Vec<Cell>> = std::iter::once(&heading).chain(&self.rows).collect();
        let widths = self.widths();
        let line = |row: &&Vec<Cell>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(n, (cell, width))| {
                // Names to the left, numbers to the right.
                if n == 0 {
                    format!("{:<width$}", cell.text)
                } else {
                    format!("{:>width$}", cell.text)
                }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect()
    }

    /// Characters that each column needs.
    pub(super) fn widths(&self) -> Vec<usize> {
        let of = |(n, heading): (usize, &&str)| {
            let cells = self.rows.iter().filter_map(|it| it.get(n));
            cells.map(|it| it.text.chars().count()).max().unwrap_or(0).max(heading.len())
        };
        self.columns.iter().enumerate().map(of).collect()
    }
}

impl Cell {
    fn compare(&self, other: &Self, is_descending: bool) -> Ordering {
        let turned = |it: Ordering| if is_descending { it.reverse() } else { it };
        let is_known = |it: &Self| it.text != UNKNOWN;
        match (is_known(self), is_known(other)) {
            (true, true) => match (self.number, other.number) {
                (Some(a), Some(b)) => turned(a.total_cmp(&b)),
                _ => turned(self.text.cmp(&other.text)),
            },
            (a, b) => b.cmp(&a),
        }
    }
}

/// What was not seen.
const UNKNOWN: &str = "-";

fn name(text: &str) -> Cell {
    Cell { text: text::printable(text.as_bytes()), number: None }
}

fn cell(number: Option<f64>, shown: impl FnOnce(f64) -> String) -> Cell {
    Cell { text: number.map_or_else(|| UNKNOWN.to_owned(), shown), number }
}

#[expect(clippy::cast_precision_loss, reason = "it is only compared and shown")]
fn count(n: Option<u64>) -> Cell {
    cell(n.map(|it| it as f64), |_| text::count(n.unwrap_or(0)))
}

fn rate(value: Option<f64>) -> Cell {
    cell(value, |it| if it < 99.95 { format!("{it:.1}") } else { format!("{it:.0}") })
}

#[expect(clippy::cast_precision_loss, reason = "it is only compared and shown")]
fn seconds(ms: Option<u64>) -> Cell {
    rate(ms.map(|it| it as f64 / 1_000.0))
}

#[expect(clippy::cast_precision_loss, reason = "it is only compared and shown")]
fn bytes(n: Option<u64>) -> Cell {
    cell(n.map(|it| it as f64), |it| format!("{:.1} MiB", it / f64::from(1 << 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_comes_last_and_names_are_sorted_as_text() {
        let rows = [Some(3), None, Some(20)].map(|n| vec![name("x"), count(n)]);
        let mut table = Table { columns: &["name", "n"], rows: rows.into() };
        let told =
            |table: &Table| table.rows.iter().map(|it| it[1].text.clone()).collect::<Vec<_>>();
        table.sort(Sort { column: 1, is_descending: true });
        assert_eq!(told(&table), ["20", "3", "-"]);
        table.sort(Sort { column: 1, is_descending: false });
        assert_eq!(told(&table), ["3", "20", "-"]);
        assert_eq!(table.as_lines(), ["name   n", "x      3", "x     20", "x      -"]);
    }
}
