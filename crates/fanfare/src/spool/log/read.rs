//! Reading what waits, saying what was sent, dropping what is oldest.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use bytes::Bytes;
use fanfare_client::Error;
use uuid::Uuid;

use super::{
    super::{
        disk::failed,
        frame,
        segment::{self, HEADER_LEN},
    },
    Hole, Log, Position, Record, Waiting,
};
use crate::once::{Numbered, Place};

/// A message that was read and is to be sent.
#[derive(Clone, Debug)]
pub(in super::super) struct Item {
    pub(in super::super) generation: Uuid,
    pub(in super::super) record: Record,
    n_bytes: u64,
    after: Position,
}

impl Item {
    /// One that is not in the log.
    pub(in super::super) fn direct(generation: Uuid, record: Record) -> Self {
        Self { generation, record, n_bytes: 0, after: Position::default() }
    }
}

impl Numbered for Item {
    fn generation(&self) -> Uuid {
        self.generation
    }

    fn number(&self) -> u64 {
        self.record.sequence
    }

    fn place(&self) -> &Place {
        &self.record.place
    }

    fn words(&self) -> &[Bytes] {
        &self.record.words
    }
}

/// A segment's file, and where in it the next read begins.
#[derive(Debug)]
pub(super) struct Reader {
    segment: u64,
    offset: u64,
    file: BufReader<File>,
}

