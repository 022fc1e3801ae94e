//! Scripts that mean harm, and what stays as it was.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use fanfare_resp::{Value, Version};
use fanfare_script::{Caller, Runtime, Settings, Verdict};

/// Answers `OK`, and ends scripts after so many questions.
struct Guard {
    polls_left: u32,
}

impl Caller for Guard {
    fn call(&mut self, args: &[&[u8]], _: Version) -> Value {
        Value::bulk(args.concat())
    }

    fn poll(&mut self) -> Verdict {
        match self.polls_left.checked_sub(1) {
            Some(left) => {
                self.polls_left = left;
                Verdict::GoOn
            }
            None => Verdict::Kill("ERR Script killed by user with SCRIPT KILL...".to_owned()),
        }
    }
}

const LIMIT: usize = 16 << 20;

fn runtime() -> Runtime<Guard> {
    let settings = Settings { memory_bytes_max: LIMIT, ..Settings::default() };
    Runtime::new(settings).unwrap()
}

fn eval(runtime: &mut Runtime<Guard>, body: &str) -> Value {
    let script = runtime.load(body.as_bytes()).unwrap();
    runtime.eval(&script, &[b"k"], &[b"a"], Guard { polls_left: 100 }).1.reply
}

fn error(runtime: &mut Runtime<Guard>, body: &str) -> String {
    match eval(runtime, body) {
        Value::SimpleError(text) => String::from_utf8_lossy(&text).into_owned(),
        other => panic!("{body}: {other:?}"),
    }
}

fn is_well(runtime: &mut Runtime<Guard>) {
    let reply = eval(
        runtime,
        "local t = {} for i = 1, 1000 do t[i] = i end return redis.call('GET', KEYS[1]) .. #t",
    );
    assert_eq!(reply, Value::bulk("GETk1000"));
}

#[test]
fn every_endless_loop_can_be_killed() {
    let mut runtime = runtime();
    for body in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "local f = coroutine.wrap(function() while true do end end) f()",
        "while true do local co = coroutine.create(function() while true do end end) coroutine.resume(co) end",
        "while true do pcall(coroutine.wrap(function() while true do coroutine.yield() end end)) end",
        "local function f() return f() end f()",
        "local t = setmetatable({}, {__index = function(t, k) while true do end end}) pcall(function() return t.x end) return 1",
        "repeat pcall(error, 'x') until false",
        "for i = 1, 1e15 do redis.call('PING') end",
        "return pcall(function() while true do end end)",
        "string.gsub(string.rep('x', 100), 'x', function() while true do end end)",
        "table.sort({3, 2, 1}, function(a, b) while true do end end)",
    ] {
        let text = error(&mut runtime, body);
        assert!(
            text.starts_with("ERR Script killed by user with SCRIPT KILL..."),
            "{body}: {text}"
        );
        is_well(&mut runtime);
    }
}

#[test]
fn loading_a_library_can_be_ended() {
    let mut runtime = runtime();
    let code = b"#!lua name=x\nwhile true do end";
    let (_, loaded) = runtime.load_library(code, false, Guard { polls_left: 3 });
    let text = loaded.unwrap_err().to_string();
    assert!(text.starts_with("ERR Error registering functions: ERR Script killed"), "{text}");
    is_well(&mut runtime);
}

#[test]
fn memory_has_a_limit() {
    let mut runtime = runtime();
    for body in [
        "return #string.rep('x', 1e10)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = string.rep('x', 1000) .. #t end",
        "local t = {} while true do t = {t, t, {}, string.rep('x', 100)} end",
        "local s = string.rep('x', 1e7) return string.gsub(s, 'x', string.rep('y', 1000))",
        "local t = {} for i = 1, 1e4 do t[i] = string.rep('x', 1e5) end return table.concat(t)",
        "local s = string.rep('x', 2e7) return cjson.encode({s, s, s, s})",
        "local s = string.rep('[', 5e6) return cjson.decode(s)",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
    ] {
        let text = error(&mut runtime, body);
        let is_expected = ["not enough memory", "nested", "string length overflow", "killed"];
        assert!(is_expected.iter().any(|it| text.contains(it)), "{body}: {text}");
        is_well(&mut runtime);
        assert!(runtime.used_memory_bytes() < LIMIT, "{body}");
    }
}

