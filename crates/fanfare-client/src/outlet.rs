//! The end of a queue at which a program takes things out: who waits there, and why nothing more
//! will come.

use std::task::{Context, Poll, Waker};

use crate::Error;

/// See the module. Its queue keeps it under the same lock as what is queued.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    waiting: Option<Waker>,
    end: Option<Error>,
}

impl Outlet {
    /// Nothing more will come, because of `error`. The first end counts.
    pub(crate) fn end(&mut self, error: Error) {
        self.end.get_or_insert(error);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Why it ended, if it has.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.end.as_ref()
    }

    /// Nothing is queued: whoever asked waits, unless that was the end.
    pub(crate) fn poll_empty<T>(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.has_ended() {
            return Poll::Ready(None);
        }
        match &mut self.waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Whoever is to be woken, without the lock, if something is queued or this is the end.
    pub(crate) fn take_waiting(&mut self, is_empty: bool) -> Option<Waker> {
        if is_empty && !self.has_ended() {
            return None;
        }
        self.waiting.take()
    }
}
