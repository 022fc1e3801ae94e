//! What a server is made to do.

use super::keys::Kept;
use super::operation::{Operation, Stock};
use super::server::FanOut;
use super::waiters::Awaited;

/// What a server is made to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Workload {
    FanOut {
        subscribers: usize,
        in_flight: usize,
        payload: usize,
    },
    /// The same with entries of a stream, which are pushed.
    Push {
        subscribers: usize,
        in_flight: usize,
    },
    SlowReaders,
    Patterns(Idle),
    Commands {
        operation: Operation,
        in_flight: usize,
    },
    Waiters(Awaited),
    Kept(Kept),
    IdleConnections {
        quiet: bool,
    },
    Subscriptions,
    Latency,
    Spread,
}

impl Workload {
    /// What a server that was measured before may have already.
    pub(super) fn stock(self) -> Option<Stock> {
        match self {
            Self::Commands { operation, .. } => operation.stock(),
            _ => None,
        }
    }

    /// The same by PUBLISH.
    pub(super) fn as_pub_sub(self) -> Self {
        match self {
            Self::Push { subscribers, in_flight } => {
                Self::FanOut { subscribers, in_flight, payload: 64 }
            }
            _ => self,
        }
    }

    /// The shape that `ceiling` is told.
    pub(super) fn fan_out(self) -> FanOut {
        match self {
            Self::FanOut { subscribers, in_flight, payload } => {
                FanOut { subscribers, in_flight, payload }
            }
            _ => FanOut::default(),
        }
    }
}

/// 10,000 patterns that never match, held by one connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Idle {
    None,
    /// Each has a literal prefix of its own, none of which the channel has.
    DistinctPrefixes,
    /// The prefixes differ behind a head that the channel has too.
    SharedHead,
    /// One and the same literal prefix, which the channel has: they differ behind the `*`.
    SharedPrefix,
    LeadingStar,
}

impl Idle {
    /// The patterns.
    pub(super) fn patterns(self) -> Vec<Vec<u8>> {
        let pattern = |n: usize| match self {
            Self::None => String::new(),
            Self::DistinctPrefixes => format!("{n:05}:*"),
            Self::SharedHead => format!("bench:{n:05}:*"),
            Self::SharedPrefix => format!("bench:*:{n:05}"),
            Self::LeadingStar => format!("*:{n:05}"),
        };
        let count = if self == Self::None { 0 } else { 10_000 };
        (0..count).map(|n| pattern(n).into_bytes()).collect()
    }
}
