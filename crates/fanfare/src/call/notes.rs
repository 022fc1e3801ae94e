//! What layers tell those further inside.

use std::{any::Any, fmt, iter::successors, sync::Arc};

/// Values by their types, the last one first: of two of a type the later counts. There are few.
#[derive(Clone, Default)]
pub(super) struct Notes(Option<Arc<Note<dyn Any + Send + Sync>>>);

struct Note<T: ?Sized> {
    before: Notes,
    value: T,
}

impl Notes {
    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let before = std::mem::take(self);
        self.0 = Some(Arc::new(Note { before, value }));
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.all().find_map(|note| note.value.downcast_ref())
    }

    fn all(&self) -> impl Iterator<Item = &Note<dyn Any + Send + Sync>> {
        successors(self.0.as_deref(), |note| note.before.0.as_deref())
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} notes", self.all().count())
    }
}
