//! A spool that is being described.

use std::{path::PathBuf, time::Duration};

use fanfare_client::{Error, ErrorKind};

use super::{
    disk::Disk,
    handle::Spool,
    log::{Log, Rules},
    run,
};
use crate::{Fanfare, blocking::apart};

/// When what is appended is made durable (`fdatasync`). It matters if the machine goes down: a process
/// that ends or is killed takes nothing with it, whatever the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Before the publisher gets its answer, once for all that came meanwhile. A machine that goes down
    /// loses nothing that was accepted. Each append costs as long as the disk takes.
    Always,
    /// In the background, so often. A machine that goes down loses at most what was accepted in the last
    /// so long.
    Every(Duration),
    /// When the system sees fit: under Linux, half a minute later or so. A machine that goes down loses
    /// what was accepted since.
    Never,
}

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It fails with [`ErrorKind::SpoolFull`], which names the limit. What waits stays.
    #[default]
    Refuse,
    /// It is taken, and the oldest ones that wait are dropped and counted, but for those that are being
    /// sent just then, which are at most half of what may wait. A crash may bring back some that were dropped.
    DropOldest,
}

/// A spool that is being described. Made by [`Fanfare::spool`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `open`"]
pub struct SpoolBuilder {
    pub(super) fanfare: Fanfare,
    pub(super) folder: PathBuf,
    rules: Rules,
    pub(super) settings: Settings,
}

/// How a spool sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) age_max: Option<Duration>,
    pub(super) channels: Option<Duration>,
    pub(super) try_for: Duration,
    pub(super) remember: Duration,
    pub(super) sync_every: Option<Duration>,
}

impl Fanfare {
    /// A bounded log in a directory, for messages while the broker is away: see
    /// [`Spool`]. The directory is made if there is none.
    pub fn spool(&self, directory: impl Into<PathBuf>) -> SpoolBuilder {
        let rules = Rules {
            messages_max: 1_000_000,
            bytes_max: 256 * 1024 * 1024,
            age_max: None,
            segment_bytes: 8 * 1024 * 1024,
            dead_bytes_max: 16 * 1024 * 1024,
            when_full: WhenFull::default(),
            fsync: Fsync::Every(Duration::from_millis(200)),
        };
        let settings = Settings {
            age_max: None,
            channels: None,
            try_for: Duration::from_secs(2),
            remember: Duration::from_secs(7 * 24 * 3600),
            sync_every: None,
        };
        SpoolBuilder { fanfare: self.clone(), folder: directory.into(), rules, settings }
    }
}

impl SpoolBuilder {
    /// When what is appended is made durable. Default: [`Fsync::Every`] 200 ms.
    pub fn fsync(mut self, fsync: Fsync) -> Self {
        self.rules.fsync = fsync;
        self
    }

    /// Most messages that wait. Default: 1,000,000.
    pub fn messages_max(mut self, messages: u64) -> Self {
        self.rules.messages_max = messages;
        self
    }

