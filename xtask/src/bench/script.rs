//! A script as it is used for rate limits: five lines, three commands.

use super::client::Exchange;
use super::wire;

const SCRIPT: &str = r#"local n = tonumber(redis.call("GET", KEYS[1]) or "0")
if n >= tonumber(ARGV[1]) then return 0 end
redis.call("INCR", KEYS[1])
redis.call("PEXPIRE", KEYS[1], ARGV[2])
return 1
"#;

const SHA1: &str = "800ba98ae049d051dd6af59fd132ab174885bb79";

/// SCRIPT LOAD, which answers with the digest that EVALSHA names.
pub(super) fn load() -> Exchange {
    Exchange::new(&[b"SCRIPT", b"LOAD", SCRIPT.as_bytes()], wire::bulk(SHA1.as_bytes()))
}

/// Two calls for each of a thousand keys; no limit is reached.
pub(super) fn calls(call: fn(&[u8]) -> Exchange) -> Vec<Exchange> {
    (0..2_000).map(|n| call(format!("limit:{:06}", n % 1_000).as_bytes())).collect()
}

pub(super) fn eval(key: &[u8]) -> Exchange {
    call(b"EVAL", SCRIPT, key)
}

pub(super) fn evalsha(key: &[u8]) -> Exchange {
    call(b"EVALSHA", SHA1, key)
}

fn call(verb: &[u8], script: &str, key: &[u8]) -> Exchange {
    let words = [verb, script.as_bytes(), b"1", key, b"1000000000", b"60000"];
    Exchange::new(&words, wire::integer(1))
}
