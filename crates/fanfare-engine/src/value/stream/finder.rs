//! [`Finder`]: entries by their IDs, one after the other.

use super::block::{Block, Entry};
use super::{Delivery, Slice, Stream, StreamId};
use crate::packed::Position;

/// Finds entries of a stream that does not change meanwhile, but for its groups. Who asks for IDs in order, as they are
/// pending, has each block read once: the next entry is behind the last one, most likely in the same block.
#[derive(Debug, Default)]
pub struct Finder(Option<Place>);

/// Where an entry is.
#[derive(Debug)]
struct Place {
    block: Block,
    /// The ID of the last entry in it.
    last: StreamId,
    id: StreamId,
    start: Position,
    end: Position,
}

impl Place {
    /// That of the entry with an ID, if it is behind a position in a block.
    fn behind(at: Position, (block, last): (Block, StreamId), id: StreamId) -> Option<Self> {
        let found = block.forward_at(at).find(|it| id <= it.entry.id);
        let (start, end) = found.filter(|it| it.entry.id == id).map(|it| (it.start, it.end))?;
        Some(Self { block, last, id, start, end })
    }
}

impl Finder {
    /// Looks for the entry with an ID; whether it is there.
    pub fn find(&mut self, stream: &Stream, id: StreamId) -> bool {
        let last = self.0.take().filter(|it| it.id < id && id <= it.last);
        self.0 = last.and_then(|it| Place::behind(it.end, (it.block, it.last), id)).or_else(|| {
            let (block, entries) = stream.0.chain.parts_from(id).next()?;
            Place::behind(entries.position()?, (block.clone(), block.last_id()), id)
        });
        self.0.is_some()
    }

    /// The entry that was found.
    #[must_use]
    pub fn found(&self) -> Option<Entry<'_>> {
        let place = self.0.as_ref()?;
        place.block.forward_at(place.start).next().map(|it| it.entry)
    }

    /// Adds the entry that was found to a slice. If it was `delivered` before, the reader is told so.
    pub fn add_to(&self, slice: &mut Slice, delivered: Option<Delivery>) {
        match (&self.0, delivered) {
            (None, _) => {}
            (Some(place), None) => slice.add_entry((&place.block, place.start)),
            (Some(place), Some(delivery)) => {
                slice.add_again((&place.block, place.start), delivery);
            }
        }
    }
}
