//! What all keys hold, as text that can be compared.

use std::collections::BTreeMap;
use std::time::Duration;

use fanfare_engine::Version;
use fanfare_testkit::{RawClient, escape, split_frames};

use crate::defined::{Defined, bulks};
use crate::streams;
use crate::words::KEYS;
use crate::world::{N_CLIENTS, World};

/// Databases that walks use.
const N_DATABASES: u16 = 3;

/// The client of a world that looks at its keys and does nothing else.
const READER: usize = N_CLIENTS - 1;

/// Database and key.
type Place = (u16, &'static str);

/// What every key that is there holds.
pub(crate) type Contents = BTreeMap<Place, String>;

/// Somebody who can be asked what keys hold.
pub(crate) trait Reader {
    /// The replies to commands, in RESP2.
    fn ask(&mut self, commands: &[Vec<Vec<u8>>]) -> Vec<Vec<u8>>;

    /// The encodings of these keys of a database, all of which are there.
    fn encodings(&mut self, db: u16, keys: &[&str]) -> Vec<String>;
}

impl Reader for World {
    fn ask(&mut self, commands: &[Vec<Vec<u8>>]) -> Vec<Vec<u8>> {
        self.clients[READER].version = Version::Resp2;
        commands.iter().map(|args| self.call(READER, args)).collect()
    }

    fn encodings(&mut self, db: u16, keys: &[&str]) -> Vec<String> {
        let snapshot = self.keyspace.snapshot().expect("no script runs");
        let encoding = |key: &&str| {
            let mut entries = snapshot.entries(db);
            let entry = entries.find(|it| **it.key() == *key.as_bytes());
            entry.expect("it is there").value().encoding().to_owned()
        };
        keys.iter().map(encoding).collect()
    }
}

impl Reader for RawClient {
    fn ask(&mut self, commands: &[Vec<Vec<u8>>]) -> Vec<Vec<u8>> {
        commands.iter().for_each(|args| self.send_command(args));
        let replies = self.read_frames(commands.len(), Duration::from_secs(60));
        split_frames(&replies).0.into_iter().map(Into::into).collect()
    }

    fn encodings(&mut self, _db: u16, keys: &[&str]) -> Vec<String> {
        let commands: Vec<_> = keys.iter().map(|key| args(&["OBJECT", "ENCODING", key])).collect();
        let encoding =
            |reply: &Vec<u8>| String::from_utf8_lossy(&bulks(reply).concat()).into_owned();
        self.ask(&commands).iter().map(encoding).collect()
    }
}

/// How closely contents are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Values and when keys expire, encodings, and the order of what is packed.
    Closely,
    /// Values and when keys and fields expire.
    AtValues,
}

/// What all keys of all databases hold.
pub(crate) fn contents(reader: &mut impl Reader, look: Look) -> Contents {
    let mut found = Contents::new();
    for db in 0..N_DATABASES {
        reader.ask(&[args(&["SELECT", &db.to_string()])]);
        let asked = KEYS.iter().flat_map(|key| [args(&["TYPE", key]), args(&["PEXPIRETIME", key])]);
        let replies = reader.ask(&asked.collect::<Vec<_>>());
        let there = KEYS.iter().zip(replies.chunks(2)).filter(|it| it.1[0] != b"+none\r\n");
        let there: Vec<_> = there.map(|(key, replies)| (*key, replies)).collect();
        let keys: Vec<_> = there.iter().map(|it| it.0).collect();
        let values =
            reader.ask(&there.iter().map(|it| value_of(it.0, &it.1[0])).collect::<Vec<_>>());
        let encodings = reader.encodings(db, &keys);
        for (((key, about), value), encoding) in there.iter().zip(&values).zip(encodings) {
            let is_packed = matches!(&*encoding, "listpack" | "intset");
            let part = match &*about[0] {
                _ if look == Look::Closely && is_packed => Defined::All,
                b"+set\r\n" => Defined::Elements,
                b"+hash\r\n" => Defined::Pairs,
                _ => Defined::All,
            };
            let mut text = escape(&[&about.concat()[..], &part.part(value)].concat());
            match look {
                Look::Closely if about[0] == b"+stream\r\n" => {
                    text += &streams::details(reader, key, look);
                    text += &streams::blocks(reader, key);
                }
                Look::Closely => text += &encoding,
                Look::AtValues if about[0] == b"+stream\r\n" => {
                    text += &streams::details(reader, key, look);
                }
                Look::AtValues if about[0] == b"+hash\r\n" => {
                    text += &field_times(reader, key, value)
                }
                Look::AtValues => {}
            }
            found.insert((db, *key), text);
        }
    }
    found
}

fn value_of(key: &str, kind: &[u8]) -> Vec<Vec<u8>> {
    match kind {
        b"+string\r\n" => args(&["GET", key]),
        b"+list\r\n" => args(&["LRANGE", key, "0", "-1"]),
        b"+set\r\n" => args(&["SMEMBERS", key]),
        b"+hash\r\n" => args(&["HGETALL", key]),
        b"+stream\r\n" => args(&["XRANGE", key, "-", "+"]),
        b"+zset\r\n" => args(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
        other => panic!("{} is no type that walks make", escape(other)),
    }
}

fn field_times(reader: &mut impl Reader, key: &str, value: &[u8]) -> String {
    let mut fields: Vec<_> = bulks(value).into_iter().step_by(2).collect();
    fields.sort_unstable();
    let mut command = args(&["HPEXPIRETIME", key, "FIELDS", &fields.len().to_string()]);
    command.append(&mut fields);
    escape(&reader.ask(&[command]).concat())
}

/// Fails with what differs.
pub(crate) fn assert_alike(
    (our_name, ours): (&str, &Contents),
    (their_name, theirs): (&str, &Contents),
    diary: impl Fn(&[String]) -> String,
) {
    let places = (0..N_DATABASES).flat_map(|db| KEYS.map(|key| (db, key)));
    let different: Vec<_> = places.filter(|it| ours.get(it) != theirs.get(it)).collect();
    let Some((db, key)) = different.first() else { return };
    panic!(
        "{different:?} are not alike\n{our_name}: {:?}\n{their_name}: {:?}\n{}",
        ours.get(&(*db, key)),
        theirs.get(&(*db, key)),
        diary(&[String::new(), (*key).into()])
    );
}

/// Words as arguments.
pub(crate) fn args(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|it| it.as_bytes().to_vec()).collect()
}
