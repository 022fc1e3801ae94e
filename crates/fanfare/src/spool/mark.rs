//! Up to where the log has been sent: a file of two slots, written in turn, so that a crash in the
//! middle of a write leaves the other one.
//!
//! ```text
//! slot = sequence (u64) · CRC-32C of it (u32) · zeros up to 64 bytes
//! ```
//!
//! It is not synced: an old mark has messages sent again, and the broker knows those.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

const SLOT_LEN: usize = 64;

#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    is_second: bool,
}

impl Mark {
    /// Opens the file, makes it if it is not there, and reads up to where the log was sent.
    pub(super) fn open(path: &Path) -> io::Result<(Self, u64)> {
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let slots: Vec<Option<u64>> = bytes.chunks(SLOT_LEN).take(2).map(read).collect();
        let [first, second] = [0, 1].map(|at| slots.get(at).copied().flatten());
        // The older one is written next.
        Ok((Self { file, is_second: second < first }, first.max(second).unwrap_or(0)))
    }

    /// Everything up to here is sent.
    pub(super) fn set(&mut self, sequence: u64) -> io::Result<()> {
        let number = sequence.to_le_bytes();
        let mut slot = [0; SLOT_LEN];
        let (head, rest) = slot.split_at_mut(number.len());
        head.copy_from_slice(&number);
        rest.split_at_mut(4).0.copy_from_slice(&crc32c::crc32c(&number).to_le_bytes());
        let at = if self.is_second { SLOT_LEN as u64 } else { 0 };
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(&slot)?;
        self.is_second = !self.is_second;
        Ok(())
    }
}

fn read(slot: &[u8]) -> Option<u64> {
    let (number, rest) = slot.split_first_chunk::<8>()?;
    let crc = u32::from_le_bytes(*rest.first_chunk::<4>()?);
    (crc32c::crc32c(number) == crc).then_some(u64::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_slot_leaves_the_mark_before_it() {
        let folder = super::super::tests::Folder::new();
        let path = folder.path().join("mark");
        let (mut mark, sent) = Mark::open(&path).unwrap();
        assert_eq!(sent, 0);
        for sequence in [7, 8, 9] {
            mark.set(sequence).unwrap();
        }
        let (mut mark, sent) = Mark::open(&path).unwrap();
        assert_eq!(sent, 9);
        mark.set(12).unwrap();
        // 9 is in the first slot, 12 in the second one.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[SLOT_LEN + 3] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Mark::open(&path).unwrap().1, 9);
        for len in 0..SLOT_LEN {
            std::fs::write(&path, &bytes[..len]).unwrap();
            assert_eq!(Mark::open(&path).unwrap().1, if len < 12 { 0 } else { 9 });
        }
    }
}
