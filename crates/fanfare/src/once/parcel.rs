//! A message that is to be sent somewhere: the words of the command that does it.

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};

use super::destination::{Destination, Place, PlaceKind};
use crate::Sealed;

/// Most fields and values of an entry: a script hands them on in one call, and Lua's is bounded.
pub(crate) const WORDS_MAX: usize = 4_000;

/// A message, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) place: Place,
    /// The envelope's id; empty if it has none.
    pub(crate) id: Bytes,
    /// What the command has behind the name: for a stream what is trimmed, `*`, fields and values; for
    /// a channel the payload.
    pub(crate) words: Vec<Bytes>,
}

impl Parcel {
    /// An envelope: the fields of an entry to a stream, one payload to a channel.
    pub(crate) fn envelope(to: Destination, envelope: &Sealed) -> Result<Self, Error> {
        to.agreed.check(envelope)?;
        let id = Bytes::copy_from_slice(envelope.head().id().as_bytes());
        if to.place.kind == PlaceKind::Channel {
            return Ok(Self { place: to.place, id, words: vec![envelope.to_payload()?] });
        }
        let fields = envelope.to_fields()?.into_iter();
        Self::new(to, id, fields.flat_map(|(field, value)| [field.into(), value]))
    }

    /// An entry of these fields.
    pub(crate) fn entry<F: AsRef<[u8]>, V: AsRef<[u8]>>(
        to: Destination,
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> Result<Self, Error> {
        let words = fields.into_iter().flat_map(|(field, value)| {
            [Bytes::copy_from_slice(field.as_ref()), Bytes::copy_from_slice(value.as_ref())]
        });
        let words: Vec<Bytes> = words.collect();
        if words.is_empty() || to.place.kind == PlaceKind::Channel {
            let message = "an entry has one field at least and is added to a stream: use `publish` for a channel";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        to.agreed.check_fields(&words)?;
        Self::new(to, Bytes::new(), words.into_iter())
    }

    fn new(to: Destination, id: Bytes, fields: impl Iterator<Item = Bytes>) -> Result<Self, Error> {
        let mut words = to.head_words();
        words.extend(fields);
        if WORDS_MAX < words.len() {
            let (n, n_max) = (words.len() / 2, WORDS_MAX / 2);
            let message = format!(
                "the entry has {n} fields; what is to arrive once has about {n_max} at most"
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(Self { place: to.place, id, words })
    }
}

/// The fields among the words of a message; of one to a channel one, `payload`.
pub(crate) fn fields_of(place: &Place, words: Vec<Bytes>) -> Vec<(Bytes, Bytes)> {
    if place.kind == PlaceKind::Channel {
        return words.into_iter().map(|it| (Bytes::from_static(b"payload"), it)).collect();
    }
    // Behind what is trimmed and the `*`.
    let begin = words.iter().position(|it| it == "*").map_or(0, |at| at + 1);
    let pairs = words.get(begin..).unwrap_or_default().chunks_exact(2);
    let pair = |pair: &[Bytes]| match pair {
        [field, value] => Some((field.clone(), value.clone())),
        _ => None,
    };
    pairs.filter_map(pair).collect()
}
