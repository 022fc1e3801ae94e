//! The programs that shell commands of the documents name.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use fanfare_testkit::fanfare_binary;

/// A folder with `fanfare`, a `cargo` that stands for it, and a `redis-cli` that finds the server
/// and fails at an error reply; `redis_cli_options` come before its arguments.
pub(crate) fn programs(dir: &Path, port: u16, redis_cli_options: &str) -> PathBuf {
    let folder = dir.join("bin");
    fs::create_dir(&folder).expect("a folder can be made");
    symlink(fanfare_binary(), folder.join("fanfare")).expect("a link can be made");
    let redis_cli = which("redis-cli");
    for (name, script) in [
        (
            "cargo",
            "[ \"$1 $2 $3\" != 'run --release --' ] || { shift 3; exec fanfare \"$@\"; }"
                .to_owned(),
        ),
        (
            "redis-cli",
            format!("exec {} -e -p {port} {redis_cli_options} \"$@\"", redis_cli.display()),
        ),
    ] {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }
    folder
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("there is a PATH");
    std::env::split_paths(&path)
        .map(|it| it.join(program))
        .find(|it| it.is_file())
        .expect("redis-cli not found: run apt-get install -y redis-server")
}
