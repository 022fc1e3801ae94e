//! Clients of the model that wait.

use std::collections::BTreeSet;

use super::command::Command;
use super::reading::Trial;
use super::{Model, Name, Wire};

pub(super) struct Waiter {
    client_id: u64,
    command: Command,
    deadline_ms: Option<u64>,
    /// When it is looked again whether there is something to claim.
    retry_ms: Option<u64>,
}

/// Who is told what.
pub(super) type Served = Vec<(u64, Wire)>;

impl Waiter {
    fn due_ms(&self) -> Option<u64> {
        [self.deadline_ms, self.retry_ms].into_iter().flatten().min()
    }

    fn waits_for(&self, key: Name) -> bool {
        match &self.command {
            Command::Read { streams, .. } => streams.iter().any(|it| it.0 == key),
            Command::ReadGroup { streams, .. } => streams.iter().any(|it| it.0 == key),
            other => panic!("nobody waits in {other:?}"),
        }
    }

    /// Its group, of which it wants nothing but what is new.
    fn only_new_of(&self) -> Option<Name> {
        match &self.command {
            Command::ReadGroup { group, claim_ms: None, .. } => Some(group),
            _ => None,
        }
    }
}

impl Model {
    /// A command of a client: what that is told, and who is served because of it.
    pub(super) fn call(&mut self, client_id: u64, command: Command) -> (Wire, Served) {
        self.ready = None;
        let reply = self.run(&command);
        if let Wire::Nothing = reply {
            let block_ms = command.block_ms().filter(|it| *it != 0);
            let deadline_ms = block_ms.map(|it| self.now_ms + it);
            let retry_ms = self.next_claim_ms(&command);
            self.waiting.push(Waiter { client_id, command, deadline_ms, retry_ms });
        }
        let served = self.ready.take().map(|key| self.serve(key));
        (reply, served.unwrap_or_default())
    }

    pub(super) fn is_waiting(&self, client_id: u64) -> bool {
        self.waiting.iter().any(|it| it.client_id == client_id)
    }

    /// Something happened to a key: all who wait for it try again, in the order in which they came. Where one found
    /// nothing new in a group, another one who wants only that does not look.
    fn serve(&mut self, key: Name) -> Served {
        let (mut served, mut in_vain) = (Served::new(), BTreeSet::new());
        for waiter in std::mem::take(&mut self.waiting) {
            let group = waiter.only_new_of();
            let tries = waiter.waits_for(key) && group.is_none_or(|it| !in_vain.contains(it));
            let reply = if tries { self.again(&waiter.command, Some(key)) } else { Wire::Nothing };
            if let Wire::Nothing = reply {
                in_vain.extend(group.filter(|_| tries));
                self.waiting.push(waiter);
            } else {
                served.push((waiter.client_id, reply));
            }
        }
        served
    }

    /// What time brings for those who wait: in the order of the times, and then of the clients.
    pub(super) fn end_late_waits(&mut self) -> Served {
        let mut served = Served::new();
        loop {
            let due = |it: &Waiter| it.due_ms().filter(|it| *it <= self.now_ms);
            let due = self
                .waiting
                .iter()
                .enumerate()
                .filter_map(|(at, it)| Some((due(it)?, it.client_id, at)));
            let Some((_, client_id, at)) = due.min() else { return served };
            let mut waiter = self.waiting.remove(at);
            if waiter.deadline_ms.is_some_and(|it| it <= self.now_ms) {
                served.push((client_id, Wire::NullArray));
                continue;
            }
            match self.again(&waiter.command, None) {
                Wire::Nothing => {
                    waiter.retry_ms = self.next_claim_ms(&waiter.command);
                    self.waiting.insert(at, waiter);
                }
                reply => served.push((client_id, reply)),
            }
        }
    }

    fn again(&mut self, command: &Command, only: Option<Name>) -> Wire {
        let trial = Trial { waits: true, only };
        match command {
            Command::Read { amount, streams, .. } => self.read(*amount, streams, trial),
            _ => self.read_group(command, trial),
        }
    }

    /// When the longest ago that something was delivered is long enough ago.
    fn next_claim_ms(&self, command: &Command) -> Option<u64> {
        let Command::ReadGroup { group, claim_ms: Some(idle_ms), streams, .. } = command else {
            return None;
        };
        let delivered_ms = streams.iter().filter_map(|(key, _)| {
            let stream = &self.streams[key];
            let by_time = stream.groups[group].by_time();
            let mut live = by_time.iter().filter(|it| stream.entries.contains_key(&it.0));
            live.next().map(|it| it.1.ms)
        });
        let delivered_ms = delivered_ms.min().unwrap_or(self.now_ms);
        // In this millisecond there was nothing.
        Some((delivered_ms + idle_ms).max(self.now_ms + 1))
    }
}
