//! What the model does to groups.

use super::command::{ClaimOptions, Command};
use super::entries::entry;
use super::reading::once_more;
use super::{Group, Id, Model, Name, Pending, Stream, Wire, bulk, id_wire, int};

/// What is pending of an entry, as `XPENDING` shows it.
pub(super) fn row(now_ms: u64, id: Id, it: &Pending) -> Wire {
    let (owner, idle) = match it.owner {
        Some(owner) => (owner, int(now_ms - it.ms)),
        None => ("", Wire::Int(-1)),
    };
    Wire::Array(vec![id_wire(id), bulk(owner), idle, int(it.n)])
}

fn no_group(key: Name, group: Name) -> Wire {
    Wire::Error(format!("NOGROUP No such key '{key}' or consumer group '{group}'").leak())
}

impl Model {
    fn group_mut(&mut self, key: Name, group: Name) -> Option<&mut Group> {
        self.streams.get_mut(key)?.groups.get_mut(group)
    }

    pub(super) fn group_command(&mut self, command: &Command) -> Wire {
        let now_ms = self.now_ms;
        match command {
            Command::Ack(key, group, ids) => {
                let Some(group) = self.group_mut(key, group) else { return Wire::Int(0) };
                Wire::count(ids.iter().filter(|it| group.ack(**it)).count())
            }
            Command::AckDel(key, group, refs, ids) => {
                if self.group_mut(key, group).is_none() {
                    return Wire::Array(ids.iter().map(|_| Wire::Int(-1)).collect());
                }
                let stream = self.streams.get_mut(key).expect("it is there");
                let ack_and_delete = |id: &Id| {
                    if !stream.groups.get_mut(group).expect("it is there").ack(*id) {
                        return Wire::Int(-1);
                    }
                    Wire::Int(if stream.delete(*id, *refs) == 2 { 2 } else { 1 })
                };
                Wire::Array(ids.iter().map(ack_and_delete).collect())
            }
            Command::Nack { place: (key, group), mode, ids, n, force } => {
                if self.group_mut(key, group).is_none() {
                    return no_group(key, group);
                }
                let stream = self.streams.get_mut(key).expect("it is there");
                let give_back = |id: &&Id| stream.give_back(group, **id, (*mode, *n, *force));
                let n_given_back = ids.iter().filter(give_back).count();
                self.ready = Some(*key).filter(|_| n_given_back != 0);
                Wire::count(n_given_back)
            }
            Command::Claim { place: (key, group), consumer, idle_ms, ids, options } => {
                if self.group_mut(key, group).is_none() {
                    return no_group(key, group);
                }
                let stream = self.streams.get_mut(key).expect("it is there");
                let who = (*group, *consumer, now_ms);
                stream.touch(who, false);
                let claimed =
                    ids.iter().filter_map(|id| stream.claim(who, *id, *idle_ms, *options));
                Wire::Array(claimed.flatten().collect())
            }
            Command::AutoClaim { place: (key, group), .. } => {
                if self.group_mut(key, group).is_none() {
                    return no_group(key, group);
                }
                self.streams.get_mut(key).expect("it is there").auto_claim(now_ms, command)
            }
            Command::Summary(key, group) => match self.group_mut(key, group) {
                None => no_group(key, group),
                Some(group) => summary(group),
            },
            Command::Rows { place: (key, group), idle_ms, count, consumer } => {
                let Some(group) = self.group_mut(key, group) else { return no_group(key, group) };
                let is_asked_for = |it: &(&Id, &Pending)| {
                    let is_idle = it.1.owner.is_none() || it.1.ms + idle_ms <= now_ms;
                    is_idle && (consumer.is_none() || it.1.owner == *consumer)
                };
                let rows = group.pending.iter().filter(is_asked_for);
                let rows = rows.take(usize::try_from(*count).expect("small"));
                Wire::Array(rows.map(|(id, it)| row(now_ms, *id, it)).collect())
            }
            other => self.group_state(other),
        }
    }

    fn group_state(&mut self, command: &Command) -> Wire {
        const NO_STREAM: Wire = Wire::Error(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
        );
        let now_ms = self.now_ms;
        let (key, name) = match command {
            Command::SetId(key, group, _)
            | Command::Destroy(key, group)
            | Command::NewConsumer(key, group, _)
            | Command::DelConsumer(key, group, _)
            | Command::Consumers(key, group) => (*key, *group),
            Command::Groups(key) => (*key, ""),
            other => panic!("the model does not know {other:?}"),
        };
        let Some(stream) = self.streams.get_mut(key) else {
            let is_info = matches!(command, Command::Groups(_) | Command::Consumers(..));
            return if is_info { Wire::Error("ERR no such key") } else { NO_STREAM };
        };
        let last = stream.last;
        match command {
            Command::Groups(_) => {
                return Wire::Array(
                    stream.groups.iter().map(|it| stream.told(it.0, it.1)).collect(),
                );
            }
            Command::Destroy(..) => {
                let gone = stream.groups.remove(name);
                self.ready = gone.map(|_| key);
                return Wire::count(usize::from(self.ready.is_some()));
            }
            _ => {}
        }
        let Some(group) = stream.groups.get_mut(name) else {
            let text = format!("NOGROUP No such consumer group '{name}' for key name '{key}'");
            return Wire::Error(text.leak());
        };
        match command {
            Command::SetId(_, _, id) => {
                let id = id.unwrap_or(last);
                group.was_set_back |= id < group.last;
                (group.last, group.n_read) = (id, None);
                Wire::Ok
            }
            Command::NewConsumer(_, _, consumer) => {
                let n_before = group.consumers.len();
                group.consumers.entry(consumer).or_insert((now_ms, None));
                Wire::count(group.consumers.len() - n_before)
            }
            Command::DelConsumer(_, _, consumer) => {
                let its = group.pending.iter().filter(|it| it.1.owner == Some(*consumer));
                let its: Vec<_> = its.map(|it| *it.0).collect();
                its.iter().for_each(|it| group.drop_pending(*it));
                group.consumers.remove(consumer);
                Wire::count(its.len())
            }
            _ => consumers(now_ms, group),
        }
    }
}

