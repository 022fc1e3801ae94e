//! What the model reads.

use super::command::{Amount, Command};
use super::entries::entry;
use super::{Id, Model, Name, Stream, Version, Wire, bulk, id_wire, int};

/// How a command is tried.
#[derive(Clone, Copy)]
pub(super) struct Trial {
    /// Its client waits if it finds nothing.
    pub(super) waits: bool,
    /// Its client has waited, and only this key is looked at, because something happened to it.
    pub(super) only: Option<Name>,
}

impl Trial {
    fn looks_at(self, key: Name) -> bool {
        self.only.is_none_or(|it| it == key)
    }

    fn answer(self, found: Vec<(Name, Vec<Wire>)>) -> Wire {
        if found.is_empty() {
            return if self.waits { Wire::Nothing } else { Wire::NullArray };
        }
        let streams = found.into_iter();
        Wire::Pairs(streams.map(|(key, it)| (bulk(key), Wire::Array(it))).collect())
    }
}

/// How much of an answer there is.
struct Answer {
    version: Version,
    amount: Amount,
    n: u64,
    n_bytes: usize,
    /// Of the present stream.
    n_here: u64,
}

impl Answer {
    fn new(version: Version, amount: Amount) -> Self {
        Self { version, amount, n: 0, n_bytes: 0, n_here: 0 }
    }

    fn is_large(&self) -> bool {
        self.n != 0 && self.amount.bytes_max.is_some_and(|it| it <= self.n_bytes as u64)
    }

    fn is_full(&self) -> bool {
        self.amount.n_max.is_some_and(|it| it <= self.n) || self.is_large()
    }

    fn begin(&mut self, key: Name) {
        self.n_here = 0;
        let n_bytes_around = if self.version == Version::Resp2 { "*2\r\n".len() } else { 0 };
        self.n_bytes += n_bytes_around + bulk(key).encoded(self.version).len();
    }

    /// Takes one more, if there is room.
    fn take(&mut self, shown: &Wire) -> bool {
        if self.is_full() || self.amount.count.is_some_and(|it| it <= self.n_here) {
            return false;
        }
        self.n += 1;
        self.n_here += 1;
        self.n_bytes += shown.encoded(self.version).len();
        true
    }
}

/// An entry with what is told of its last delivery.
fn told(id: Id, fields: &[(Name, Name)], (idle_ms, n): (u64, u64)) -> Wire {
    let Wire::Array(mut parts) = entry(id, fields) else { panic!("an entry is an array") };
    parts.extend([int(idle_ms), int(n)]);
    Wire::Array(parts)
}

impl Model {
    pub(super) fn read(&self, amount: Amount, streams: &[(Name, Id)], trial: Trial) -> Wire {
        let mut out = Answer::new(self.version, amount);
        let mut found = Vec::new();
        for (key, after) in streams.iter().filter(|it| trial.looks_at(it.0)) {
            if out.is_full() {
                break;
            }
            let Some(stream) = self.streams.get(key) else { continue };
            let mut shown = Vec::new();
            for (id, fields) in stream.entries.iter().filter(|it| *after < *it.0) {
                if shown.is_empty() {
                    out.begin(key);
                }
                let wire = entry(*id, fields);
                if !out.take(&wire) {
                    break;
                }
                shown.push(wire);
            }
            if !shown.is_empty() {
                found.push((*key, shown));
            }
        }
        trial.answer(found)
    }

    pub(super) fn read_group(&mut self, command: &Command, trial: Trial) -> Wire {
        let Command::ReadGroup { group, consumer, amount, claim_ms, noack, streams, .. } = command
        else {
            panic!("it is another command")
        };
        let streams = || streams.iter().filter(|it| trial.looks_at(it.0));
        for (key, _) in streams() {
            if !self.streams.get(key).is_some_and(|it| it.groups.contains_key(group)) {
                return Wire::Error(
                    format!("NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP option").leak(),
                );
            }
        }
        let mut out = Answer::new(self.version, *amount);
        let (mut found, mut claim_ms) = (Vec::new(), *claim_ms);
        for (key, id) in streams() {
            let stream = self.streams.get_mut(key).expect("it is there");
            if out.is_full() {
                break;
            }
            let its = stream.groups.get_mut(group).expect("it is there");
            its.consumers.entry(consumer).or_insert((0, None)).0 = self.now_ms;
            let who = (*group, *consumer, self.now_ms);
            let shown = match id {
                Some(after) => {
                    claim_ms = None;
                    out.begin(key);
                    stream.give_own(who, *after, &mut out)
                }
                None => stream.give_new(who, (claim_ms, *noack), key, &mut out),
            };
            if id.is_some() || !shown.is_empty() {
                found.push((*key, shown));
            }
        }
        trial.answer(found)
    }
}

