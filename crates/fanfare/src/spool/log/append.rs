//! Appending, and room for it.

use std::{fs::File, path::Path};

use fanfare_client::{Error, ErrorKind};

use super::{
    super::{
        disk::{failed, sync_folder},
        frame,
        options::{Fsync, WhenFull},
        segment,
    },
    Log, Position, Record, Segment,
};

/// Frames that are to be written together.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Of the first one: its sequence and its time.
    first: Option<(u64, u64)>,
    n: u64,
}

impl Log {
    /// Appends messages in their order, and says of each what became of it.
    pub(in super::super) fn append(
        &mut self,
        records: &[Record],
        now: u64,
    ) -> Vec<Result<(), Error>> {
        let mut outcomes: Vec<Result<(), Error>> = Vec::with_capacity(records.len());
        let mut chunk = Chunk::default();
        for record in records {
            if let Some(Err(error)) = outcomes.last()
                && error.kind() == ErrorKind::Storage
            {
                // What comes behind it would come before it.
                outcomes.push(Err(error.clone()));
                continue;
            }
            let admitted = self.admit(record, &mut chunk, now, &mut outcomes);
            outcomes.push(admitted);
            if self.rules.segment_bytes <= chunk.bytes.len() as u64 {
                // What comes of it is told by the outcomes.
                let _ = self.write_chunk(&mut chunk, &mut outcomes);
            }
        }
        let _ = self.write_chunk(&mut chunk, &mut outcomes);
        outcomes
    }

