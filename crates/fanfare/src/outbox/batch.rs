//! Rows that are to be sent.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::{execute::Row, outbox::kind};
use crate::once::{Numbered, Place, PlaceKind, WORDS_MAX, words};

/// A numbered row.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: i64,
    pub(super) position: i64,
    pub(super) age: Duration,
    pub(super) place: Place,
    generation: Uuid,
    words: Vec<Bytes>,
    /// Why it is no message.
    pub(super) flaw: Option<&'static str>,
}

impl Item {
    pub(super) fn from_row(mut row: Row) -> Self {
        let (id, position) = (row.int(), row.int());
        let age = row.age();
        let kind = kind(row.int_if_any());
        let generation = Uuid::from_slice(&row.bytes()).ok();
        let name = row.bytes();
        let _message_id = row.bytes();
        let words = words::get_all(&row.bytes()).filter(|it| !it.is_empty());
        let flaw = match (kind, &words, generation) {
            (None, _, _) => Some("its kind is neither 0 (stream) nor 1 (channel)"),
            (_, None, _) => Some("its words are not what Outbox::publish writes"),
            // A script that is given more fails behind what it has sent of the same batch.
            (_, Some(words), _) if WORDS_MAX < words.len() => {
                Some("it has more fields than Outbox::add writes")
            }
            (Some(PlaceKind::Channel), Some(words), _) if words.len() != 1 => {
                Some("it is for a channel and is not one payload")
            }
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
            words: words.unwrap_or_default(),
            flaw,
        }
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
