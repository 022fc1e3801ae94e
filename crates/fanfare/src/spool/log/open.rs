//! Opening a folder, and mending what a crash has left.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use fanfare_client::{Error, ErrorKind};
use uuid::Uuid;

use super::{
    super::{
        dead::DeadFile,
        disk::{Disk, failed, sync_folder},
        segment::{self, Damage, HEADER_LEN, Scan},
        stats::Recovery,
    },
    Incidents, Log, Mark, Position, Rules, Segment, Waiting,
};

/// The file that tells up to where the log was sent.
pub(super) const MARK: &str = "mark";

/// The file that is locked.
const LOCK: &str = "lock";

impl Log {
    /// Opens a folder for this process alone, makes it if there is none, and says what was found.
    pub(in super::super) fn open(
        folder: PathBuf,
        rules: Rules,
        disk: Disk,
    ) -> Result<(Self, Recovery), Error> {
        fs::create_dir_all(&folder).map_err(|source| failed("make", &folder, source))?;
        let lock = lock(&folder.join(LOCK))?;
        let path = folder.join(MARK);
        let (mark, sent) = Mark::open(&path).map_err(|source| failed("open", &path, source))?;
        let (dead, cut) = DeadFile::open(&disk, &folder)?;
        let generation = Uuid::now_v7();
        let mut found = Found { sent, next_sequence: sent + 1, ..Found::default() };
        found.recovery.cut_bytes = cut;
        let paths = files(&folder).map_err(|source| failed("read", &folder, source))?;
        let n_files = paths.len();
        for (index, path) in paths.iter().enumerate() {
            let is_last = index + 1 == n_files;
            let taken = found.take(&disk, path, is_last, generation);
            taken.map_err(|source| failed("read", path, source))?;
        }
        let Found { segments, head, waiting, oldest, next_sequence, mut recovery, .. } = found;
        recovery.messages = waiting.messages;
        let log = Self {
            folder,
            rules,
            disk,
            _lock: lock,
            generation,
            segments,
            writer: None,
            reader: None,
            mark,
            head,
            next: head,
            n_in_flight: 0,
            hole: None,
            next_sequence,
            waiting,
            oldest,
            unsynced: 0,
            dead,
            incidents: Incidents::default(),
        };
        Ok((log, recovery))
    }
}

/// Locks a file, in which those who find it locked read by whom.
fn lock(path: &Path) -> Result<File, Error> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = file.map_err(|source| failed("open", path, source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(source)) => return Err(failed("lock", path, source)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who it is only helps to find it.
            let _ = file.read_to_string(&mut holder);
            let message = format!(
                "{} is locked by process {}: a spool's directory belongs to one process and is opened \
                 once; give this one another, or close that one",
                path.display(),
                if holder.is_empty() { "?" } else { &holder }
            );
            return Err(Error::new(ErrorKind::Storage, message));
        }
    }
    let written = (|| {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        write!(file, "{}", std::process::id())
    })();
    // On a full disk, what waits must still be sent.
    if let Err(error) = written {
        tracing::warn!(%error, path = %path.display(), "a lock does not tell who holds it");
    }
    Ok(file)
}

/// The segments of a folder, oldest first. What a crash left unfinished is removed.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "unfinished") {
            fs::remove_file(&path)?;
        } else if segment::first_of(&path).is_some() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// What was found so far.
#[derive(Default)]
struct Found {
    /// Up to here everything was sent.
    sent: u64,
    segments: std::collections::VecDeque<Segment>,
    head: Position,
    waiting: Waiting,
    oldest: Option<u64>,
    next_sequence: u64,
    recovery: Recovery,
}

impl Found {
    fn take(
        &mut self,
        disk: &Disk,
        path: &Path,
        is_last: bool,
        new_generation: Uuid,
    ) -> std::io::Result<()> {
        let Some(first) = segment::first_of(path) else { return Ok(()) };
        let mut file = fs::read(path)?;
        let mut scan = segment::scan(&file);
        self.next_sequence = self.next_sequence.max(first.saturating_add(1));
        if let Some(last) = scan.records.last() {
            self.next_sequence = self.next_sequence.max(last.sequence.saturating_add(1));
        }
        if scan.records.last().is_some_and(|it| it.sequence <= self.sent) {
            // A crash came before it was removed; damaged or not, it is of no use.
            return fs::remove_file(path);
        }
        match scan.damage {
            Damage::None => {}
            Damage::Tail(n_bytes) if is_last => {
                self.recovery.cut_bytes += n_bytes;
                cut(path, &scan)?;
            }
            Damage::Tail(_) | Damage::Elsewhere => {
                // Without its header nobody knows who wrote it, and the broker not what of it was sent.
                let generation = scan.generation.unwrap_or(new_generation);
                let aside = segment::set_aside(disk, path, generation, first, (&file, &scan))?;
                self.recovery.quarantined.push(aside);
                file = if scan.records.is_empty() { Vec::new() } else { fs::read(path)? };
                scan = segment::scan(&file);
            }
        }
        match scan.generation {
            Some(generation) if !scan.records.is_empty() => {
                self.count(first, generation, &scan, &file)
            }
            _ if path.try_exists()? => fs::remove_file(path)?,
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, first: u64, generation: Uuid, scan: &Scan, file: &[u8]) {
        let unsent = scan.records.iter().filter(|it| self.sent < it.sequence);
        for record in unsent {
            if self.waiting.messages == 0 {
                self.head = Position { segment: first, offset: record.start };
                self.oldest = segment::time_at(file, record.start);
            }
            self.waiting.messages += 1;
            self.waiting.bytes += record.end - record.start;
        }
        let len = scan.records.last().map_or(HEADER_LEN, |it| it.end);
        self.segments.push_back(Segment { first, generation, len });
    }
}

/// Cuts a damaged tail off, so that it is not found damaged once more.
fn cut(path: &Path, scan: &Scan) -> std::io::Result<()> {
    let Some(last) = scan.records.last() else {
        fs::remove_file(path)?;
        return sync_folder(path.parent().unwrap_or(path));
    };
    let file = File::options().write(true).open(path)?;
    file.set_len(last.end)?;
    file.sync_all()
}
