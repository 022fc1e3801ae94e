//! A file of the log: a header, and frames behind it.
//!
//! ```text
//! header = "FFSPOOL1" · generation (16 bytes) · first sequence (u64) · CRC-32C of all that (u32)
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{
    disk::Disk,
    frame::{self, Part, Parts},
    record::Record,
};

const MAGIC: &[u8; 8] = b"FFSPOOL1";

/// Where the first frame begins.
pub(super) const HEADER_LEN: u64 = 36;

/// One file of the log, as far as it is known to be whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The sequence of its first message, which it is named by.
    pub(super) first: u64,
    /// Who wrote it: each time that a spool is opened, it is another one.
    pub(super) generation: Uuid,
    /// Bytes up to the end of the last whole frame.
    pub(super) len: u64,
}

/// The name of a segment's file.
pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.log"))
}

/// The first sequence that a file is named by, if it is a segment.
pub(super) fn first_of(path: &Path) -> Option<u64> {
    let is_log = path.extension().is_some_and(|it| it == "log");
    path.file_stem()?.to_str()?.parse().ok().filter(|_| is_log)
}

/// The header of a file.
pub(super) fn header(generation: Uuid, first: u64) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(generation.as_bytes());
    header.extend_from_slice(&first.to_le_bytes());
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    header
}

/// Who wrote a file, and what is behind its header. `None`: the header is not whole.
fn split(file: &[u8]) -> Option<(Uuid, &[u8])> {
    let (fields, rest) = file.split_at_checked(32)?;
    let (crc, frames) = rest.split_first_chunk::<4>()?;
    let is_whole = fields.starts_with(MAGIC) && crc32c::crc32c(fields) == u32::from_le_bytes(*crc);
    let generation = Uuid::from_slice(fields.get(8..24)?).ok()?;
    is_whole.then_some((generation, frames))
}

/// What is in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Who wrote it; `None`: the header is damaged.
    pub(super) generation: Option<Uuid>,
    /// The sequence and the time of every whole record, and where it ends.
    pub(super) records: Vec<Scanned>,
    pub(super) damage: Damage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) sequence: u64,
    pub(super) start: u64,
    pub(super) end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    None,
    /// So many bytes at the end are no whole record, as a crash in the middle of a write leaves them.
    Tail(u64),
    /// Something else is damaged.
    Elsewhere,
}

/// Looks through the bytes of a file.
pub(super) fn scan(file: &[u8]) -> Scan {
    let (generation, frames) = match split(file) {
        Some((generation, frames)) => (Some(generation), frames),
        None => (None, file.get(usize_of(HEADER_LEN)..).unwrap_or_default()),
    };
    let mut records = Vec::new();
    let mut at = HEADER_LEN;
    let mut damaged = Vec::new();
    for part in Parts(frames) {
        let (len, record) = match part {
            Part::Damaged(len) => (len, None),
            Part::Whole(body) => (frame::HEAD_LEN + body.len(), Record::decode(body)),
        };
        let end = at + len as u64;
        match record {
            Some(Record { sequence, .. }) => records.push(Scanned { sequence, start: at, end }),
            None => damaged.push((at, end)),
        }
        at = end;
    }
    let is_empty = records.is_empty();
    let damage = match (generation, &damaged[..]) {
        (Some(_), []) => Damage::None,
        (Some(_), [(from, to)]) if *to == at && records.iter().all(|it| it.end <= *from) => {
            Damage::Tail(to - from)
        }
        // The file was being made.
        (None, _) if is_empty && file.len() as u64 <= HEADER_LEN => Damage::Tail(file.len() as u64),
        _ => Damage::Elsewhere,
    };
    Scan { generation, records, damage }
}

