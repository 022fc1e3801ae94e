//! How it is drawn.

use fanfare::monitor::{Severity, Snapshot};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Sparkline, Table};

use super::app::{App, Tab};
use crate::text;

/// The colours, or none.
#[derive(Clone, Copy)]
struct Paint {
    has_colours: bool,
}

impl Paint {
    fn of(self, color: Color) -> Style {
        if self.has_colours { Style::new().fg(color) } else { Style::new() }
    }
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, has_colours: bool) {
    let paint = Paint { has_colours };
    let n_alerts = app.snapshot.as_ref().map_or(0, |it| it.alerts.len().min(4));
    let heights = [
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(u16::try_from(n_alerts.max(1)).unwrap_or(1)),
        Constraint::Length(1),
    ];
    let [head, rates, tabs, table, alerts, help] = Layout::vertical(heights).areas(frame.area());
    frame.render_widget(heading(app), head);
    draw_rates(frame, app, paint, rates);
    frame.render_widget(tab_line(app, paint), tabs);
    draw_table(frame, app, paint, table);
    frame.render_widget(alert_lines(app, paint), alerts);
    let keys = "tab view  s sort  r reverse  ↑↓ scroll  p pause  q quit";
    frame.render_widget(Paragraph::new(keys).style(paint.of(Color::DarkGray)), help);
}

fn heading(app: &App) -> Line<'static> {
    let url = text::printable(app.url.as_bytes());
    let Some(snapshot) = &app.snapshot else {
        return Line::from(vec![Span::styled(url, BOLD), "  looking …".into()]);
    };
    let sum = |of: fn(&fanfare::monitor::Node) -> Option<u64>| {
        text::count(snapshot.nodes.iter().filter_map(of).sum())
    };
    let n_up = snapshot.nodes.iter().filter(|it| it.error.is_none()).count();
    let paused = if app.is_paused { "  PAUSED" } else { "" };
    let rest = format!(
        "  {n_up} of {} up  {} clients  {} keys  {} MiB{paused}",
        text::counted(snapshot.nodes.len() as u64, "node"),
        sum(|it| it.clients),
        sum(|it| it.keys),
        sum(|it| it.memory.map(|it| it >> 20)),
    );
    Line::from(vec![Span::styled(url, BOLD), rest.into()])
}

fn draw_rates(frame: &mut Frame<'_>, app: &App, paint: Paint, area: Rect) {
    let [label, bars] =
        Layout::horizontal([Constraint::Length(22), Constraint::Min(1)]).areas(area);
    let now = app.history.back().copied().unwrap_or(0);
    let most = app.history.iter().copied().max().unwrap_or(0);
    let lines = vec![
        Line::from("commands/s"),
        Line::from(Span::styled(format!("  now  {}", text::count(now)), BOLD)),
        Line::from(format!("  most {}", text::count(most))),
    ];
    frame.render_widget(Paragraph::new(lines), label);
    // The newest are on the right, as many as there is room for.
    let n_shown = usize::from(bars.width).min(app.history.len());
    let shown: Vec<u64> = app.history.iter().skip(app.history.len() - n_shown).copied().collect();
    frame.render_widget(Sparkline::default().data(&shown).style(paint.of(Color::Green)), bars);
}

fn tab_line(app: &App, paint: Paint) -> Line<'static> {
    let spans = Tab::ALL.into_iter().enumerate().map(|(n, tab)| {
        let n_rows = app.snapshot.as_ref().map_or(0, |it| n_rows(tab, it));
        let text = format!(" {} {} {n_rows} ", n + 1, tab.name());
        let is_here = tab == app.tab;
        let style =
            if is_here { BOLD.add_modifier(Modifier::REVERSED) } else { paint.of(Color::Cyan) };
        Span::styled(text, style)
    });
    Line::from(spans.collect::<Vec<_>>())
}

/// With those that are not listed.
fn n_rows(tab: Tab, snapshot: &Snapshot) -> u64 {
    match tab {
        Tab::Nodes => snapshot.nodes.len() as u64,
        Tab::Channels => snapshot.channels.len() as u64 + snapshot.other_channels.channels,
        Tab::Streams => snapshot.streams.len() as u64 + snapshot.other_streams,
        Tab::Groups => {
            snapshot.streams.iter().map(|it| it.groups.len() as u64 + it.other_groups).sum()
        }
        Tab::Queues => snapshot.queues.len() as u64 + snapshot.other_queues,
    }
}