fn map<const N: usize>(fields: [(Name, Wire); N]) -> Wire {
    Wire::Map(fields.into_iter().map(|(name, value)| (bulk(name), value)).collect())
}

fn consumers(now_ms: u64, group: &Group) -> Wire {
    let consumer = |(name, (seen_ms, active_ms)): (&Name, &(u64, Option<u64>))| {
        let n = group.pending.values().filter(|it| it.owner == Some(*name)).count();
        let since = |ms: u64| int(now_ms - ms);
        map([
            ("name", bulk(name)),
            ("pending", Wire::count(n)),
            ("idle", since(*seen_ms)),
            ("inactive", active_ms.map_or(Wire::Int(-1), since)),
        ])
    };
    Wire::Array(group.consumers.iter().map(consumer).collect())
}

fn summary(group: &Group) -> Wire {
    let count = Wire::count(group.pending.len());
    let bounds = group.pending.first_key_value().zip(group.pending.last_key_value());
    let Some(((first, _), (last, _))) = bounds else {
        return Wire::Array(vec![count, Wire::Bulk(None), Wire::Bulk(None), Wire::NullArray]);
    };
    let busy = group.consumers.keys().filter_map(|name| {
        let n = group.pending.values().filter(|it| it.owner == Some(*name)).count();
        (n != 0).then(|| Wire::Array(vec![bulk(name), bulk(n.to_string())]))
    });
    Wire::Array(vec![count, id_wire(*first), id_wire(*last), Wire::Array(busy.collect())])
}

/// Group, consumer, and when it is.
type Who = (Name, Name, u64);

impl Stream {
    fn told(&self, name: Name, group: &Group) -> Wire {
        let number = |it: Option<u64>| it.map_or(Wire::Bulk(None), int);
        map([
            ("name", bulk(name)),
            ("consumers", Wire::count(group.consumers.len())),
            ("pending", Wire::count(group.pending.len())),
            ("last-delivered-id", id_wire(group.last)),
            ("entries-read", number(group.n_read)),
            ("lag", number(self.lag(group))),
        ])
    }

    fn touch(&mut self, (group, consumer, now_ms): Who, is_active: bool) {
        let group = self.groups.get_mut(group).expect("it is there");
        let times = group.consumers.entry(consumer).or_insert((now_ms, None));
        times.0 = now_ms;
        if is_active {
            times.1 = Some(now_ms);
        }
    }

    fn give_back(
        &mut self,
        group: Name,
        id: Id,
        (mode, n, force): (Name, Option<u64>, bool),
    ) -> bool {
        let is_there = self.entries.contains_key(&id);
        let group = self.groups.get_mut(group).expect("it is there");
        let before = match group.pending.get(&id) {
            Some(it) => it.n,
            None if force && is_there => {
                group.forced.insert(id);
                0
            }
            None => return false,
        };
        let after = match mode {
            "SILENT" => before.saturating_sub(1),
            "FAIL" => before,
            _ => i64::MAX as u64,
        };
        group.set_pending(id, None, 0, n.unwrap_or(after));
        true
    }

    /// Claims an entry: nothing, that it is gone, or what is answered.
    fn claim(
        &mut self,
        who: Who,
        id: Id,
        min_idle_ms: u64,
        options: ClaimOptions,
    ) -> Option<Option<Wire>> {
        let (name, consumer, now_ms) = who;
        let group = self.groups.get_mut(name).expect("it is there");
        let before = group.pending.get(&id).copied();
        let Some(fields) = self.entries.get(&id) else {
            before?;
            group.drop_pending(id);
            return Some(None);
        };
        let n_before = match before {
            Some(it) if it.owner.is_some() && now_ms < it.ms + min_idle_ms => return None,
            Some(it) => it.n,
            None if options.force => {
                group.forced.insert(id);
                1
            }
            None => return None,
        };
        let once_more = if options.just_ids { n_before } else { once_more(n_before) };
        let ms = now_ms - options.idle_ms.unwrap_or(0);
        group.set_pending(id, Some(consumer), ms, options.n.unwrap_or(once_more));
        let shown = if options.just_ids { id_wire(id) } else { entry(id, fields) };
        self.touch(who, true);
        Some(Some(shown))
    }

    fn auto_claim(&mut self, now_ms: u64, command: &Command) -> Wire {
        let Command::AutoClaim { place, consumer, idle_ms, start, count, just_ids } = command
        else {
            panic!("it is another command")
        };
        let who = (place.1, *consumer, now_ms);
        self.touch(who, false);
        let options = ClaimOptions { idle_ms: None, n: None, force: false, just_ids: *just_ids };
        let (mut n_left, mut n_tries_left) = (*count, 10 * count);
        let (mut claimed, mut gone, mut next) = (Vec::new(), Vec::new(), (0, 0));
        let ids: Vec<_> = self.groups[place.1].pending.range(*start..).map(|it| *it.0).collect();
        for id in ids {
            if n_left == 0 || n_tries_left == 0 {
                next = id;
                break;
            }
            n_tries_left -= 1;
            match self.claim(who, id, *idle_ms, options) {
                None => continue,
                Some(None) => gone.push(id_wire(id)),
                Some(Some(shown)) => claimed.push(shown),
            }
            n_left -= 1;
        }
        Wire::Array(vec![id_wire(next), Wire::Array(claimed), Wire::Array(gone)])
    }
}
