//! A row of bars for the last rates.

use std::collections::VecDeque;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last values, drawn as bars on a scale from 0 to the largest of them.
#[derive(Debug)]
pub(crate) struct Sparkline {
    values: VecDeque<u64>,
    width: usize,
}

impl Sparkline {
    /// Shows at most `width` values.
    pub(crate) fn new(width: usize) -> Self {
        Self { values: VecDeque::with_capacity(width), width }
    }

    /// Adds a value on the right; the oldest one leaves on the left.
    pub(crate) fn push(&mut self, value: u64) {
        if self.values.len() == self.width {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }
}

impl std::fmt::Display for Sparkline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let largest = self.values.iter().copied().max().unwrap_or(0).max(1);
        for _ in self.values.len()..self.width {
            f.write_str(" ")?;
        }
        for value in &self.values {
            let level = u128::from(*value) * 7 / u128::from(largest);
            let bar = usize::try_from(level).ok().and_then(|it| BARS.get(it));
            write!(f, "{}", bar.unwrap_or(&' '))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_scale_with_the_largest_and_move_left() {
        let mut line = Sparkline::new(3);
        assert_eq!(line.to_string(), "   ");
        line.push(0);
        assert_eq!(line.to_string(), "  ▁");
        line.push(70);
        line.push(35);
        line.push(u64::MAX);
        assert_eq!(line.to_string(), "▁▁█");
    }
}