fn draw_table(frame: &mut Frame<'_>, app: &App, paint: Paint, area: Rect) {
    let Some(table) = app.table() else { return };
    let sort = app.sort();
    let heading = table.columns.iter().enumerate().map(|(n, name)| {
        let mark = match (n == sort.column, sort.is_descending) {
            (true, true) => "▼",
            (true, false) => "▲",
            (false, _) => "",
        };
        let line = Line::from(format!("{name}{mark}"));
        if n == 0 { line } else { line.right_aligned() }
    });
    let heading = Row::new(heading.collect::<Vec<_>>()).style(BOLD.patch(paint.of(Color::Yellow)));
    let rows = table.rows.iter().skip(app.first_row).map(|row| {
        let cells = row.iter().enumerate().map(|(n, cell)| {
            let line = Line::from(cell.text.clone());
            if n == 0 { line } else { line.right_aligned() }
        });
        Row::new(cells.collect::<Vec<_>>())
    });
    // One more for the mark.
    let widths = table.widths().into_iter().map(|it| u16::try_from(it + 1).unwrap_or(u16::MAX));
    let widths: Vec<Constraint> = widths.map(|it| Constraint::Length(it.min(48))).collect();
    frame.render_widget(Table::new(rows, widths).header(heading).column_spacing(1), area);
}

fn alert_lines(app: &App, paint: Paint) -> Paragraph<'static> {
    let Some(snapshot) = &app.snapshot else { return Paragraph::new("") };
    if snapshot.alerts.is_empty() {
        let blind = snapshot.blind.len() as u64;
        let told = match blind {
            0 => "no alerts".to_owned(),
            n => format!("no alerts; {} can not be seen", text::counted(n, "thing")),
        };
        return Paragraph::new(told).style(paint.of(Color::Green));
    }
    let lines = snapshot.alerts.iter().map(|it| {
        let color = match it.severity {
            Severity::Critical => Color::Red,
            Severity::Warning => Color::Yellow,
            Severity::Info => Color::Cyan,
        };
        let told = format!("{}: {} → {}", it.severity, it.text, it.cure);
        Line::styled(text::printable(told.as_bytes()), BOLD.patch(paint.of(color)))
    });
    Paragraph::new(lines.take(4).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fanfare::monitor::Snapshot;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use serde_json::json;

    use super::super::app::Flow;
    use super::*;

    fn snapshot() -> Arc<Snapshot> {
        let mut empty = serde_json::to_value(Snapshot::default()).unwrap();
        let stream = |name: &str, length: u64| json!({ "name": name, "length": length, "groups": [], "other_groups": 0 });
        empty["streams"] =
            json!([stream("apples", 5), stream("pears", 70), stream("figs\u{1b}[2J", 6)]);
        empty["alerts"] = json!([{
            "id": "length/critical/pears", "metric": "length", "subject": "pears", "severity": "critical",
            "value": 70.0, "limit": 10.0, "since_ms": 0, "text": "pears: too many", "cure": "eat them",
        }]);
        Arc::new(serde_json::from_value(empty).unwrap())
    }

    fn shown(app: &App, has_colours: bool) -> (String, bool) {
        let mut terminal = Terminal::new(TestBackend::new(100, 16)).unwrap();
        terminal.draw(|frame| draw(frame, app, has_colours)).unwrap();
        let buffer = terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        let lines = buffer.content().chunks(width).map(|line| {
            line.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
        });
        let is_coloured = buffer.content().iter().any(|it| it.fg != Color::Reset);
        (lines.collect::<Vec<_>>().join("\n"), is_coloured)
    }

    fn key(app: &mut App, code: KeyCode) -> Flow {
        app.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    /// The first cells of the table's rows.
    fn order(app: &App) -> Vec<String> {
        app.table().unwrap().rows.iter().map(|it| it[0].text.clone()).collect()
    }

    #[test]
    fn keys_choose_sort_scroll_pause_and_end() {
        let mut app = App::new("redis://h:1".into());
        assert!(shown(&app, true).0.contains("looking"));
        app.take_in(snapshot());
        assert_eq!(key(&mut app, KeyCode::Char('3')), Flow::GoOn);
        assert_eq!(order(&app), ["apples", "figs\\u{1b}[2J", "pears"]);
        key(&mut app, KeyCode::Char('s'));
        assert_eq!(order(&app), ["pears", "figs\\u{1b}[2J", "apples"], "by length");
        key(&mut app, KeyCode::Char('r'));
        assert_eq!(order(&app)[0], "apples");
        let (text, is_coloured) = shown(&app, true);
        for word in ["3 streams 3", "length▲", "critical: pears: too many → eat them", "q quit"]
        {
            assert!(text.contains(word), "{word}:\n{text}");
        }
        assert!(is_coloured && !text.contains('\u{1b}'));
        assert!(!shown(&app, false).1, "no colours where none are wanted");
        key(&mut app, KeyCode::End);
        assert!(!shown(&app, true).0.contains("apples"));
        key(&mut app, KeyCode::Char('p'));
        app.take_in(Arc::new(Snapshot::default()));
        assert_eq!(order(&app).len(), 3, "paused");
        assert!(shown(&app, true).0.contains("PAUSED"));
        key(&mut app, KeyCode::Tab);
        assert_eq!(app.tab, Tab::Groups);
        key(&mut app, KeyCode::Char('5'));
        assert_eq!(app.tab, Tab::Queues);
        key(&mut app, KeyCode::Tab);
        assert_eq!(app.tab, Tab::Nodes);
        assert_eq!(key(&mut app, KeyCode::Char('q')), Flow::End);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(app.key(control_c), Flow::Interrupted);
    }
}