/// Group, consumer, and when it is.
type Who = (Name, Name, u64);

impl Stream {
    fn give_own(
        &mut self,
        (group, consumer, now_ms): Who,
        after: Id,
        out: &mut Answer,
    ) -> Vec<Wire> {
        let entries = &self.entries;
        let group = self.groups.get_mut(group).expect("it is there");
        let its = group.pending.iter().filter(|it| it.1.owner == Some(consumer) && after < *it.0);
        let mut shown = Vec::new();
        for (id, before) in its.map(|(id, it)| (*id, *it)).collect::<Vec<_>>() {
            let wire = match entries.get(&id) {
                Some(fields) => entry(id, fields),
                None => Wire::Array(vec![id_wire(id), Wire::NullArray]),
            };
            if !out.take(&wire) {
                break;
            }
            if entries.contains_key(&id) {
                group.set_pending(id, Some(consumer), now_ms, once_more(before.n));
            }
            shown.push(wire);
        }
        shown
    }

    fn give_new(
        &mut self,
        (name, consumer, now_ms): Who,
        (claim_ms, noack): (Option<u64>, bool),
        key: Name,
        out: &mut Answer,
    ) -> Vec<Wire> {
        let mut shown = Vec::new();
        let mut is_active = false;
        let group = &self.groups[name];
        let due: Vec<_> = match claim_ms {
            None => Vec::new(),
            Some(idle_ms) => {
                let is_due = |it: &(Id, super::Pending)| it.1.ms + idle_ms <= now_ms;
                let due = group.by_time().into_iter().filter(is_due);
                due.filter(|it| self.entries.contains_key(&it.0)).collect()
            }
        };
        let fresh: Vec<_> = self.entries.keys().copied().filter(|it| group.last < *it).collect();
        if due.is_empty() && fresh.is_empty() {
            return shown;
        }
        out.begin(key);
        for (id, before) in due {
            let wire = told(id, &self.entries[&id], (now_ms - before.ms, before.n));
            if !out.take(&wire) {
                break;
            }
            is_active = true;
            let group = self.groups.get_mut(name).expect("it is there");
            group.set_pending(id, Some(consumer), now_ms, once_more(before.n));
            shown.push(wire);
        }
        for id in fresh {
            let fields = &self.entries[&id];
            let wire =
                if claim_ms.is_some() { told(id, fields, (0, 0)) } else { entry(id, fields) };
            if !out.take(&wire) {
                break;
            }
            let n_read = self.n_read_with(name, id);
            let group = self.groups.get_mut(name).expect("it is there");
            let may_come_again = group.was_set_back || group.forced.contains(&id);
            assert!(may_come_again || !group.delivered.contains(&id), "{id:?} comes again");
            (group.last, group.n_read) = (id, n_read);
            if !noack {
                is_active = true;
                group.set_pending(id, Some(consumer), now_ms, 1);
            }
            shown.push(wire);
        }
        if is_active {
            let group = self.groups.get_mut(name).expect("it is there");
            group.consumers.insert(consumer, (now_ms, Some(now_ms)));
        }
        shown
    }

    fn n_read_with(&self, name: Name, id: Id) -> Option<u64> {
        let group = &self.groups[name];
        let counts_on = self.first() <= group.last && !self.has_tombstones(group.last);
        match group.n_read.filter(|it| counts_on && *it < self.n_added) {
            Some(n) => Some(n + 1),
            None => self.place(id),
        }
    }
}

pub(super) fn once_more(n: u64) -> u64 {
    (n + 1).min(i64::MAX as u64)
}
