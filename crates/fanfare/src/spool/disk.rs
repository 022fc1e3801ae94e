//! The few things that are done to files, each of which may fail.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::Path,
};

use fanfare_client::{Error, ErrorKind};

/// The disk. The tests' one fails when it is told to.
#[derive(Debug, Default)]
pub(super) struct Disk {
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<tests::Faults>,
}

impl Disk {
    /// Makes a file that is empty, whether it was there or not.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        #[cfg(test)]
        self.faults.check(tests::Fault::Create)?;
        File::options().write(true).create(true).truncate(true).open(path)
    }

    pub(super) fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Err(error) = self.faults.check(tests::Fault::Write) {
            // As a disk that is full in the middle.
            file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
            return Err(error);
        }
        file.write_all(bytes)
    }

    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        #[cfg(test)]
        self.faults.check(tests::Fault::Sync)?;
        file.sync_data()
    }

    /// Cuts a file, and writes on from there.
    pub(super) fn cut(&self, file: &mut File, len: u64) -> io::Result<()> {
        #[cfg(test)]
        self.faults.check(tests::Fault::Cut)?;
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len)).map(drop)
    }

    /// Puts a file in the place of another one, whole or not at all. `path` is beside `target`.
    pub(super) fn replace(&self, target: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = target.with_extension("unfinished");
        let mut file = self.create(&unfinished)?;
        self.write(&mut file, bytes)?;
        self.sync(&file)?;
        fs::rename(&unfinished, target)?;
        sync_folder(target.parent().unwrap_or(target))
    }
}

/// Makes new names in a folder durable, where the system can.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// What failed, at which file, and what can be done.
pub(super) fn failed(what: &str, path: &Path, source: io::Error) -> Error {
    let cure = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "there is no space: free some, or give the spool another directory"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "the program must be allowed to write there"
        }
        _ => "see the cause, and the health of the disk",
    };
    let message = format!("the spool can not {what} {}: {source}; {cure}", path.display());
    Error::new(ErrorKind::Storage, message).with_source(source)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in super::super) enum Fault {
        Create,
        Write,
        Sync,
        Cut,
    }

    /// What fails from now on.
    #[derive(Debug, Default)]
    pub(in super::super) struct Faults(Mutex<Vec<Fault>>);

    impl Faults {
        pub(in super::super) fn set(&self, faults: &[Fault]) {
            *self.0.lock().unwrap() = faults.to_vec();
        }

        pub(super) fn check(&self, fault: Fault) -> io::Result<()> {
            if self.0.lock().unwrap().contains(&fault) {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"));
            }
            Ok(())
        }
    }
}