impl Log {
    /// The next messages, of one generation, at most so many messages and bytes, but one at least. They
    /// are in flight from now on. None while others are.
    pub(in super::super) fn read_batch(
        &mut self,
        n_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Item>, Error> {
        let mut batch: Vec<Item> = Vec::new();
        let mut n_bytes = 0;
        // What is in flight can not be dropped: the other half of what may wait can.
        let half = |limit: u64| usize::try_from(limit / 2).unwrap_or(usize::MAX).max(1);
        let n_max = n_max.min(half(self.rules.messages_max));
        let bytes_max = bytes_max.min(half(self.rules.bytes_max));
        if self.is_in_flight() {
            return Ok(batch);
        }
        while batch.len() < n_max {
            let item = match self.read_next(batch.is_empty()) {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(error) if batch.is_empty() => return Err(error),
                // It is told when its turn comes.
                Err(_) => break,
            };
            n_bytes += item.record.weight();
            let is_other = batch.first().is_some_and(|it| it.generation != item.generation);
            if is_other || (bytes_max < n_bytes && !batch.is_empty()) {
                break;
            }
            self.next = item.after;
            batch.push(item);
        }
        self.n_in_flight = batch.len();
        Ok(batch)
    }

    fn is_in_flight(&self) -> bool {
        0 < self.n_in_flight
    }

    /// These messages, the first ones of those in flight, are sent, dead or too old.
    pub(in super::super) fn settle(&mut self, items: &[Item]) {
        let Some(last) = items.last() else { return };
        items.iter().for_each(|it| self.discount(it.n_bytes));
        self.n_in_flight = self.n_in_flight.saturating_sub(items.len());
        let (mut to, mut sequence) = (last.after, last.record.sequence);
        if !self.is_in_flight() {
            if let Some(hole) = self.hole
                && self.is_same(hole.from, to)
            {
                (to, sequence, self.hole) = (hole.to, hole.last_sequence, None);
            }
            self.next = to;
        }
        self.advance(to, sequence);
        self.look_at_oldest();
    }

    /// Nothing is in flight any more: what was is read again.
    pub(in super::super) fn rewind(&mut self) {
        (self.next, self.n_in_flight) = (self.head, 0);
    }

    /// Drops the oldest message that is not in flight, if it is too old or may be dropped in any case;
    /// `false` if there is none.
    pub(super) fn skip_oldest(&mut self, may_drop: bool, now: u64) -> Result<bool, Error> {
        let in_flight = self.is_in_flight();
        if in_flight && let Some(hole) = self.hole {
            if self.next < hole.to && !self.is_same(hole.from, self.next) {
                // Less is in flight than when the hole was made: there would be two.
                return Ok(false);
            }
            self.next = self.next.max(hole.to);
        }
        let Some(item) = self.read_next(!in_flight)? else { return Ok(false) };
        let is_expired = item.record.is_expired(self.rules.age_max, now);
        if !is_expired && !may_drop {
            return Ok(false);
        }
        match is_expired {
            true => self.incidents.expired += 1,
            false => self.incidents.dropped += 1,
        }
        self.discount(item.n_bytes);
        let last_sequence = item.record.sequence;
        if in_flight {
            let from = self.hole.map_or(self.next, |it| it.from);
            self.hole = Some(Hole { from, to: item.after, last_sequence });
            self.next = item.after;
        } else {
            self.next = item.after;
            self.advance(item.after, last_sequence);
            self.look_at_oldest();
        }
        Ok(true)
    }

    /// Whether the same frame begins at both: the end of a segment is the beginning of the next one.
    fn is_same(&self, a: Position, b: Position) -> bool {
        let begin = |at: Position| {
            let index = self.segments.iter().position(|it| it.first == at.segment)?;
            let is_end = self.segments.get(index).is_some_and(|it| it.len <= at.offset);
            let following = self.segments.get(index + 1).filter(|_| is_end)?;
            Some(Position { segment: following.first, offset: HEADER_LEN })
        };
        begin(a).unwrap_or(a) == begin(b).unwrap_or(b)
    }

    /// Keeps the age of the oldest message current.
    fn look_at_oldest(&mut self) {
        if self.is_empty() {
            self.oldest = None;
            return;
        }
        let next = std::mem::replace(&mut self.next, self.head);
        let oldest = self.read_next(false);
        self.next = next;
        if let Ok(Some(item)) = oldest {
            self.oldest = Some(item.record.time);
        }
    }

    /// The message at `next`, which stays there. Jumps over a hole or a damaged frame only if `may_jump`:
    /// what is in flight must stay in one piece and in its place.
    fn read_next(&mut self, may_jump: bool) -> Result<Option<Item>, Error> {
        loop {
            if let Some(hole) = self.hole
                && self.is_same(hole.from, self.next)
            {
                if !may_jump {
                    return Ok(None);
                }
                self.hole = None;
                self.next = hole.to;
                self.advance(hole.to, hole.last_sequence);
            }
            let at = self.segments.iter().position(|it| it.first == self.next.segment);
            let Some(segment) = at.and_then(|at| self.segments.get(at)) else { return Ok(None) };
            if segment.len <= self.next.offset {
                let Some(following) = at.and_then(|at| self.segments.get(at + 1)) else {
                    return Ok(None);
                };
                let begin = Position { segment: following.first, offset: HEADER_LEN };
                if !self.is_in_flight() && self.head == self.next {
                    self.head = begin;
                }
                self.next = begin;
                continue;
            }
            let (first, generation) = (segment.first, segment.generation);
            match self.read_at(self.next) {
                Ok(Some((record, n_bytes))) => {
                    let offset = self.next.offset + n_bytes;
                    let after = Position { segment: first, offset };
                    return Ok(Some(Item { generation, record, n_bytes, after }));
                }
                // First what was read before must have landed.
                Ok(None) if !may_jump => return Ok(None),
                Ok(None) => self.repair(first)?,
                Err(source) => {
                    self.reader = None;
                    let path = segment::path(&self.folder, first);
                    return Err(failed("read", &path, source));
                }
            }
        }
    }

    /// The record of a frame, and the frame's length. `None`: it is damaged.
    fn read_at(&mut self, at: Position) -> io::Result<Option<(Record, u64)>> {
        let len = self.segments.iter().find(|it| it.first == at.segment).map_or(0, |it| it.len);
        let mut reader = match self.reader.take() {
            Some(reader) if (reader.segment, reader.offset) == (at.segment, at.offset) => reader,
            _ => {
                let mut file = File::open(segment::path(&self.folder, at.segment))?;
                file.seek(SeekFrom::Start(at.offset))?;
                Reader { segment: at.segment, offset: at.offset, file: BufReader::new(file) }
            }
        };
        let mut frame = vec![0; frame::HEAD_LEN];
        let Some(head) = frame.first_chunk_mut() else { return Ok(None) };
        match reader.file.read_exact(head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let Some(body_len) = frame::body_len(*head) else { return Ok(None) };
        let n_bytes = (frame::HEAD_LEN + body_len) as u64;
        if len < at.offset + n_bytes {
            return Ok(None);
        }
        frame.resize(frame::HEAD_LEN + body_len, 0);
        let body = frame.get_mut(frame::HEAD_LEN..).unwrap_or_default();
        match reader.file.read_exact(body) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let record = frame::body(&frame).and_then(Record::decode);
        reader.offset += n_bytes;
        self.reader = Some(reader);
        Ok(record.map(|record| (record, n_bytes)))
    }

    /// A segment was damaged after it was written: it is set aside, and its whole records go on.
    fn repair(&mut self, first: u64) -> Result<(), Error> {
        let path = segment::path(&self.folder, first);
        let is_last = self.segments.back().is_some_and(|it| it.first == first);
        if is_last {
            self.writer = None;
        }
        self.reader = None;
        let generation = self.segments.iter().find(|it| it.first == first).map(|it| it.generation);
        let repaired = (|| {
            let file = std::fs::read(&path)?;
            let scan = segment::scan(&file);
            let generation = scan.generation.or(generation).unwrap_or(self.generation);
            let aside = segment::set_aside(&self.disk, &path, generation, first, (&file, &scan))?;
            Ok((scan, aside))
        })();
        let (scan, aside) = repaired.map_err(|source| failed("mend", &path, source))?;
        self.incidents.quarantined.push(aside);
        // Where the messages are now, and which of them have been sent.
        let n_sent = match self.head.segment == first {
            true => scan.records.iter().filter(|it| it.start < self.head.offset).count(),
            false => 0,
        };
        let lens = scan.records.iter().map(|it| it.end - it.start);
        let len = HEADER_LEN + lens.clone().sum::<u64>();
        let offset = HEADER_LEN + lens.take(n_sent).sum::<u64>();
        if scan.records.is_empty() {
            self.segments.retain(|it| it.first != first);
        } else if let Some(segment) = self.segments.iter_mut().find(|it| it.first == first) {
            segment.len = len;
        }
        let following = self.segments.iter().find(|it| first < it.first).map(|it| it.first);
        let begin = match (scan.records.is_empty(), following) {
            (true, Some(segment)) => Position { segment, offset: HEADER_LEN },
            _ => Position { segment: first, offset },
        };
        (self.head, self.next, self.hole) = (begin, begin, None);
        self.recount();
        Ok(())
    }

    /// Counts what waits, from the files.
    fn recount(&mut self) {
        self.waiting = Waiting::default();
        for segment in &self.segments {
            let file = std::fs::read(segment::path(&self.folder, segment.first));
            let scan = segment::scan(&file.unwrap_or_default());
            let begin = match self.head.segment == segment.first {
                true => self.head.offset,
                false => 0,
            };
            for record in scan.records.iter().filter(|it| begin <= it.start) {
                self.waiting.messages += 1;
                self.waiting.bytes += record.end - record.start;
            }
        }
        if self.is_empty() {
            (self.oldest, self.writer) = (None, None);
        }
    }
}
