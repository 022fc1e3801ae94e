//! The table, for the terminal and for Markdown.

use std::fmt::Write as _;

use super::results::{Line, Verdict};

/// Columns that line up, one line per comparison.
pub(super) fn text(lines: &[Line]) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(lines.iter().map(cells));
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (n, cell) in row.iter().enumerate() {
            let column = rows.iter().filter_map(|row| row.get(n));
            let width = column.map(|cell| cell.chars().count()).max().unwrap_or(0);
            if n < N_TEXT_COLUMNS {
                let _ = write!(line, "{cell:<width$}  ");
            } else {
                let _ = write!(line, "{cell:>width$}  ");
            }
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// A Markdown table.
pub(super) fn markdown(lines: &[Line]) -> String {
    let mut out = format!("| {} |\n", HEADER.join(" | "));
    for n in 0..HEADER.len() {
        out.push_str(if n < N_TEXT_COLUMNS { "|---" } else { "|--:" });
    }
    out.push_str("|\n");
    for line in lines {
        let _ = writeln!(out, "| {} |", cells(line).join(" | "));
    }
    out
}

const HEADER: [&str; 18] = [
    "workload",
    "setup",
    "figure",
    "redis",
    "fanfare",
    "ratio",
    "target",
    "verdict",
    "rounds",
    "null",
    "null/redis",
    "per core",
    "per core/redis",
    "ceiling",
    "redis/s",
    "fanfare/s",
    "redis MiB",
    "fanfare MiB",
];

const N_TEXT_COLUMNS: usize = 3;

fn cells(line: &Line) -> [String; HEADER.len()] {
    // A figure of Fanfare in the column of redis is marked.
    let mark = if line.is_against_itself { " (fanfare)" } else { "" };
    let verdict = match line.verdict {
        Some(Verdict::Met) => "PASS",
        Some(Verdict::Missed) => "FAIL",
        Some(Verdict::BeyondNull) => "beyond null",
        None => "",
    };
    let mebibytes = |bytes: Option<f64>| number(bytes.map(|bytes| bytes / 1024.0 / 1024.0));
    [
        line.name.clone(),
        line.setup.to_owned(),
        line.unit.to_owned(),
        format!("{}{mark}", number(line.baseline)),
        number(line.fanfare),
        line.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        line.target.clone().unwrap_or_default(),
        verdict.to_owned(),
        line.rounds.to_string(),
        number(line.null),
        line.null_ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        number(line.per_core),
        line.per_core_ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        number(line.ceiling),
        number(line.baseline_rate),
        number(line.fanfare_rate),
        mebibytes(line.baseline_resident),
        mebibytes(line.fanfare_resident),
    ]
}

/// Three significant digits, thousands and millions abbreviated.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return String::new() };
    match value.abs() {
        v if v >= 1e6 => format!("{:.2}M", value / 1e6),
        v if v >= 1e5 => format!("{:.0}k", value / 1e3),
        v if v >= 1e4 => format!("{:.1}k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_keep_three_digits() {
        let values = [0.0421, 2.951, 36.84, 412.3, 12_345.0, 512_345.0, 1_234_567.0];
        let texts: Vec<String> = values.map(|value| number(Some(value))).into();
        assert_eq!(texts, ["0.042", "2.95", "36.8", "412", "12.3k", "512k", "1.23M"]);
    }
}
