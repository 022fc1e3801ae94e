//! `CONFIG REWRITE`: the file is replaced whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::config::{Config, rewrite};

/// Writes the configuration back, keeping comments and order: into a new file beside the old one, then renamed.
pub(crate) fn rewrite_file(path: &Path, config: &Config) -> io::Result<()> {
    let original = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = Path::new(&beside);
    let written = write_synced(beside, path, rewrite(config, &original).as_bytes());
    if written.is_err() {
        // The error that counts is the first one; a leftover file is only untidy.
        let _ = fs::remove_file(beside);
    }
    written
}

fn write_synced(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(beside)?;
    if let Ok(metadata) = fs::metadata(path) {
        file.set_permissions(metadata.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    match path.parent().filter(|it| !it.as_os_str().is_empty()) {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
