//! How a relay is doing: counts and events.

use std::time::Duration;

use bytes::Bytes;
use fanfare_client::Error;

use crate::events::events;

/// How a relay is doing, since it was started.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RelayStats {
    /// Whether it is the one that sends. Others stand by.
    pub is_active: bool,
    /// Messages that wait, by the last look, counted up to 10,000; also while standing by.
    pub waiting: u64,
    /// How long the oldest of them has waited.
    pub oldest_age: Option<Duration>,
    /// Messages that it sent.
    pub sent: u64,
    /// Messages that the broker had already, since an answer, a lease or a process had been lost in between.
    pub duplicates: u64,
    /// Messages to channels that were dropped because they were too old.
    pub expired: u64,
    /// Messages that the broker refused for good, and that are dead letters now.
    pub buried: u64,
    /// Dead letters that there are, by the last look, counted up to 10,000.
    pub dead: u64,
    /// Times that the broker, or a node of it, did not take what was sent, and all was left for a while.
    pub broker_errors: u64,
    /// Times that the database failed.
    pub database_errors: u64,
    /// What the last attempt to send failed with; `None` after one that did not.
    pub last_error: Option<Error>,
    /// What the database failed with last; `None` after it has worked again.
    pub database_error: Option<Error>,
}

/// Something that happened to a relay.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RelayEvent {
    /// It has the lease: from now on it sends.
    Active,
    /// Another relay has the lease, or the database failed and it is not known who has it: this one sends nothing.
    Standby,
    /// The broker can not be reached, or does not take messages: they wait.
    BrokerFailed {
        /// Why.
        error: Error,
    },
    /// The database failed, and is asked again after a while.
    DatabaseFailed {
        /// Why.
        error: Error,
    },
    /// Everything that waited has been sent.
    Drained {
        /// How many messages since the last time.
        n: u64,
    },
    /// Messages to channels were dropped because they were too old.
    Expired {
        /// How many.
        n: u64,
    },
    /// The broker refuses a message for good. It is a dead letter now.
    Buried {
        /// The id of its row.
        id: i64,
        /// Where it was to go, without the namespace.
        name: Bytes,
        /// Why.
        error: Error,
    },
    /// This listener was too slow and missed events.
    Missed {
        /// How many.
        n: u64,
    },
}

events! {
    /// The events of one relay, from the moment they were asked for. They end with the relay.
    ///
    /// It holds at most 1,024; a listener that falls behind gets [`RelayEvent::Missed`].
    RelayEvents of RelayEvent, until "the relay has ended"
}
