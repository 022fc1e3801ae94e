//! What is shown, and what keys change of it. No terminal.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare::monitor::Snapshot;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::table::{self, Table};

/// Looks whose rates are remembered.
const HISTORY_MAX: usize = 600;

/// Lines that page up and down move.
const PAGE: usize = 10;

/// Which table is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Nodes,
    Channels,
    Streams,
    Groups,
    Queues,
}

impl Tab {
    pub(super) const ALL: [Self; 5] =
        [Self::Nodes, Self::Channels, Self::Streams, Self::Groups, Self::Queues];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Channels => "channels",
            Self::Streams => "streams",
            Self::Groups => "groups",
            Self::Queues => "queues",
        }
    }

    pub(super) fn idx(self) -> usize {
        Self::ALL.iter().position(|it| *it == self).unwrap_or(0)
    }
}

/// What a key makes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    GoOn,
    End,
    Interrupted,
}

/// By which column a table is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) column: usize,
    pub(super) is_descending: bool,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct App {
    pub(super) url: String,
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Commands per second of all nodes, one for each look, the newest last.
    pub(super) history: VecDeque<u64>,
    pub(super) tab: Tab,
    sorts: [Sort; Tab::ALL.len()],
    /// How many rows are scrolled away.
    pub(super) first_row: usize,
    pub(super) is_paused: bool,
}

impl App {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            snapshot: None,
            history: VecDeque::new(),
            tab: Tab::Nodes,
            sorts: [Sort::default(); Tab::ALL.len()],
            first_row: 0,
            is_paused: false,
        }
    }

    /// Takes in a look; while it is paused only its rate.
    pub(super) fn take_in(&mut self, snapshot: Arc<Snapshot>) {
        let rates = snapshot.nodes.iter().filter_map(|it| it.rates.commands);
        if HISTORY_MAX <= self.history.len() {
            self.history.pop_front();
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "no rate is negative, and `as` saturates"
        )]
        self.history.push_back(rates.sum::<f64>().round() as u64);
        if !self.is_paused {
            self.snapshot = Some(snapshot);
            self.scroll_to(self.first_row);
        }
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Flow {
        if key.kind == KeyEventKind::Release {
            return Flow::GoOn;
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return Flow::Interrupted,
            KeyCode::Char('q') | KeyCode::Esc => return Flow::End,
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('r') => {
                let sort = self.sort_mut();
                sort.is_descending = !sort.is_descending;
            }
            KeyCode::Char('s') => self.sort_by_neighbour(1),
            KeyCode::Char('S') => self.sort_by_neighbour(-1),
            KeyCode::Tab | KeyCode::Right => self.go_to(self.tab.idx() + 1),
            KeyCode::BackTab | KeyCode::Left => self.go_to(self.tab.idx() + Tab::ALL.len() - 1),
            KeyCode::Char(digit @ '1'..='5') => {
                self.go_to(usize::try_from(u32::from(digit) - u32::from('1')).unwrap_or(0));
            }
            KeyCode::Down | KeyCode::Char('j') => self.scroll_to(self.first_row + 1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll_to(self.first_row.saturating_sub(1)),
            KeyCode::PageDown => self.scroll_to(self.first_row + PAGE),
            KeyCode::PageUp => self.scroll_to(self.first_row.saturating_sub(PAGE)),
            KeyCode::Home => self.scroll_to(0),
            KeyCode::End => self.scroll_to(usize::MAX),
            _ => {}
        }
        Flow::GoOn
    }

    pub(super) fn sort(&self) -> Sort {
        self.sorts.get(self.tab.idx()).copied().unwrap_or_default()
    }

    fn sort_mut(&mut self) -> &mut Sort {
        let idx = self.tab.idx();
        // There are as many as tabs.
        #[expect(clippy::indexing_slicing, reason = "a tab's index is below their number")]
        &mut self.sorts[idx]
    }

    /// The first column is a name, by which people look from A to Z; of numbers they want the
    /// largest.
    fn sort_by_neighbour(&mut self, step: isize) {
        let n = table::columns(self.tab).len();
        let sort = self.sort_mut();
        let column = (sort.column + n).saturating_add_signed(step) % n;
        *sort = Sort { column, is_descending: column != 0 };
    }

    fn go_to(&mut self, idx: usize) {
        self.tab = Tab::ALL.get(idx % Tab::ALL.len()).copied().unwrap_or(Tab::Nodes);
        self.first_row = 0;
    }

    fn scroll_to(&mut self, row: usize) {
        let n_rows = self.table().map_or(0, |it| it.rows.len());
        self.first_row = row.min(n_rows.saturating_sub(1));
    }

    /// The table of this tab, sorted; `None` before the first look.
    pub(super) fn table(&self) -> Option<Table> {
        let mut table = table::table(self.tab, self.snapshot.as_ref()?);
        table.sort(self.sort());
        Some(table)
    }
}
