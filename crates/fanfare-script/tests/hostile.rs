//! Scripts that mean harm, and what stays as it was.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use fanfare_resp::{Request, Value, Version};
use fanfare_script::{Caller, Runtime, STACK_BYTES_MIN, Settings, Verdict};

/// Answers `OK`, and ends scripts after so many questions.
struct Guard {
    polls_left: u32,
}

impl Caller for Guard {
    fn call(&mut self, request: Request<'_>, _: Version) -> Value {
        Value::bulk(request.iter().collect::<Vec<_>>().concat())
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

/// Runs scripts on a stack of the size that this crate asks for: an overflow would end the test program.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK_BYTES_MIN).spawn(run).unwrap().join().unwrap();
}

#[test]
fn no_pattern_overflows_the_stack() {
    on_small_stack(|| {
        let mut runtime = runtime();
        for item in ["a?", "a*", "a-", "[a]*", ".-", "%a-", "b?"] {
            for call in [
                "string.find(s, p)",
                "s:find(p)",
                "s:match(p)",
                "s:match('^' .. p)",
                "s:gsub(p, '')",
                "s:gsub(p, function() end)",
                "s:gmatch(p)()",
                "string.gfind(s, p)()",
            ] {
                let body = format!(
                    "local s, p = string.rep('a', 200000), string.rep('{item}', 200000) local r = {call} return 1"
                );
                let text = error(&mut runtime, &body);
                assert!(
                    text.starts_with("ERR user_script:1: pattern too complex script: "),
                    "{text}"
                );
                is_well(&mut runtime);
                // As deep as it goes, and inside of callbacks that are nested as deep as they go.
                let body = format!(
                    "local s, p = string.rep('a', 4000), string.rep('{item}', 4000) \
                     local function deep() local ok = pcall(string.gsub, 'x', 'x', deep) \
                     if not ok then local r = {call} end end \
                     deep() return 1"
                );
                assert_eq!(eval(&mut runtime, &body), Value::Integer(1), "{item} {call}");
            }
        }
        let plain = "local s = string.rep('a?', 200000) return s:find(s, 1, true)";
        assert_eq!(eval(&mut runtime, plain), Value::Integer(1));
        let literal = "local s = string.rep('ab', 200000) return s:find(s)";
        assert_eq!(eval(&mut runtime, literal), Value::Integer(1));
    });
}

/// Recursion that has to end in an error with this text.
const RECURSIVE: &[(&str, &str)] = &[
    ("return loadstring('return ' .. string.rep('(', 1e5) .. '1' .. string.rep(')', 1e5))()", ""),
    ("return loadstring('return ' .. string.rep('{', 1e5) .. string.rep('}', 1e5))()", ""),
    ("return loadstring(string.rep('do ', 1e5) .. string.rep('end ', 1e5))()", ""),
    ("return loadstring('return ' .. string.rep('- ', 1e5) .. '1')()", ""),
    ("return loadstring('return ' .. string.rep('not ', 1e5) .. '1')()", ""),
    ("return loadstring('return ' .. string.rep('1 ..', 1e5) .. '1')()", ""),
    ("return loadstring('a = ' .. string.rep('function() return ', 1e5))()", ""),
    ("return loadstring('x' .. string.rep('.x', 1e5) .. ' = 1')()", ""),
    ("local function f() return (string.gsub('x', 'x', f)) end return f()", "C stack overflow"),
    ("local function f() return 1 + f() end return f()", "stack overflow"),
    ("local function f() error(setmetatable({}, {__tostring = f})) end f()", "ERR"),
    (
        "local t = {} setmetatable(t, {__tostring = function() return tostring(t) end}) return tostring(t)",
        "C stack overflow",
    ),
    (
        "local t = {} setmetatable(t, {__index = function(t, k) return t[k] end}) return t.x",
        "C stack overflow",
    ),
    (
        "local t = {} setmetatable(t, {__call = function(t) return 1 + t() end}) return t()",
        "stack overflow",
    ),
    (
        "local m = {} m.__eq = function(a, b) return a == b end local a, b = setmetatable({}, m), setmetatable({}, m) return a == b",
        "C stack overflow",
    ),
    (
        "local m = {} m.__concat = function(a, b) return a .. b end local a = setmetatable({}, m) return a .. a",
        "C stack overflow",
    ),
    (
        "local t = setmetatable({}, {}) for i = 1, 200 do t = setmetatable({}, {__index = t}) end return t.x",
        "loop in gettable",
    ),
    ("local function f() table.sort({3, 2, 1}, f) end f()", "C stack overflow"),
    ("local function f() return coroutine.wrap(f)() end f()", "C stack overflow"),
    (
        "local function f() return coroutine.wrap(function() return pcall(f) end)() end f() error('end')",
        "end",
    ),
    ("local function f() return xpcall(f, f) end f() error('end')", "end"),
    ("local function f(e) error(e) end xpcall(f, f) error('end')", "end"),
    (
        "local e = 'x' for i = 1, 1e4 do local _, c = pcall(error, {e}) e = c end return cjson.encode(e)",
        "nest",
    ),
    (
        "local t = {} for i = 1, 1e5 do t = {t} end return cmsgpack.pack(t):len() - error('end')",
        "end",
    ),
    ("local t = {} t[1] = t return cjson.encode(t)", "nest"),
    ("return cjson.decode(string.rep('{\"a\":', 1e5))", "nest"),
    ("return cjson.decode(string.rep('[', 1e5) .. string.rep(']', 1e5))", "nest"),
    (
        "xpcall(error, function() local s = 'x' while true do s = s .. s end end) error('end')",
        "ERR",
    ),
    ("return string.format('%99999d', 1)", "invalid format"),
    ("return string.format('%' .. string.rep('0', 1e5) .. 'd', 1)", "invalid format"),
    ("return ('x'):rep(1e9):rep(1e9)", "not enough memory"),
    ("return unpack({}, 1, 1e7)", "too many results to unpack"),
    ("return redis.call(unpack({}, 1, 1e6))", "too many results to unpack"),
];

/// Neither an error nor an end: what is compared does not matter to who compares.
const ODD: &[&str] = &[
    "local t = {} for i = 1, 1e4 do t[i] = i % 7 end pcall(table.sort, t, function() return true end) return 1",
    "local t = {} for i = 1, 1e4 do t[i] = i % 7 end pcall(table.sort, t, function(a, b) return b end) return 1",
    "local f = function() end for i = 1, 1e5 do local g = f f = function() return g() end end return pcall(f) and 1",
    "local t = {} for i = 1, 1e4 do t = {t} end return 1",
];

#[test]
fn no_recursion_overflows_the_stack() {
    on_small_stack(|| {
        let mut runtime = runtime();
        for (body, expected) in RECURSIVE {
            let text = error(&mut runtime, body);
            assert!(text.contains(expected), "{body}: {text}");
            is_well(&mut runtime);
        }
        for body in ODD {
            assert_eq!(eval(&mut runtime, body), Value::Integer(1), "{body}");
            is_well(&mut runtime);
        }
    });
}