    /// Most bytes on the disk of messages that wait; one more [segment](Self::segment_bytes), the
    /// [dead letters](Self::dead_bytes_max) and damaged files come on top. Default: 256 MiB.
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.rules.bytes_max = bytes;
        self
    }

    /// What has waited for longer than this when its turn comes is not sent any more; it is dropped and
    /// counted. By the clock of this machine. Default: everything is sent.
    pub fn age_max(mut self, age: Duration) -> Self {
        (self.rules.age_max, self.settings.age_max) = (Some(age), Some(age));
        self
    }

    /// Size at which a file of the log is finished and another one begun, up to 1 GiB. Space comes back
    /// file by file, and each is read whole when the directory is opened. Default: 8 MiB.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.rules.segment_bytes = bytes;
        self
    }

    /// Most bytes of dead letters. Beyond them the oldest half is dropped and counted. Default: 16 MiB.
    pub fn dead_bytes_max(mut self, bytes: u64) -> Self {
        self.rules.dead_bytes_max = bytes;
        self
    }

    /// What happens to a message for which there is no room. Default: [`WhenFull::Refuse`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.rules.when_full = when_full;
        self
    }

    /// Keeps messages to channels as well, for so long at most: who listens to a channel wants to know
    /// what is, not what was hours ago. Looked at when an attempt begins, which may then take for as
    /// long as [`try_for`](Self::try_for). Default: they are published directly or fail.
    ///
    /// # Example
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::time::Duration;
    /// use fanfare::{Envelope, spool::Destination};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let directory = std::env::temp_dir().join(format!("fanfare-channels-{}", std::process::id()));
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let spool = fanfare.spool(&directory).channels(Duration::from_secs(30)).open().await?;
    /// spool.publish(Destination::channel("prices"), &Envelope::new("price.changed", 3.2)).await?;
    /// # spool.close(Duration::from_secs(10)).await;
    /// # let _ = std::fs::remove_dir_all(directory);
    /// # Ok(()) }
    /// ```
    pub fn channels(mut self, age_max: Duration) -> Self {
        self.settings.channels = Some(age_max);
        self
    }

    /// How long a message that is tried directly, and each attempt to send what waits, may take. A
    /// publisher waits that long, once, when a broker has just stopped to answer. Default: 2 s.
    pub fn try_for(mut self, try_for: Duration) -> Self {
        self.settings.try_for = try_for;
        self
    }

    /// How long the broker remembers up to where it was sent to, after each sending. A program that
    /// is killed between sending and noting that, and comes back later than this, sends some messages
    /// twice. Default: a week.
    pub fn remember(mut self, remember: Duration) -> Self {
        self.settings.remember = remember;
        self
    }

    /// Opens the directory, mends what a crash has left there, and begins to send what waits.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], naming the option and its range. [`ErrorKind::Storage`]: the
    /// directory can not be made, read or locked; another process that has it open is named.
    ///
    /// # Panics
    /// Outside a tokio runtime with time.
    ///
    /// # Cancel safety
    /// Dropping the future opens nothing, or closes it again.
    pub async fn open(self) -> Result<Spool, Error> {
        let Self { fanfare, folder, rules, mut settings } = self;
        check(&rules, &settings)?;
        if let Fsync::Every(interval) = rules.fsync {
            settings.sync_every = Some(interval);
        }
        let opened = {
            let folder = folder.clone();
            apart(move || Log::open(folder, rules, Disk::default())).await?
        };
        Ok(run::start(fanfare, folder, settings, opened))
    }
}

/// A file is read into memory.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// Servers count in milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);

/// A year: beyond that, moments might not be told in numbers.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

fn check(rules: &Rules, settings: &Settings) -> Result<(), Error> {
    let wrong = |what: String| Err(Error::new(ErrorKind::InvalidOption, what));
    for (name, n, least) in [
        ("messages_max", rules.messages_max, 1),
        ("bytes_max", rules.bytes_max, 1_024),
        ("segment_bytes", rules.segment_bytes, 1_024),
        ("dead_bytes_max", rules.dead_bytes_max, 1_024),
    ] {
        if n < least {
            return wrong(format!("the spool's {name} is {n}; it is at least {least}"));
        }
    }
    if SEGMENT_BYTES_MAX < rules.segment_bytes {
        let n = rules.segment_bytes;
        return wrong(format!(
            "the spool's segment_bytes is {n}; it is at most {SEGMENT_BYTES_MAX}"
        ));
    }
    let every = match rules.fsync {
        Fsync::Every(interval) => interval,
        Fsync::Always | Fsync::Never => LONGEST,
    };
    for (name, duration) in [
        ("try_for", settings.try_for),
        ("remember", settings.remember),
        ("interval of fsync", every),
        ("age_max", settings.age_max.unwrap_or(LONGEST)),
        ("age_max of channels", settings.channels.unwrap_or(LONGEST)),
    ] {
        if duration < SHORTEST || LONGEST < duration {
            return wrong(format!("the spool's {name} is {duration:?}; it is 1 ms to 365 days"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn options_that_can_not_work_say_why() {
        let fanfare = Fanfare::builder("redis://127.0.0.1:1").connect_lazy().await.unwrap();
        let spool = || fanfare.spool("/nowhere/at/all");
        for (builder, told) in [
            (spool().messages_max(0), "messages_max is 0; it is at least 1"),
            (spool().bytes_max(7), "bytes_max is 7; it is at least 1024"),
            (spool().segment_bytes(1 << 31), "it is at most 1073741824"),
            (spool().try_for(Duration::ZERO), "try_for is 0ns; it is 1 ms to 365 days"),
            (spool().remember(Duration::MAX), "it is 1 ms to 365 days"),
            (spool().fsync(Fsync::Every(Duration::ZERO)), "interval of fsync is 0ns"),
            (spool().channels(Duration::ZERO), "age_max of channels is 0ns"),
        ] {
            let error = builder.open().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
