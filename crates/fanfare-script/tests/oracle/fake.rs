//! A few commands without a server, and replies written out.

use std::collections::HashMap;

use fanfare_resp::{Request, Value, Version, Writer};
use fanfare_script::{Caller, Verdict};

/// A keyspace of strings, as far as the scripts of the tests use it.
#[derive(Default)]
pub(crate) struct Fake {
    strings: HashMap<Vec<u8>, Vec<u8>>,
}

impl Caller for Fake {
    fn call(&mut self, request: Request<'_>, version: Version) -> Value {
        let args: Vec<_> = request.iter().collect();
        let name = args[0].to_ascii_uppercase();
        match (&*name, &args[1..]) {
            (b"GET", [key]) => match self.strings.get(*key) {
                Some(value) => Value::bulk(value.clone()),
                None => null(version),
            },
            (b"SET", [key, value]) => {
                self.strings.insert(key.to_vec(), value.to_vec());
                Value::SimpleString("OK".into())
            }
            (b"INCR", [key]) => {
                let old = self.strings.get(*key).map_or(Some(0), |it| {
                    std::str::from_utf8(it).ok().and_then(|it| it.parse::<i64>().ok())
                });
                let Some(old) = old else {
                    return error("ERR value is not an integer or out of range");
                };
                self.strings.insert(key.to_vec(), (old + 1).to_string().into());
                Value::Integer(old + 1)
            }
            (b"LLEN", [key]) if self.strings.contains_key(*key) => {
                error("WRONGTYPE Operation against a key holding the wrong kind of value")
            }
            (b"LLEN", [_]) => Value::Integer(0),
            (b"ECHO", [text]) => Value::bulk(text.to_vec()),
            (b"PING", []) => Value::SimpleString("PONG".into()),
            (b"MGET", keys) => Value::Array(
                keys.iter()
                    .map(|key| match self.strings.get(*key) {
                        Some(value) => Value::bulk(value.clone()),
                        None => null(version),
                    })
                    .collect(),
            ),
            (b"DEBUG", [_, kind]) => debug(kind, version),
            (b"GET" | b"SET" | b"INCR" | b"LLEN" | b"ECHO", _) => {
                error("ERR Wrong number of args calling Redis command from script")
            }
            _ => error("ERR Unknown Redis command called from script"),
        }
    }

    fn poll(&mut self) -> Verdict {
        Verdict::GoOn
    }

    fn may_call(&mut self, request: Request<'_>) -> Option<bool> {
        request.get(0)?.eq_ignore_ascii_case(b"get").then_some(true)
    }
}

/// `DEBUG PROTOCOL`
fn debug(kind: &[u8], version: Version) -> Value {
    let is_3 = version == Version::Resp3;
    match kind {
        b"string" => Value::bulk("Hello World"),
        b"integer" => Value::Integer(12345),
        b"double" if is_3 => Value::Double(3.141),
        b"double" => Value::bulk("3.141"),
        b"null" => null(version),
        b"true" if is_3 => Value::Boolean(true),
        b"true" => Value::Integer(1),
        b"false" if is_3 => Value::Boolean(false),
        b"false" => Value::Integer(0),
        b"bignum" if is_3 => Value::BigNumber("1234567999999999999999999999999999999".into()),
        b"bignum" => Value::bulk("1234567999999999999999999999999999999"),
        b"verbatim" if is_3 => {
            Value::Verbatim { format: *b"txt", text: "This is a verbatim\nstring".into() }
        }
        b"verbatim" => Value::bulk("This is a verbatim\nstring"),
        b"array" => Value::Array((0..3).map(Value::Integer).collect()),
        b"set" if is_3 => Value::Set((0..3).map(Value::Integer).collect()),
        b"set" => Value::Array((0..3).map(Value::Integer).collect()),
        b"map" => {
            let truth = |it: i64| {
                if is_3 { Value::Boolean(it == 1) } else { Value::Integer(i64::from(it == 1)) }
            };
            let pairs = (0..3).map(|it| (Value::Integer(it), truth(it)));
            if is_3 {
                Value::Map(pairs.collect())
            } else {
                Value::Array(pairs.flat_map(|(key, value)| [key, value]).collect())
            }
        }
        _ => error("ERR no such kind"),
    }
}

fn null(version: Version) -> Value {
    match version {
        Version::Resp2 => Value::NullBulk,
        Version::Resp3 => Value::Null,
    }
}

fn error(text: &'static str) -> Value {
    Value::SimpleError(text.into())
}

/// Writes a reply in the words of a version.
pub(crate) fn write(to: &mut Writer<'_>, reply: &Value) {
    match reply {
        Value::SimpleString(text) => to.simple(text),
        Value::SimpleError(text) => to.error(text),
        Value::Integer(number) => to.int(*number),
        Value::BulkString(bytes) => to.bulk(bytes),
        Value::Null => to.null(),
        Value::Boolean(it) => to.boolean(*it),
        Value::Double(number) => to.double(*number),
        Value::BigNumber(digits) => to.big_number(digits),
        Value::Verbatim { format, text } => to.verbatim(format, text),
        Value::Array(items) => {
            to.array(items.len());
            items.iter().for_each(|it| write(to, it));
        }
        Value::Set(items) => {
            to.set(items.len());
            items.iter().for_each(|it| write(to, it));
        }
        Value::Map(pairs) => {
            to.map(pairs.len());
            for (key, value) in pairs {
                write(to, key);
                write(to, value);
            }
        }
        other => panic!("a script does not answer {other:?}"),
    }
}
