//! What the model does to entries.

use super::command::{Command, Cut, Keep};
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

    fn cut(&mut self, cut: Cut) -> usize {
        let n_before = self.entries.len();
        for id in self.entries.keys().copied().collect::<Vec<_>>() {
            let is_over = match cut.keep {
                Keep::Last(n) => self.entries.len() as u64 <= n,
                Keep::From(first) => first <= id,
            };
            if is_over {
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
        n_before - self.entries.len()
    }

    fn add(
        &mut self,
        now_ms: u64,
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

impl Model {
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
                let (id, is_new) = stream.add(self.now_ms, fields, producer);
                if let (true, Some(cut)) = (is_new, cut) {
                    stream.cut(*cut);
                }
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
            Command::Trim(key, cut) => {
                Wire::count(self.streams.get_mut(key).map_or(0, |it| it.cut(*cut)))
            }
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
            Command::Read { amount, streams } => self.read(*amount, streams),
            Command::ReadGroup { group, .. } => self.read_group(group, command),
            other => self.group_command(other),
        }
    }
}
