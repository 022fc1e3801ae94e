//! Which nodes a command is for. Pure.
//!
//! Where the first key stands is known for the commands that do not have it first; for all others,
//! those of modules and of later versions included, the first argument is taken for it. If it is
//! none, any node will do, and if it is one of another slot, the node says so (`MOVED`).

use std::collections::HashSet;

use bytes::Bytes;
use fanfare_resp::Value;

use crate::{Error, topology::cluster::slots::slot};

/// Where to send a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// To the node that serves this slot.
    Slot(u16),
    /// To any node.
    Any,
    /// To every master, and this is how their answers become one.
    All(Combine),
    /// It makes sense for one node only, and nobody said for which.
    One,
}

/// How the answers of all nodes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Combine {
    /// They are all the same.
    Same,
    /// Numbers, of which the sum counts.
    Sum,
    /// Lists, one after the other, each item once.
    Union,
    /// Lists of names and numbers: the numbers of a name are added.
    SumByName,
    /// Lists of numbers of the same things: of each the smallest.
    Least,
}

/// Where a command belongs.
pub(crate) fn scope(args: &[&[u8]]) -> Scope {
    let upper = |at: usize| args.get(at).map(|arg| arg.to_ascii_uppercase()).unwrap_or_default();
    let (name, second) = (upper(0), upper(1));
    let key_at = |at: usize| args.get(at).map_or(Scope::Any, |key| Scope::Slot(slot(key)));
    // `numkeys` stands at `at`, and the keys behind it.
    let counted = |at: usize| match args.get(at) {
        Some(&b"0") | None => Scope::Any,
        Some(_) => key_at(at + 1),
    };
    match (name.as_slice(), second.as_slice()) {
        (b"DBSIZE", _) => Scope::All(Combine::Sum),
        (b"KEYS", _) | (b"PUBSUB", b"CHANNELS" | b"SHARDCHANNELS") => Scope::All(Combine::Union),
        (b"PUBSUB", b"NUMSUB" | b"SHARDNUMSUB") => Scope::All(Combine::SumByName),
        (b"PUBSUB", b"NUMPAT") => Scope::All(Combine::Sum),
        (b"SCRIPT", b"EXISTS") => Scope::All(Combine::Least),
        (b"FLUSHALL" | b"FLUSHDB", _)
        | (b"SCRIPT", b"LOAD" | b"FLUSH")
        | (b"FUNCTION", b"LOAD" | b"DELETE" | b"FLUSH" | b"RESTORE") => Scope::All(Combine::Same),
        (
            b"SCAN" | b"CLUSTER" | b"READONLY" | b"READWRITE" | b"ASKING" | b"SWAPDB" | b"MOVE",
            _,
        )
        | (b"SHUTDOWN" | b"SAVE" | b"BGSAVE" | b"BGREWRITEAOF" | b"REPLICAOF" | b"SLAVEOF", _)
        | (b"FAILOVER" | b"SLOWLOG" | b"LATENCY" | b"MODULE" | b"DEBUG", _)
        | (b"INFO" | b"ROLE" | b"LASTSAVE", _)
        | (b"CLIENT", b"KILL" | b"LIST" | b"PAUSE" | b"UNPAUSE" | b"UNBLOCK")
        // They are for replicas, too, of which one may become the master.
        | (b"CONFIG", b"SET" | b"RESETSTAT" | b"REWRITE")
        | (b"ACL", b"SETUSER" | b"DELUSER" | b"LOAD" | b"SAVE" | b"LOG")
        | (b"SCRIPT" | b"FUNCTION", b"KILL")
        | (b"FUNCTION", b"STATS")
        | (b"MEMORY", b"DOCTOR" | b"STATS" | b"PURGE" | b"MALLOC-STATS") => Scope::One,
        (b"PING" | b"ECHO" | b"TIME" | b"LOLWUT", _)
        | (b"COMMAND" | b"CONFIG" | b"CLIENT" | b"ACL" | b"SCRIPT" | b"FUNCTION", _)
        | (b"RANDOMKEY" | b"PUBSUB" | b"MEMORY", b"" | b"HELP") => Scope::Any,
        (b"XGROUP" | b"XINFO" | b"OBJECT" | b"MEMORY" | b"BITOP", _) => key_at(2),
        (b"EVAL" | b"EVALSHA" | b"EVAL_RO" | b"EVALSHA_RO" | b"FCALL" | b"FCALL_RO", _)
        | (b"BLMPOP" | b"BZMPOP", _) => counted(2),
        (
            b"ZUNION" | b"ZINTER" | b"ZDIFF" | b"SINTERCARD" | b"ZINTERCARD" | b"LMPOP" | b"ZMPOP",
            _,
        ) => counted(1),
        (b"XREAD" | b"XREADGROUP", _) => {
            let streams = args.iter().position(|arg| arg.eq_ignore_ascii_case(b"STREAMS"));
            streams.map_or(Scope::Any, |at| key_at(at + 1))
        }
        // PUBLISH among them: every node hands it to all subscribers, and one node for each channel
        // keeps their order.
        (_, _) => key_at(1),
    }
}

