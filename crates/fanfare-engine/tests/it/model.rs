//! The naive engine: maps, no stripes, no laziness. Answers in the notation of the transcripts (RESP2).

use std::collections::{BTreeMap, BTreeSet};

use crate::world::N_CLIENTS;

const N_DATABASES: usize = 16;

pub(crate) struct Model {
    pub(crate) now_ms: u64,
    databases: Vec<BTreeMap<String, Entry>>,
    clients: Vec<Client>,
}

#[derive(Clone)]
struct Entry {
    value: String,
    expires_at_ms: Option<u64>,
}

#[derive(Default)]
struct Client {
    db: usize,
    queued: Option<Vec<Vec<String>>>,
    doomed: bool,
    watched: BTreeSet<(usize, String)>,
    dirty: bool,
}

impl Model {
    pub(crate) fn new(now_ms: u64) -> Self {
        let clients = (0..N_CLIENTS).map(|_| Client::default()).collect();
        Self { now_ms, databases: vec![BTreeMap::new(); N_DATABASES], clients }
    }

    /// Lets time pass; what is due is gone at once.
    pub(crate) fn pass(&mut self, passed_ms: u64) {
        self.now_ms += passed_ms;
        for db in 0..N_DATABASES {
            let due = self.databases[db]
                .iter()
                .filter(|(_, it)| it.expires_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms));
            for key in due.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
                self.remove(db, &key);
            }
        }
    }

    pub(crate) fn call(&mut self, client_idx: usize, args: &[String]) -> String {
        let client = &mut self.clients[client_idx];
        match (args[0].as_str(), &mut client.queued) {
            ("MULTI", Some(_)) => "-ERR MULTI calls can not be nested".into(),
            ("MULTI", None) => {
                client.queued = Some(Vec::new());
                ok()
            }
            ("EXEC", None) => "-ERR EXEC without MULTI".into(),
            ("EXEC", Some(_)) => self.exec(client_idx),
            ("DISCARD", None) => "-ERR DISCARD without MULTI".into(),
            ("DISCARD", Some(_)) => {
                *client = Client { db: client.db, ..Client::default() };
                ok()
            }
            ("WATCH", Some(_)) => "-ERR WATCH inside MULTI is not allowed".into(),
            ("GET", queued) if args.len() == 1 => {
                client.doomed = queued.is_some();
                "-ERR wrong number of arguments for 'get' command".into()
            }
            (_, Some(queued)) => {
                queued.push(args.to_vec());
                "+QUEUED".into()
            }
            (_, None) => self.run(client_idx, args),
        }
    }

    fn exec(&mut self, client_idx: usize) -> String {
        let client = &mut self.clients[client_idx];
        let Client { queued, doomed, dirty, .. } =
            std::mem::replace(client, Client { db: client.db, ..Client::default() });
        if doomed {
            return "-EXECABORT Transaction discarded because of previous errors.".into();
        }
        if dirty {
            return "*-1".into();
        }
        let queued = queued.unwrap_or_default();
        let mut answers = vec![format!("*{}", queued.len())];
        answers.extend(queued.iter().map(|args| self.run(client_idx, args)));
        answers.join(" ")
    }

    fn run(&mut self, client_idx: usize, args: &[String]) -> String {
        let db = self.clients[client_idx].db;
        let key = args.get(1).cloned().unwrap_or_default();
        let entry = self.databases[db].get(&key).cloned();
        let number = |idx: usize| args[idx].parse::<i64>().expect("the walk gives numbers");
        match args[0].as_str() {
            "GET" => bulk(entry.map(|it| it.value)),
            "SET" => self.set(db, args, entry),
            "DEL" => int(args[1..].iter().filter(|it| self.remove(db, it)).count()),
            "EXISTS" => {
                int(args[1..].iter().filter(|it| self.databases[db].contains_key(*it)).count())
            }
            "INCR" => self.add(db, &key, entry, 1),
            "DECR" => self.add(db, &key, entry, -1),
            "INCRBY" => self.add(db, &key, entry, number(2)),
            "PEXPIRE" => self.expire(db, &key, entry, number(2), &args[3..]),
            "PERSIST" => match entry {
                Some(Entry { value, expires_at_ms: Some(_) }) => {
                    self.put(db, &key, value, None);
                    int(1)
                }
                _ => int(0),
            },
            "PTTL" => match entry.map(|it| it.expires_at_ms) {
                None => ":-2".into(),
                Some(None) => ":-1".into(),
                Some(Some(at_ms)) => format!(":{}", at_ms - self.now_ms),
            },
            "TYPE" => if entry.is_some() { "+string" } else { "+none" }.into(),
            "DBSIZE" => int(self.databases[db].len()),
            "FLUSHDB" => self.flush(&[db]),
            "FLUSHALL" => self.flush(&(0..N_DATABASES).collect::<Vec<_>>()),
            "SWAPDB" => self.swap(number(1), number(2)),
            "SELECT" => {
                self.clients[client_idx].db = key.parse().expect("the walk selects numbers");
                ok()
            }
            "WATCH" => {
                let watched = args[1..].iter().map(|it| (db, it.clone()));
                self.clients[client_idx].watched.extend(watched);
                ok()
            }
            "UNWATCH" => {
                let client = &mut self.clients[client_idx];
                client.watched.clear();
                client.dirty = false;
                ok()
            }
            _ => self.run_on_keys(db, args, entry),
        }
    }

    /// What gives keys other names and places.
    fn run_on_keys(&mut self, db: usize, args: &[String], entry: Option<Entry>) -> String {
        let key = args[1].clone();
        match args[0].as_str() {
            "TOUCH" => {
                int(args[1..].iter().filter(|it| self.databases[db].contains_key(*it)).count())
            }
            "RENAME" => match self.give(db, (&key, entry), (db, &args[2]), true) {
                None => "-ERR no such key".into(),
                Some(_) => ok(),
            },
            "RENAMENX" => {
                let is_free = !self.databases[db].contains_key(&args[2]);
                match (entry.is_some(), is_free) {
                    (false, _) => "-ERR no such key".into(),
                    (true, false) => int(0),
                    (true, true) => {
                        int(self.give(db, (&key, entry), (db, &args[2]), true).map_or(0, |_| 1))
                    }
                }
            }
            "MOVE" => {
                let to: usize = args[2].parse().expect("the walk moves to numbers");
                match (entry.is_some(), self.databases[to].contains_key(&key)) {
                    _ if to == db => same(),
                    (true, false) => {
                        int(self.give(db, (&key, entry), (to, &key), true).map_or(0, |_| 1))
                    }
                    _ => int(0),
                }
            }
            "COPY" => {
                let to = args.iter().position(|it| it == "DB");
                let to = to.map_or(db, |at| args[at + 1].parse().expect("a number"));
                let replaces = args.iter().any(|it| it == "REPLACE");
                match self.databases[to].contains_key(&args[2]) {
                    _ if to == db && key == args[2] => same(),
                    true if !replaces => int(0),
                    _ => int(self.give(db, (&key, entry), (to, &args[2]), false).map_or(0, |_| 1)),
                }
            }
            other => panic!("the model does not know {other}"),
        }
    }

    fn set(&mut self, db: usize, args: &[String], before: Option<Entry>) -> String {
        let has = |word: &str| args[3..].iter().any(|it| it == word);
        let expiry = args.iter().position(|it| it == "PX").map(|at| args[at + 1].parse::<u64>());
        let expiry = expiry.map(|it| self.now_ms + it.expect("the walk gives numbers"));
        let kept = before.as_ref().and_then(|it| it.expires_at_ms).filter(|_| has("KEEPTTL"));
        let refused = has("NX") && before.is_some() || has("XX") && before.is_none();
        if !refused {
            self.put(db, &args[1], args[2].clone(), expiry.or(kept));
        }
        match (has("GET"), refused) {
            (true, _) => bulk(before.map(|it| it.value)),
            (false, true) => bulk(None),
            (false, false) => ok(),
        }
    }

    fn add(&mut self, db: usize, key: &str, before: Option<Entry>, increment: i64) -> String {
        let Entry { value, expires_at_ms } =
            before.unwrap_or(Entry { value: "0".into(), expires_at_ms: None });
        let Some(number) = value.parse::<i64>().ok().filter(|it| it.to_string() == value) else {
            return "-ERR value is not an integer or out of range".into();
        };
        let Some(sum) = number.checked_add(increment) else {
            return "-ERR increment or decrement would overflow".into();
        };
        self.put(db, key, sum.to_string(), expires_at_ms);
        format!(":{sum}")
    }

    fn expire(
        &mut self,
        db: usize,
        key: &str,
        before: Option<Entry>,
        after_ms: i64,
        conditions: &[String],
    ) -> String {
        let Some(entry) = before else { return int(0) };
        let at_ms = self.now_ms.saturating_add_signed(after_ms);
        let before_ms = entry.expires_at_ms.unwrap_or(u64::MAX);
        let holds = conditions.iter().all(|it| match it.as_str() {
            "NX" => entry.expires_at_ms.is_none(),
            "XX" => entry.expires_at_ms.is_some(),
            "GT" => before_ms < at_ms,
            _ => at_ms < before_ms,
        });
        if holds && at_ms <= self.now_ms {
            self.remove(db, key);
        } else if holds {
            self.put(db, key, entry.value, Some(at_ms));
        }
        int(usize::from(holds))
    }

    fn flush(&mut self, databases: &[usize]) -> String {
        for &db in databases {
            for key in self.databases[db].keys().cloned().collect::<Vec<_>>() {
                self.remove(db, &key);
            }
        }
        ok()
    }

    /// Puts an entry elsewhere too; whether it is taken away where it was depends.
    fn give(
        &mut self,
        from: usize,
        (key, entry): (&str, Option<Entry>),
        (to, new_key): (usize, &str),
        takes: bool,
    ) -> Option<()> {
        let Entry { value, expires_at_ms } = entry?;
        if (from, key) != (to, new_key) {
            self.put(to, new_key, value, expires_at_ms);
            if takes {
                self.remove(from, key);
            }
        }
        Some(())
    }

    fn swap(&mut self, a: i64, b: i64) -> String {
        let [a, b] = [a, b].map(|it| usize::try_from(it).expect("the walk swaps what is there"));
        if a != b {
            let both = [a, b].map(|db| self.databases[db].keys().cloned().collect::<Vec<_>>());
            for key in both.concat() {
                self.touch(a, &key);
                self.touch(b, &key);
            }
            self.databases.swap(a, b);
        }
        ok()
    }

    fn put(&mut self, db: usize, key: &str, value: String, expires_at_ms: Option<u64>) {
        self.databases[db].insert(key.into(), Entry { value, expires_at_ms });
        self.touch(db, key);
    }

    fn remove(&mut self, db: usize, key: &str) -> bool {
        let found = self.databases[db].remove(key).is_some();
        if found {
            self.touch(db, key);
        }
        found
    }

    fn touch(&mut self, db: usize, key: &str) {
        let watched = (db, key.to_owned());
        for client in self.clients.iter_mut().filter(|it| it.watched.contains(&watched)) {
            client.dirty = true;
        }
    }
}

fn ok() -> String {
    "+OK".into()
}

fn same() -> String {
    "-ERR source and destination objects are the same".into()
}

fn int(n: usize) -> String {
    format!(":{n}")
}

fn bulk(value: Option<String>) -> String {
    value.map_or("$-1".into(), |it| format!("${} {it}", it.len()))
}
