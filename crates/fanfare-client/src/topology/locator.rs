//! Where to connect to: a fixed address, or whatever the sentinels say.

use std::{pin::Pin, sync::Arc};

use tokio::time::Instant;

use crate::{
    Address, Error,
    topology::sentinel::{Master, Sentinels},
};

/// Finds the server for each new connection.
#[derive(Clone)]
pub(crate) enum Locator {
    /// It is always the same.
    Fixed(Address),
    /// It is the master that the sentinels agree on.
    Sentinel(Arc<Sentinels>),
}

/// Where a server was found.
pub(crate) enum Place {
    Fixed(Address),
    Master(Master),
}

/// Ready, with the reason, when a connection goes to a server that is no longer the right one.
pub(crate) type Moved = Pin<Box<dyn Future<Output = Error> + Send>>;

impl Locator {
    /// Where to connect to now.
    ///
    /// # Errors
    /// Nobody could tell.
    pub(crate) async fn locate(&self, deadline: Instant) -> Result<Place, Error> {
        match self {
            Self::Fixed(address) => Ok(Place::Fixed(address.clone())),
            Self::Sentinel(sentinels) => Ok(Place::Master(sentinels.locate(deadline).await?)),
        }
    }

    /// Whether a server that is not a master is to be refused.
    pub(crate) fn needs_master(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Sentinel(_) => true,
        }
    }

    /// There is a connection to `place` now. What tells when to leave it; `None`: never.
    pub(crate) fn follow(&self, place: Place) -> Option<Moved> {
        match (self, place) {
            (Self::Sentinel(sentinels), Place::Master(master)) => Some(sentinels.follow(master)),
            (Self::Fixed(_), _) | (Self::Sentinel(_), Place::Fixed(_)) => None,
        }
    }

    /// A server that was connected to says that it is none to write to.
    pub(crate) fn handle_read_only(&self) {
        match self {
            Self::Fixed(_) => {}
            Self::Sentinel(sentinels) => sentinels.look_again(),
        }
    }
}

impl Place {
    pub(crate) fn address(&self) -> &Address {
        match self {
            Self::Fixed(address) => address,
            Self::Master(master) => &master.address,
        }
    }
}