/// Sets a damaged file aside under another name, and writes its whole records to a new one in its
/// place. Returns the name of the damaged one.
pub(super) fn set_aside(
    disk: &Disk,
    path: &Path,
    generation: Uuid,
    first: u64,
    (file, scan): (&[u8], &Scan),
) -> io::Result<PathBuf> {
    let aside = free_name(path)?;
    // First a second name, so that a crash in between loses nothing.
    if fs::hard_link(path, &aside).is_err() {
        fs::copy(path, &aside)?;
    }
    if scan.records.is_empty() {
        fs::remove_file(path)?;
        return Ok(aside);
    }
    let mut whole = header(generation, first);
    for record in &scan.records {
        let frame = file.get(usize_of(record.start)..usize_of(record.end));
        whole.extend_from_slice(frame.unwrap_or_default());
    }
    disk.replace(path, &whole)?;
    Ok(aside)
}

/// A name for a damaged file that no earlier one has.
fn free_name(path: &Path) -> io::Result<PathBuf> {
    let mut aside = path.with_extension("log.corrupt");
    let mut n = 1;
    while aside.try_exists()? {
        n += 1;
        aside = path.with_extension(format!("log.{n}.corrupt"));
    }
    Ok(aside)
}

/// When the message was handed over whose frame begins here.
pub(super) fn time_at(file: &[u8], start: u64) -> Option<u64> {
    let frame = file.get(usize_of(start)..)?;
    Some(Record::decode(frame::body(frame)?)?.time)
}

/// A place in a file that is in memory.
fn usize_of(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{super::record::tests::record, *};

    pub(super) fn file(texts: &[&str]) -> Vec<u8> {
        let mut file = header(Uuid::from_u128(7), 1);
        for (sequence, text) in (1..).zip(texts) {
            frame::write(&record(sequence, text).encode(), &mut file).unwrap();
        }
        file
    }

    #[test]
    fn a_file_that_is_cut_anywhere_has_its_whole_records_and_a_damaged_tail() {
        let whole = file(&["tea", "milk", "sugar"]);
        let ends: Vec<u64> = scan(&whole).records.iter().map(|it| it.end).collect();
        assert_eq!(ends.len(), 3);
        for len in 0..=whole.len() {
            let Scan { generation, records, damage } = scan(&whole[..len]);
            let len = len as u64;
            assert_eq!(generation.is_some(), HEADER_LEN <= len);
            let n_whole = ends.iter().filter(|end| **end <= len).count();
            assert_eq!(records.len(), n_whole, "{len}");
            let end = records.last().map_or(HEADER_LEN, |it| it.end);
            let expected = match len {
                _ if len < HEADER_LEN => Damage::Tail(len),
                _ if len == end => Damage::None,
                _ => Damage::Tail(len - end),
            };
            assert_eq!(damage, expected, "{len}");
        }
    }

    #[test]
    fn a_damaged_record_costs_itself_alone() {
        let whole = file(&["tea", "milk", "sugar"]);
        let ends: Vec<u64> = scan(&whole).records.iter().map(|it| it.end).collect();
        for at in 0..whole.len() {
            let mut file = whole.clone();
            file[at] ^= 0x40;
            let Scan { generation, records, damage } = scan(&file);
            let at = at as u64;
            let is_header = at < HEADER_LEN;
            assert_eq!(generation.is_none(), is_header);
            assert_eq!(records.len(), if is_header { 3 } else { 2 }, "{at}");
            let is_last = ends[1] <= at;
            assert_eq!(matches!(damage, Damage::Tail(_)), is_last, "{at}: {damage:?}");
            assert_eq!(damage == Damage::Elsewhere, !is_last, "{at}: {damage:?}");
        }
    }

    #[test]
    fn names_are_in_the_order_of_sequences() {
        let folder = Path::new("/spool");
        let names = [1, 9, 10, u64::MAX].map(|first| path(folder, first));
        assert!(names.is_sorted());
        assert_eq!(names.map(|it| first_of(&it)), [1, 9, 10, u64::MAX].map(Some));
        assert_eq!(first_of(Path::new("/spool/00000000000000000001.log.corrupt")), None);
        assert_eq!(first_of(Path::new("/spool/dead.log")), None);
    }
}
