//! Calls that wait for the server to confirm what they subscribed to, and what each has to give back
//! if it comes to nothing. Pure.
//!
//! Several calls for one subscription may overlap, and may name what it has already. What a call has
//! added is taken back if it fails, unless another one has asked for it, too; what was there before
//! stays.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use tokio::sync::oneshot;

use crate::{Error, subscriptions::Target};

/// Told when everything a call asked for is confirmed, or refused.
pub(crate) type Ready = oneshot::Sender<Result<(), Error>>;

type Targets = HashSet<Target, RandomState>;

/// One call.
pub(crate) struct Call {
    asked: Targets,
    /// What its subscription did not have before, and no call has had confirmed since.
    added: Targets,
    unconfirmed: Targets,
    ready: Ready,
}

/// The calls of one subscription that wait.
#[derive(Default)]
pub(crate) struct Calls(Vec<Call>);

impl Call {
    /// `asked`: all that it names; `added`: what is new of it; `unconfirmed`: what it waits for.
    pub(crate) fn new(
        asked: Vec<Target>,
        added: Vec<Target>,
        unconfirmed: Vec<Target>,
        ready: Ready,
    ) -> Self {
        Self {
            asked: asked.into_iter().collect(),
            added: added.into_iter().collect(),
            unconfirmed: unconfirmed.into_iter().collect(),
            ready,
        }
    }

    /// Everything is confirmed. Returns what to take back because whoever asked has gone.
    #[must_use]
    pub(crate) fn confirm(self) -> Vec<Target> {
        match self.ready.send(Ok(())) {
            Ok(()) => Vec::new(),
            Err(_) => self.added.into_iter().collect(),
        }
    }

    /// It came to nothing.
    pub(crate) fn refuse(self, error: &Error) {
        // Whoever asked may have gone.
        let _ = self.ready.send(Err(error.clone()));
    }

    /// Whether the target is there only because of this call.
    pub(crate) fn has_added(&self, target: &Target) -> bool {
        self.added.contains(target)
    }
}

impl Calls {
    pub(crate) fn push(&mut self, call: Call) {
        self.0.push(call);
    }

    /// Whether a call waits for the target.
    pub(crate) fn wait_for(&self, target: &Target) -> bool {
        self.0.iter().any(|it| it.unconfirmed.contains(target))
    }

    /// How many targets are there only because of calls that still wait.
    pub(crate) fn n_added(&self) -> usize {
        self.0.iter().map(|it| it.added.len()).sum()
    }

    /// The server has confirmed a target.
    pub(crate) fn handle_confirmed(&mut self, target: &Target) {
        for call in &mut self.0 {
            call.unconfirmed.remove(target);
        }
    }

    /// Nothing is confirmed any more.
    pub(crate) fn handle_disconnected(&mut self) {
        for call in &mut self.0 {
            call.unconfirmed = call.asked.clone();
        }
    }

    /// The program does not want these any more: nobody waits for them.
    pub(crate) fn handle_parted(&mut self, targets: &[Target]) {
        for call in &mut self.0 {
            for target in targets {
                call.asked.remove(target);
                call.added.remove(target);
                call.unconfirmed.remove(target);
            }
        }
    }

    /// Those for which everything is confirmed. What they have asked for stays from now on.
    pub(crate) fn take_done(&mut self) -> Vec<Call> {
        let done: Vec<Call> = self.0.extract_if(.., |it| it.unconfirmed.is_empty()).collect();
        for Call { asked, .. } in &done {
            self.0.iter_mut().for_each(|it| it.added.retain(|target| !asked.contains(target)));
        }
        done
    }

    /// Those that wait for a target.
    pub(crate) fn take_waiting_for(&mut self, target: &Target) -> Vec<Call> {
        self.0.extract_if(.., |it| it.unconfirmed.contains(target)).collect()
    }

    /// Those for whose end nobody waits any more.
    pub(crate) fn take_gone(&mut self) -> Vec<Call> {
        self.0.extract_if(.., |it| it.ready.is_closed()).collect()
    }

    pub(crate) fn take_all(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.0)
    }

    /// A call came to nothing. Returns what is to be taken away: what it has added, but for what
    /// another call wants.
    pub(crate) fn take_back(&mut self, call: &mut Call) -> Vec<Target> {
        let mut back = Vec::new();
        for target in call.added.drain() {
            match self.0.iter_mut().find(|it| it.asked.contains(&target)) {
                Some(other) => {
                    other.added.insert(target);
                }
                None => back.push(target),
            }
        }
        back
    }
}
