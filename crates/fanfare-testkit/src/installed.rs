//! Packages that tests need of other registries, installed once into cargo's target directory.

#![expect(clippy::expect_used, reason = "a test may end with a message")]

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder under `base` in which `make` has installed what `wanted` describes. Installs again only when
/// that has changed, and only in one process at a time.
///
/// # Panics
/// If the folder can not be made, or `make` panics: then it is made anew the next time.
pub fn installed_once(base: &Path, name: &str, wanted: &[u8], make: impl FnOnce(&Path)) -> PathBuf {
    fs::create_dir_all(base).expect("cargo's temporary directory can be made");
    let lock = File::create(base.join(format!("{name}.lock"))).expect("a lock can be made");
    lock.lock().expect("the lock can be taken");
    let (folder, stamp) = (base.join(name), base.join(format!("{name}.stamp")));
    if fs::read(&stamp).ok().as_deref() != Some(wanted) {
        // What is not there need not go.
        let _ = fs::remove_file(&stamp);
        fs::create_dir_all(&folder).expect("the folder can be made");
        make(&folder);
        fs::write(&stamp, wanted).expect("the stamp can be written");
    }
    folder
}

/// Runs what installs, quietly.
///
/// # Panics
/// With `hint` if there is no such program; with what it said if it failed.
pub fn install(command: &mut Command, hint: &str) {
    match command.output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(output.status.success(), "{command:?} failed:\n{said}");
        }
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("{hint}"),
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// Installs by `npm ci` what the `package-lock.json` of a folder names, beside copies of these of its files,
/// and returns where.
///
/// # Panics
/// As [`install`], and if a file can not be copied.
pub fn install_node(base: &Path, name: &str, sources: &[PathBuf]) -> PathBuf {
    let read = |path: &PathBuf| fs::read(path).expect("a source can be read");
    let wanted: Vec<u8> = sources.iter().flat_map(read).collect();
    installed_once(base, name, &wanted, |folder| {
        for source in sources {
            let name = source.file_name().expect("a listed file has a name");
            fs::copy(source, folder.join(name)).expect("a source can be copied");
        }
        let hint = "npm not found: install Node.js 20 or newer (apt-get install -y nodejs npm)";
        let mut npm = Command::new("npm");
        npm.args(["ci", "--loglevel", "error", "--no-audit", "--no-fund"]).current_dir(folder);
        install(&mut npm, hint);
    })
}
