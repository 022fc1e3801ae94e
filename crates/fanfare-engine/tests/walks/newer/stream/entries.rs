//! What the model does to entries.

use super::command::{Command, Cut, Keep};
use super::reading::Trial;
use super::{Group, Id, Model, Name, Refs, Stream, Wire, bulk, id_wire};

/// An entry as it is shown.
pub(super) fn entry(id: Id, fields: &[(Name, Name)]) -> Wire {
    let words = fields.iter().flat_map(|it| [it.0, it.1]);
    Wire::Array(vec![id_wire(id), Wire::Array(words.map(bulk).collect())])
}

impl Stream {
    /// Removes an entry: what became of it, as `XDELEX` says.
    pub(super) fn delete(&mut self, id: Id, refs: Refs) -> i64 {
        match refs {
            Refs::Acked if self.is_wanted(id) => return 2,
            Refs::Delete => self.forget(id),
            Refs::Acked | Refs::Keep => {}
        }
        if self.entries.remove(&id).is_none() {
            return -1;
        }
        self.max_deleted = self.max_deleted.max(id);
        1
    }

    /// Block by block, as Redis does: with `~` and `KEEPREF` whole ones only, and none that passes the limit. The first
    /// one that does not go wholly is the last one that is looked at.
    fn cut(&mut self, cut: Cut, block_len_max: usize) -> usize {
        let n_before = self.entries.len();
        let n_max = match cut.limit {
            None => 0,
            Some(None) => 100 * block_len_max,
            Some(Some(n)) => n,
        };
        self.forget_blocks();
        for block in self.blocks.clone() {
            let live: Vec<_> =
                block.iter().copied().filter(|it| self.entries.contains_key(it)).collect();
            let len = self.entries.len();
            if cut.is_done(len, (0, 0)) || n_max != 0 && n_max < n_before - len + live.len() {
                break;
            }
            let goes_wholly = match cut.keep {
                Keep::Last(n) => n <= len - live.len(),
                Keep::From(first) => block.last().is_some_and(|it| *it < first),
            };
            if !goes_wholly && cut.limit.is_some() && cut.refs == Refs::Keep {
                break;
            }
            self.cut_block(cut, live);
            if !goes_wholly {
                break;
            }
        }
        n_before - self.entries.len()
    }

    fn cut_block(&mut self, cut: Cut, live: Vec<Id>) {
        for id in live {
            if cut.is_done(self.entries.len(), id) {
                break;
            }
            if cut.refs == Refs::Acked && self.is_wanted(id) {
                continue;
            }
            self.entries.remove(&id);
            if cut.refs == Refs::Delete {
                self.forget(id);
            }
        }
    }

    /// Blocks in which nothing is left are no more.
    fn forget_blocks(&mut self) {
        let entries = &self.entries;
        self.blocks.retain(|it| it.iter().any(|id| entries.contains_key(id)));
    }

    fn add(
        &mut self,
        (now_ms, block_len_max): (u64, usize),
        fields: &[(Name, Name)],
        producer: Option<(Name, String)>,
    ) -> (Id, bool) {
        if let Some((pid, iid)) = &producer {
            let due_ms = now_ms.saturating_sub(1000 * self.duration_s.unwrap_or(100));
            self.iids.values_mut().for_each(|it| it.retain(|it| due_ms < it.1.0));
            let known = self.iids.entry(pid).or_default();
            if let Some(known) = known.iter().find(|it| it.0 == *iid) {
                return (known.1, false);
            }
        }
        let id = if self.last.0 < now_ms { (now_ms, 0) } else { (self.last.0, self.last.1 + 1) };
        self.forget_blocks();
        match self.blocks.last_mut().filter(|it| it.len() < block_len_max) {
            Some(block) => block.push(id),
            None => self.blocks.push(vec![id]),
        }
        self.entries.insert(id, fields.to_vec());
        (self.last, self.n_added) = (id, self.n_added + 1);
        if let Some((pid, iid)) = producer {
            let known = self.iids.entry(pid).or_default();
            known.push((iid, id));
            if self.n_iids_max.unwrap_or(100) < known.len() {
                known.remove(0);
            }
        }
        (id, true)
    }
}

