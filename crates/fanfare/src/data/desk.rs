//! What every publisher has: a connection, whether it runs, who is publishing, and the counts.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use fanfare_client::{Error, ErrorKind, Options};
use tokio::sync::watch;

use super::{Destination, PublisherStats};
use crate::{Builder, Fanfare};

/// Where connections come from.
pub(super) enum Home {
    /// A handle that others use as well: it is left as it is.
    Shared(Fanfare),
    /// Connections of its own, made at each start and closed at each stop.
    Own(Box<Options>),
}

impl Home {
    pub(super) async fn open(&self) -> Result<Fanfare, Error> {
        match self {
            Self::Shared(fanfare) => Ok(fanfare.in_same_lane()),
            Self::Own(options) => Builder::new(Ok((**options).clone())).connect().await,
        }
    }

    pub(super) async fn close(&self, fanfare: Fanfare) {
        match self {
            Self::Shared(_) => {}
            Self::Own(_) => fanfare.close().await,
        }
    }
}

/// See the module.
pub(super) struct Desk {
    name: String,
    destination: Destination,
    home: Home,
    gate: watch::Sender<Gate>,
    tally: Mutex<PublisherStats>,
    /// One start or stop at a time.
    control: tokio::sync::Mutex<()>,
}

struct Gate {
    /// There while it runs.
    fanfare: Option<Fanfare>,
    n_inside: u64,
}

/// The permission to publish once. While there is one, the publisher does not close.
pub(super) struct Pass<'a> {
    desk: &'a Desk,
    pub(super) fanfare: Fanfare,
}

impl Desk {
    /// One that runs.
    pub(super) fn new(
        name: String,
        destination: Destination,
        home: Home,
        fanfare: Fanfare,
    ) -> Self {
        let (gate, _) = watch::channel(Gate { fanfare: Some(fanfare), n_inside: 0 });
        let (tally, control) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { name, destination, home, gate, tally, control }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    pub(super) fn is_running(&self) -> bool {
        self.gate.borrow().fanfare.is_some()
    }

    pub(super) fn stats(&self) -> PublisherStats {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        PublisherStats { is_running: self.is_running(), ..tally }
    }

    pub(super) async fn start(&self) -> Result<(), Error> {
        let _alone = self.control.lock().await;
        if !self.is_running() {
            let fanfare = self.home.open().await?;
            self.gate.send_modify(|gate| gate.fanfare = Some(fanfare));
        }
        Ok(())
    }

    pub(super) async fn stop(&self) -> PublisherStats {
        let _alone = self.control.lock().await;
        let mut fanfare = None;
        self.gate.send_modify(|gate| fanfare = gate.fanfare.take());
        // The sender is ours, so that this does not fail.
        let _ = self.gate.subscribe().wait_for(|gate| gate.n_inside == 0).await;
        if let Some(fanfare) = fanfare {
            self.home.close(fanfare).await;
        }
        self.stats()
    }

    /// Lets somebody publish.
    pub(super) fn enter(&self) -> Result<Pass<'_>, Error> {
        let mut fanfare = None;
        self.gate.send_if_modified(|gate| {
            fanfare = gate.fanfare.as_ref().map(Fanfare::in_same_lane);
            gate.n_inside += u64::from(fanfare.is_some());
            false
        });
        let stopped = || {
            let message = format!("the publisher `{}` is stopped, and nothing was sent", self.name);
            Error::new(ErrorKind::Closed, message)
        };
        Ok(Pass { desk: self, fanfare: fanfare.ok_or_else(stopped)? })
    }
}

impl Pass<'_> {
    /// Counts what became of a record.
    pub(super) fn count<T>(&self, outcome: &Result<T, Error>) {
        let mut tally = self.desk.tally.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(_) => {
                tally.published += 1;
                tally.last_published_at = Some(SystemTime::now());
            }
            Err(error) if error.may_have_been_delivered() => tally.unknown += 1,
            Err(_) => tally.failed += 1,
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.desk.gate.send_modify(|gate| gate.n_inside -= 1);
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("name", &self.name)
            .field("destination", &self.destination)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
