//! How much a stream of events keeps, and what happens when it is full.

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};

use crate::{Channel, stream::StreamId};

/// How many events a stream keeps, and what happens to the next one when it is full.
///
/// An event that all services have acknowledged goes by itself, so a stream is only full if a service
/// is far behind, or has a group there and does not exist any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Retention {
    pub(super) events_max: u64,
    drops_oldest: bool,
}

impl Default for Retention {
    /// A million events, and then refusal.
    fn default() -> Self {
        Self::refuse_beyond(1_000_000)
    }
}

/// Adds an event. KEYS: the stream. ARGV: how many it keeps, `refuse` or `trim`, the fields.
pub(super) const ADD: &str =
    "local len, most, trimmed = redis.call('XLEN', KEYS[1]), tonumber(ARGV[1]), 0
if most <= len then
  if ARGV[2] == 'refuse' then return 'full ' .. string.format('%.0f', len) end
  trimmed = redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', string.format('%.0f', most - 1))
end
local fields = {}
for n = 3, #ARGV do fields[n - 2] = ARGV[n] end
local id = redis.call('XADD', KEYS[1], '*', unpack(fields))
return id .. ' ' .. string.format('%.0f', trimmed)";

/// What the script did.
pub(super) struct Added {
    pub(super) id: StreamId,
    pub(super) trimmed: u64,
}

impl Retention {
    /// So many, at least one; beyond that, emitting fails with
    /// [`ErrorKind::Overloaded`] until a service catches up. Nothing is lost.
    pub fn refuse_beyond(events_max: u64) -> Self {
        Self { events_max: events_max.max(1), drops_oldest: false }
    }

    /// The newest so many, at least one. What goes for them may be lost to services that had not read
    /// it: [`Receipt::trimmed`](super::Receipt::trimmed) and
    /// [`ServiceCounts::trimmed`](super::ServiceCounts::trimmed) count it.
    pub fn newest(events_max: u64) -> Self {
        Self { events_max: events_max.max(1), drops_oldest: true }
    }

    pub(super) fn args(self) -> Vec<Bytes> {
        let when_full = if self.drops_oldest { "trim" } else { "refuse" };
        vec![Bytes::from(self.events_max.to_string()), Bytes::from_static(when_full.as_bytes())]
    }

    /// Reads the script's answer.
    pub(super) fn read(self, added: &str, stream: &Channel) -> Result<Added, Error> {
        if let Some(("full", len)) = added.split_once(' ') {
            let most = self.events_max;
            let message = format!(
                "stream {stream} has {len} events that some service has not handled, and keeps at \
                 most {most}: start the service that is behind, or remove the group of one that is \
                 no more (XINFO GROUPS, XGROUP DESTROY)"
            );
            return Err(Error::new(ErrorKind::Overloaded, message));
        }
        let parts = added.split_once(' ');
        let read = parts.and_then(|(id, n)| Some((id.parse().ok()?, n.parse().ok()?)));
        let (id, trimmed) = read.ok_or_else(|| {
            let message = format!("{added:?} is no answer of the script that adds events");
            Error::new(ErrorKind::Protocol, message)
        })?;
        Ok(Added { id, trimmed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_how_many_there_are_and_what_to_do() {
        let retention = Retention::refuse_beyond(7);
        let stream = Channel::new("services:events");
        let added = retention.read("5-0 3", &stream).unwrap();
        assert_eq!((added.id, added.trimmed), (StreamId::new(5, 0), 3));
        let full = retention.read("full 9", &stream).err().unwrap();
        assert_eq!(full.kind(), ErrorKind::Overloaded);
        for part in ["services:events", "9 events", "at most 7", "XGROUP DESTROY"] {
            assert!(full.to_string().contains(part), "{full}");
        }
        assert!(retention.read("nonsense", &stream).is_err());
    }
}
