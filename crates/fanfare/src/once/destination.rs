//! Where messages go, and the keys that remember what has come there.

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Namespace, slot};
use uuid::Uuid;

use crate::{agreed::Agreed, stream::Trim};

/// Where a message goes: a stream or a channel.
///
/// A text is the name of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub(crate) place: Place,
    pub(crate) trim: Option<Trim>,
    pub(crate) agreed: Agreed,
}

/// A stream or a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) kind: PlaceKind,
    /// Without the namespace.
    pub(crate) name: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum PlaceKind {
    Stream,
    Channel,
}

impl Destination {
    /// A stream, by its key within the namespace.
    pub fn stream(key: impl AsRef<[u8]>) -> Self {
        Self::new(PlaceKind::Stream, key.as_ref())
    }

    /// A channel. Who listens to it wants to know what is, so messages wait for it only as
    /// long as whoever sends them was told to keep them.
    pub fn channel(name: impl AsRef<[u8]>) -> Self {
        Self::new(PlaceKind::Channel, name.as_ref())
    }

    fn new(kind: PlaceKind, name: &[u8]) -> Self {
        Self {
            place: Place { kind, name: Bytes::copy_from_slice(name) },
            trim: None,
            agreed: Agreed::default(),
        }
    }

    /// What of the stream is kept: the rest is trimmed away with each message. By age, as seen when
    /// the message was handed to the spool or the outbox. Channels have nothing to trim.
    #[must_use]
    pub fn keep(mut self, trim: Trim) -> Self {
        self.trim = Some(trim);
        self
    }

    /// Refuses to publish what does not fit to here, as [`ErrorKind::InvalidRecord`] with the place and the rule: it is
    /// neither sent nor kept, on disk or in a database. What is [added](crate::spool::Spool::add) is an
    /// [`Envelope`](crate::Envelope), or has one field, whose value is the data.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn contract(mut self, contract: impl Into<crate::schema::Contract>) -> Self {
        self.agreed = Agreed::on(contract);
        self
    }

    /// The words in front of an entry's fields.
    pub(super) fn head_words(&self) -> Vec<Bytes> {
        let mut words = Vec::new();
        if let Some(trim) = self.trim {
            trim.write(&mut words);
        }
        let mut words: Vec<Bytes> = words.into_iter().map(Bytes::from).collect();
        words.push(Bytes::from_static(b"*"));
        words
    }
}

impl From<&str> for Destination {
    fn from(key: &str) -> Self {
        Self::stream(key)
    }
}

impl From<String> for Destination {
    fn from(key: String) -> Self {
        Self::stream(key)
    }
}

impl From<&Destination> for Destination {
    fn from(destination: &Destination) -> Self {
        destination.clone()
    }
}

impl Place {
    /// The key in which the broker remembers up to where a generation was sent to this place,
    /// within the namespace. That of a stream is in the stream's slot: the stream's name, as it is on
    /// the server, is in braces, unless it has a part in braces already.
    pub(crate) fn memory(&self, names: &Namespace, generation: Uuid) -> Vec<u8> {
        let tail = format!(":fanfare:sent:{}", generation.simple());
        match self.kind {
            PlaceKind::Stream if self.name.contains(&b'}') => {
                [&self.name, tail.as_bytes()].concat()
            }
            PlaceKind::Stream => {
                [b"{", &*names.full_slice(&self.name), b"}", tail.as_bytes()].concat()
            }
            PlaceKind::Channel => [b"fanfare:channel:", &self.name[..], tail.as_bytes()].concat(),
        }
    }

    /// A stream and the memory of it would be in different slots of a cluster.
    pub(crate) fn check(&self, names: &Namespace) -> Result<(), Error> {
        if self.kind == PlaceKind::Channel {
            return Ok(());
        }
        let memory = self.memory(names, Uuid::nil());
        if slot(&names.full_slice(&memory)) == slot(&names.full_slice(&self.name)) {
            return Ok(());
        }
        let message = format!(
            "the stream's name {:?} has a closing brace and no part in braces, so a cluster could not \
             keep beside it what was sent; leave the brace out, or put a part in braces",
            String::from_utf8_lossy(&self.name)
        );
        Err(Error::new(ErrorKind::InvalidOption, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_remembered_in_the_slot_of_the_stream() {
        let names = Namespace::default();
        for (name, memory) in [
            ("orders", "{orders}:fanfare:sent:"),
            ("{eu}:orders", "{eu}:orders:fanfare:sent:"),
            ("orders:{eu}", "orders:{eu}:fanfare:sent:"),
            ("a{b", "{a{b}:fanfare:sent:"),
            ("", "{}:fanfare:sent:"),
        ] {
            let place = Destination::stream(name).place;
            let key = place.memory(&names, Uuid::nil());
            assert!(key.starts_with(memory.as_bytes()), "{}", String::from_utf8_lossy(&key));
            assert_eq!(place.check(&names).is_ok(), !name.is_empty(), "{name}");
        }
        for wrong in ["a}b", "{}a", "a{}b"] {
            let error = Destination::stream(wrong).place.check(&names).unwrap_err();
            assert!(error.to_string().contains("closing brace"), "{wrong}");
            Destination::channel(wrong).place.check(&names).unwrap();
        }
    }
}
