//! What is seen while the demo runs: live on a terminal, a line each second elsewhere.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::stage::{Channel, PATTERN, Stage};
use crate::output::{self, BOLD, DIM, GOOD, NAME};
use crate::sparkline::Sparkline;
use crate::text;

/// The view.
#[derive(Debug)]
pub(super) struct View {
    started: Instant,
    lasts: Duration,
    drawn_at: Instant,
    n_published: u64,
    n_delivered: u64,
    live: Option<Live>,
}

/// The lines of a terminal.
#[derive(Debug)]
struct Live {
    head: ProgressBar,
    rows: Vec<Row>,
}

/// The line of a channel.
#[derive(Debug)]
struct Row {
    line: ProgressBar,
    sparkline: Sparkline,
    n_delivered: u64,
}

impl View {
    pub(super) fn open(stage: &Stage, lasts: Duration) -> Self {
        let now = Instant::now();
        let n_channel_seats = stage.seats().count() - 1;
        output::note(format!(
            "{} {}, {} and a pattern subscriber to {} on an embedded broker",
            output::styled(GOOD, "fanfare demo:"),
            text::counted(u64::from(stage.n_publishers()), "publisher"),
            text::counted(n_channel_seats as u64, "channel subscriber"),
            output::styled(NAME, PATTERN),
        ));
        Self {
            started: now,
            lasts,
            drawn_at: now,
            n_published: 0,
            n_delivered: 0,
            live: output::is_watched().then(|| Live::open(stage)),
        }
    }

    pub(super) fn redraw_every(&self) -> Duration {
        Duration::from_millis(if self.live.is_some() { 200 } else { 1000 })
    }

    /// Shows what has changed since the last time.
    pub(super) fn draw(&mut self, stage: &Stage) -> io::Result<()> {
        let since = self.drawn_at.elapsed();
        // The first tick comes at once.
        if since < Duration::from_millis(10) {
            return Ok(());
        }
        let (n_published, n_delivered) = (stage.n_published(), stage.n_delivered());
        let rate = |n: u64, before: u64| text::count(text::per_second(n - before, since));
        let head = format!(
            "{:>4.1} s  published {} ({}/s)  delivered {} ({}/s)",
            self.started.elapsed().as_secs_f64(),
            text::count(n_published),
            rate(n_published, self.n_published),
            text::count(n_delivered),
            rate(n_delivered, self.n_delivered),
        );
        (self.drawn_at, self.n_published, self.n_delivered) =
            (Instant::now(), n_published, n_delivered);
        let Some(live) = &mut self.live else { return output::line(head) };
        let left = self.lasts.saturating_sub(self.started.elapsed());
        let left = output::styled(DIM, format!("  {:.0} s left", left.as_secs_f64().ceil()));
        live.head.set_message(format!("{}{left}", output::styled(BOLD, head)));
        live.head.tick();
        for (row, channel) in live.rows.iter_mut().zip(&stage.channels) {
            row.draw(channel, since);
        }
        Ok(())
    }

    /// Takes the live lines away.
    pub(super) fn close(self) {
        if let Some(live) = self.live {
            live.rows.iter().for_each(|it| it.line.finish_and_clear());
            live.head.finish_and_clear();
        }
    }
}

impl Live {
    fn open(stage: &Stage) -> Self {
        let all = MultiProgress::new();
        let line = || {
            let style = ProgressStyle::with_template("{wide_msg}");
            let line = ProgressBar::new_spinner();
            line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            all.add(line)
        };
        let head = line();
        let row = |_| Row { line: line(), sparkline: Sparkline::new(30), n_delivered: 0 };
        let rows = stage.channels.iter().map(row).collect();
        Self { head, rows }
    }
}

impl Row {
    fn draw(&mut self, channel: &Channel, since: Duration) {
        let n_delivered = channel.n_delivered.load(Ordering::SeqCst);
        let rate = text::per_second(n_delivered - self.n_delivered, since);
        self.n_delivered = n_delivered;
        self.sparkline.push(rate);
        let name = output::styled(NAME, format!("{:<16}", channel.name));
        let last = output::styled(DIM, channel.last());
        self.line.set_message(format!(
            "{name} × {:<4} {} {:>9}/s  {last}",
            channel.n_matching,
            self.sparkline,
            text::count(rate),
        ));
        self.line.tick();
    }
}