    /// Puts a message into the chunk, if there is room for it.
    fn admit(
        &mut self,
        record: &Record,
        chunk: &mut Chunk,
        now: u64,
        outcomes: &mut [Result<(), Error>],
    ) -> Result<(), Error> {
        let mut frame = Vec::new();
        let written = frame::write(&record.encode(), &mut frame);
        let n_bytes = frame.len() as u64;
        if written.is_err() || self.rules.bytes_max < n_bytes {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the message has {n_bytes} bytes with what is known about it, and the spool \
                     takes {}: send less at once, or raise `bytes_max`",
                    self.rules.bytes_max
                ),
            ));
        }
        while !self.has_room(chunk, n_bytes) {
            if 0 < chunk.n {
                self.write_chunk(chunk, outcomes)?;
                continue;
            }
            let may_drop = self.rules.when_full == WhenFull::DropOldest;
            if !self.skip_oldest(may_drop, now)? {
                return Err(self.full(n_bytes));
            }
        }
        chunk.bytes.extend_from_slice(&frame);
        chunk.first.get_or_insert((record.sequence, record.time));
        chunk.n += 1;
        Ok(())
    }

    fn has_room(&self, chunk: &Chunk, n_bytes: u64) -> bool {
        let n_messages = self.waiting.messages + chunk.n;
        let n_bytes = self.waiting.bytes + chunk.bytes.len() as u64 + n_bytes;
        n_messages < self.rules.messages_max && n_bytes <= self.rules.bytes_max
    }

    fn full(&self, n_bytes: u64) -> Error {
        let (waiting, rules) = (self.waiting, &self.rules);
        let limit = match waiting.messages < rules.messages_max {
            true => format!(
                "{} bytes wait, the message has {n_bytes}, and {} are allowed (`bytes_max`)",
                waiting.bytes, rules.bytes_max
            ),
            false => format!(
                "{} messages wait, and {} are allowed (`messages_max`)",
                waiting.messages, rules.messages_max
            ),
        };
        let cure = "bring the broker back, raise the limit, or let the oldest be dropped";
        let message = format!("the spool in {} is full: {limit}; {cure}", self.folder.display());
        Error::new(ErrorKind::SpoolFull, message)
    }

    /// Writes a chunk, and syncs it if that is the policy. If that fails, its messages' outcomes, which
    /// are the last ones, become the error.
    fn write_chunk(
        &mut self,
        chunk: &mut Chunk,
        outcomes: &mut [Result<(), Error>],
    ) -> Result<(), Error> {
        let Chunk { bytes, first: Some(first), n } = std::mem::take(chunk) else { return Ok(()) };
        let written = self.write(&bytes, first, n);
        if let Err(error) = &written {
            let mut left = n;
            for outcome in outcomes.iter_mut().rev().filter(|it| it.is_ok()) {
                if left == 0 {
                    break;
                }
                *outcome = Err(error.clone());
                left -= 1;
            }
        }
        written
    }

    fn write(&mut self, bytes: &[u8], (sequence, time): (u64, u64), n: u64) -> Result<(), Error> {
        let n_bytes = bytes.len() as u64;
        let is_full = self.segments.back().is_some_and(|it| {
            segment::HEADER_LEN < it.len && self.rules.segment_bytes < it.len + n_bytes
        });
        if is_full && self.writer.is_some() {
            self.seal();
        }
        let mut file = match self.writer.take() {
            Some(file) => file,
            None => self.begin(sequence)?,
        };
        let path = self.last_path();
        if let Err(source) = self.disk.write(&mut file, bytes) {
            self.undo(file, true);
            return Err(failed("write to", &path, source));
        }
        if self.rules.fsync == Fsync::Always
            && let Err(source) = self.disk.sync(&file)
        {
            // After that, nobody knows what is on the disk: nothing more is written to this file.
            let is_undone = self.undo(file, false);
            let error = failed("be sure that a message is durable in", &path, source);
            return Err(if is_undone { error } else { error.after_sending() });
        }
        self.writer = Some(file);
        self.written(n_bytes, n, time);
        Ok(())
    }

    fn written(&mut self, n_bytes: u64, n: u64, time: u64) {
        let Some(segment) = self.segments.back_mut() else { return };
        if self.waiting.messages == 0 {
            self.head = Position { segment: segment.first, offset: segment.len };
            (self.next, self.oldest) = (self.head, Some(time));
        }
        segment.len += n_bytes;
        self.waiting.messages += n;
        self.waiting.bytes += n_bytes;
        if self.rules.fsync != Fsync::Always {
            self.unsynced += n;
        }
    }

    /// Nothing more is written to the last segment.
    fn seal(&mut self) {
        if matches!(self.rules.fsync, Fsync::Every(_))
            && let Err(error) = self.sync()
        {
            self.incidents.sync_error = Some(error);
        }
        (self.writer, self.unsynced) = (None, 0);
    }

    /// Begins a segment.
    fn begin(&mut self, first: u64) -> Result<File, Error> {
        let path = segment::path(&self.folder, first);
        self.try_begin(&path, first).map_err(|source| {
            // It may be there and hold nothing.
            let _ = std::fs::remove_file(&path);
            failed("begin the file", &path, source)
        })
    }

    fn try_begin(&mut self, path: &Path, first: u64) -> std::io::Result<File> {
        let mut file = self.disk.create(path)?;
        self.disk.write(&mut file, &segment::header(self.generation, first))?;
        if self.rules.fsync != Fsync::Never {
            sync_folder(&self.folder)?;
        }
        let generation = self.generation;
        self.segments.push_back(Segment { first, generation, len: segment::HEADER_LEN });
        Ok(file)
    }

    /// Takes back what was written behind the last whole message, and says whether that was possible.
    /// The file is written to again only if it `is_trusted`.
    fn undo(&mut self, mut file: File, is_trusted: bool) -> bool {
        // It may have read ahead what is cut off now.
        self.reader = None;
        let Some(segment) = self.segments.back() else { return false };
        let is_cut = self.disk.cut(&mut file, segment.len).is_ok();
        let has_records = segment::HEADER_LEN < segment.len;
        if is_cut && is_trusted && has_records {
            self.writer = Some(file);
        } else if !has_records {
            // Nothing waits in it. What can not be removed is made anew by the next attempt.
            let path = self.last_path();
            self.segments.pop_back();
            return std::fs::remove_file(path).is_ok() || is_cut;
        }
        is_cut
    }
}