/// Two nodes' answers as one. An error wins.
pub(crate) fn combine(
    how: Combine,
    left: Result<Value, Error>,
    right: Result<Value, Error>,
) -> Result<Value, Error> {
    let (left, right) = (left?, right?);
    Ok(match how {
        Combine::Same => left,
        Combine::Sum => sum(left, &right),
        Combine::Union => {
            let mut items = list(left);
            let seen: HashSet<Option<Bytes>> =
                items.iter().map(|item| item.clone().into_bytes()).collect();
            let new = |item: &Value| !seen.contains(&item.clone().into_bytes());
            items.extend(list(right).into_iter().filter(new));
            Value::Array(items)
        }
        Combine::SumByName => {
            let pairs = list(left).into_iter().zip(list(right)).enumerate();
            Value::Array(
                pairs.map(|(at, (l, r))| if at % 2 == 0 { l } else { sum(l, &r) }).collect(),
            )
        }
        Combine::Least => {
            let pairs = list(left).into_iter().zip(list(right));
            Value::Array(pairs.map(|(l, r)| if r.as_int() < l.as_int() { r } else { l }).collect())
        }
    })
}

fn sum(left: Value, right: &Value) -> Value {
    match (left.as_int(), right.as_int()) {
        (Some(l), Some(r)) => Value::Integer(l.saturating_add(r)),
        _ => left,
    }
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Map(pairs) => pairs.into_iter().flat_map(|(name, value)| [name, value]).collect(),
        value => value.into_array().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str) -> Scope {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        scope(&args)
    }

    #[test]
    fn a_command_goes_where_its_first_key_is() {
        let foo = Scope::Slot(slot(b"foo"));
        for command in [
            "get foo",
            "MSET foo 1 bar 2",
            "XADD foo * a b",
            "SPUBLISH foo x",
            "PUBLISH foo x",
            "EVAL return 2 foo bar",
            "FCALL f 1 foo",
            "ZUNION 2 foo bar",
            "LMPOP 1 foo LEFT",
            "BLMPOP 0 1 foo LEFT",
            "XREAD COUNT 1 STREAMS foo bar 0 0",
            "XREADGROUP GROUP g c streams foo >",
            "XGROUP CREATE foo g $",
            "XINFO STREAM foo",
            "OBJECT ENCODING foo",
            "MEMORY USAGE foo",
            "BITOP AND foo bar baz",
            "some.module foo",
        ] {
            assert_eq!(of(command), foo, "{command}");
        }
        for command in ["PING", "EVAL return 0", "CLIENT ID", "CONFIG GET x", "RANDOMKEY"] {
            assert_eq!(of(command), Scope::Any, "{command}");
        }
        assert_eq!(of("DBSIZE"), Scope::All(Combine::Sum));
        assert_eq!(of("FLUSHALL ASYNC"), Scope::All(Combine::Same));
        // One node's answer would pass for all, or one node alone be changed.
        for command in ["SCAN 0", "INFO", "SCRIPT KILL", "CONFIG SET a b", "ACL SETUSER u"] {
            assert_eq!(of(command), Scope::One, "{command}");
        }
    }

    #[test]
    fn answers_of_several_nodes_become_one() {
        let array = |items: &[Value]| Ok(Value::Array(items.to_vec()));
        let (int, name) = (Value::Integer, |text: &'static str| Value::bulk(text));
        let sum = combine(Combine::Sum, Ok(int(2)), Ok(int(3))).unwrap();
        assert_eq!(sum, int(5));
        let union = combine(Combine::Union, array(&[name("a"), name("b")]), array(&[name("b")]));
        assert_eq!(union.unwrap(), Value::Array(vec![name("a"), name("b")]));
        let counts = |n| array(&[name("a"), int(n), name("b"), int(n + 1)]);
        let by_name = combine(Combine::SumByName, counts(1), counts(10)).unwrap();
        assert_eq!(by_name, Value::Array(vec![name("a"), int(11), name("b"), int(13)]));
        let least = combine(Combine::Least, array(&[int(1), int(1)]), array(&[int(0), int(1)]));
        assert_eq!(least.unwrap(), Value::Array(vec![int(0), int(1)]));
        let failed = combine(Combine::Same, Ok(name("OK")), Err(Error::closed()));
        assert!(failed.is_err());
    }
}
