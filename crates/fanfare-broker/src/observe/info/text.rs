//! Lines of `name:value`.

use std::fmt::{Display, Write as _};

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a section.
    pub(super) fn title(&mut self, title: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        self.line(format_args!("# {title}"));
    }

    pub(super) fn field(&mut self, name: impl Display, value: impl Display) {
        self.line(format_args!("{name}:{value}"));
    }

    /// A number of bytes, and once more for humans.
    pub(super) fn bytes(&mut self, name: &str, n_bytes: u64) {
        self.field(name, n_bytes);
        self.field(format_args!("{name}_human"), human(n_bytes));
    }

    /// Something with two decimals.
    pub(super) fn ratio(&mut self, name: &str, value: f64) {
        self.field(name, format_args!("{value:.2}"));
    }

    /// A percentage of `whole`.
    pub(super) fn percentage(&mut self, name: &str, part: u64, whole: u64) {
        self.field(name, format_args!("{:.2}%", quotient(part, whole) * 100.0));
    }

    /// Things that Fanfare does not have or has none of.
    pub(super) fn zeros(&mut self, names: &[&str]) {
        for name in names {
            self.field(name, 0);
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = write!(self.0, "{line}\r\n");
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// `part / whole`; 0 of nothing.
pub(super) fn quotient(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Bytes as redis-server prints them for humans: `512B`, `1.50M`.
pub(super) fn human(n_bytes: u64) -> String {
    let mut value = n_bytes as f64;
    let mut unit = None;
    for next in ["K", "M", "G", "T", "P"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = Some(next);
    }
    unit.map_or_else(|| format!("{n_bytes}B"), |unit| format!("{value:.2}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::{Text, human};

    #[test]
    fn bytes_for_humans() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_015_016, "991.23K"),
            (12_345_678_901, "11.50G"),
            (1 << 50, "1.00P"),
        ];
        for (n_bytes, expected) in cases {
            assert_eq!(human(n_bytes), expected);
        }
    }

    #[test]
    fn sections_are_a_blank_line_apart() {
        let mut text = Text::default();
        text.title("A");
        text.field("x", 1);
        text.title("B");
        text.bytes("y", 2048);
        text.percentage("z", 1, 3);
        let expected = "# A\r\nx:1\r\n\r\n# B\r\ny:2048\r\ny_human:2.00K\r\nz:33.33%\r\n";
        assert_eq!(text.into_bytes(), expected.as_bytes());
    }
}
