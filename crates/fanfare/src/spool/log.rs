//! The log: segments in a folder, appended to at one end and sent from at the other.
//!
//! No clock, no broker: what time it is and what was sent is told to it. Invariants: `head` is where the
//! oldest message that waits begins, and `next` where the next one begins that is to be read; they are
//! the same unless messages are in flight. Files before `head` are gone, and all are gone when nothing
//! waits.

mod append;
mod open;
mod read;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fs::{self, File},
    path::PathBuf,
    time::Duration,
};

use fanfare_client::Error;
use uuid::Uuid;

use self::read::Reader;
use super::{
    dead::DeadFile,
    disk::{Disk, failed},
    mark::Mark,
    options::{Fsync, WhenFull},
    record::Record,
    segment::{self, Segment},
};

pub(super) use read::Item;

/// The bounds of a log.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) messages_max: u64,
    pub(super) bytes_max: u64,
    pub(super) age_max: Option<Duration>,
    pub(super) segment_bytes: u64,
    pub(super) dead_bytes_max: u64,
    pub(super) when_full: WhenFull,
    pub(super) fsync: Fsync,
}

#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    rules: Rules,
    disk: Disk,
    /// Locked for as long as it is open.
    _lock: File,
    generation: Uuid,
    segments: VecDeque<Segment>,
    /// Writes to the end of the last segment.
    writer: Option<File>,
    reader: Option<Reader>,
    mark: Mark,
    head: Position,
    next: Position,
    /// Messages that were read and are not settled.
    n_in_flight: usize,
    /// What was dropped behind messages in flight.
    hole: Option<Hole>,
    next_sequence: u64,
    waiting: Waiting,
    /// When the oldest message that waits was handed over, in microseconds since 1970.
    oldest: Option<u64>,
    /// Messages that were written and may not be on the disk.
    unsynced: u64,
    pub(super) dead: DeadFile,
    /// What happened that nobody has been told yet.
    incidents: Incidents,
}

/// Where a frame begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    /// The segment, by its first sequence.
    segment: u64,
    offset: u64,
}

/// A part of the log between what is in flight and what is to be read.
#[derive(Clone, Copy, Debug)]
struct Hole {
    from: Position,
    to: Position,
    last_sequence: u64,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) messages: u64,
    /// Of frames on the disk.
    pub(super) bytes: u64,
}

/// What happened to messages and files.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    /// Messages that were dropped because the spool was full.
    pub(super) dropped: u64,
    /// Messages that were too old.
    pub(super) expired: u64,
    /// Dead letters that were dropped for newer ones.
    pub(super) dead_dropped: u64,
    /// Damaged files that were set aside.
    pub(super) quarantined: Vec<PathBuf>,
    /// Failures of the disk that cost nothing.
    pub(super) errors: Vec<Error>,
    /// What was accepted may not be durable, and nobody has been told.
    pub(super) sync_error: Option<Error>,
}

impl Log {
    /// Numbers the next message.
    pub(super) fn number(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    pub(super) fn generation(&self) -> Uuid {
        self.generation
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }

    pub(super) fn oldest(&self) -> Option<u64> {
        self.oldest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.messages == 0
    }

    /// What happened since it was asked last.
    pub(super) fn take_incidents(&mut self) -> Incidents {
        std::mem::take(&mut self.incidents)
    }

    /// Puts a message that the broker refuses for good with the dead letters; `false` if it is there
    /// already.
    pub(super) fn bury(&mut self, item: &Item, error: &Error) -> Result<bool, Error> {
        let bytes_max = self.rules.dead_bytes_max;
        let letter = (item.generation, &item.record, error.message());
        let added = self.dead.add(&self.disk, letter, bytes_max)?;
        self.incidents.dead_dropped += added.unwrap_or(0);
        Ok(added.is_some())
    }

    /// Takes these dead letters back into the log, as new messages at its end; all of them if none are
    /// named. Returns how many.
    pub(super) fn requeue(&mut self, sequences: Option<&[u64]>) -> Result<u64, Error> {
        let mut letters = self.dead.read()?;
        letters.retain(|it| sequences.is_none_or(|wanted| wanted.contains(&it.record.sequence)));
        let mut n = 0;
        let mut back = Vec::new();
        let mut outcome = Ok(());
        for letter in letters {
            let id = (letter.generation, letter.record.sequence);
            let record = Record { sequence: self.number(), ..letter.record };
            outcome = self.append(&[record], super::record::now()).pop().unwrap_or(Ok(()));
            if outcome.is_err() {
                break;
            }
            back.push(id);
            n += 1;
        }
        self.dead.remove(&self.disk, &back)?;
        outcome.map(|()| n)
    }

    /// Makes what was written durable.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        if self.unsynced == 0 {
            return Ok(());
        }
        let path = self.last_path();
        let synced = match &self.writer {
            Some(file) => self.disk.sync(file),
            None => File::open(&path).and_then(|file| self.disk.sync(&file)),
        };
        synced.map_err(|source| {
            // What the system could not write it may have thrown away, and another attempt would
            // claim success.
            self.writer = None;
            let n = std::mem::take(&mut self.unsynced);
            let what = format!("be sure that {n} messages which it has taken are durable in");
            failed(&what, &path, source)
        })?;
        self.unsynced = 0;
        Ok(())
    }

    pub(super) fn is_unsynced(&self) -> bool {
        0 < self.unsynced
    }

    fn last_path(&self) -> PathBuf {
        self.segments
            .back()
            .map_or_else(|| self.folder.clone(), |it| segment::path(&self.folder, it.first))
    }

    /// Nothing before this waits any more.
    fn advance(&mut self, to: Position, last_sequence: u64) {
        self.head = to;
        if let Err(source) = self.mark.set(last_sequence) {
            let path = self.folder.join(open::MARK);
            self.incidents.errors.push(failed("write", &path, source));
        }
        let is_empty = self.is_empty();
        while let Some(first) = self.segments.front()
            && (is_empty || first.first < to.segment)
        {
            let path = segment::path(&self.folder, first.first);
            if let Err(source) = fs::remove_file(&path)
                && source.kind() != std::io::ErrorKind::NotFound
            {
                self.incidents.errors.push(failed("remove", &path, source));
            }
            self.segments.pop_front();
        }
        if is_empty {
            (self.writer, self.reader, self.hole, self.unsynced) = (None, None, None, 0);
            self.n_in_flight = 0;
        }
    }

    /// It waits no more.
    fn discount(&mut self, n_bytes: u64) {
        self.waiting.messages = self.waiting.messages.saturating_sub(1);
        self.waiting.bytes = self.waiting.bytes.saturating_sub(n_bytes);
    }
}
