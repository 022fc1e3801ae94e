//! `cjson`

use fanfare_testkit::{Rng, seed};

use super::Oracle;

/// Texts to decode, good and bad.
const TEXTS: &[&str] = &[
    "",
    " ",
    "1",
    "-1",
    "1.5e3",
    "1e400",
    "01",
    "+1",
    ".5",
    "5.",
    "-",
    "0x1F",
    "0x1.8p1",
    "inf",
    "-inf",
    "nan",
    "NaN",
    "Infinity",
    "-nan",
    "1e",
    "1e+",
    "true",
    "tru",
    "nul",
    "null",
    "false",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{",
    "}",
    "{}",
    "[]",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{a:1}",
    "{1:1}",
    "{\"a\" 1}",
    "\"abc",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\ude00\"",
    "\"\\ud83d\\u0041\"",
    "\"\\u0000\"",
    "\"a\\n\\t\\\"\\/\\b\\f\\r\"",
    "[1]x",
    "1 1",
    "{\"a\":{\"b\":[1,2,{\"c\":null}]}}",
    "  [ 1 , 2 ]  ",
    "\t\r\n1",
    "'a'",
    "[1,\0]",
    "a\0",
    "[\"\\ud800\\udc00\",\"\\uffff\"]",
    "@",
    "{\"a\":@}",
    "[i]",
    "[t]",
    "{\"a\"::1}",
    "[[],{}]",
    "1\0",
];

#[test]
fn cjson_answers_as_in_redis() {
    let mut oracle = Oracle::start();
    for body in include_str!("json.txt").lines() {
        oracle.script(body);
    }
    for text in TEXTS {
        oracle.eval("return {pcall(cjson.decode, ARGV[1])}", &[], &[text.as_bytes()]);
        let dump = "local function d(v) if v == cjson.null then return 'null' end \
                    if type(v) == 'table' then local t = {} for k, x in pairs(v) do t[#t+1] = d(k)..'='..d(x) end \
                    table.sort(t) return '{'..table.concat(t, ',')..'}' end \
                    return type(v)..':'..tostring(v) end \
                    return d(cjson.decode(ARGV[1]))";
        oracle.eval(dump, &[], &[text.as_bytes()]);
        oracle.eval(
            "cjson.decode_invalid_numbers(false) local r = {pcall(cjson.decode, ARGV[1])} \
             cjson.decode_invalid_numbers(true) return r",
            &[],
            &[text.as_bytes()],
        );
    }
    oracle.finish();
}

#[test]
fn random_json_and_msgpack() {
    let seed = seed();
    let mut rng = Rng::new(seed);
    let mut oracle = Oracle::start();
    for _ in 0..150 {
        let mut text = String::new();
        write(&mut rng, &mut text, 0);
        let text = text.as_bytes();
        oracle.eval("return cjson.encode(cjson.decode(ARGV[1]))", &[], &[text]);
        oracle.eval("return cmsgpack.pack(cjson.decode(ARGV[1]))", &[], &[text]);
        oracle.eval(
            "return cjson.encode(cmsgpack.unpack(cmsgpack.pack(cjson.decode(ARGV[1]))))",
            &[],
            &[text],
        );
        // Cut or changed somewhere.
        let at = usize::try_from(rng.below(text.len() as u64)).unwrap();
        oracle.eval("return {pcall(cjson.decode, ARGV[1])}", &[], &[&text[..at]]);
        let mut changed = text.to_vec();
        changed[at] = u8::try_from(rng.below(256)).unwrap();
        oracle.eval("local ok, e = pcall(cjson.decode, ARGV[1]) return ok or e", &[], &[&changed]);
        let bytes: Vec<u8> = (0..rng.below(12)).map(|_| rng.next_u64() as u8).collect();
        let unpack = "local r = {pcall(cmsgpack.unpack, ARGV[1])} return cmsgpack.pack(r)";
        oracle.eval(unpack, &[], &[&bytes]);
    }
    oracle.finish();
}

fn write(rng: &mut Rng, out: &mut String, depth: u32) {
    use std::fmt::Write as _;
    match rng.below(if depth < 4 { 9 } else { 7 }) {
        0 => out.push_str("null"),
        1 => out.push_str("true"),
        2 => write!(out, "{}", rng.next_u64() as i32).unwrap(),
        3 => write!(out, "{}", rng.next_u64() as i64).unwrap(),
        4 => write!(out, "{:e}", f64::from(rng.next_u64() as i32) / 1024.0).unwrap(),
        5 => write!(out, "{}", f64::from(rng.next_u64() as i32) * 1e-9).unwrap(),
        6 => write!(out, "\"k{}\\n\\u00{:02x}/é\"", rng.below(9), 1 + rng.below(127)).unwrap(),
        7 => {
            out.push('[');
            for n in 0..rng.below(5) {
                out.push_str(if n == 0 { "" } else { "," });
                write(rng, out, depth + 1);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for n in 0..rng.below(5) {
                write!(out, "{}\"{}\":", if n == 0 { "" } else { "," }, rng.below(12)).unwrap();
                write(rng, out, depth + 1);
            }
            out.push('}');
        }
    }
}
