//! The file of dead letters: what the broker refuses for good.
//!
//! ```text
//! file = "FFDEAD01" · frames; body = generation (16 bytes) · error (u32 and text) · record
//! ```

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use fanfare_client::Error;
use uuid::Uuid;

use super::{
    disk::{Disk, failed},
    frame::{self, Part, Parts},
    record::Record,
};
use crate::once::words::{get, put};

const MAGIC: &[u8; 8] = b"FFDEAD01";

/// Which message of which generation.
type Id = (Uuid, u64);

#[derive(Debug)]
pub(super) struct DeadFile {
    path: PathBuf,
    /// Of each letter, in the file's order: which it is, and the bytes of its frame.
    letters: VecDeque<(Id, u64)>,
    n_bytes: u64,
}

/// A dead letter as it is in the file.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) generation: Uuid,
    pub(super) error: String,
    pub(super) record: Record,
}

impl DeadFile {
    /// Reads which letters there are. Damaged ones are cut off or set aside; returns how many bytes were
    /// cut.
    pub(super) fn open(disk: &Disk, folder: &Path) -> Result<(Self, u64), Error> {
        let path = folder.join("dead.letters");
        let mut this = Self { path, letters: VecDeque::new(), n_bytes: 0 };
        let opened = this.load(disk);
        let path = this.path.clone();
        opened.map(|cut| (this, cut)).map_err(|source| failed("read", &path, source))
    }

    fn load(&mut self, disk: &Disk) -> io::Result<u64> {
        let file = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            file => file?,
        };
        let frames = file.strip_prefix(MAGIC).unwrap_or_default();
        let mut whole = Vec::new();
        for part in Parts(frames) {
            if let Part::Whole(body) = part
                && let Some(letter) = decode(body)
            {
                let len = frame::HEAD_LEN + body.len();
                self.count((letter.generation, letter.record.sequence), len as u64);
                whole.extend_from_slice(&frame_of(body));
            }
        }
        let cut = file.len().saturating_sub(MAGIC.len() + whole.len()) as u64;
        if 0 < cut {
            fs::copy(&self.path, self.path.with_extension("letters.corrupt"))?;
            disk.replace(&self.path, &[MAGIC, &whole[..]].concat())?;
        }
        Ok(cut)
    }

    pub(super) fn len(&self) -> u64 {
        self.letters.len() as u64
    }

    /// Adds one, and makes it durable. Drops the oldest ones if there is no room; returns how many.
    /// `None`: it is there already.
    pub(super) fn add(
        &mut self,
        disk: &Disk,
        (generation, record, error): (Uuid, &Record, &str),
        bytes_max: u64,
    ) -> Result<Option<u64>, Error> {
        let id = (generation, record.sequence);
        if self.letters.iter().any(|it| it.0 == id) {
            return Ok(None);
        }
        let mut body = generation.as_bytes().to_vec();
        put(&mut body, error.as_bytes());
        body.extend_from_slice(&record.encode());
        let frame = frame_of(&body);
        let n_bytes = frame.len() as u64;
        let mut n_dropped = 0;
        if bytes_max < self.n_bytes + n_bytes {
            // Down to the half, so that the file is not written anew for each.
            let mut kept = self.n_bytes;
            let too_many = self.letters.iter().take_while(|(_, len)| {
                let is_too_many = bytes_max / 2 < kept + n_bytes;
                kept -= len;
                is_too_many
            });
            let dropped: Vec<Id> = too_many.map(|it| it.0).collect();
            n_dropped = dropped.len() as u64;
            self.remove(disk, &dropped)?;
        }
        self.append(disk, &frame).map_err(|source| failed("write to", &self.path, source))?;
        self.count(id, n_bytes);
        Ok(Some(n_dropped))
    }

    fn append(&self, disk: &Disk, frame: &[u8]) -> io::Result<()> {
        if self.letters.is_empty() {
            return disk.replace(&self.path, &[MAGIC, frame].concat());
        }
        let len = MAGIC.len() as u64 + self.n_bytes;
        let mut file = File::options().write(true).open(&self.path)?;
        file.seek(SeekFrom::Start(len))?;
        let written = disk.write(&mut file, frame).and_then(|()| disk.sync(&file));
        if written.is_err() {
            // The next one is written in its place.
            let _ = disk.cut(&mut file, len);
        }
        written
    }

    fn count(&mut self, id: Id, n_bytes: u64) {
        self.letters.push_back((id, n_bytes));
        self.n_bytes += n_bytes;
    }

    /// All of them, oldest first.
    pub(super) fn read(&self) -> Result<Vec<Letter>, Error> {
        if self.letters.is_empty() {
            return Ok(Vec::new());
        }
        let file = fs::read(&self.path).map_err(|source| failed("read", &self.path, source))?;
        let frames = file.strip_prefix(MAGIC).unwrap_or_default();
        let letters = Parts(frames).filter_map(|part| match part {
            Part::Whole(body) => decode(body),
            Part::Damaged(_) => None,
        });
        Ok(letters.collect())
    }

    /// Removes some.
    pub(super) fn remove(&mut self, disk: &Disk, ids: &[Id]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut kept = MAGIC.to_vec();
        let mut letters = VecDeque::new();
        for letter in self.read()? {
            let id = (letter.generation, letter.record.sequence);
            if !ids.contains(&id) {
                let mut body = letter.generation.as_bytes().to_vec();
                put(&mut body, letter.error.as_bytes());
                body.extend_from_slice(&letter.record.encode());
                let frame = frame_of(&body);
                letters.push_back((id, frame.len() as u64));
                kept.extend_from_slice(&frame);
            }
        }
        disk.replace(&self.path, &kept).map_err(|source| failed("write", &self.path, source))?;
        self.n_bytes = letters.iter().map(|it| it.1).sum();
        self.letters = letters;
        Ok(())
    }
}

/// A frame of a body that is known to fit.
fn frame_of(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    // A message is refused before it comes here if it does not fit.
    let _ = frame::write(body, &mut frame);
    frame
}

fn decode(body: &[u8]) -> Option<Letter> {
    let (generation, mut rest) = body.split_first_chunk::<16>()?;
    let error = get(&mut rest)?;
    Some(Letter {
        generation: Uuid::from_bytes(*generation),
        error: String::from_utf8_lossy(&error).into_owned(),
        record: Record::decode(rest)?,
    })
}
