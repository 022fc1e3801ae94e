//! Where to connect to: a fixed address, or whatever the sentinels or the cluster say.

use std::{pin::Pin, sync::Arc};

use tokio::time::Instant;

use crate::{
    Address, Error,
    topology::{
        cluster::{Cluster, Wanted, slots::slot},
        sentinel::{Master, Sentinels},
    },
};

/// Finds the server for each new connection.
#[derive(Clone)]
pub(crate) enum Locator {
    /// It is always the same.
    Fixed(Address),
    /// It is the master that the sentinels agree on.
    Sentinel(Arc<Sentinels>),
    /// It is a node of a cluster.
    Cluster(Arc<Cluster>, Wanted),
}

/// Where a server was found.
pub(crate) enum Place {
    Fixed(Address),
    Master(Master),
    Node(Address),
}

/// Ready, with the reason, when a connection goes to a server that is no longer the right one.
pub(crate) type Moved = Pin<Box<dyn Future<Output = Error> + Send>>;

impl Locator {
    /// The same for connections that are about one key.
    pub(crate) fn for_key(&self, key: &[u8]) -> Self {
        match self {
            Self::Fixed(_) | Self::Sentinel(_) => self.clone(),
            Self::Cluster(cluster, _) => Self::Cluster(cluster.clone(), Wanted::Slot(slot(key))),
        }
    }

    /// Where to connect to now.
    ///
    /// # Errors
    /// Nobody could tell.
    pub(crate) async fn locate(&self, deadline: Instant) -> Result<Place, Error> {
        Ok(match self {
            Self::Fixed(address) => Place::Fixed(address.clone()),
            Self::Sentinel(sentinels) => Place::Master(sentinels.locate(deadline).await?),
            Self::Cluster(cluster, wanted) => Place::Node(cluster.locate(wanted, deadline).await?),
        })
    }

    /// Whether a server that is not a master is to be refused.
    pub(crate) fn needs_master(&self) -> bool {
        match self {
            Self::Sentinel(_) => true,
            // A node that is not responsible says so with every command.
            Self::Fixed(_) | Self::Cluster(..) => false,
        }
    }

    /// Whether it is the owner of one slot that is looked for. Who talks to a certain node of a
    /// cluster looks at its answers itself.
    pub(crate) fn needs_owner(&self) -> bool {
        match self {
            Self::Cluster(_, Wanted::Slot(_)) => true,
            Self::Cluster(_, Wanted::Any | Wanted::Node(_))
            | Self::Fixed(_)
            | Self::Sentinel(_) => false,
        }
    }

    /// There is a connection to `place` now. What tells when to leave it; `None`: never.
    pub(crate) fn follow(&self, place: Place) -> Option<Moved> {
        match (self, place) {
            (Self::Sentinel(sentinels), Place::Master(master)) => Some(sentinels.follow(master)),
            (Self::Cluster(cluster, wanted), Place::Node(here)) => {
                Some(cluster.follow(wanted.clone(), here))
            }
            (Self::Fixed(_) | Self::Sentinel(_) | Self::Cluster(..), _) => None,
        }
    }

    /// There could be no connection to `place`.
    pub(crate) fn handle_failed(&self, place: &Place) {
        if let (Self::Cluster(cluster, _), Place::Node(address)) = (self, place) {
            cluster.handle_failed(address);
        }
    }

    /// A connection was lost.
    pub(crate) fn handle_lost(&self, error: &Error) {
        if let Self::Cluster(cluster, wanted) = self {
            cluster.handle_lost(wanted, error);
        }
        self.look_again();
    }

    /// Something has happened after which the server may be another one: a connection was lost, or
    /// a server says that it is not the one to write to.
    pub(crate) fn look_again(&self) {
        match self {
            Self::Fixed(_) => {}
            Self::Sentinel(sentinels) => sentinels.look_again(),
            Self::Cluster(cluster, _) => cluster.look_again(),
        }
    }
}

impl Place {
    pub(crate) fn address(&self) -> &Address {
        match self {
            Self::Fixed(address) | Self::Node(address) => address,
            Self::Master(master) => &master.address,
        }
    }
}
