//! Dead letters as programs see them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::{dead::Letter, record::Record};
use crate::{
    agreed::Agreed,
    once::{Destination, fields_of},
};

/// A message that the broker refused for good after it had waited.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its sequence in the spool.
    pub sequence: u64,
    /// Where it was to go.
    pub destination: Destination,
    /// The id of its envelope, if it has one.
    pub id: Option<String>,
    /// When it was handed to the spool.
    pub time: SystemTime,
    /// Why the broker refused it.
    pub error: String,
    /// The fields of the entry; of a message to a channel one, `payload`.
    pub fields: Vec<(Bytes, Bytes)>,
}

impl From<Letter> for DeadLetter {
    fn from(Letter { error, record, .. }: Letter) -> Self {
        let Record { sequence, time, place, id, words, .. } = record;
        let fields = fields_of(&place, words);
        Self {
            sequence,
            destination: Destination { place, trim: None, agreed: Agreed::default() },
            id: (!id.is_empty()).then(|| String::from_utf8_lossy(&id).into_owned()),
            time: UNIX_EPOCH + Duration::from_micros(time),
            error,
            fields,
        }
    }
}