#[test]
fn depth_has_limits() {
    let mut runtime = runtime();
    for body in [
        "local function f() return 1 + f() end return f()",
        "local t = {} for i = 1, 1e5 do t = {t} end return cjson.encode(t)",
        "cjson.encode_max_depth(2000000000) local t = {} for i = 1, 1e5 do t = {t} end return cjson.encode(t)",
        "cjson.decode_max_depth(2000000000) return cjson.decode(string.rep('[', 1e5))",
        "return cmsgpack.unpack(string.rep('\\145', 1e5))",
        "return string.find(string.rep('a', 300000), string.rep('(a', 40))",
        "return loadstring(string.rep('(', 10000))()",
        "return string.rep('x', 100):find(string.rep('(.-)', 33))",
        "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
        "local t = {} setmetatable(t, {__tostring = function() return tostring(t) end}) return tostring(t)",
        "return unpack({}, 1, 1e7)",
        "return string.byte(string.rep('x', 1e6), 1, -1)",
        "return select(-1e9, 1)",
        "return ('x'):rep(1e5):gsub('.', function(c) return c end):find('((((((((((((((((((((((((((((((((((')",
    ] {
        let _ = error(&mut runtime, body);
        is_well(&mut runtime);
    }
    let mut reply = eval(&mut runtime, "local t = {} t[1] = t return t");
    while let Value::Array(items) = reply {
        reply = items.into_iter().next().unwrap();
    }
    assert_eq!(reply, Value::SimpleError("ERR reached lua stack limit".into()));
}

#[test]
fn scripts_leave_nothing_behind() {
    let mut runtime = runtime();
    let attempts = [
        "leak = 1",
        "_G.leak = 1",
        "rawset(_G, 'leak', 1)",
        "rawset(redis, 'leak', 1)",
        "string.leak = 1",
        "rawset(string, 'rep', nil)",
        "getmetatable('').__index = {}",
        "getmetatable('').leak = 1",
        "setmetatable(_G, nil)",
        "setmetatable(string, {})",
        "getmetatable(_G).__index = nil",
        "rawset(getmetatable(_G), 'leak', 1)",
        "table.insert(redis, 1)",
        "table.insert(_G, 'leak')",
        "redis.call = nil",
        "redis.leak = 1",
        "string.gsub = nil",
        "setfenv(1, {})",
        "loadstring('leak = 1')()",
        "for k, v in pairs(_G) do if type(v) == 'table' then v.leak = 1 end end",
        "error(redis)",
        "table.sort(redis) table.remove(redis) table.insert(bit, 9, 9)",
        "KEYS = nil",
        "redis.setresp(3) leak = 1",
        "coroutine.wrap(function() leak = 1 end)()",
        "table.foreach(_G, function(k, v) v.leak = 1 end)",
    ];
    let probe = "local n = 0 for k in pairs(_G) do n = n + 1 end \
                 for _, t in ipairs({_G, redis, string, table, math, bit, cjson}) do \
                 if #t ~= 0 or rawget(t, 'leak') ~= nil or next(t) ~= nil then return 'leaked' end end \
                 if getmetatable('').leak or ('x'):rep(2) ~= 'xx' then return 'leaked' end \
                 return {n, true, false}";
    let before = eval(&mut runtime, probe);
    assert!(matches!(before, Value::Array(_)), "{before:?}");
    for body in attempts {
        let _ = error(&mut runtime, body);
        assert_eq!(eval(&mut runtime, probe), before, "{body}");
    }
    // What may be changed is the script's own.
    let own = "for k, v in pairs(string) do string = nil end";
    let _ = error(&mut runtime, own);
    assert_eq!(
        eval(&mut runtime, "local s, t = pairs(string) t.rep = nil return ('x'):rep(2)"),
        Value::bulk("xx")
    );
    assert_eq!(
        eval(&mut runtime, "collectgarbage('stop') return collectgarbage('setpause', 1)"),
        Value::Integer(200)
    );
}

#[test]
fn bytecode_is_refused() {
    let mut runtime = runtime();
    let body = "local code = string.dump(function() return 1 end) \
                local f = loadstring(code) or load(function() local c = code code = nil return c end) \
                return f == nil";
    assert_eq!(eval(&mut runtime, body), Value::Integer(1));
    assert!(runtime.load(b"\x1bLuaQ").is_err());
    let (_, loaded) =
        runtime.load_library(b"#!lua name=x\n\x1bLuaQ", false, Guard { polls_left: 3 });
    assert!(loaded.is_err());
}
