//! Rows that are to be sent.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::{execute::Row, outbox::kind};
use crate::once::{Numbered, Place, PlaceKind, words};

/// A numbered row.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: i64,
    pub(super) position: i64,
    pub(super) age: Duration,
    pub(super) place: Place,
    generation: Uuid,
    /// As it is in the row, whatever that is.
    stored_generation: Bytes,
    words: Vec<Bytes>,
    /// Why it is no message.
    pub(super) flaw: Option<&'static str>,
}

impl Item {
    pub(super) fn from_row(mut row: Row) -> Self {
        let (id, position) = (row.int(), row.int());
        let age = Duration::from_micros(row.count());
        let kind = kind(row.int());
        let stored_generation = row.bytes();
        let generation = Uuid::from_slice(&stored_generation).ok();
        let name = row.bytes();
        let _message_id = row.bytes();
        let words = words::get_all(&row.bytes()).filter(|it| !it.is_empty());
        let flaw = match (kind, &words, generation) {
            (None, _, _) => Some("its kind is neither 0 (stream) nor 1 (channel)"),
            (_, None, _) => Some("its words are not what Outbox::publish writes"),
            (_, _, None) => Some("its generation is not what a relay writes"),
            _ if position < 1 => Some("its position is not what a relay writes"),
            _ => None,
        };
        Self {
            id,
            position,
            age,
            place: Place { kind: kind.unwrap_or(PlaceKind::Stream), name },
            generation: generation.unwrap_or_default(),
            stored_generation,
            words: words.unwrap_or_default(),
            flaw,
        }
    }
}

impl Item {
    pub(super) fn generation_bytes(&self) -> Vec<u8> {
        self.stored_generation.to_vec()
    }
}

impl Numbered for Item {
    fn generation(&self) -> Uuid {
        self.generation
    }

    fn number(&self) -> u64 {
        u64::try_from(self.position).unwrap_or_default()
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn words(&self) -> &[Bytes] {
        &self.words
    }
}
