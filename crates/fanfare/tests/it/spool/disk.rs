//! A disk without space.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use fanfare::{Error, ErrorKind, Fanfare, spool::Fsync};
use fanfare_testkit::RedisServer;

use super::{Directory, drained, order, orders};
use crate::support::{Target, TestResult, run};

const DIRECTORY: &str = "FANFARE_LIMITED_DIRECTORY";

/// A file system in memory of 64 KiB, which only root may make; for others a process that may not write
/// larger files.
#[test]
fn a_full_disk_is_told_and_survived() {
    let directory = Directory::new();
    std::fs::create_dir_all(directory.path()).unwrap();
    match Mount::new(directory.path()) {
        Some(mount) => {
            println!("a file system of 64 KiB is full, and then has room");
            run(fill_and_free(&mount.0));
        }
        None => {
            println!("no file system can be mounted: a process may not write more");
            in_a_limited_process(directory.path()).unwrap();
        }
    }
}

struct Mount(PathBuf);

impl Mount {
    fn new(path: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(path);
        let is_mounted = mount.status().is_ok_and(|it| it.success());
        is_mounted.then(|| Self(path.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Publishes until the disk is full; the error, and how many were taken.
async fn fill(spool: &fanfare::spool::Spool, first: u64) -> Result<(Error, u64), Error> {
    let mut n = first;
    loop {
        match spool.publish("orders", &order(n)).await {
            Ok(_) if n < first + 10_000 => n += 1,
            Ok(_) => return Err(Error::new(ErrorKind::Storage, "the disk is never full")),
            Err(error) => return Ok((error, n)),
        }
    }
}

fn check(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    let told = error.to_string();
    assert!(told.contains(".log") && told.contains("free some"), "{told}");
    assert!(!error.may_have_been_delivered());
}

async fn fill_and_free(path: &Path) -> TestResult {
    for fsync in [Fsync::Always, Fsync::Never] {
        let mut server = Target::Redis(RedisServer::start(&[]));
        let fanfare = server.connect().await?;
        let ballast = path.join("ballast");
        std::fs::write(&ballast, vec![1; 30_000])?;
        let spool =
            fanfare.spool(path.join(format!("{fsync:?}"))).fsync(fsync).segment_bytes(8_192);
        let spool = spool.open().await?;
        server.stop();
        let (error, n) = fill(&spool, 0).await?;
        check(&error);
        // It stays so, what waits stays, and it is told to whoever watches.
        assert!(spool.publish("orders", &order(n)).await.is_err());
        let stats = spool.stats();
        assert_eq!((stats.waiting, stats.refused), (n, 2));
        assert!(stats.disk_error.is_some() && 0 < n);
        std::fs::remove_file(&ballast)?;
        let (error, n) = fill(&spool, n).await?;
        check(&error);
        server.restart();
        drained(&spool).await?;
        assert_eq!(orders(&fanfare).await?, (0..n).collect::<Vec<_>>());
        assert!(spool.publish("orders", &order(n)).await.is_ok());
        spool.close(Duration::from_secs(60)).await;
        std::fs::remove_dir_all(spool.directory())?;
    }
    Ok(())
}

fn in_a_limited_process(path: &Path) -> TestResult {
    let program = std::env::current_exe()?;
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 8; trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program);
    shell.args(["--exact", "spool::disk::limited_process", "--nocapture"]).env(DIRECTORY, path);
    // What it prints goes into a file that is not limited.
    let output = shell.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{told}");
    Ok(())
}

/// Not a test by itself: a process that may write files of a few KiB.
#[test]
fn limited_process() {
    let Ok(path) = std::env::var(DIRECTORY) else { return };
    run(async {
        let fanfare = Fanfare::builder("redis://127.0.0.1:1").connect_lazy().await?;
        let spool = fanfare.spool(path).open().await?;
        let (error, n) = fill(&spool, 0).await?;
        check(&error);
        assert_eq!(spool.stats().waiting, n);
        Ok(())
    });
}
