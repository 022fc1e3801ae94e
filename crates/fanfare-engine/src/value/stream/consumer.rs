//! [`Consumer`]: who reads in a group.

use triomphe::Arc;

use super::group::{Owner, hint_of};
use super::id::StreamId;
use crate::tree::Name;
use crate::tree::rank::{Item, RankTree};

/// A consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// What it is called.
    pub name: Name,
    /// When it tried to read or to claim last, in milliseconds since the Unix epoch.
    pub seen_ms: u64,
    /// When it was given something last; `None`: never.
    pub active_ms: Option<u64>,
    pending: RankTree<StreamId>,
}

impl Consumer {
    /// How many entries it has.
    #[must_use]
    pub fn n_pending(&self) -> usize {
        self.pending.len()
    }

    /// What it has, from an ID on.
    pub fn pending_from(&self, id: StreamId) -> impl Iterator<Item = StreamId> + use<'_> {
        let (Ok(at) | Err(at)) = find(&self.pending, id);
        self.pending.range(at..).copied()
    }

    fn n_bytes(&self) -> usize {
        size_of::<Self>() + self.name.n_bytes() + self.pending.n_bytes()
    }
}

fn find(pending: &RankTree<StreamId>, id: StreamId) -> Result<usize, usize> {
    if pending.last().is_none_or(|last| *last < id) {
        return Err(pending.len());
    }
    pending.search(id, |it| it.cmp(&id))
}

impl Item for StreamId {
    type Hint = Self;

    fn hint(&self) -> Self {
        *self
    }
}

/// The consumers of a group: by number, which what is pending refers to, and by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumers {
    by_number: RankTree<Slot>,
    by_name: RankTree<Named>,
    /// The first number that is free; the others follow from each other.
    free: Option<u32>,
    /// Bytes that the consumers hold.
    n_consumer_bytes: usize,
}

#[derive(Clone, Debug)]
enum Slot {
    Used(Arc<Consumer>),
    Free { next: Option<u32> },
}

#[derive(Clone, Debug)]
struct Named {
    name: Name,
    number: u32,
}

impl Item for Slot {
    type Hint = ();

    fn hint(&self) {}
}

impl Item for Named {
    type Hint = u64;

    fn hint(&self) -> u64 {
        hint_of(&self.name)
    }
}

impl Consumers {
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.by_number.n_bytes() + self.by_name.n_bytes() + self.n_consumer_bytes
    }

    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.search(hint_of(name), |it| (*it.name).cmp(name))
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<Owner> {
        let at = self.search(name).ok()?;
        self.by_name.get(at).map(|it| Owner::new(it.number))
    }

    pub(super) fn get(&self, owner: Owner) -> Option<&Consumer> {
        match self.by_number.get(owner.number() as usize)? {
            Slot::Used(consumer) => Some(consumer),
            Slot::Free { .. } => None,
        }
    }

    /// In the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.by_name.iter().filter_map(|it| self.get(Owner::new(it.number)))
    }

    /// Adds a consumer, of whose name there is none.
    pub(super) fn add(&mut self, name: &[u8], seen_ms: u64) -> Owner {
        let name = Name::from(name);
        let consumer =
            Consumer { name: name.clone(), seen_ms, active_ms: None, pending: RankTree::new() };
        self.n_consumer_bytes += consumer.n_bytes();
        let slot = Slot::Used(Arc::new(consumer));
        let number = match self.free {
            Some(number) => {
                let freed =
                    self.by_number.update(number as usize, |it| std::mem::replace(it, slot));
                self.free = match freed {
                    Some(Slot::Free { next }) => next,
                    Some(Slot::Used(_)) | None => None,
                };
                number
            }
            None => {
                let number = u32::try_from(self.by_number.len()).unwrap_or(u32::MAX);
                self.by_number.push_back(slot);
                number
            }
        };
        let (Ok(at) | Err(at)) = self.search(&name);
        self.by_name.insert(at, Named { name, number });
        Owner::new(number)
    }

    pub(super) fn edit(&mut self, owner: Owner, edit: impl FnOnce(&mut Consumer)) {
        let n_bytes = self.by_number.update(owner.number() as usize, |slot| match slot {
            Slot::Used(consumer) => {
                let consumer = Arc::make_mut(consumer);
                let n_bytes = consumer.n_bytes();
                edit(consumer);
                (n_bytes, consumer.n_bytes())
            }
            Slot::Free { .. } => (0, 0),
        });
        let (before, after) = n_bytes.unwrap_or_default();
        self.n_consumer_bytes = self.n_consumer_bytes + after - before;
    }

    /// Removes a consumer that has nothing.
    pub(super) fn remove(&mut self, owner: Owner) {
        let Some(consumer) = self.get(owner) else { return };
        let (n_bytes, name) = (consumer.n_bytes(), consumer.name.clone());
        if let Ok(at) = self.search(&name) {
            self.by_name.remove(at);
        }
        let next = self.free.replace(owner.number());
        self.by_number.update(owner.number() as usize, |it| *it = Slot::Free { next });
        self.n_consumer_bytes -= n_bytes;
    }

    pub(super) fn add_pending(&mut self, owner: Option<Owner>, id: StreamId) {
        let Some(owner) = owner else { return };
        self.edit(owner, |it| {
            let (Ok(at) | Err(at)) = find(&it.pending, id);
            it.pending.insert(at, id);
        });
    }

    pub(super) fn remove_pending(&mut self, owner: Option<Owner>, id: StreamId) {
        let Some(owner) = owner else { return };
        self.edit(owner, |it| {
            if let Ok(at) = find(&it.pending, id) {
                it.pending.remove(at);
            }
        });
    }
}