impl Cut {
    /// Whether an entry stays because of its place.
    fn is_done(self, len: usize, id: Id) -> bool {
        match self.keep {
            Keep::Last(n) => len <= n,
            Keep::From(first) => first <= id,
        }
    }
}

impl Model {
    /// Answers a command; nothing, if its client would have to wait.
    pub(super) fn run(&mut self, command: &Command) -> Wire {
        match command {
            Command::Add { makes_stream, cut, producer, key, fields } => {
                if !makes_stream && !self.streams.contains_key(key) {
                    return Wire::Bulk(None);
                }
                let stream = self.streams.entry(key).or_default();
                let mut sorted = fields.clone();
                sorted.sort_unstable();
                let iid = |it: Option<Name>| it.map_or_else(|| format!("{sorted:?}"), Into::into);
                let producer = producer.map(|(pid, it)| (pid, iid(it)));
                let place = (self.now_ms, self.block_len_max);
                let (id, is_new) = stream.add(place, fields, producer);
                if let (true, Some(cut)) = (is_new, cut) {
                    stream.cut(*cut, self.block_len_max);
                }
                self.ready = Some(*key).filter(|_| is_new);
                id_wire(id)
            }
            Command::Create(key, group, id) => {
                let stream = self.streams.entry(key).or_default();
                if stream.groups.contains_key(group) {
                    return Wire::Error("BUSYGROUP Consumer Group name already exists");
                }
                let last = id.unwrap_or(stream.last);
                stream.groups.insert(group, Group { last, ..Group::default() });
                Wire::Ok
            }
            Command::Range(key) => match self.streams.get(key) {
                None => Wire::Array(Vec::new()),
                Some(it) => Wire::Array(it.entries.iter().map(|(id, it)| entry(*id, it)).collect()),
            },
            Command::Trim(key, cut) => Wire::count(
                self.streams.get_mut(key).map_or(0, |it| it.cut(*cut, self.block_len_max)),
            ),
            Command::Del(key, ids) => {
                let Some(stream) = self.streams.get_mut(key) else { return Wire::Int(0) };
                Wire::count(ids.iter().filter(|it| stream.delete(**it, Refs::Keep) == 1).count())
            }
            Command::DelEx(key, refs, ids) => {
                let mut stream = self.streams.get_mut(key);
                let delete = |id: &Id| stream.as_mut().map_or(-1, |it| it.delete(*id, *refs));
                Wire::Array(ids.iter().map(delete).map(Wire::Int).collect())
            }
            Command::Configure(key, seconds, n) => {
                let Some(stream) = self.streams.get_mut(key) else {
                    return Wire::Error("ERR no such key");
                };
                let before = (stream.duration_s.unwrap_or(100), stream.n_iids_max.unwrap_or(100));
                let n = n.map(|it| usize::try_from(it).expect("small"));
                let after = (seconds.unwrap_or(before.0), n.unwrap_or(before.1));
                (stream.duration_s, stream.n_iids_max) = (Some(after.0), Some(after.1));
                if before != after {
                    stream.iids.clear();
                }
                Wire::Ok
            }
            Command::Gone(key) => {
                self.ready = self.streams.remove(key).map(|_| *key);
                Wire::count(usize::from(self.ready.is_some()))
            }
            Command::Read { amount, streams, block_ms } => {
                self.read(*amount, streams, Trial { waits: block_ms.is_some(), only: None })
            }
            Command::ReadGroup { block_ms, .. } => {
                self.read_group(command, Trial { waits: block_ms.is_some(), only: None })
            }
            other => self.group_command(other),
        }
    }
}
