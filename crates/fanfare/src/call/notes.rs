//! What layers tell those further inside.

use std::{
    any::{Any, TypeId},
    fmt,
    sync::Arc,
};

/// Values by their types. There are few, so they are looked through.
#[derive(Clone, Default)]
pub(super) struct Notes(Vec<(TypeId, Arc<dyn Any + Send + Sync>)>);

impl Notes {
    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let id = TypeId::of::<T>();
        self.0.retain(|(other, _)| *other != id);
        self.0.push((id, Arc::new(value)));
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let (_, value) = self.0.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} notes", self.0.len())
    }
}
