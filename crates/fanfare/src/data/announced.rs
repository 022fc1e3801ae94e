//! Reading the values whose change is announced.

use std::collections::{HashMap, HashSet};

use fanfare_client::{Error, ErrorKind};

use super::{
    Missing, Received, Undecodable, Versioned,
    source::{Event, Raw},
    value,
};
use crate::{Fanfare, batch::Batch};

/// Of how many keys, of together how many bytes, the version is remembered. Beyond that all are
/// forgotten, and one that was announced twice may come twice.
const KEYS_MAX: usize = 65_536;
const KEYS_BYTES_MAX: usize = 16 << 20;

/// Reads values, each version once.
pub(super) struct Announced {
    fanfare: Fanfare,
    /// The last version of each key that was delivered, as it was stored: what announcements say may
    /// be anything.
    delivered: HashMap<String, u64>,
    n_bytes: usize,
}

/// An announcement.
#[derive(serde::Deserialize)]
struct Note {
    key: String,
    version: u64,
}

/// What an announcement asks for.
enum Asked {
    Key(Note),
    /// Nothing: the version is known, or an announcement behind it asks for the same.
    Known,
    Undecodable(Box<Undecodable>),
}

impl Announced {
    pub(super) fn new(fanfare: Fanfare) -> Self {
        Self { fanfare, delivered: HashMap::new(), n_bytes: 0 }
    }

    /// What comes of these announcements, an event for each; all values are asked for at once. An error
    /// is one that may pass, and nothing has been done then.
    ///
    /// # Cancel safety
    /// Dropping the future does nothing.
    pub(super) async fn read(&mut self, notes: &[Raw]) -> Result<Vec<Event>, Error> {
        let asked = self.ask(notes);
        let names = self.fanfare.link().options().names();
        let mut batch = Batch::new(&self.fanfare, value::read);
        for asked in &asked {
            if let Asked::Key(note) = asked {
                let [key, version] = value::both(names, note.key.as_bytes());
                batch.push([&b"MGET"[..], &key, &version]).await;
            }
        }
        let values = batch.finish().await;
        if let Some(error) = values.iter().find_map(may_pass) {
            return Err(error);
        }
        let (mut values, mut events) = (values.into_iter(), Vec::with_capacity(notes.len()));
        for (raw, asked) in notes.iter().zip(asked) {
            events.push(match asked {
                Asked::Known => Event::Outdated,
                Asked::Undecodable(it) => Event::Undecodable(*it),
                Asked::Key(note) => {
                    let none = || Err(Error::new(ErrorKind::Protocol, "MGET has no answer"));
                    self.event(raw, note, values.next().unwrap_or_else(none))
                }
            });
        }
        Ok(events)
    }

    /// What each of them asks for: of several for one key the last asks for all.
    fn ask(&self, notes: &[Raw]) -> Vec<Asked> {
        let mut keys = HashSet::new();
        let asked = notes.iter().rev().map(|raw| match note(raw) {
            Err(undecodable) => Asked::Undecodable(undecodable),
            Ok(note) => {
                let is_known = self.delivered.get(&note.key) == Some(&note.version);
                if is_known || !keys.insert(note.key.clone()) {
                    return Asked::Known;
                }
                Asked::Key(note)
            }
        });
        let mut asked: Vec<Asked> = asked.collect();
        asked.reverse();
        asked
    }

    /// What was found. Values are read one after the other, so one with another version than that
    /// which was delivered last is a later one, whatever its version is.
    fn event(&mut self, raw: &Raw, note: Note, found: Result<Option<Versioned>, Error>) -> Event {
        let value = match found {
            Ok(Some(value)) => value,
            Ok(None) => return Event::Outdated,
            Err(error) => {
                let code = error.code();
                return Event::Missing(vec![Missing::Unread { key: note.key, code }]);
            }
        };
        if let Some(version) = value.version {
            if self.delivered.get(&note.key) == Some(&version) {
                return Event::Outdated;
            }
            self.remember(note.key.clone(), version);
        }
        let raw = Raw { source: note.key.into(), payload: Ok(value.payload), ..raw.clone() };
        match raw.decode() {
            Event::Record(received) => {
                Event::Record(Received { version: value.version, ..received })
            }
            other => other,
        }
    }

    fn remember(&mut self, key: String, version: u64) {
        if let Some(delivered) = self.delivered.get_mut(&key) {
            *delivered = version;
            return;
        }
        self.n_bytes += key.len();
        if self.delivered.len() == KEYS_MAX || KEYS_BYTES_MAX < self.n_bytes {
            self.delivered.clear();
            self.n_bytes = key.len();
        }
        self.delivered.insert(key, version);
    }
}

fn may_pass<T>(outcome: &Result<T, Error>) -> Option<Error> {
    outcome.as_ref().err().filter(|error| error.is_retryable()).cloned()
}

fn note(raw: &Raw) -> Result<Note, Box<Undecodable>> {
    let announced = match raw.clone().decode() {
        Event::Record(announced) => announced,
        Event::Undecodable(undecodable) => return Err(Box::new(undecodable)),
        Event::Missing(_) | Event::Outdated => unreachable!("a payload is read or not"),
    };
    announced.json().map_err(|error| {
        let Received { source, payload, id, .. } = announced;
        Box::new(Undecodable { source, payload, id, error })
    })
}
